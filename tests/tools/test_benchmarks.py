"""Benchmarks end with a sentence when they are stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


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
    ) as process:
        shown = ""
        while sign not in shown and (letter := process.stdout.read(1)):
            shown += letter
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        shown += process.stdout.read()
    assert process.returncode == 130
    assert "Traceback" not in shown
    assert shown.rstrip().splitlines()[-1].endswith(sentence)
