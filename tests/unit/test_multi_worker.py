"""A cluster of two real processes on this machine: the same weights, and what a death does."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from contextlib import ExitStack

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from backprop import losses, multi_worker, npz  # noqa: E402
from backprop.network import Network  # noqa: E402
from backprop.optimizers import Momentum  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

# Real processes wait for each other here. These bounds only end what hangs; they judge no speed.
MOST_SECONDS = 600
PATIENCE = 120
# What happens when a worker dies or stops is known only when somebody's patience ends: these tests
# wait for clocks, so they run weekly and not with every change.
weekly = pytest.mark.weekly


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def tf_config(ports, index):
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


@pytest.fixture
def start():
    """Start the workers of a cluster, each with a folder of its own; end them after the test."""
    processes = []

    def start(folders, *options):
        ports, cluster = free_ports(len(folders)), []
        for index, folder in enumerate(folders):
            folder.mkdir(exist_ok=True)
            with open(folder / "log", "w") as log:
                command = [sys.executable, "-m", "backprop.multi_worker", str(folder)]
                worker = subprocess.Popen(
                    [*command, "--patience", str(PATIENCE), *map(str, options)],
                    env=os.environ | {"TF_CONFIG": tf_config(ports, index)},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            processes.append(worker)
            cluster.append(worker)
        return cluster

    yield start
    for process in processes:
        process.kill()
        process.wait()


def finish(cluster, folders):
    """Wait until all workers have ended well, and return their weights."""
    for worker, folder in zip(cluster, folders, strict=True):
        assert worker.wait(MOST_SECONDS) == 0, (folder / "log").read_text()
    weights = []
    for index, folder in enumerate(folders):
        with np.load(folder / f"weights-{index}.npz") as file:
            weights.append([file[name] for name in file.files])
    return weights


def by_hand(steps, batch):
    """Train without TensorFlow, in one piece, and return the weights."""
    X, T = multi_worker.examples()
    weights, _ = multi_worker.start(0)
    network = Network(weights, multi_worker.ACTIVATIONS)
    momentum = Momentum(multi_worker.LEARNING_RATE, multi_worker.MOMENTUM)
    for step in range(steps):
        rows = multi_worker.batch_rows(0, step, batch)
        _, gradients = network.loss_and_gradients(losses.softmax_cross_entropy, X[rows], T[rows])
        momentum.step(network.parameters, gradients)
    return network.parameters


def assert_equal(one, other, tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def checkpointed_step(folder):
    return multi_worker.load(folder / "checkpoint.npz")[0][0]


def wait_for(path):
    end = time.monotonic() + MOST_SECONDS
    while not path.exists():
        assert time.monotonic() < end, (path.parent / "log").read_text()
        time.sleep(0.01)


def test_two_workers_train_what_one_program_trains(start, tmp_path):
    batch = 33  # unequal shards
    folders = [tmp_path / "0", tmp_path / "1"]
    first, second = finish(start(folders, "--steps", 40, "--batch", batch), folders)
    assert_equal(first, second, tolerance=0)
    assert_equal(first, by_hand(40, batch), tolerance=1e-12)
    assert np.abs(first[0] - multi_worker.start(0)[0][0]).max() > 0.01  # they did train


@weekly
def test_a_killed_worker_ends_the_others_and_a_restart_gives_the_same_weights(start, tmp_path):
    folders = [tmp_path / "0", tmp_path / "1"]
    options = ("--steps", 1_000_000, "--every", 20, "--patience", 20)
    survivor, victim = start(folders, *options)
    wait_for(folders[0] / "checkpoint.npz")
    victim.send_signal(signal.SIGKILL)
    assert survivor.wait(MOST_SECONDS) == 1
    log = (folders[0] / "log").read_text()
    assert "worker 0 has lost the others and stops" in log or "Timeout" in log
    assert not list(tmp_path.glob("*/weights-*"))

    step = checkpointed_step(folders[0])
    assert step % 20 == 0
    options = ("--steps", step + 30)
    restarted = finish(start(folders, *options), folders)  # worker 1 has no checkpoint of its own
    fresh = [tmp_path / "fresh 0", tmp_path / "fresh 1"]
    uninterrupted = finish(start(fresh, *options), fresh)
    for weights in (*restarted, uninterrupted[1]):
        assert_equal(weights, uninterrupted[0], tolerance=0)


@weekly
@pytest.mark.parametrize(
    ("how", "patience", "words"),
    [
        ("SIGKILL", 20, "has lost the others|Timeout"),
        ("SIGSTOP", 7, "Timeout"),  # there, but without an answer: the alarm is before TensorFlow's
    ],
)
def test_a_worker_does_not_wait_for_ever_for_worker_0(start, tmp_path, how, patience, words):
    folders = [tmp_path / "0", tmp_path / "1"]
    options = ("--steps", 1_000_000, "--every", 20, "--patience", patience)
    victim, survivor = start(folders, *options)
    wait_for(folders[0] / "checkpoint.npz")
    victim.send_signal(getattr(signal, how))
    assert survivor.wait(MOST_SECONDS) != 0
    log = (folders[1] / "log").read_text()
    assert re.search(words, log), log
    assert not list(tmp_path.glob("*/weights-*"))


@weekly
def test_a_worker_alone_gives_up(start, tmp_path):
    alone, other = start([tmp_path / "0", tmp_path / "1"], "--patience", 3)
    other.kill()
    assert alone.wait(MOST_SECONDS) != 0
    assert "Timeout" in (tmp_path / "0" / "log").read_text()


def test_batches_depend_on_seed_and_step_alone():
    rows = multi_worker.batch_rows(5, 7, 64)
    assert len(set(rows.tolist())) == 64
    assert 0 <= rows.min() < rows.max() < multi_worker.EXAMPLES
    np.testing.assert_array_equal(rows, multi_worker.batch_rows(5, 7, 64))
    for other in [(5, 8), (6, 7), (7, 5)]:
        assert (rows != multi_worker.batch_rows(*other, 64)).any()


# Bad input


@weekly
def test_workers_refuse_to_go_on_with_another_run(start, tmp_path):
    folders = [tmp_path / "0", tmp_path / "1"]
    folders[0].mkdir()
    variables = ([tf.Variable(a) for a in group] for group in multi_worker.start(5))
    multi_worker.save(folders[0] / "checkpoint.npz", (20, 5, 64), *variables)
    cluster = start(folders, "--steps", 40, "--seed", 0)
    for worker, folder in zip(cluster, folders, strict=True):
        assert worker.wait(MOST_SECONDS) != 0
        wrong = "Error: options: expected those of worker 0's run, which has seed 5, batch 64 and"
        assert wrong in (folder / "log").read_text()
    assert not list(tmp_path.glob("*/weights-*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "expected .*, got nothing"),
        ("two workers", "expected .*, got two workers"),
        ("[]", r"expected .*, got \[\]"),
        ('{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}', "expected"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "expected"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', "expected"),
        (tf_config([1], 0).replace('"worker": [', '"ps": ["b:1"], "worker": ['), "expected"),
        (tf_config([1, 1], 0), "expected different addresses"),
        (tf_config([1, 2], 2), "expected index 0 to 1, got 2"),
        (tf_config([1, 2], -1), "expected index 0 to 1, got -1"),
        (tf_config([1, 2], "0"), "expected index 0 to 1, got '0'"),
    ],
)
def test_a_wrong_description_of_the_cluster_is_refused(text, message):
    with pytest.raises(ValueError, match=f"^TF_CONFIG: {message}"):
        multi_worker.read_cluster(text)


def test_a_description_of_the_cluster():
    assert multi_worker.read_cluster(tf_config([1, 2, 3], 2)) == (3, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "1"], "--batch: expected 2 to 2000, got 1"),
        (["--batch", "2001"], "--batch: expected 2 to 2000, got 2001"),
        (["--seed", "-1"], "--seed: expected a whole number of at least 0, got -1"),
        (["--steps", "0"], "--steps: expected a whole number of at least 1, got 0"),
    ],
)
def test_wrong_options_are_refused(monkeypatch, tmp_path, options, message):
    monkeypatch.setenv("TF_CONFIG", tf_config([1, 2], 0))
    with pytest.raises(SystemExit, match=f"Error: {message}"):
        multi_worker.main([str(tmp_path), *options])


def test_a_missing_folder_and_a_missing_description_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", tf_config([1, 2], 0))
    with pytest.raises(SystemExit, match="Error: folder: expected one that exists"):
        multi_worker.main([str(tmp_path / "none")])
    monkeypatch.delenv("TF_CONFIG")
    with pytest.raises(SystemExit, match=r"Error: TF_CONFIG: expected .*, got nothing"):
        multi_worker.main([str(tmp_path)])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda file: file.write_text("text"), "cannot be read"),
        (lambda file: npz.write(file, run=np.ones(2), weight_0=np.ones(3)), "not a checkpoint"),
        (lambda file: npz.write(file, run=np.ones(3), weight_0=np.ones(3)), "not a checkpoint"),
        (lambda file: npz.write(file, weight_0=np.ones(2)), "not a checkpoint"),
    ],
    ids=["text", "two numbers", "no velocities", "no run"],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, write, message):
    write(tmp_path / "checkpoint.npz")
    with pytest.raises(ValueError, match=rf"checkpoint\.npz: {message}"):
        multi_worker.load(tmp_path / "checkpoint.npz")


def test_a_checkpoint_that_is_further_on_is_refused(tmp_path):
    variables = ([tf.Variable(a) for a in group] for group in multi_worker.start(5))
    multi_worker.save(tmp_path / "checkpoint.npz", (20, 5, 64), *variables)
    options = Namespace(folder=tmp_path, seed=5, batch=64, steps=20)
    assert multi_worker.make_variables(tf.distribute.get_strategy(), options)[0] == 20
    options.steps = 19
    with pytest.raises(ValueError, match="which has seed 5, batch 64 and 20 updates"):
        multi_worker.make_variables(tf.distribute.get_strategy(), options)


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    weights, velocities = ([rng.normal(size=s) for s in ((3, 2), (2,))] for _ in range(2))
    variables = ([tf.Variable(a) for a in group] for group in (weights, velocities))
    multi_worker.save(tmp_path / "checkpoint.npz", (7, 1, 64), *variables)
    run, *arrays = multi_worker.load(tmp_path / "checkpoint.npz")
    assert run == [7, 1, 64]
    for got, wanted in zip(arrays, (weights, velocities), strict=True):
        assert_equal(got, wanted, tolerance=0)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]
