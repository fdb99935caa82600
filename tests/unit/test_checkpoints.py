"""Runs that are interrupted and resumed, against the same runs without interruption."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import DEFAULT, patch

import numpy as np
import pytest
from test_optimizers import TABLE
from test_training import data, noise, trainer_of

from backprop import checkpoints, fast, optimizers
from backprop.metrics import accuracy
from backprop.schedules import CosineDecay, ExponentialDecay

EPOCHS = 5


def fit(trainer, epochs, checkpoint=None):
    examples, validation = (data(n, seed, trainer.network.dtype) for n, seed in [(11, 0), (6, 1)])
    trainer.fit(*examples, epochs, validation=validation, checkpoint=checkpoint)
    return trainer


def everything(trainer):
    """Return all that a run is, as numbers and lists, to the last bit."""
    optimizer, history = trainer.optimizer, [dict(record) for record in trainer.history]
    slots = [(name, a) for slots in optimizer.state for name, a in slots.items()]
    named = [("", a) for a in (*trainer.network.parameters, *trainer.best)] + slots
    arrays = [(name, a.tolist(), a.dtype) for name, a in named]
    counts = len(trainer.best), trainer.best_epoch, optimizer.iterations
    return arrays, history, counts, trainer.rng.bit_generator.state


def everything_in():
    """Return a run with all that a run can have."""
    settings = {"l1": 0.01, "l2": 0.02, "dropout": np.array([0.25, 0.5], np.float32)}
    settings |= {"loss": fast.softmax_cross_entropy_inplace, "augment": noise, "metric": accuracy}
    adam = optimizers.Adam(ExponentialDecay(0.1, 5, 0.5))
    return trainer_of(adam, kind=fast.FastNetwork, first="relu", **settings)


RUNS = {e.make.__name__: lambda e=e: trainer_of(e.make(CosineDecay(0.1, 14))) for e in TABLE}
RUNS |= {"all": everything_in, "float32": lambda: trainer_of(dtype=np.float32)}


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
        fit(trainer, epochs, str(file))
        assert len(trainer.history) == epochs
        assert trainer.network.parameters[0] is kept
    assert everything(trainer) == whole


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize(
    ("name", "calls", "epochs"),
    # An epoch has three batches, that is twelve updates of a parameter.
    [("loss_and_gradients", 8, 2), ("evaluate", 2, 2), ("update", 11, 0)],
)
def test_an_interruption_in_the_midst_of_an_epoch(file, name, calls, epochs, same_process):
    trainer = everything_in()
    owner = trainer.optimizer if name == "update" else trainer
    effects = [DEFAULT] * calls + [KeyboardInterrupt]
    interrupted = patch.object(owner, name, wraps=getattr(owner, name), side_effect=effects)
    with interrupted, pytest.raises(KeyboardInterrupt):
        fit(trainer, EPOCHS, file)
    assert len(trainer.history) == len(checkpoints.read(file)["history"]) == epochs
    resumed = trainer if same_process else everything_in()
    assert everything(fit(resumed, EPOCHS, file)) == everything(fit(everything_in(), EPOCHS))


def fit_until_killed(file):
    """Be killed when the fourth checkpoint is about to take the third one's place."""

    def effects():
        yield from [DEFAULT] * 3
        os.kill(os.getpid(), signal.SIGKILL)

    with patch("os.replace", wraps=os.replace, side_effect=effects()):
        fit(everything_in(), EPOCHS, file)


@pytest.mark.slow
def test_a_killed_process_goes_on(file):
    program = f"import test_checkpoints; test_checkpoints.fit_until_killed({str(file)!r})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == -signal.SIGKILL
    assert len(checkpoints.read(file)["history"]) == 2
    whole = everything(fit(everything_in(), EPOCHS))
    assert everything(fit(everything_in(), EPOCHS, file)) == whole


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
    arrays = [np.float32([0.1, np.nan]), np.arange(6).reshape(2, 3), np.array(0.1), np.ones((0, 2))]
    state = {"a": {"b": arrays, "c": [1, 0.1, 2**100, True, None, "ü"]}, "d": {}, "e": []}
    checkpoints.write(file, state | {"f": np.float64(0.1), "g": np.int32(3)})
    found = checkpoints.read(file)
    for array, read in zip(arrays, found["a"].pop("b"), strict=True):
        np.testing.assert_array_equal(read, array, strict=True)
    assert found == {"a": {"c": state["a"]["c"]}, "d": {}, "e": [], "f": 0.1, "g": 3}
    for value in (print, {1}, np.array([None])):
        with pytest.raises(ValueError, match=r"^state: expected numbers, texts and arrays, got"):
            checkpoints.write(file, {"a": value})


