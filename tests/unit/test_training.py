"""A training run against a loop that is written out, and runs whose course is known beforehand."""

import math

import numpy as np
import pytest

from backprop import fast, losses, optimizers
from backprop.metrics import accuracy
from backprop.network import Network
from backprop.regularization import dropout_mask
from backprop.schedules import ExponentialDecay
from backprop.training import Trainer, batches


def data(n, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(0, 3, n)]


def noise(X, rng):
    return X + rng.normal(size=X.shape).astype(X.dtype)


def trainer_of(optimizer=None, seed=7, dtype=np.float64, loss=losses.softmax_cross_entropy, **more):
    """Return a run of a small network, which starts from the same weights every time."""
    network = Network.random([4, 5, 3], ["tanh", "identity"], np.random.default_rng(1), dtype=dtype)
    more = {"batch_size": 4} | more
    return Trainer(network, loss, optimizer or optimizers.SGD(0.1), seed, **more)


def same(mine, others):
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# Batches


@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 7), (7, 3), (6, 3), (5, 100), (100, 1)])
def test_batches_hold_each_number_once(n, size):
    parts = list(batches(n, size, np.random.default_rng(3)))
    assert [len(rows) for rows in parts] == [size] * (n // size) + [n % size] * (n % size > 0)
    same([np.concatenate(parts)], [np.random.default_rng(3).permutation(n)])


def test_batches_draw_their_order_at_once():
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    first, second = batches(100, 10, rng), batches(100, 10, rng)
    orders = [np.concatenate(list(passes)) for passes in (second, first)][::-1]
    same(orders, [other.permutation(100) for _ in range(2)])
    assert (orders[0] != orders[1]).any()
    for arguments, name in [((0, 1, rng), "n"), ((5, 0, rng), "batch_size"), ((5, 1, 0), "rng")]:
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            batches(*arguments)  # at the call, not when the first batch is taken


# Against a loop


def plain_loop(trainer, X, T, epochs):
    """Do what the run should do, with nothing of it but its settings."""
    network, optimizer = trainer.network, trainer.optimizer
    rng = np.random.default_rng(trainer.seed)
    history = []
    for _ in range(epochs):
        shown = X if trainer.augment is None else trainer.augment(X, rng)
        order, total = rng.permutation(len(X)), 0.0
        for start in range(0, len(X), trainer.batch_size):
            rows, masks = order[start : start + trainer.batch_size], None
            if trainer.dropout:
                masks = [
                    dropout_mask((len(rows), D), rate, rng, X.dtype)
                    for D, rate in zip((4, 5), trainer.dropout, strict=True)
                ]
            outputs = network.forward(shown[rows], masks)
            value, d_output = trainer.loss(outputs[-1], T[rows])
            gradients, _ = network.backward(outputs, d_output, masks)
            for W, g in zip(network.parameters[::2], gradients[::2], strict=True):
                g += trainer.l1 * np.sign(W)
                g += 2 * trainer.l2 * W
            optimizer.step(network.parameters, gradients)
            total += value * len(rows)
        history.append({"loss": total / len(X)})
    return history


OPTIONS = {
    "plain": {},
    "whole batch": {"batch_size": 11},
    "batch too large": {"batch_size": 100},
    "one by one": {"batch_size": 1},
    "l1": {"l1": 0.02},
    "l2": {"l2": 0.03},
    "dropout": {"dropout": np.array([0.2, 0.5])},
    "augment": {"augment": noise},
    "all": {"l1": 0.02, "l2": 0.03, "dropout": (0.2, 0.5), "augment": noise},
}
DECAY = ExponentialDecay(0.2, 4, 0.5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_a_run_is_a_loop_over_epochs_and_batches(options, dtype):
    X, T = data(11, dtype=dtype)
    trainer, other = (trainer_of(optimizers.Adam(DECAY), dtype=dtype, **options) for _ in range(2))
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


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda X, rng: X[:5], r"augment\(X\): expected shape \(6, 4\), got \(5, 4\)"),
        (lambda X, rng: np.vstack([X, X]), r"augment\(X\): expected .*, got \(12, 4\)"),
        (lambda X, rng: X + np.inf, r"augment\(X\): expected finite numbers"),
        (lambda X, rng: X.astype(np.float32), r"augment\(X\): expected float64 like the param"),
        (lambda X, rng: np.add(X, 1, out=X), "read-only"),
    ],
)
def test_bad_augmentation_is_refused(augment, message):
    X, T = data(6)
    copy = X.copy()
    with pytest.raises(ValueError, match=message):
        trainer_of(augment=augment).fit(X, T, 1)
    same([X], [copy])
    assert X.flags.writeable


# What is recorded


