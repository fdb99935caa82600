"""A training run against a loop that is written out, and runs whose course is known beforehand."""

import math
from itertools import islice
from unittest.mock import MagicMock, call

import numpy as np
import pytest

from backprop import fast, losses, optimizers
from backprop.network import Network
from backprop.regularization import dropout_mask
from backprop.schedules import ExponentialDecay
from backprop.training import Trainer, batches


def data(n, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(0, 3, n)]


def noise(X, rng):
    return X + rng.normal(size=X.shape).astype(X.dtype)


def trainer_of(optimizer=None, kind=Network, H=5, first="tanh", dtype=np.float64, **more):
    """Return a run of a small network, which starts from the same weights every time."""
    rng = np.random.default_rng(1)
    network = kind.random([4, H, 3], [first, "identity"], rng, dtype=dtype)
    more = {"loss": losses.softmax_cross_entropy, "seed": 7, "batch_size": 4} | more
    return Trainer(network=network, optimizer=optimizer or optimizers.SGD(0.1), **more)


def same(mine, others):
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 7), (7, 3), (6, 3), (5, 100), (100, 1)])
def test_batches_hold_each_number_once_in_an_order_drawn_at_the_call(n, size):
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    first, second = batches(n, size, rng), batches(n, size, rng)
    later, parts = list(second), list(first)
    assert [len(rows) for rows in parts] == [size] * (n // size) + [n % size] * (n % size > 0)
    same(map(np.concatenate, (parts, later)), [other.permutation(n) for _ in range(2)])


# Against a loop


def epochs_of(trainer, X, T):
    """Yield epochs, lists of batches and their masks, as the settings of a run ask for them."""
    rng, size = np.random.default_rng(trainer.seed), trainer.batch_size
    while True:
        images = X if trainer.augment is None else trainer.augment(X, rng)
        order, epoch = rng.permutation(len(X)), []
        for rows in np.split(order, range(size, len(X), size)):
            drawn = zip(trainer.network.parameters[::2], trainer.dropout, strict=False)
            masks = [dropout_mask((len(rows), len(W)), rate, rng, X.dtype) for W, rate in drawn]
            epoch.append((images[rows], T[rows], masks or None))
        yield epoch


def plain_loop(trainer, X, T, epochs):
    """Do what the run should do, with nothing of it but its settings."""
    network, history = trainer.network, []
    for epoch in islice(epochs_of(trainer, X, T), epochs):
        total = 0.0
        for x, t, masks in epoch:
            outputs = network.forward(x, masks)
            value, d_output = trainer.loss(outputs[-1], t)
            gradients, _ = network.backward(outputs, d_output, masks)
            for W, g in zip(network.parameters[::2], gradients[::2], strict=True):
                g += trainer.l1 * np.sign(W)
                g += 2 * trainer.l2 * W
            trainer.optimizer.step(network.parameters, gradients)
            total += value * len(x)
        history.append({"loss": total / len(X)})
    return history


OPTIONS = {
    "plain": {},
    "batch too large": {"batch_size": 100},
    "one by one": {"batch_size": 1},
    "l2": {"l2": 0.03},
    "dropout": {"dropout": np.array([0.2, 0.5])},
    "all": {"l1": 0.02, "l2": 0.03, "dropout": (0.2, 0.5), "augment": noise},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_a_run_is_a_loop_over_epochs_and_batches(options, dtype):
    X, T = data(11, dtype=dtype)
    adams = (optimizers.Adam(ExponentialDecay(0.2, 4, 0.5)) for _ in range(2))
    trainer, other = (trainer_of(adam, dtype=dtype, **options) for adam in adams)
    copies = X.copy(), T.copy()
    assert trainer.fit(X, T, 5) == plain_loop(other, X, T, 5)
    assert len(trainer.history) == 5
    same(trainer.network.parameters, other.network.parameters)
    same((X, T), copies)


def test_fit_in_portions_is_one_run():
    X, T = data(11)
    whole, portions = (trainer_of(optimizers.Adam(0.1), **OPTIONS["all"]) for _ in range(2))
    whole.fit(X, T, 5)
    for epochs in (1, 3, 3, 5, 2):
        portions.fit(X, T, epochs)
    assert portions.history == whole.history
    same(portions.network.parameters, whole.network.parameters)
    assert trainer_of(seed=8, **OPTIONS["all"]).fit(X, T, 1) != whole.history[:1]


# What is recorded


def test_validation_is_of_the_epochs_end_without_penalties_dropout_or_augmentation():
    def metric(Y, T):
        return float(Y[0, 1] - T[0, 0])

    X, T = data(11)
    held_out = data(6, seed=1)
    more = OPTIONS["all"] | {"metric": metric, "loss": fast.softmax_cross_entropy_inplace}
    trainer, other = trainer_of(**more), trainer_of(**more)
    for epoch in range(1, 4):
        record = trainer.fit(X, T, epoch, validation=held_out)[-1]
        outputs = trainer.network.forward(held_out[0])[-1]
        loss = pytest.approx(losses.softmax_cross_entropy(outputs, held_out[1])[0], rel=1e-14)
        assert record.pop("loss") > 0
        assert record == {"val_loss": loss, "val_metric": metric(outputs, held_out[1])}
    other.fit(X, T, 3)  # and changes nothing
    same(trainer.network.parameters, other.network.parameters)
    assert trainer_of().evaluate(X, T, prefix="test_").keys() == {"test_loss"}


def test_a_bar_shows_how_far_a_run_is(monkeypatch):
    trainer = trainer_of()
    trainer.fit(*data(6), 1)
    tqdm = MagicMock()
    monkeypatch.setattr("backprop.training.tqdm", tqdm)
    last = trainer.fit(*data(6), 2)[-1]
    bar = call(total=2, initial=1, unit="epoch")
    inside = bar.__enter__()
    shown = [bar, inside, inside.set_postfix(last, refresh=False), inside.update()]
    assert tqdm.mock_calls == [*shown, bar.__exit__(None, None, None)]
    assert "best=" not in repr(trainer)
    assert Trainer(trainer.network, trainer.loss, trainer.optimizer, 0).batch_size == 100


# The best epoch: a run whose every number is known


def halving(target):
    """Return a run whose output is 16 / 2**epoch, and its data, validated at the target."""
    network = Network([[[8.0]], [8.0]], ["identity"])
    trainer = Trainer(network, losses.half_squared_error, optimizers.SGD(0.25), 0, 1)
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    return trainer, {"X": one, "T": zero, "validation": (one, np.full((1, 1), target))}


def test_the_best_epoch_and_its_parameters():
    trainer, arguments = halving(2.1)
    with pytest.raises(ValueError, match="no best parameters: fit with validation data first"):
        trainer.restore_best()
    history = trainer.fit(**arguments, epochs=6)
    outputs = [16 / 2**epoch for epoch in range(7)]
    assert [r["loss"] for r in history] == [a**2 / 2 for a in outputs[:-1]]
    assert [r["val_loss"] for r in history] == [(a - 2.1) ** 2 / 2 for a in outputs[1:]]
    assert trainer.best_epoch == 3
    assert [p.item() for p in trainer.network.parameters] == [8 / 64] * 2
    kept = trainer.network.parameters[0]
    trainer.restore_best()
    assert trainer.network.parameters[0] is kept
    assert [p.item() for p in trainer.network.parameters] == [1, 1]
    kept += 5  # what is kept is a copy, before and after
    assert [p.item() for p in trainer.best] == [1, 1]


@pytest.mark.parametrize(
    ("target", "portions", "end"),
    [
        (8.1, [(50, True, 1)], (1, 2)),
        (2.1, [(50, True, 2), (50, True, 2)], (3, 5)),  # a run that is over stays so
        (2.1, [(50, True, 2), (20, True, None)], (3, 20)),
        (6.0, [(50, True, 3)], (1, 4)),  # the second loss is that of the first: it has not fallen
        (0.0, [(8, True, 1)], (8, 8)),
        # Patience counts epochs with a validation loss.
        (2.1, [(2, False, None), (4, True, 1)], (3, 4)),
        (8.1, [(1, True, None), (5, False, None), (50, True, 2)], (1, 7)),
        (2.1, [(2, False, None)], (0, 2)),
    ],
)
def test_patience_ends_a_run(target, portions, end):
    trainer, arguments = halving(target)
    assert trainer.best_epoch == 0
    for epochs, validated, patience in portions:
        given = {k: v for k, v in arguments.items() if validated or k != "validation"}
        trainer.fit(**given, epochs=epochs, patience=patience)
    assert (trainer.best_epoch, len(trainer.history)) == end
    assert [p.item() for p in trainer.best] == [8 / 2 ** end[0]] * 2 * (end[0] > 0)


# What is refused


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("n", "name", "updates"), [(4, "loss", 0), (6, "val_loss", 3)])
def test_a_loss_that_is_no_number_is_not_kept(value, n, name, updates):
    trainer = trainer_of(loss=lambda Y, T: (value if len(Y) == n else 1.0, 0 * Y))
    message = f"the {name} is {value} after {updates} updates: try a smaller learning rate"
    with pytest.raises(FloatingPointError, match=message):
        trainer.fit(*data(11), 1, validation=data(6))
    assert (trainer.history, trainer.best, trainer.optimizer.iterations) == ([], [], updates)


def test_dropout_needs_a_rate_for_each_layer():
    with pytest.raises(ValueError, match=r"^dropout: expected a rate for each of 2, got \[0.5\]"):
        trainer_of(dropout=[0.5])


X, T = data(6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X": X[:, :3]}, r"X: expected shape \(N, 4\), got \(6, 3\)"),
        ({"T": T[:5]}, r"T: expected shape \(6, 3\), got \(5, 3\)"),
        ({"validation": 0.2}, r"validation: expected a pair \(X, T\), got a float"),
        ({"validation": (X, T, T)}, r"validation: expected a pair \(X, T\), got a tuple"),
        ({"validation": (X[:, :3], T)}, r"validation X: expected shape \(N, 4\), got \(6, 3\)"),
        ({"validation": [X, T[:5]]}, r"validation T: expected shape \(6, 3\), got \(5, 3\)"),
        ({"validation": (X, np.float32(T))}, "validation T: expected float64 like the parameters"),
        ({"patience": 1}, "patience: expected validation data to judge by, got none"),
        ({"augment": lambda X, rng: X[:5]}, r"augment\(X\): expected shape \(6, 4\), got \(5, 4\)"),
        ({"augment": lambda X, rng: np.float32(X)}, r"augment\(X\): expected float64 like the par"),
        ({"augment": lambda X, rng: np.add(X, 1, out=X)}, "output array is read-only"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(options, message):
    given = {"X": X, "T": T, "epochs": 1, "augment": None} | options
    trainer = trainer_of(augment=given.pop("augment"))
    arrays = [*trainer.network.parameters, X, T]
    before = [a.copy() for a in arrays]
    with pytest.raises(ValueError, match=f"^{message}"):
        trainer.fit(**given)
    assert (trainer.history, trainer.optimizer.iterations) == ([], 0)
    same(arrays, before)
    assert X.flags.writeable
