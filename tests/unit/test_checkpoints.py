"""Runs that are interrupted and resumed, against the same runs without interruption."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from backprop import checkpoints, fast, losses, optimizers, schedules
from backprop.augmentation import Augmentation
from backprop.fast import FastNetwork
from backprop.network import Network
from backprop.training import Trainer, accuracy

EPOCHS = 5


def data(n=11, D=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, D)), np.eye(3)[rng.integers(0, 3, n)]


def noise(X, rng):
    return X + rng.normal(size=X.shape)


def make(optimizer=None, seed=7, kind=Network, sizes=(4, 5, 3), **more):
    """Return a new run, which is the same every time."""
    network = kind.random(sizes, ["relu", "identity"], np.random.default_rng(1), 0.5)
    loss = more.pop("loss", losses.softmax_cross_entropy)
    optimizer = optimizers.SGD(0.1) if optimizer is None else optimizer
    return Trainer(network, loss, optimizer, seed, **{"batch_size": 4} | more)


def fit(trainer, epochs, checkpoint=None):
    D = len(trainer.network.parameters[0])
    trainer.fit(*data(D=D), epochs, validation=data(6, D, seed=1), checkpoint=checkpoint)
    return trainer


def everything(trainer):
    """Return all that a run is, as numbers and lists, to the last bit."""
    optimizer = trainer.optimizer
    return {
        "parameters": [p.tolist() for p in trainer.network.parameters],
        "best": [p.tolist() for p in trainer.best],
        "best_epoch": trainer.best_epoch,
        "history": [dict(record) for record in trainer.history],
        "iterations": optimizer.iterations,
        "slots": [{name: a.tolist() for name, a in slots.items()} for slots in optimizer.state],
        "rng": trainer.rng.bit_generator.state,
    }


RUNS = {
    "sgd": make,
    **{
        name: partial(lambda kind: make(kind(0.1)), getattr(optimizers, name))
        for name in ("Momentum", "Nesterov", "Adagrad", "RMSProp", "Adadelta", "Adam", "AdamW")
    },
    "schedule": lambda: make(optimizers.SGD(schedules.cosine_decay(0.3, 14))),
    "penalties": lambda: make(l1=0.01, l2=0.02),
    "dropout": lambda: make(dropout=(0.2, 0.5)),
    "augment": lambda: make(augment=noise),
    "warps": lambda: make(
        augment=Augmentation(15, 0.1, 0.1, 2, 30, 5, group=3), sizes=(28 * 28, 5, 3)
    ),
    "fast": lambda: make(optimizers.Adam(0.1), kind=FastNetwork, loss=fast.softmax_cross_entropy_inplace),
    "all": lambda: make(
        optimizers.Adam(schedules.exponential_decay(0.1, 5, 0.5)),
        kind=FastNetwork,
        loss=fast.softmax_cross_entropy_inplace,
        l1=0.01,
        l2=0.02,
        dropout=(0.2, 0.5),
        augment=noise,
        metric=accuracy,
    ),
}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=list(RUNS))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.npz"


def interrupt(trainer, name, calls):
    """Let a function of a run raise KeyboardInterrupt after so many calls."""
    function = getattr(trainer, name)
    remaining = iter(range(calls))

    @functools.wraps(function)
    def interrupted(*args):
        if next(remaining, None) is None:
            raise KeyboardInterrupt
        return function(*args)

    setattr(trainer, name, interrupted)
    return trainer


# Interrupted and resumed


@every_run
def test_a_resumed_run_is_the_uninterrupted_one(run, file):
    whole = everything(fit(run(), EPOCHS))
    for epochs in (2, 3, EPOCHS, EPOCHS):  # with a new process, as it were, for each
        trainer = fit(run(), epochs, file)
        assert len(trainer.history) == epochs
    assert everything(trainer) == whole


@pytest.mark.parametrize(
    ("name", "calls"), [("loss", 10), ("loss", 8), ("augment", 2), ("metric", 2)]
)
@pytest.mark.parametrize("same_process", [True, False])
def test_an_interruption_in_the_third_epoch(file, name, calls, same_process):
    # An epoch has three batches and one evaluation, that is four calls of the loss.
    whole = everything(fit(RUNS["all"](), EPOCHS))
    trainer = RUNS["all"]()
    function = getattr(trainer, name)
    with pytest.raises(KeyboardInterrupt):
        fit(interrupt(trainer, name, calls), EPOCHS, file)
    assert len(trainer.history) == 2
    setattr(trainer, name, function)
    resumed = trainer if same_process else RUNS["all"]()
    assert everything(fit(resumed, EPOCHS, file)) == whole


@pytest.mark.parametrize("same_process", [True, False])
def test_an_interruption_in_the_first_epoch(file, same_process):
    trainer = RUNS["all"]()
    loss = trainer.loss
    with pytest.raises(KeyboardInterrupt):
        fit(interrupt(trainer, "loss", 2), EPOCHS, file)
    assert trainer.optimizer.iterations == 2
    trainer.loss = loss
    resumed = trainer if same_process else RUNS["all"]()
    assert everything(fit(resumed, EPOCHS, file)) == everything(fit(RUNS["all"](), EPOCHS))


def test_a_folder_that_does_not_exist_is_noticed_before_the_first_epoch(tmp_path):
    trainer = make()
    with pytest.raises(FileNotFoundError, match=r"no/run\.npz: there is no folder .*no$"):
        fit(trainer, 1, tmp_path / "no" / "run.npz")
    assert trainer.optimizer.iterations == 0


def test_epochs_are_not_lost_to_a_checkpoint_that_has_fewer(file):
    fit(make(), 2, file)
    fit(make(), 2, file)
    message = r"run\.npz: a run of 2 epochs, and this one has made 3; name another file"
    assert_refused(fit(make(), 3), file, message)


@pytest.mark.slow
def test_a_killed_process_goes_on(file):
    program = f"import test_checkpoints as t; t.fit(t.RUNS['all'](), 10**6, {str(file)!r})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as p:
        deadline = time.monotonic() + 60
        while not file.exists() and p.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        p.kill()
    assert p.returncode == -signal.SIGKILL
    done = make_loaded("all", file).history
    assert done
    resumed = fit(RUNS["all"](), len(done) + 2, file)
    assert everything(resumed) == everything(fit(RUNS["all"](), len(done) + 2))


def make_loaded(run, file):
    trainer = RUNS[run]()
    checkpoints.load(trainer, file)
    return trainer


@every_run
def test_a_checkpoint_holds_everything(run, file):
    trainer = fit(run(), 2)
    checkpoints.save(trainer, file)
    saved, other = everything(trainer), run()
    kept = other.network.parameters[0]
    checkpoints.load(other, file)
    assert other.network.parameters[0] is kept
    fit(trainer, 3)
    assert everything(other) == saved != everything(trainer)
    assert everything(fit(other, 3)) == everything(trainer)


@pytest.mark.parametrize("run", ["sgd", "Adam"])
def test_a_checkpoint_from_before_the_first_epoch(run, file):
    trainer = RUNS[run]()
    before, other = everything(trainer), RUNS[run]()
    checkpoints.save(trainer, file)
    other.network.parameters[0] += 1
    checkpoints.load(other, file)
    assert everything(other) == before


def test_float32_stays_float32(file):
    network = Network.random([4, 3], ["tanh"], np.random.default_rng(0), dtype=np.float32)
    X, T = (a.astype(np.float32) for a in data())
    trainer = Trainer(network, losses.half_squared_error, optimizers.Adam(), 0)
    trainer.fit(X, T, 1, validation=(X, T), checkpoint=file)
    checkpoints.load(trainer, file)
    arrays = [*network.parameters, *trainer.best, *trainer.optimizer.state[0].values()]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


def test_numpys_numbers_are_numbers(file):
    def run():
        rates, seed = np.array([0.25, 0.5], np.float32), np.int64(3)
        strength, size = np.float32(0.1), np.int32(4)
        rate = optimizers.SGD(np.float32(0.1))
        return make(rate, seed, l1=strength, dropout=rates, batch_size=size, metric=median)

    fit(run(), 2, file)
    assert everything(fit(run(), EPOCHS, file)) == everything(fit(run(), EPOCHS))


def median(outputs, T):
    return np.median(outputs)


class Noise:
    """Is shown with its address in memory, which is another one in every run."""

    def __call__(self, X, rng):
        return noise(X, rng)


def test_objects_without_a_name_are_known_by_their_class(file):
    one, other = Noise(), Noise()
    fit(make(augment=one, loss=partial(losses.huber, threshold=0.5)), 2, file)
    trainer = make(augment=other, loss=partial(losses.huber, threshold=0.5))
    assert len(fit(trainer, 3, file).history) == 3
    with pytest.raises(ValueError, match=r"a run with loss .*=0\.5\)', and this one has .*=0\.6\)"):
        fit(make(augment=other, loss=partial(losses.huber, threshold=0.6)), 3, file)


# Files that are refused


OTHER_SETTINGS = {
    "shapes": {"sizes": (4, 6, 3)},
    "optimizer": {"optimizer": optimizers.AdamW(0.1)},
    "learning_rate": {"optimizer": optimizers.Adam(0.2)},
    "beta_1": {"optimizer": optimizers.Adam(0.1, beta_1=0.8)},
    "seed": {"seed": 8},
    "batch_size": {"batch_size": 5},
    "l1": {"l1": 0.5},
    "l2": {"l2": 0.5},
    "dropout": {"dropout": (0.2, 0.5)},
    "loss": {"loss": losses.sigmoid_cross_entropy},
    "augment": {"augment": noise},
    "metric": {"metric": accuracy},
}


def assert_refused(trainer, file, message):
    before, D = everything(trainer), len(trainer.network.parameters[0])
    with pytest.raises(ValueError, match=message):
        checkpoints.load(trainer, file)
    with pytest.raises(ValueError, match=message):
        trainer.fit(*data(D=D), 9, checkpoint=file)
    assert everything(trainer) == before


@pytest.mark.parametrize("name", list(OTHER_SETTINGS))
def test_a_run_with_other_settings_is_refused(file, name):
    fit(make(optimizers.Adam(0.1)), 1, file)
    other = make(**({"optimizer": optimizers.Adam(0.1)} | OTHER_SETTINGS[name]))
    message = rf"run\.npz: a run with {name} .*, and this one has .*; name another file"
    assert_refused(other, file, message)


@pytest.mark.parametrize("name", ["network", "dtype", "activations"])
def test_a_run_of_another_network_is_refused(file, name):
    fit(make(), 1, file)
    other, parameters = make(), make().network.parameters
    if name == "network":
        other.network = FastNetwork(parameters, ["relu", "identity"])
    elif name == "dtype":
        other.network = Network([p.astype(np.float32) for p in parameters], ["relu", "identity"])
    else:
        other.network = Network(parameters, ["tanh", "identity"])
    with pytest.raises(ValueError, match=f"a run with {name} .*, and this one has .*"):
        checkpoints.load(other, file)


SCHEDULES = {
    "rates": schedules.piecewise_constant([500], [0.1, 0.02]),
    "boundaries": schedules.piecewise_constant([400], [0.1, 0.01]),
    "cosine": schedules.cosine_decay(0.1, 500),
    "number": 0.1,
    "function": lambda t: 0.1,
}


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_schedules_are_known_by_their_arguments(file, name):
    def run():
        return make(optimizers.SGD(schedules.piecewise_constant([500], [0.1, 0.01])))

    fit(run(), 1, file)
    assert len(fit(run(), 2, file).history) == 2
    message = r"learning_rate .*piecewise_constant.*boundaries=\[500\], values=\[0\.1, 0\.01\]\)"
    assert_refused(make(optimizers.SGD(SCHEDULES[name])), file, message)


def test_a_schedule_is_not_asked_for_rates_that_are_not_needed(file):
    rates = [0.1] * 6  # two epochs of three batches
    fit(make(optimizers.SGD(lambda t: rates[t])), 2, file)


def test_functions_of_one_name_are_told_apart_by_their_modules(file):
    trainer = make(kind=FastNetwork)
    fit(trainer, 1, file)
    trainer.loss = fast.softmax_cross_entropy_inplace
    assert_refused(trainer, file, "a run with loss 'backprop.losses.softmax_cross_entropy")


def test_schedules_may_be_made_of_others(file):
    def halved(schedule):
        def half(t):
            return schedule(t) / 2 if t < 5 else half(t - 5)  # a function that encloses itself

        return half

    def run(rate=0.3):
        return make(optimizers.SGD(halved(schedules.cosine_decay(rate, 5))))

    fit(run(), 1, file)
    assert everything(fit(run(), 3, file)) == everything(fit(run(), 3))
    assert_refused(run(0.4), file, "learning_rate .*half.*cosine_decay.*learning_rate=0.3")


@pytest.mark.parametrize("rates", [[0.1, 0.01], (0.1, 0.01), np.array([0.1, 0.01])])
def test_schedules_may_be_objects(file, rates):
    def run():
        return make(optimizers.SGD(partial(lambda t, rates: float(rates[t % 2]), rates=rates)))

    fit(run(), 1, file)
    assert everything(fit(run(), 3, file)) == everything(fit(run(), 3))


def test_functions_may_remember(file):
    seen = []

    def run():
        return make(metric=lambda Y, T: seen.append(len(Y)) or 0.0)

    fit(run(), 2, file)
    assert len(fit(run(), 3, file).history) == len(seen) == 3


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_text("text"),
        lambda file: make().network.save(file),
        lambda file: np.savez(file, state=np.array("text")),
        lambda file: np.savez(file, state=np.array("[]")),
        lambda file: np.savez(file, state=np.array("{}")),
        lambda file: np.savez(file, state=np.array([{}], object)),
        lambda file: file.mkdir(),
    ],
    ids=["empty", "text", "network", "no json", "list", "dictionary", "pickle", "folder"],
)
def test_a_foreign_file_is_refused(file, write):
    write(file)
    assert_refused(fit(make(), 2), file, r"run\.npz: not a checkpoint \(.+\)")


class Code:
    """Is run when a pickle of it is read."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_no_code_in_a_file_is_run(file):
    trainer = fit(make(), 2)
    checkpoints.save(trainer, file)
    with np.load(file) as saved:
        arrays = dict(saved)
    np.savez(file, **arrays, more=np.array(Code(file.with_name("it ran")), object))
    assert_refused(trainer, file, "not a checkpoint .*pickle")
    assert not file.with_name("it ran").exists()


