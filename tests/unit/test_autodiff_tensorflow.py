"""Automatic differentiation against TensorFlow's: every rule, also at special points."""

import numpy as np
import pytest
from smooth import smooth_case

from backprop import autodiff, losses
from backprop.autodiff import RULES, gradients, vjp

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402
from backprop.tensorflow_twin import tape_gradients  # noqa: E402

TWINS = {
    np.negative: tf.negative,
    np.add: tf.add,
    np.subtract: tf.subtract,
    np.multiply: tf.multiply,
    np.divide: tf.divide,
    np.power: tf.pow,
    np.square: tf.square,
    np.sqrt: tf.sqrt,
    np.exp: tf.exp,
    np.log: tf.math.log,
    np.sin: tf.sin,
    np.cos: tf.cos,
    np.tanh: tf.tanh,
    np.absolute: tf.abs,
    np.maximum: tf.maximum,
    np.minimum: tf.minimum,
    np.logaddexp: tf.experimental.numpy.logaddexp,
    np.matmul: tf.matmul,
    np.add.reduce: lambda a: tf.reduce_sum(a, axis=0),
    np.logaddexp.reduce: lambda a: tf.reduce_logsumexp(a, axis=0),
}


def test_every_rule_has_its_twin():
    assert TWINS.keys() == RULES.keys()


def assert_same(f, twin, *arrays):
    weights = np.random.default_rng(1).normal(size=np.shape(f(*arrays)))
    mine = vjp(f, arrays, weights)[1]
    tape = tape_gradients(lambda *a: tf.reduce_sum(weights * twin(*a)), *arrays)
    for a, b in zip(mine, tape, strict=True):
        # Each is a sum of at most a hundred products near 1, in whatever order.
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-14, strict=True)


@pytest.mark.parametrize("f", RULES, ids=lambda f: getattr(f, "__qualname__", f.__name__))
@pytest.mark.parametrize("shapes", [((4, 4), (4, 4)), ((4,), (3, 4)), ((3, 1), (1, 4))])
def test_rule(f, shapes):
    if f is not np.matmul or len(shapes[0]) == 2:
        arrays = [np.random.default_rng(i).uniform(0.5, 1.5, s) for i, s in enumerate(shapes)]
        assert_same(f, TWINS[f], *arrays[: getattr(f, "nin", 1)])


@pytest.mark.parametrize(
    ("f", "twin"),
    [
        (lambda x: x @ x.T, lambda x: x @ tf.transpose(x)),
        (np.sum, tf.reduce_sum),
        (
            lambda x: np.sum(x, axis=-2, keepdims=True),
            lambda x: tf.reduce_sum(x, axis=-2, keepdims=True),
        ),
        (lambda x: np.mean(x, axis=1), lambda x: tf.reduce_mean(x, axis=1)),
        (lambda x: np.logaddexp.reduce(x, axis=1), lambda x: tf.reduce_logsumexp(x, axis=1)),
        (lambda x: x[1:, ::2], lambda x: x[1:, ::2]),
        (lambda x: x[[2, 0, 2]], lambda x: tf.gather(x, [2, 0, 2])),
    ],
)
def test_operation_on_a_matrix(f, twin):
    assert_same(f, twin, np.random.default_rng(0).normal(size=(3, 4)))


# Where a derivative does not exist, or a formula for it has a gap
SPECIAL = [
    (np.power, (0.0, 2.0)),
    (np.power, (0.0, 1.0)),
    (np.power, (0.0, 0.5)),
    (np.power, (-2.0, 2.0)),
    (np.power, (-2.0, 0.0)),
    (np.sqrt, (0.0,)),
    (np.log, (0.0,)),
    (np.divide, (1.0, 0.0)),
    (np.absolute, (0.0,)),
    (np.logaddexp, (-1000.0, 1000.0)),
    (np.logaddexp.reduce, ([-1e300, 0.0],)),
]


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # of the value
@pytest.mark.parametrize(("f", "at"), SPECIAL)
def test_rule_at_a_special_point(f, at):
    np.testing.assert_array_equal(gradients(f, *at), tape_gradients(TWINS[f], *at))


@pytest.mark.parametrize(
    ("f", "twin", "at"),
    [
        (
            lambda x: np.sqrt(np.maximum(x, 0)),
            lambda x: tf.sqrt(tf.maximum(x, tf.constant(0.0, tf.float64))),
            -1.0,
        ),
        (
            lambda x: np.maximum(np.sqrt(x), 1),
            lambda x: tf.maximum(tf.sqrt(x), tf.constant(1.0, tf.float64)),
            0.0,
        ),
        (lambda x: 0 * np.sqrt(x), lambda x: 0 * tf.sqrt(x), 0.0),
        (lambda z: np.maximum(z, 0), tf.nn.relu, 0.0),
    ],
)
def test_infinite_partials_that_meet_zero(f, twin, at):
    assert gradients(f, at) == tape_gradients(twin, at) == [0]


def test_what_tensorflow_does_otherwise():
    # A tie goes to the second number, so that max(z, 0) is a ReLU; x⁰ has no gap at 0.
    assert (gradients(np.maximum, 1.0, 1.0), tape_gradients(tf.maximum, 1.0, 1.0)) == (
        [0, 1],
        [1, 0],
    )
    assert gradients(np.power, 0.0, 0.0) == [0, 0]
    assert np.isnan(tape_gradients(tf.pow, 0.0, 0.0)[0])


# Whole functions


def test_shared_weights():
    X, W, H = (np.random.default_rng(0).normal(size=shape) for shape in [(4, 3), (3, 3), (4, 3)])

    def recurrent(W, H, tanh):
        for _ in range(3):
            H = tanh(H @ W + X)
        return H * H

    assert_same(lambda W, H: recurrent(W, H, np.tanh), lambda W, H: recurrent(W, H, tf.tanh), W, H)


def test_a_network_in_both_modes():
    names = ["tanh", "sigmoid"]
    network, X, T = smooth_case(names)
    rng = np.random.default_rng(0)
    tangents = [rng.normal(size=p.shape) for p in network.parameters]

    def loss(W1, b1, W2, b2):
        A = 1 / (1 + np.exp(-(np.tanh(X @ W1 + b1) @ W2 + b2)))
        return np.sum((A - T) ** 2) / (2 * len(X))

    value, mine = vjp(loss, network.parameters, 1.0)
    expected, hand = network.loss_and_gradients(losses.half_squared_error, X, T)
    assert value == pytest.approx(expected, rel=1e-13)
    tape = tensorflow_twin.loss_gradients(network, "half_squared_error", X, T)
    for a, b, c in zip(mine, hand, tape, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(a, c, rtol=1e-14, atol=1e-14)
    _, pushed = autodiff.jvp(loss, network.parameters, tangents)
    tensors = [tf.constant(p) for p in network.parameters]
    with tf.autodiff.ForwardAccumulator(tensors, [tf.constant(t) for t in tangents]) as accumulator:
        output = tensorflow_twin.forward(network, tensors, X)
        by_tensorflow = tensorflow_twin.LOSSES["half_squared_error"](output, tf.constant(T))
    # It adds up fifty products near 1.
    assert pushed == pytest.approx(accumulator.jvp(by_tensorflow).numpy(), rel=0, abs=1e-13)