# Settings, by which one run is told from another


@dataclass
class Halved:
    schedule: object


def table(t, rates=(0.1, 0.2)):
    return float(rates[t % 2])


def test_settings_are_numbers_and_texts():
    rate, adam = "optimizer.learning_rate", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    decay = {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5}
    assert everything_in().state()["settings"] == {
        "network": "FastNetwork",
        "activations": "relu, identity",
        "parameters": "float64 (4, 5), float64 (5,), float64 (5, 3), float64 (3,)",
        "loss": "backprop.fast.softmax_cross_entropy_inplace",
        "optimizer": "backprop.optimizers.Adam",
        rate: "backprop.schedules.ExponentialDecay",
        **{f"{rate}.{name}": value for name, value in decay.items()},
        **{f"optimizer.{name}": value for name, value in adam.items()},
        **{"seed": 7, "batch_size": 4, "l1": 0.01, "l2": 0.02},
        **{"dropout": "2 entries", "dropout.0": 0.25, "dropout.1": 0.5},
        **{"augment": "test_training.noise", "metric": "backprop.metrics.accuracy"},
    }
    assert checkpoints.describe("f", partial(table, Halved(np.int64(5)), more=np.ones((1, 1)))) == {
        **{"f": "functools.partial", "f.function": "test_checkpoints.table"},
        **{"f.function.rates": "2 entries", "f.function.rates.0": 0.1, "f.function.rates.1": 0.2},
        **{"f.0": "test_checkpoints.Halved", "f.0.schedule": 5},
        **{"f.more": "1 entries", "f.more.0": "1 entries", "f.more.0.0": 1.0},
    }
    for value in (None, "text"):
        assert checkpoints.describe("f", value) == {"f": value}


def assert_refused(trainer, file, message):
    before = everything(trainer)
    with pytest.raises(ValueError, match=rf"run\.npz: {message}"):
        fit(trainer, 9, file)
    assert everything(trainer) == before


def test_a_run_with_other_settings_or_fewer_epochs_is_refused(file):
    trainer = everything_in()
    state = fit(trainer, 1).state()
    settings, missing, parts = state["settings"], "no such setting", ", ".join(state)
    cases = [("state", f"{parts}, more", parts, state | {"more": 1})]
    for name, mine in settings.items():
        fewer = {n: value for n, value in settings.items() if n != name}
        cases += [
            (name, missing, mine, state | {"settings": fewer}),
            (name, "other", mine, state | {"settings": settings | {name: "other"}}),
            ("more", mine, missing, state | {"settings": settings | {"more": mine}}),
        ]
    for name, theirs, mine, other in cases:
        checkpoints.write(file, other)
        message = re.escape(f"a run with {name} {theirs!r}, and this one has {mine!r}; name")
        assert_refused(trainer, file, message)
    checkpoints.write(file, state)
    assert_refused(fit(trainer, 2), file, "a run of 1 epochs, and this one has made 2; name")


class Noise:
    __call__ = staticmethod(noise)


def with_object(t, lock=Noise()):  # noqa: B008
    return 0.1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"optimizer": optimizers.SGD(lambda t: 0.1)}, "optimizer.learning_rate"),
        ({"optimizer": optimizers.SGD(with_object)}, "optimizer.learning_rate.lock"),
        ({"augment": Noise()}, "augment"),
    ],
)
def test_what_cannot_be_told_apart_is_refused_before_the_first_epoch(file, settings, name):
    trainer = trainer_of(**settings)
    with pytest.raises(ValueError, match=rf"^{name}: expected what a checkpoint can tell from oth"):
        fit(trainer, 1, file)
    assert (trainer.optimizer.iterations, file.exists()) == (0, False)
    assert len(fit(trainer, 1).history) == 1  # without a checkpoint, it does


def test_a_foreign_file_is_refused(file):
    for text in ("text", "[5]", "5", "{}", '{"array": []}', '{"array": "array_0"}', '{"rng": {}}'):
        np.savez(file, state=np.array(text))
        assert_refused(fit(trainer_of(), 2), file, "(not a checkpoint|a run with network)")


def test_a_damaged_file_is_refused_or_the_damage_does_not_matter(file):
    trainer, other = fit(trainer_of(), 2, file), fit(trainer_of(), 1)
    whole, before, after = file.read_bytes(), everything(other), everything(trainer)
    for place in range(0, len(whole), 29):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            other.restore(checkpoints.read(file))
        except ValueError:
            assert everything(other) == before
        else:
            assert everything(other) == after
            other = fit(trainer_of(), 1)