def test_validation_is_of_the_epochs_end_without_penalties_dropout_or_augmentation():
    X, T = data(11)
    held_out = data(6, seed=1)
    trainer, other = (trainer_of(**OPTIONS["all"], metric=accuracy) for _ in range(2))
    for epoch in range(1, 4):
        record = trainer.fit(X, T, epoch, validation=held_out)[-1]
        outputs = trainer.network.forward(held_out[0])[-1]
        assert record.keys() == {"loss", "val_loss", "val_metric"}
        assert record["val_loss"] == losses.softmax_cross_entropy(outputs, held_out[1])[0]
        hits = [max(range(3), key=y.__getitem__) for y in outputs] == held_out[1].argmax(axis=1)
        assert record["val_metric"] == hits.mean()
    other.fit(X, T, 3)  # and changes nothing
    same(trainer.network.parameters, other.network.parameters)


def test_evaluate_without_a_metric_and_with_a_loss_that_overwrites():
    def metric(Y, T):
        return float(Y[0, 1] - T[0, 0])

    X, T = data(50)
    assert trainer_of().evaluate(X, T, prefix="test_").keys() == {"test_loss"}
    trainer = trainer_of(loss=fast.softmax_cross_entropy_inplace, metric=metric)
    outputs = trainer.network.forward(X)[-1]
    assert trainer.evaluate(X, T) == {
        "loss": pytest.approx(losses.softmax_cross_entropy(outputs, T)[0], rel=1e-14),
        "metric": metric(outputs, T),
    }


def test_a_bar_shows_how_far_a_run_is(monkeypatch):
    shown = []

    class Bar:
        def __init__(self, **settings):
            shown.append(settings)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            shown.append("closed")

        def set_postfix(self, record, refresh):
            shown.append((dict(record), refresh))

        def update(self):
            shown.append("epoch")

    trainer = trainer_of()
    trainer.fit(*data(6), 1)
    monkeypatch.setattr("backprop.training.tqdm", Bar)
    last = trainer.fit(*data(6), 2)[-1]
    expected = [{"total": 2, "initial": 1, "unit": "epoch"}, (last, False), "epoch", "closed"]
    assert shown == expected
    assert "best=" not in repr(trainer)
    assert Trainer(trainer.network, trainer.loss, trainer.optimizer, 0).batch_size == 100


# The best epoch: a run whose every number is known


def halving(best_at=3, rate=0.25):
    """Return a run whose output is 16 / 2**epoch, and data on which epoch `best_at` is best."""
    network = Network([[[8.0]], [8.0]], ["identity"])
    trainer = Trainer(network, losses.half_squared_error, optimizers.SGD(rate), 0, 1)
    one, zero, target = np.ones((1, 1)), np.zeros((1, 1)), np.full((1, 1), 16.1 / 2**best_at)
    return trainer, {"X": one, "T": zero, "validation": (one, target)}


def test_the_best_epoch_and_its_parameters():
    trainer, arguments = halving()
    history = trainer.fit(**arguments, epochs=6)
    outputs = [16 / 2**epoch for epoch in range(7)]
    assert [r["loss"] for r in history] == [a**2 / 2 for a in outputs[:-1]]
    assert [r["val_loss"] for r in history] == [(a - 16.1 / 8) ** 2 / 2 for a in outputs[1:]]
    assert trainer.best_epoch == 3
    assert [p.item() for p in trainer.network.parameters] == [8 / 64] * 2
    kept = trainer.network.parameters[0]
    trainer.restore_best()
    assert trainer.network.parameters[0] is kept
    assert [p.item() for p in trainer.network.parameters] == [1, 1]
    kept += 5  # what is kept is a copy, before and after
    assert [p.item() for p in trainer.best] == [1, 1]


@pytest.mark.parametrize("patience", [1, 2, 4])
@pytest.mark.parametrize("best_at", [1, 3])
def test_patience_ends_a_run(patience, best_at):
    trainer, arguments = halving(best_at)
    for _ in range(2):  # and a run that is over stays so
        trainer.fit(**arguments, epochs=50, patience=patience)
        assert len(trainer.history) == best_at + patience
        assert trainer.best_epoch == best_at
    trainer.fit(**arguments, epochs=20)
    assert len(trainer.history) == 20


def test_patience_counts_epochs_with_a_validation_loss_only():
    for best_at, portions, end in [
        (3, [(2, False, None), (4, True, 1)], (3, 4)),
        (1, [(1, True, None), (5, False, None), (50, True, 2)], (1, 7)),
        (9, [(8, True, 1)], (8, 8)),  # and lasts as long as the loss falls
    ]:
        trainer, arguments = halving(best_at)
        for epochs, validated, patience in portions:
            given = {k: v for k, v in arguments.items() if validated or k != "validation"}
            trainer.fit(**given, epochs=epochs, patience=patience)
        assert (trainer.best_epoch, len(trainer.history)) == end
    trainer, arguments = halving(rate=0.0)  # a loss that stays has not fallen
    trainer.fit(**arguments, epochs=50, patience=3)
    assert (trainer.best_epoch, len(trainer.history)) == (1, 4)


