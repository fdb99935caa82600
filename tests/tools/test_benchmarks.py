"""Benchmarks train what they say, and end with a sentence when they are stopped."""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Those that need no more than the tests have; `make speed` checks a step of each before it starts.
TRIED = ["sgd_step", "FastNetwork", "bare products", "Network", "one by one"]
KERAS = "Keras fit, 100 at once"


@pytest.fixture
def benchmarks(tmp_path, monkeypatch):
    """Return the modules, with a thousand images in a folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import contenders
    import steps
    import training
    import workers

    for name, text in training.environment(1, None).items():
        monkeypatch.setenv(name, text)
    contenders.Preparation(tmp_path).write(1000)
    return contenders, steps, training, workers


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TRIED, pytest.param(KERAS, marks=pytest.mark.tensorflow)])
def test_a_contender_does_the_textbooks_step_and_trains_for_an_epoch(benchmarks, tmp_path, name):
    contenders, _, _, workers = benchmarks
    if name == KERAS:
        pytest.importorskip("tensorflow")
    worker = workers.Worker(name, contenders.Entry, name, tmp_path, 1)
    try:
        worker("check_step")
        examples, seconds, _ = worker("turn")
        assert worker("how") == contenders.CONTENDERS[name].__doc__
    finally:
        worker.end()
    assert examples == (100 if name == "one by one" else 1000)
    assert seconds > 0


def test_a_wrong_step_is_refused(benchmarks, tmp_path, monkeypatch):
    contenders, *_ = benchmarks
    monkeypatch.setattr(contenders, "RATE", 0.2)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        contenders.Entry("sgd_step", tmp_path, 1).check_step()


def test_the_forms_of_the_chapter_agree_and_take_turns(benchmarks, tmp_path):
    _, steps, *_ = benchmarks
    forms = steps.Steps(tmp_path)
    forms.check()
    seconds = forms.turn(2)
    assert set(seconds) == {"bare products", *forms.how()}
    assert all(len(times) == 2 and min(times) > 0 for times in seconds.values())


def test_results_name_processor_and_commit(benchmarks):
    _, _, training, _ = benchmarks
    found = training.processor()
    assert found["processor"]
    assert set(found) == {"processor", "vectors"}
    assert re.fullmatch(r"[0-9a-f]{12}( with changes)?|unknown", training.commit())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "sign", "sentence"),
    [
        ("digits.py", "seed", "Stopped. Started again, it goes on from its last checkpoints."),
        ("training.py", "warm-up", "Stopped; nothing has been written."),
    ],
)
def test_a_benchmark_that_is_stopped_says_so(tmp_path, program, sign, sentence):
    environment = {key: text for key, text in os.environ.items() if key != "TQDM_DISABLE"}
    with subprocess.Popen(
        [sys.executable, str(BENCHMARKS / program)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # Or it would ignore the signal if these tests do, as all that `nohup` or `&` starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        shown = ""
        while sign not in shown and (letter := process.stdout.read(1)):
            shown += letter
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        shown += process.stdout.read()
    assert process.returncode == 130
    assert "Traceback" not in shown
    assert shown.rstrip().splitlines()[-1].endswith(sentence)
