"""Whole training runs, with penalties, dropout and warps, against the tape and against Keras."""

import numpy as np
import pytest

from backprop import fast, losses, optimizers
from backprop.augmentation import SIDE, Augmentation
from backprop.fast import FastNetwork
from backprop.network import INITIALIZERS, Network
from backprop.regularization import dropout_mask
from backprop.training import Trainer

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402

PENALTY = {"l1": 2**-6, "l2": 2**-5}  # which Keras's rounding to float32 changes not at all
LOSSES = {Network: losses.softmax_cross_entropy, FastNetwork: fast.softmax_cross_entropy_inplace}
cross_entropy = tensorflow_twin.LOSSES["softmax_cross_entropy"]


ADAM = 2**-8, 0.875, 0.9375, 2**-10
PAIRS = {
    "SGD": lambda: (optimizers.SGD(2**-3), tf.keras.optimizers.SGD(2**-3)),
    "Momentum": lambda: (
        optimizers.Momentum(2**-4, 0.875),
        tf.keras.optimizers.SGD(2**-4, momentum=0.875),
    ),
    "Adam": lambda: (optimizers.Adam(*ADAM), tf.keras.optimizers.Adam(*ADAM)),
}
AUGMENT = {"augment": Augmentation(15, 0.1, 0.1, 2, 30, 5, group=4)}
OPTIONS = {
    "plain": {},
    "penalties": PENALTY,
    "dropout": {"dropout": (0.25, 0.5)},
    "augmentation": AUGMENT,
    "all": PENALTY | AUGMENT | {"dropout": (0.25, 0.5)},
}


def keras_run(parameters, optimizer, X, T, epochs, batch_size, rng, options):
    """Train Keras's dense layers on the same batches, with the same masks, and return weights."""
    regularizer = tf.keras.regularizers.L1L2(options.get("l1", 0.0), options.get("l2", 0.0))
    dense = [
        tf.keras.layers.Dense(len(b), name, kernel_regularizer=regularizer, dtype="float64")
        for b, name in zip(parameters[1::2], ("relu", None), strict=True)
    ]
    for layer, W, b in zip(dense, parameters[::2], parameters[1::2], strict=True):
        layer.build((None, len(W)))
        layer.set_weights([W, b])
    variables = [v for layer in dense for v in layer.trainable_variables]
    history = []
    for _ in range(epochs):
        shown = options["augment"](X, rng) if "augment" in options else X
        order, total = rng.permutation(len(X)), 0.0
        for rows in np.split(order, range(batch_size, len(X), batch_size)):
            masks = [
                dropout_mask((len(rows), len(W)), rate, rng)
                for W, rate in zip(parameters[::2], options.get("dropout", ()), strict=False)
            ] or [1.0, 1.0]
            with tf.GradientTape() as tape:
                A = tf.constant(shown[rows])
                for layer, mask in zip(dense, masks, strict=True):
                    A = layer(A * mask)
                value = cross_entropy(A, T[rows])
                objective = value + tf.add_n([loss for layer in dense for loss in layer.losses])
            optimizer.apply(tape.gradient(objective, variables), variables)
            total += value.numpy() * len(rows)
        history.append(total / len(X))
    return history, [v.numpy() for v in variables]


@pytest.mark.parametrize(
    ("kind", "optimizer", "options"),
    [
        *[(Network, "SGD", name) for name in OPTIONS],
        (Network, "Momentum", "all"),
        (FastNetwork, "SGD", "plain"),
        (FastNetwork, "Adam", "all"),
    ],
)
def test_three_epochs_are_those_of_keras(kind, optimizer, options):
    mine, keras = PAIRS[optimizer]()
    rng, options = np.random.default_rng(0), OPTIONS[options]
    network = kind.random([SIDE * SIDE, 8, 3], ["relu", "identity"], rng, "he")
    start = [p.copy() for p in network.parameters]
    X, T = rng.random((23, SIDE * SIDE)), np.eye(3)[rng.integers(0, 3, 23)]
    X *= rng.random(SIDE * SIDE) < 0.6
    history = Trainer(network, LOSSES[kind], mine, 4, 5, **options).fit(X, T, 3)
    theirs, weights = keras_run(start, keras, X, T, 3, 5, np.random.default_rng(4), options)
    np.testing.assert_allclose([r["loss"] for r in history], theirs, rtol=0, atol=1e-12)
    for p, was, other in zip(network.parameters, start, weights, strict=True):
        np.testing.assert_allclose(p, other, rtol=0, atol=1e-12)
        assert np.abs(p - was).max() > 1e-3


# Ingredients


@pytest.mark.parametrize("name", INITIALIZERS)
def test_starting_weights_are_as_far_from_zero_as_keras(name):
    keras = tf.keras.initializers.get(f"{name}_normal")
    keras.seed = 0
    assert np.std(keras((400, 300))) == pytest.approx(INITIALIZERS[name](400, 300), rel=0.01)


def test_what_keras_keeps_is_scaled_alike():
    kept = tf.keras.layers.Dropout(0.8, seed=0, dtype="float64")(np.ones((50, 50)), training=True)
    mask = dropout_mask((50, 50), 0.8, np.random.default_rng(0))
    np.testing.assert_allclose(np.unique(kept), np.unique(mask), rtol=1e-7)