def test_without_validation_there_is_no_best():
    trainer, arguments = halving()
    assert trainer.best_epoch == 0
    trainer.fit(arguments["X"], arguments["T"], 2)
    assert (trainer.best_epoch, trainer.best) == (0, [])
    with pytest.raises(ValueError, match="no best parameters: fit with validation data first"):
        trainer.restore_best()
    trainer.fit(**arguments, epochs=4)  # its first epochs have nothing to compare with
    assert trainer.best_epoch == 3


# Divergence


def test_divergence_is_an_error():
    trainer, arguments = halving(rate=1e60)
    # 16, -32e60, 64e120: the square of the next one is too large.
    with (
        np.errstate(over="ignore"),
        pytest.raises(FloatingPointError, match="the loss is inf after 3 updates: try a smaller"),
    ):
        trainer.fit(arguments["X"], arguments["T"], epochs=50)
    assert len(trainer.history) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("n", "name", "updates"), [(4, "loss", 0), (6, "validation loss", 3)])
def test_a_loss_that_is_no_number_is_not_kept(value, n, name, updates):
    trainer = trainer_of(loss=lambda Y, T: (value if len(Y) == n else 1.0, 0 * Y))
    with pytest.raises(FloatingPointError, match=f"the {name} is {value} after {updates} updates"):
        trainer.fit(*data(11), 1, validation=data(6))
    assert (trainer.history, trainer.best, trainer.optimizer.iterations) == ([], [], updates)


# Bad input

X, T = data(6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected a whole number of at least 1, got 0"),
        ({"l2": math.nan}, "l2: expected a number of at least 0, got nan"),
        ({"dropout": [0.5]}, r"dropout: expected a rate for each of 2 layers, got \[0.5\]"),
        ({"dropout": [0.5, 1.0]}, r"dropout\[1\]: expected .* of at least 0 and below 1, got 1.0"),
        ({"dropout": 0.5}, "dropout: expected a sequence, got 0.5"),
        ({"optimizer": optimizers.Adam}, "optimizer: expected Optimizer, got <class"),
        ({"loss": None}, "loss: expected a function, got None"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        trainer_of(**options)
    with pytest.raises(ValueError, match=r"^network: expected Network, got"):
        Trainer(optimizers.SGD(), losses.softmax_cross_entropy, optimizers.SGD(0.1), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": X[:, :3]}, r"X: expected shape \(N, 4\), got \(6, 3\)"),
        ({"X": X.astype(np.float32)}, "X: expected float64 like the parameters, got float32"),
        ({"X": np.ma.array(X, mask=X > 0)}, "X: expected an array without a mask"),
        ({"T": T[:5]}, r"T: expected shape \(6, 3\), got \(5, 3\)"),
        ({"T": T.astype(np.float32)}, "T: expected float64 like the parameters, got float32"),
        ({"T": T.argmax(axis=1)}, r"T: expected a row for each example, .*one_hot\(labels, 3\)"),
        ({"validation": (X, T.argmax(axis=1))}, "validation T: expected a row for each"),
        ({"validation": 0.2}, r"validation data: expected a pair \(X, T\), got a float"),
        ({"validation": (X, T, T)}, r"validation data: expected a pair \(X, T\), got a tuple"),
        ({"validation": (X[:, :3], T)}, r"validation X: expected shape \(N, 4\), got \(6, 3\)"),
        ({"validation": (X, T[:5])}, r"validation T: expected shape \(6, 3\), got \(5, 3\)"),
        ({"validation": (X.astype(np.float32), T)}, "validation X: expected float64 like"),
        ({"validation": (X, T.astype(np.float32))}, "validation T: expected float64 like"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"patience": 1}, "patience: expected validation data to judge by, got none"),
        ({"patience": 0, "validation": (X, T)}, "patience: expected a whole number of at least 1"),
    ],
)
def test_bad_data_are_refused_before_anything_changes(changes, message):
    trainer = trainer_of()
    before = [p.copy() for p in trainer.network.parameters]
    with pytest.raises(ValueError, match=f"^{message}"):
        trainer.fit(**({"X": X, "T": T, "epochs": 1} | changes))
    assert (trainer.history, trainer.optimizer.iterations) == ([], 0)
    same(trainer.network.parameters, before)
