"""Whole training runs, with penalties, dropout and warps, against Keras's layers and optimizers."""

from itertools import islice

import numpy as np
import pytest
from test_training import epochs_of

from backprop import fast, losses, optimizers
from backprop.augmentation import SIDE, Augmentation
from backprop.fast import FastNetwork
from backprop.network import Network
from backprop.training import Trainer

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")

LOSSES = {Network: losses.softmax_cross_entropy, FastNetwork: fast.softmax_cross_entropy_inplace}
PENALTY = {"l1": 2**-6, "l2": 2**-5}  # which Keras's rounding to float32 changes not at all
AUGMENT = {"augment": Augmentation(15, 0.1, 0.1, 2, 30, 5, group=4)}
DROPOUT = {"dropout": (0.25, 0.5)}


def keras_run(trainer, optimizer, X, T, epochs):
    """Train Keras's dense layers on the same batches, with the same masks, and return weights."""
    regularizer = tf.keras.regularizers.L1L2(trainer.l1, trainer.l2)
    dense = []
    for W, b, name in trainer.network.layers:
        name = name.replace("identity", "linear")
        layer = tf.keras.layers.Dense(len(b), name, kernel_regularizer=regularizer, dtype="float64")
        layer.build((None, len(W)))
        layer.set_weights([W, b])
        dense.append(layer)
    variables = [v for layer in dense for v in layer.trainable_variables]
    history = []
    for epoch in islice(epochs_of(trainer, X, T), epochs):
        total = 0.0
        for x, t, masks in epoch:
            with tf.GradientTape() as tape:
                A = tf.constant(x)
                for layer, mask in zip(dense, masks or [1.0, 1.0], strict=True):
                    A = layer(A * mask)
                value = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(t, A))
                objective = value + tf.add_n([loss for layer in dense for loss in layer.losses])
            optimizer.apply(tape.gradient(objective, variables), variables)
            total += value.numpy() * len(x)
        history.append(total / len(X))
    return history, [v.numpy() for v in variables]


@pytest.mark.parametrize(
    ("kind", "name", "numbers", "options"),
    [
        *[(Network, "SGD", [2**-3], options) for options in ({}, PENALTY, DROPOUT, AUGMENT)],
        (Network, "Momentum", [2**-4, 0.875], PENALTY | AUGMENT | DROPOUT),
        (FastNetwork, "SGD", [2**-3], {}),
        (FastNetwork, "Adam", [2**-8, 0.875, 0.9375, 2**-10], PENALTY | AUGMENT | DROPOUT),
    ],
)
def test_three_epochs_are_those_of_keras(kind, name, numbers, options):
    mine = getattr(optimizers, name)(*numbers)
    keras = getattr(tf.keras.optimizers, name.replace("Momentum", "SGD"))(*numbers)
    rng = np.random.default_rng(0)
    network = kind.random([SIDE * SIDE, 8, 3], ["relu", "identity"], rng, "he")
    X, T = rng.random((23, SIDE * SIDE)), np.eye(3)[rng.integers(0, 3, 23)]
    X *= rng.random(SIDE * SIDE) < 0.6
    trainer = Trainer(network, LOSSES[kind], mine, 4, 5, **options)
    theirs, weights = keras_run(trainer, keras, X, T, 3)
    history = trainer.fit(X, T, 3)
    np.testing.assert_allclose([r["loss"] for r in history], theirs, rtol=0, atol=1e-12)
    assert abs(theirs[0] - theirs[-1]) > 1e-3
    for mine, other in zip(network.parameters, weights, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)