def test_a_file_without_one_of_its_arrays_is_refused(file):
    trainer = fit(make(optimizers.Adam(0.1)), 2)
    checkpoints.save(trainer, file)
    with np.load(file) as saved:
        arrays = dict(saved)
    assert len(arrays) == 1 + 4 + 4 + 2 * 4
    for missing in arrays:
        np.savez(file, **{name: a for name, a in arrays.items() if name != missing})
        assert_refused(trainer, file, "not a checkpoint")


def test_a_file_that_was_cut_off_is_refused(file):
    trainer = fit(make(), 2, file)
    whole = file.read_bytes()
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        assert_refused(trainer, file, "not a checkpoint")


def test_a_damaged_file_is_refused_or_the_damage_does_not_matter(file):
    trainer, other = fit(make(), 2, file), fit(make(), 1)
    whole, before, after = file.read_bytes(), everything(other), everything(trainer)
    refused = 0
    for place in range(0, len(whole), 23):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            checkpoints.load(other, file)
        except ValueError as error:
            refused += 1
            assert "not a checkpoint" in str(error)  # noqa: PT017
            assert everything(other) == before
        else:
            assert everything(other) == after
            other = fit(make(), 1)
    assert refused > len(whole) / 23 / 2


# Written whole or not at all


@pytest.mark.parametrize("function", ["os.replace", "numpy.savez"])
def test_a_checkpoint_is_written_whole_or_not_at_all(file, monkeypatch, function):
    fit(make(), 2, file)
    old, kept = file.read_bytes(), everything(make_loaded("sgd", file))
    with monkeypatch.context() as patch:

        def fails(stream, *args, **arrays):
            if arrays:
                stream.write(b"half of it")
            raise OSError("the disk is full")

        patch.setattr(function, fails)
        with pytest.raises(OSError, match="the disk is full"):
            fit(make(), 4, file)
    assert file.read_bytes() == old
    assert everything(make_loaded("sgd", file)) == kept
    assert everything(fit(make(), EPOCHS, file)) == everything(fit(make(), EPOCHS))
    assert [f.name for f in file.parent.iterdir()] == ["run.npz"]


def test_a_checkpoint_is_written_after_every_epoch(file):
    epochs = []

    def metric(outputs, T):
        if file.exists():
            with np.load(file) as saved:
                epochs.append(len(json.loads(str(saved["state"]))["history"]))
        return 0.0

    fit(make(metric=metric), 4, str(file))
    assert epochs == [0, 1, 2, 3]
