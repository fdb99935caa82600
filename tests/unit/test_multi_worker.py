"""A worker in this process, and two real ones: what they train, and what a death does."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from unittest.mock import MagicMock, call

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from backprop import losses, multi_worker, npz  # noqa: E402
from backprop.network import Network  # noqa: E402
from backprop.optimizers import Momentum  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

# Real processes wait for each other here. These bounds only end what hangs; they judge no speed.
MOST_SECONDS, PATIENCE = 600, 120


def tf_config(ports, index, kind="worker"):
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": kind, "index": index}})


def by_hand(steps, batch, seed=0, mine=slice(None), share=1.0):
    """Train without TensorFlow, in one piece, and return the weights."""
    X, T = multi_worker.examples()
    network = Network(multi_worker.start(seed)[0], multi_worker.ACTIVATIONS)
    momentum = Momentum(0.25, 0.875)
    for step in range(steps):
        rows = multi_worker.batch_rows(seed, step, batch)[mine]
        _, gradients = network.loss_and_gradients(losses.softmax_cross_entropy, X[rows], T[rows])
        momentum.step(network.parameters, [share * g for g in gradients])
    return network.parameters


def assert_equal(one, other, tolerance=0.0):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def test_first_weights_and_batches():
    weights, velocities = multi_worker.start(5)
    assert [w.shape for w in weights] == [(784, 32), (32,), (32, 10), (10,)]
    assert np.std(weights[0]) == pytest.approx(0.1, rel=0.02)
    assert_equal(velocities, [0 * w for w in weights])
    X, T = multi_worker.examples()
    assert (X.shape, X.dtype, T.shape, T.dtype) == ((2000, 784), float, (2000, 10), float)
    rows = multi_worker.batch_rows(5, 7, 2000)
    assert sorted(rows) == list(range(2000))
    np.testing.assert_array_equal(rows, multi_worker.batch_rows(5, 7, 2000))
    for other in [(5, 8), (6, 7), (7, 5)]:
        assert (rows != multi_worker.batch_rows(*other, 2000)).any()


@pytest.mark.parametrize(("workers", "index"), [(1, 0), (2, 1)])
def test_a_worker_in_this_process(monkeypatch, tmp_path, workers, index):
    one = tf.distribute.get_strategy()
    assert multi_worker.barrier(one) == 1
    strategy = MagicMock(wraps=one, num_replicas_in_sync=workers)  # the sum has one term
    monkeypatch.setattr("builtins.print", said := MagicMock())
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: strategy)
    monkeypatch.setattr(multi_worker, "faulthandler", alarm := MagicMock())
    monkeypatch.setenv("TF_CONFIG", tf_config(range(workers), index))
    mine, share = [(slice(None), 1.0), (slice(17, 33), 16 / 33)][index]
    options = f"{tmp_path} --seed 3 --batch 33 --every 3 --patience 7".split()
    for steps in (4, 6):
        for mock in (alarm, strategy, said):
            mock.reset_mock()
        multi_worker.main([*options, "--steps", str(steps)])
        first = 3 if index == 0 and steps == 6 else 0  # of worker 0 there is a checkpoint
        text = f"worker {index} of {workers}: updates {first + 1} to {steps}"
        assert said.mock_calls == [call(text, flush=True)]
        alarms = [call(35, exit=True)] + (steps - first) * [call(7, exit=True)]
        assert alarm.dump_traceback_later.mock_calls == alarms
        assert strategy.run.call_count == 2  # traced: a step, and the barrier
        weights = npz.read(tmp_path / f"weights-{index}.npz")
        assert list(weights) == [f"weight_{i}" for i in range(4)]
        assert_equal(weights.values(), by_hand(steps, 33, 3, mine, share), tolerance=1e-12)
    assert (tmp_path / "checkpoint.npz").exists() == (index == 0)
    strategy.num_replicas_in_sync = 3
    with pytest.raises(SystemExit, match=f"one device for each, got 3 for {workers} workers"):
        multi_worker.main(options)


def test_a_checkpoint_comes_back_to_the_last_bit_if_it_fits(tmp_path):
    arrays = [[np.array([[0.1, 1]]), np.array([2.0])], [np.array([[3.0, 4]]), np.array([0.7])]]
    variables = ([tf.Variable(a) for a in group] for group in arrays)
    multi_worker.save(tmp_path / "checkpoint.npz", (20, 2**40, 64), *variables)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]
    options = Namespace(folder=tmp_path, seed=2**40, batch=64, steps=20)
    first, *found = multi_worker.make_variables(tf.distribute.get_strategy(), options)
    assert first == 20
    for got, wanted in zip(found, arrays, strict=True):
        assert_equal(got, wanted)
    for other in ({"steps": 19}, {"seed": 4}, {"batch": 63}):
        changed = Namespace(**vars(options) | other)
        with pytest.raises(ValueError, match=r"^options: .* has seed \d+, batch 64 and 20 updates"):
            multi_worker.make_variables(tf.distribute.get_strategy(), changed)
    for wrong in ({"run": np.ones(2)}, {"weight_0": 1}, {"run": np.ones(3), "weight_0": 1}):
        npz.write(tmp_path / "checkpoint.npz", **wrong)
        with pytest.raises(ValueError, match=r"checkpoint\.npz: not a checkpoint"):
            multi_worker.load(tmp_path / "checkpoint.npz")


# The command line and TF_CONFIG


def test_a_description_of_the_cluster_that_is_wrong_is_refused():
    one = tf_config([1], 0)
    texts = ["", "two workers", "[]", tf_config([], 0), tf_config([1], 0, "chief")]
    texts += [one.replace('"cluster": {"worker"', '"cluster": {"chief"')]
    texts += [tf_config([1, 1], 0), *(tf_config([1, 2], index) for index in (2, -1, "0", True))]
    texts += [one.replace(":1", ""), one.replace('"127.0.0.1:1"', "3"), one.replace("worker", "ps")]
    texts.append(one.replace('["127.0.0.1:1"]', '{"a:1": 2}'))
    texts.append(one.replace('{"worker"', '{"ps": ["b:1"], "worker"'))
    for text in texts:
        message = f"expected {{.*}}, all different, got {re.escape(text or 'nothing')}"
        with pytest.raises(ValueError, match=f"^TF_CONFIG: {message}$"):
            multi_worker.read_cluster(text)


def test_options_and_how_the_program_ends(monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit):
        multi_worker.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("on several", "must exist", "in all", "together", "first", "between", "to wait"):
        assert words in shown
    monkeypatch.setenv("TF_CONFIG", tf_config([1, 2, 3], 2))
    monkeypatch.setattr(multi_worker, "train", train := MagicMock())
    given = {"steps": 500, "batch": 64, "seed": 0, "every": 100, "patience": 60}
    least = {"steps": 1, "batch": 3, "seed": 0, "every": 1, "patience": 1}
    for numbers in ({}, least, {"batch": 2000}):
        options = [word for name, n in numbers.items() for word in (f"--{name}", str(n))]
        multi_worker.main([str(tmp_path), *options])
        assert train.call_args == call(3, 2, Namespace(folder=tmp_path, **given | numbers))
    for name, n in [*((name, n - 1) for name, n in least.items()), ("batch", 2001)]:
        with pytest.raises(SystemExit, match=f"^Error: --{name}: expected a whole .* got {n}$"):
            multi_worker.main([str(tmp_path), f"--{name}", str(n)])
    with pytest.raises(SystemExit, match=r"^Error: folder: expected one that exists, got .*none"):
        multi_worker.main([str(tmp_path / "none")])
    train.side_effect = tf.errors.UnavailableError(None, None, "gone")
    with pytest.raises(SystemExit, match=r"^Error: worker 2 has lost the others .*: gone"):
        multi_worker.main([str(tmp_path)])
    monkeypatch.delenv("TF_CONFIG")
    with pytest.raises(SystemExit, match=r"^Error: TF_CONFIG: expected .*, got nothing"):
        multi_worker.main([str(tmp_path)])


# Clusters


@pytest.fixture
def start():
    """Start two workers, each with a folder of its own in one folder; end them after the test."""
    processes = []

    def start(parent, *options):
        with socket.socket() as one, socket.socket() as two:
            for s in (one, two):
                s.bind(("127.0.0.1", 0))
            ports = [s.getsockname()[1] for s in (one, two)]
        for index in (0, 1):
            folder = parent / str(index)
            folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "backprop.multi_worker", folder]
            command = [str(word) for word in [*command, "--patience", PATIENCE, *options]]
            env = os.environ | {"TF_CONFIG": tf_config(ports, index)}
            with open(folder / "log", "w") as log:
                processes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
        return processes[-2:]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def finish(cluster, parent):
    """Wait until both workers have ended well, and return their weights."""
    for index, worker in enumerate(cluster):
        assert worker.wait(MOST_SECONDS) == 0, (parent / str(index) / "log").read_text()
    files = [parent / str(index) / f"weights-{index}.npz" for index in (0, 1)]
    return [list(npz.read(file).values()) for file in files]


def test_two_workers_train_what_one_program_trains(start, tmp_path):
    cluster = start(tmp_path, "--steps", 40, "--batch", 33)  # unequal shards
    first, second = finish(cluster, tmp_path)
    assert_equal(first, second)
    assert_equal(first, by_hand(40, 33), tolerance=1e-12)


@pytest.mark.weekly  # what happens is known only when somebody's patience ends
@pytest.mark.parametrize(
    ("dies", "how", "patience", "words"),
    [
        (0, "SIGKILL", 20, "worker 1 has lost the others and stops|Timeout"),
        (1, "SIGKILL", 20, "worker 0 has lost the others and stops|Timeout"),
        (0, "SIGSTOP", 7, "Timeout"),  # it is there, but without an answer
    ],
)
def test_a_worker_ends_without_the_other_and_a_restart_gives_the_same_weights(
    start, tmp_path, dies, how, patience, words
):
    cluster = start(tmp_path, "--steps", 1_000_000, "--every", 20, "--patience", patience)
    end = time.monotonic() + MOST_SECONDS
    while not (tmp_path / "0" / "checkpoint.npz").exists():
        assert time.monotonic() < end, (tmp_path / "0" / "log").read_text()
        time.sleep(0.01)
    cluster[dies].send_signal(getattr(signal, how))
    assert cluster[1 - dies].wait(MOST_SECONDS) != 0
    log = (tmp_path / str(1 - dies) / "log").read_text()
    assert re.search(words, log), log
    assert not list(tmp_path.glob("*/weights-*"))
    cluster[dies].kill()
    step = multi_worker.load(tmp_path / "0" / "checkpoint.npz")[0][0]
    assert step % 20 == 0
    options, fresh = ("--steps", step + 30), tmp_path / "fresh"
    restarted = finish(start(tmp_path, *options), tmp_path)
    uninterrupted = finish(start(fresh, *options), fresh)
    for weights in (*restarted, uninterrupted[1]):  # worker 1 had no checkpoint of its own
        assert_equal(weights, uninterrupted[0])
