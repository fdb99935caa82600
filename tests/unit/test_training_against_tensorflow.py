"""Penalties, dropout, warps, fast gradients and whole runs against the tape and Keras."""

from functools import partial

import numpy as np
import pytest
from smooth import masked_case

from backprop import fast, gradcheck, losses, optimizers
from backprop.activations import ACTIVATIONS
from backprop.augmentation import SIDE, Augmentation, warp
from backprop.datasets import batches
from backprop.fast import FastNetwork
from backprop.network import SCALES, Network
from backprop.regularization import dropout_mask, l1, l2
from backprop.training import Trainer

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402

# Keras rounds strengths and rates to float32, which changes these not at all.
STRENGTH = 0.3125
PENALTY = {"l1": 2**-6, "l2": 2**-5}
cross_entropy = tensorflow_twin.LOSSES["softmax_cross_entropy"]
every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))


def tf_forward(activations, parameters, X, masks):
    A = X
    layers = zip(parameters[::2], parameters[1::2], masks, activations, strict=True)
    for W, b, mask, name in layers:
        A = tensorflow_twin.ACTIVATIONS[name]((A * mask) @ W + b)
    return A


def tf_penalty(parameters, l1=0.0, l2=0.0):
    regularizer = tf.keras.regularizers.L1L2(l1, l2)
    return tf.add_n([regularizer(W) for W in parameters[::2]])


def tf_warp(X, field):
    """Read the four pixels around each place with tf.gather."""
    row, column = field.reshape(2, -1)
    top, left = tf.floor(row), tf.floor(column)
    down, right = row - top, column - left

    def pixel(r, c):
        inside = (r >= 0) & (r < SIDE) & (c >= 0) & (c < SIDE)
        place = tf.cast(tf.where(inside, r * SIDE + c, 0), tf.int32)
        return tf.where(inside, tf.gather(X, place, axis=1), 0)

    upper = (1 - right) * pixel(top, left) + right * pixel(top, left + 1)
    lower = (1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1)
    return (1 - down) * upper + down * lower


def names_of(network):
    return [f"{letter}{n + 1}" for n in range(len(network.activations)) for letter in "Wb"]


# Gradients


@pytest.mark.parametrize(("penalty", "name"), [(l1, "l1"), (l2, "l2")])
def test_a_penalty_is_that_of_keras(penalty, name):
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=shape) for shape in [(4, 3), (3,), (3, 2), (2,)]]
    parameters[0][1] = 0  # the kink
    value, gradients = penalty(parameters, STRENGTH)

    def by_keras(*weights):
        regularizer = {"l1": tf.keras.regularizers.L1, "l2": tf.keras.regularizers.L2}[name]
        return tf.add_n([regularizer(STRENGTH)(W) for W in weights])

    assert value == pytest.approx(by_keras(*parameters[::2]).numpy(), rel=1e-14)
    tape = tensorflow_twin.tape_gradients(by_keras, *parameters[::2])
    for mine, other in zip(gradients[::2], tape, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-15)


@pytest.mark.parametrize("depth", [1, 2, 3])
@every_activation
def test_masks_three_ways(activation, depth):
    network, X, T, masks = masked_case([activation] * depth)
    loss = losses.half_squared_error
    outputs = network.forward(X, masks)
    gradients, dX = network.backward(outputs, loss(outputs[-1], T)[1], masks)

    def by_tensorflow(X, *parameters):
        Y = tf_forward(network.activations, parameters, X, masks)
        return tensorflow_twin.LOSSES["half_squared_error"](Y, T)

    tape = tensorflow_twin.tape_gradients(by_tensorflow, X, *network.parameters)
    numerical = gradcheck.numerical_gradients(
        lambda X, *p: loss(network.with_parameters(p).forward(X, masks)[-1], T)[0],
        X,
        *network.parameters,
    )
    gradcheck.agreement(["X", *names_of(network)], [dX, *gradients], tape, numerical)


