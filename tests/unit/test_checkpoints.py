"""Runs that are interrupted and resumed, against the same runs without interruption."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from test_optimizers import TABLE

from backprop import checkpoints, fast, losses, npz, optimizers
from backprop.augmentation import Augmentation
from backprop.fast import FastNetwork
from backprop.metrics import accuracy
from backprop.network import Network
from backprop.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay
from backprop.training import Trainer

EPOCHS = 5


def data(n, D, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, D)), np.eye(3)[rng.integers(0, 3, n)]


def noise(X, rng):
    return X + rng.normal(size=X.shape)


def median(outputs, T):
    return np.float32(np.median(outputs))


def make(optimizer=None, seed=7, kind=Network, sizes=(4, 5, 3), first="relu", dtype=float, **more):
    """Return a new run, which is the same every time."""
    network = kind.random(sizes, [first, "identity"], np.random.default_rng(1), 0.5, dtype)
    loss = more.pop("loss", losses.softmax_cross_entropy)
    return Trainer(
        network, loss, optimizer or optimizers.SGD(0.1), seed, **{"batch_size": 4} | more
    )


def fit(trainer, epochs, checkpoint=None):
    network = trainer.network
    examples, validation = (
        [a.astype(network.dtype) for a in data(n, len(network.parameters[0]), seed)]
        for n, seed in [(11, 0), (6, 1)]
    )
    trainer.fit(*examples, epochs, validation=validation, checkpoint=checkpoint)
    return trainer


def everything(trainer):
    """Return all that a run is, as numbers and lists, to the last bit."""
    optimizer = trainer.optimizer
    return {
        "parameters": [p.tolist() for p in trainer.network.parameters],
        "best": [(p.tolist(), p.dtype) for p in trainer.best],
        "best_epoch": trainer.best_epoch,
        "history": [dict(record) for record in trainer.history],
        "iterations": optimizer.iterations,
        "slots": [
            {n: (a.tolist(), a.dtype) for n, a in slots.items()} for slots in optimizer.state
        ],
        "rng": trainer.rng.bit_generator.state,
    }


def everything_in():
    """Return a run with all that a run can have."""
    return make(
        optimizers.Adam(ExponentialDecay(0.1, 5, 0.5)),
        kind=FastNetwork,
        loss=fast.softmax_cross_entropy_inplace,
        l1=0.01,
        l2=0.02,
        dropout=(0.2, 0.5),
        augment=noise,
        metric=accuracy,
    )


RUNS = {e.make.__name__: lambda e=e: make(e.make(CosineDecay(0.1, 14))) for e in TABLE} | {
    "penalties": lambda: make(l1=0.01, l2=0.02),
    "dropout": lambda: make(dropout=(0.2, 0.5)),
    "warps": lambda: make(
        augment=Augmentation(15, 0.1, 0.1, 2, 30, 5, group=3), sizes=(28 * 28, 5, 3)
    ),
    "all": everything_in,
    "float32": lambda: make(optimizers.Adam(0.1), dtype=np.float32),
    "numbers of NumPy": lambda: make(
        optimizers.SGD(np.float32(0.1)),
        np.int64(3),
        l1=np.float32(0.1),
        dropout=np.array([0.25, 0.5], np.float32),
        batch_size=np.int32(4),
        metric=median,
        loss=partial(losses.huber, threshold=np.float64(0.5)),
    ),
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.npz"


# Interrupted and resumed


@pytest.mark.parametrize("run", RUNS.values(), ids=list(RUNS))
def test_a_resumed_run_is_the_uninterrupted_one(run, file):
    whole = everything(fit(run(), EPOCHS))
    for epochs in (2, 3, EPOCHS, EPOCHS):  # with a new process, as it were, for each
        trainer = run()
        kept = trainer.network.parameters[0]
        fit(trainer, epochs, file)
        assert len(trainer.history) == epochs
        assert trainer.network.parameters[0] is kept
    assert everything(trainer) == whole


@pytest.mark.parametrize(
    ("name", "calls", "epochs"),
    [
        ("loss_and_gradients", 2, 0),
        ("loss_and_gradients", 8, 2),
        ("evaluate", 2, 2),
        ("update", 26, 2),
    ],
)
@pytest.mark.parametrize("same_process", [True, False])
def test_an_interruption_in_the_midst_of_an_epoch(file, name, calls, epochs, same_process):
    # An epoch has three batches, that is twelve updates of a parameter.
    trainer, remaining = everything_in(), iter(range(calls))
    owner = trainer.optimizer if name == "update" else trainer
    function = getattr(owner, name)

    def interrupted(*args, **kwargs):
        if next(remaining, None) is None:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, EPOCHS, file)
    assert len(trainer.history) == epochs
    delattr(owner, name)
    resumed = trainer if same_process else everything_in()
    assert everything(fit(resumed, EPOCHS, file)) == everything(fit(everything_in(), EPOCHS))


@pytest.mark.slow
def test_a_killed_process_goes_on(file):
    program = f"import test_checkpoints as t; t.fit(t.everything_in(), 10**6, {str(file)!r})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as p:
        deadline = time.monotonic() + 60
        while not file.exists() and p.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        p.kill()
    assert p.returncode == -signal.SIGKILL
    epochs = len(checkpoints.read(file)["history"]) + 2
    assert everything(fit(everything_in(), epochs, file)) == everything(
        fit(everything_in(), epochs)
    )


def test_a_checkpoint_is_written_before_the_first_epoch_and_after_every_one(file):
    found = []
    trainer = make(metric=accuracy)
    trainer.evaluate = lambda *args, prefix: (
        found.append(len(checkpoints.read(file)["history"])) or {"val_loss": 1.0}
    )
    fit(trainer, 4, str(file))
    assert found == [0, 1, 2, 3]
    assert len(checkpoints.read(file)["history"]) == 4


def test_a_folder_that_does_not_exist_is_noticed_before_the_first_epoch(tmp_path):
    trainer = make()
    with pytest.raises(FileNotFoundError, match=r"no/run\.npz: there is no folder .*no$"):
        fit(trainer, 1, tmp_path / "no" / "run.npz")
    assert trainer.optimizer.iterations == 0


# States


def test_a_state_is_a_copy_when_it_is_taken_and_when_it_is_restored():
    trainer, other, third = everything_in(), everything_in(), everything_in()
    fit(trainer, 2)
    before, state = everything(trainer), trainer.state()
    fit(trainer, 4)
    other.restore(state)
    assert everything(other) == before != everything(trainer)
    assert everything(fit(other, 4)) == everything(trainer)
    third.restore(state)  # which the run of the other one has not changed
    assert everything(third) == before


def test_what_is_written_is_read(file):
    arrays = [
        np.float32([0.1, np.nan]),
        np.arange(6).reshape(2, 3),
        np.array(0.1),
        np.zeros((0, 2)),
    ]
    state = {"a": {"b": arrays, "c": [1, 0.1, 2**100, True, None, "ü"]}, "d": {}, "e": []}
    checkpoints.write(file, state | {"f": np.float64(0.1), "g": np.int32(3)})
    found = checkpoints.read(file)
    for array, read in zip(arrays, found["a"].pop("b"), strict=True):
        np.testing.assert_array_equal(read, array, strict=True)
    assert found == {"a": {"c": state["a"]["c"]}, "d": {}, "e": [], "f": 0.1, "g": 3}
    for value in (print, {1}, np.array([None])):
        with pytest.raises(ValueError, match=r"^state: expected numbers, texts and arrays, got"):
            checkpoints.write(file, {"a": value})


# Runs that are refused


def assert_refused(trainer, file, message):
    before = everything(trainer)
    with pytest.raises(ValueError, match=message):
        fit(trainer, 9, file)
    assert everything(trainer) == before


OTHERS = {
    "network": {"kind": FastNetwork},
    "activations": {"first": "tanh"},
    "parameters 'float64": {"dtype": np.float32},
    "parameters": {"sizes": (4, 6, 3)},
    "optimizer": {"optimizer": optimizers.AdamW(0.1)},
    "optimizer.learning_rate": {"optimizer": optimizers.Adam(0.2)},
    "optimizer.beta_1": {"optimizer": optimizers.Adam(0.1, beta_1=0.8)},
    "seed": {"seed": 8},
    "batch_size": {"batch_size": 5},
    "l1": {"l1": 0.5},
    "l2": {"l2": 0.5},
    "dropout": {"dropout": (0.2, 0.5)},
    "loss": {"loss": fast.softmax_cross_entropy_inplace},
    "augment": {"augment": noise},
    "metric": {"metric": accuracy},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_run_with_other_settings_is_refused(file, name):
    fit(make(optimizers.Adam(0.1)), 1, file)
    message = rf"run\.npz: a run with {name} .*, and this one has .*; name another file"
    assert_refused(make(**{"optimizer": optimizers.Adam(0.1)} | OTHERS[name]), file, message)


def test_a_state_with_a_setting_too_few_or_too_many_is_refused():
    trainer = fit(everything_in(), 1)
    state, found = trainer.state(), everything(trainer)
    for name in state["settings"]:
        fewer = {k: v for k, v in state["settings"].items() if k != name}
        with pytest.raises(ValueError, match=f"^a run with {name} 'no such setting', and this"):
            trainer.restore(state | {"settings": fewer})
    for more in (None, 1):
        settings = state["settings"] | {"more": more}
        with pytest.raises(ValueError, match=f"^a run with more {more}, and this one has 'no such"):
            trainer.restore(state | {"settings": settings})
    for name in state:
        with pytest.raises(ValueError, match=r"^not the state of a run: expected settings, par"):
            trainer.restore({k: v for k, v in state.items() if k != name})
    assert everything(trainer) == found


def test_epochs_are_not_lost_to_a_checkpoint_that_has_fewer(file):
    fit(make(), 2, file)
    fit(make(), 2, file)
    message = r"run\.npz: a run of 2 epochs, and this one has made 3; name another file"
    assert_refused(fit(make(), 3), file, message)


# What tells one setting from another


@dataclass
class Halved:
    schedule: object

    def __call__(self, t):
        return self.schedule(t) / 2


def table(t, rates=(0.1, 0.2)):
    return float(rates[t % 2])


RATES = np.linspace(0.1, 0.2, 2000)
CHANGED = RATES + (np.arange(2000) > 14) * 1e-3


def test_settings_are_numbers_and_texts():
    assert checkpoints.describe("rate", Halved(CosineDecay(0.1, np.int64(5)))) == {
        "rate": "test_checkpoints.Halved",
        "rate.schedule": "backprop.schedules.CosineDecay",
        "rate.schedule.initial_learning_rate": 0.1,
        "rate.schedule.decay_steps": 5,
        "rate.schedule.warmup_target": None,
        "rate.schedule.warmup_steps": 0,
    }
    assert checkpoints.describe("f", partial(table, 1, more=np.array([[0.5]]))) == {
        "f": "functools.partial",
        "f.function": "test_checkpoints.table",
        "f.function.rates": "2 entries",
        "f.function.rates.0": 0.1,
        "f.function.rates.1": 0.2,
        "f.0": 1,
        "f.more": "1 entries",
        "f.more.0": "1 entries",
        "f.more.0.0": 0.5,
    }
    description = {"f": "backprop.optimizers.SGD", "f.learning_rate": 0.5}
    assert checkpoints.describe("f", optimizers.SGD(0.5)) == description


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (PiecewiseConstantDecay([5], [0.1, 0.2]), PiecewiseConstantDecay([4], [0.1, 0.2]), ".* 5"),
        (CosineDecay(0.1, 500), 0.1, "learning_rate 'backprop.schedules.CosineDecay'"),
        (Halved(CosineDecay(0.3, 5)), Halved(CosineDecay(0.4, 5)), r".*initial_learning_rate 0\.3"),
        (partial(table, rates=RATES), partial(table, rates=CHANGED), r"learning_rate\.rates\.15 "),
        (partial(table), partial(table, rates=[0.1] * 9), "learning_rate.rates 'no such setting'"),
        (table, partial(table), "learning_rate 'test_checkpoints.table'"),
    ],
)
def test_schedules_are_compared_by_value(file, one, other, name):
    fit(make(optimizers.SGD(one)), 1, file)
    assert_refused(make(optimizers.SGD(other)), file, f"a run with optimizer.{name}")


class Noise:
    def __call__(self, X, rng):
        return noise(X, rng)

    def method(self, X, rng):
        return noise(X, rng)


def closure(rate):
    def schedule(t):
        return rate

    return schedule


def with_object(t, lock=Noise()):  # noqa: B008
    return 0.1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"optimizer": optimizers.SGD(lambda t: 0.1)}, "optimizer.learning_rate"),
        ({"optimizer": optimizers.SGD(closure(0.1))}, "optimizer.learning_rate"),
        ({"optimizer": optimizers.SGD(partial(lambda t: 0.1))}, "optimizer.learning_rate.function"),
        ({"optimizer": optimizers.SGD(with_object)}, "optimizer.learning_rate.lock"),
        ({"augment": Noise()}, "augment"),
        ({"augment": Noise().method}, "augment"),
    ],
)
def test_what_cannot_be_told_apart_is_refused_before_the_first_epoch(file, settings, name):
    trainer = make(**settings)
    with pytest.raises(ValueError, match=rf"^{name}: a checkpoint cannot tell it from others"):
        fit(trainer, 1, file)
    assert (trainer.optimizer.iterations, file.exists()) == (0, False)
    if "optimizer" not in settings:
        assert len(fit(trainer, 1).history) == 1  # without a checkpoint, it does


# Files that are refused


@pytest.mark.parametrize(
    "text", ["text", "[5]", "5", "{}", '{"array": []}', '{"array": "array_0"}', '{"settings": {}}']
)
def test_a_foreign_file_is_refused(file, text):
    np.savez(file, state=np.array(text))
    message = r"run\.npz: (not a checkpoint|not the state of a run)"
    assert_refused(fit(make(), 2), file, message)


def test_a_file_without_one_of_its_arrays_is_refused(file):
    trainer = fit(make(optimizers.Adam(0.1)), 2, file)
    arrays = npz.read(file)
    assert len(arrays) == 1 + 4 + 4 + 2 * 4
    for missing in arrays:
        npz.write(file, **{name: a for name, a in arrays.items() if name != missing})
        assert_refused(trainer, file, r"run\.npz: not a checkpoint \(KeyError")


def test_a_damaged_file_is_refused_or_the_damage_does_not_matter(file):
    trainer, other = fit(make(), 2, file), fit(make(), 1)
    whole, before, after = file.read_bytes(), everything(other), everything(trainer)
    for place in range(0, len(whole), 29):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            other.restore(checkpoints.read(file))
        except ValueError:
            assert everything(other) == before
        else:
            assert everything(other) == after
            other = fit(make(), 1)