@pytest.mark.parametrize("kind", [Network, FastNetwork])
def test_a_batch_with_penalties_and_dropout_three_ways(kind):
    rates, (_, X, T, _) = (0.2, 0.5, 0.5), masked_case(["relu", "relu", "identity"])
    random = np.random.default_rng(5)
    network = kind.random([4, 6, 5, 3], ["relu", "relu", "identity"], random, 0.7)
    loss = fast.softmax_cross_entropy_inplace if kind is FastNetwork else losses.softmax_cross_entropy
    trainer = Trainer(network, loss, optimizers.SGD(), 3, dropout=rates, **PENALTY)
    rng = np.random.default_rng(3)
    masks = [dropout_mask((5, D), rate, rng) for D, rate in zip((4, 6, 5), rates, strict=True)]

    def by_tensorflow(*parameters):
        Y = tf_forward(network.activations, parameters, X, masks)
        return cross_entropy(Y, T) + tf_penalty(parameters, **PENALTY)

    def by_hand(*parameters):
        Y = network.with_parameters(parameters).forward(X, masks)[-1]
        more = l1(parameters, trainer.l1)[0] + l2(parameters, trainer.l2)[0]
        return losses.softmax_cross_entropy(Y, T)[0] + more

    _, hand = trainer.loss_and_gradients(X, T)
    tape = tensorflow_twin.tape_gradients(by_tensorflow, *network.parameters)
    numerical = gradcheck.numerical_gradients(by_hand, *network.parameters)
    gradcheck.agreement(names_of(network), hand, tape, numerical)


def test_the_augmentation_path_three_ways():
    rng = np.random.default_rng(0)
    field = rng.uniform(-3, SIDE + 2, (2, SIDE, SIDE))
    network = Network.random([SIDE * SIDE, 2, 3], ["tanh", "identity"], rng, 0.1)
    X, T = rng.random((1, SIDE * SIDE)), np.eye(3)[[2]]
    np.testing.assert_allclose(warp(X, field), tf_warp(X, field), rtol=0, atol=1e-14)

    def by_hand(warped, *parameters):
        Y = network.with_parameters(parameters).forward(warped)[-1]
        return losses.softmax_cross_entropy(Y, T)[0]

    def by_tensorflow(X, *parameters):
        return cross_entropy(tensorflow_twin.forward(network, parameters, tf_warp(X, field)), T)

    outputs = network.forward(warp(X, field))
    slope = losses.softmax_cross_entropy(outputs[-1], T)[1]
    gradients, d_warped = network.backward(outputs, slope)
    transposed = warp(np.eye(SIDE * SIDE), field).T  # row k holds where pixel k comes from
    hand = [d_warped @ transposed, *gradients]
    tape = tensorflow_twin.tape_gradients(by_tensorflow, X, *network.parameters)
    numerical = [
        *gradcheck.numerical_gradients(lambda X: by_hand(warp(X, field), *network.parameters), X),
        *gradcheck.numerical_gradients(partial(by_hand, warp(X, field)), *network.parameters),
    ]
    gradcheck.agreement(["X", *names_of(network)], hand, tape, numerical)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_fast_gradients_are_the_tapes(dtype, tolerance):
    rng = np.random.default_rng(0)
    activations = ["relu", "relu", "identity"]
    network = FastNetwork.random([40, 30, 20, 5], activations, rng, "he", dtype)
    for n in (10, 3, 10):
        X, T = rng.normal(size=(n, 40)), np.eye(5, dtype=dtype)[rng.integers(0, 5, n)]
        X[:, rng.random(40) < 0.5] = 0
        X, masks = X.astype(dtype), [dropout_mask((n, D), 0.3, rng, dtype) for D in (40, 30, 20)]
        value, hand = network.loss_and_gradients(fast.softmax_cross_entropy_inplace, X, T, masks)

        def by_tensorflow(*parameters, X=X, T=T, masks=masks):
            return cross_entropy(tf_forward(activations, parameters, X, masks), T)

        assert value == pytest.approx(by_tensorflow(*network.parameters).numpy(), rel=tolerance)
        tape = tensorflow_twin.tape_gradients(by_tensorflow, *network.parameters)
        for mine, other in zip(hand, tape, strict=True):
            np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance * np.abs(other).max())


# Whole runs

IMAGES, CLASSES = 23, 3
KERAS = {
    "SGD": (lambda: optimizers.SGD(2**-3), lambda: tf.keras.optimizers.SGD(2**-3)),
    "Momentum": (
        lambda: optimizers.Momentum(2**-4, 0.875),
        lambda: tf.keras.optimizers.SGD(2**-4, momentum=0.875),
    ),
    "Adam": (
        lambda: optimizers.Adam(2**-8, 0.875, 0.9375, 2**-10),
        lambda: tf.keras.optimizers.Adam(2**-8, 0.875, 0.9375, 2**-10),
    ),
}
OPTIONS = {
    "plain": {},
    "penalties": PENALTY,
    "dropout": {"dropout": (0.25, 0.5)},
    "augmentation": {"augment": Augmentation(15, 0.1, 0.1, 2, 30, 5, group=4)},
    "all": PENALTY
    | {"dropout": (0.25, 0.5), "augment": Augmentation(15, 0.1, 0.1, 2, 30, 5, group=4)},
}


def keras_run(parameters, optimizer, X, T, epochs, batch_size, rng, options):
    """Train Keras's dense layers on the same batches, with the same masks, and return weights."""
    dense = [
        tf.keras.layers.Dense(
            len(b),
            name,
            kernel_regularizer=tf.keras.regularizers.L1L2(
                options.get("l1", 0.0), options.get("l2", 0.0)
            ),
            dtype="float64",
        )
        for b, name in zip(parameters[1::2], ("relu", None), strict=True)
    ]
    for layer, W, b in zip(dense, parameters[::2], parameters[1::2], strict=True):
        layer.build((None, len(W)))
        layer.set_weights([W, b])
    variables = [v for layer in dense for v in layer.trainable_variables]
    history = []
    for _ in range(epochs):
        shown = options["augment"](X, rng) if "augment" in options else X
        total = 0.0
        for rows in batches(len(X), batch_size, rng):
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
            optimizer.apply_gradients(
                zip(tape.gradient(objective, variables), variables, strict=True)
            )
            total += value.numpy() * len(rows)
        history.append(total / len(X))
    return history, [v.numpy() for v in variables]


@pytest.mark.parametrize(
    ("kind", "optimizer", "options"),
    [
        *[(Network, "SGD", name) for name in OPTIONS],
        (Network, "Momentum", "all"),
        (Network, "Adam", "all"),
        (FastNetwork, "SGD", "plain"),
        (FastNetwork, "Adam", "all"),
    ],
)
def test_three_epochs_are_those_of_keras(kind, optimizer, options):
    mine, keras = KERAS[optimizer]
    rng = np.random.default_rng(0)
    network = kind.random([SIDE * SIDE, 8, CLASSES], ["relu", "identity"], rng, "he")
    start = [p.copy() for p in network.parameters]
    X, T = rng.random((IMAGES, SIDE * SIDE)), np.eye(CLASSES)[rng.integers(0, CLASSES, IMAGES)]
    X *= rng.random(SIDE * SIDE) < 0.6
    loss = fast.softmax_cross_entropy_inplace if kind is FastNetwork else losses.softmax_cross_entropy
    trainer = Trainer(network, loss, mine(), 4, 5, **OPTIONS[options])
    history = trainer.fit(X, T, 3)
    theirs, weights = keras_run(
        start, keras(), X, T, 3, 5, np.random.default_rng(4), OPTIONS[options]
    )
    np.testing.assert_allclose([r["loss"] for r in history], theirs, rtol=0, atol=1e-12)
    for p, was, other in zip(network.parameters, start, weights, strict=True):
        np.testing.assert_allclose(p, other, rtol=0, atol=1e-12)
        assert np.abs(p - was).max() > 1e-3


# Ingredients


def test_starting_weights_are_as_far_from_zero_as_keras():
    for name, D, H in [("he", 400, 300), ("glorot", 400, 300)]:
        keras = tf.keras.initializers.get(f"{name}_normal")
        keras.seed = 0
        assert np.std(keras((D, H))) == pytest.approx(SCALES[name](D, H), rel=0.01)


def test_what_keras_keeps_is_scaled_alike():
    kept = tf.keras.layers.Dropout(0.8, seed=0, dtype="float64")(np.ones((50, 50)), training=True)
    mask = dropout_mask((50, 50), 0.8, np.random.default_rng(0))
    np.testing.assert_allclose(np.unique(kept), np.unique(mask), rtol=1e-7)
