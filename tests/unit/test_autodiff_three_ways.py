"""By hand, by TensorFlow's tape, by the tape of `autodiff`: the same gradients, to rounding."""

import inspect

import numpy as np
import pytest
from smooth import smooth_case

from backprop import activations, autodiff, losses

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402

# The package's functions once more, in operations that autodiff follows.
ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}


def huber(y, t):
    error = abs(y - t)
    clipped = np.minimum(error, 1)
    return np.mean(clipped * (error - clipped / 2))


LOSSES = {
    "mean_squared_error": lambda y, t: np.mean((y - t) ** 2),
    "half_squared_error": lambda y, t: np.sum((y - t) ** 2) / (2 * y.shape[0]),
    "mean_absolute_error": lambda y, t: np.mean(abs(y - t)),
    "huber": huber,
    "sigmoid_cross_entropy": lambda z, t: np.mean(np.logaddexp(0, z) - z * t),
    "softmax_cross_entropy": lambda z, t: np.mean(
        np.logaddexp.reduce(z, axis=1) - np.sum(z * t, axis=1)
    ),
}

RULES = {
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
    np.logaddexp: lambda a, b: tf.math.log(tf.exp(a) + tf.exp(b)),
}

every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))
every_loss = pytest.mark.parametrize("loss", list(LOSSES))
every_network = pytest.mark.parametrize(
    "names",
    [
        *[[name] * depth for name in ACTIVATIONS for depth in (1, 2, 3)],
        ["tanh", "relu", "sigmoid"],
        ["relu", "sigmoid", "identity"],
    ],
    ids="-".join,
)


def forward(names, parameters, X):
    A = X
    for name, W, b in zip(names, parameters[::2], parameters[1::2], strict=True):
        A = ACTIVATIONS[name](A @ W + b)
    return A


def assert_same(mine, others):
    # Each is a sum of at most a hundred products near 1, in whatever order.
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-14, strict=True)


def test_nothing_is_missing():
    assert ACTIVATIONS.keys() == activations.ACTIVATIONS.keys()
    assert LOSSES.keys() == tensorflow_twin.LOSSES.keys()
    assert RULES.keys() == autodiff.PARTIALS.keys()


# One operation


@pytest.mark.parametrize("ufunc", RULES, ids=lambda u: u.__name__)
@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((), (4,))])
def test_rule(ufunc, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 1.5, shape) for shape in shapes][: ufunc.nin]
    slope = rng.normal(size=ufunc(*arrays).shape)
    mine = autodiff.gradients(lambda *a: np.sum(slope * ufunc(*a)), *arrays)
    tape = tensorflow_twin.tape_gradients(
        lambda *a: tf.reduce_sum(slope * RULES[ufunc](*a)), *arrays
    )
    assert_same(mine, tape)


@pytest.mark.parametrize(
    ("f", "twin"),
    [
        (lambda x: x @ x.T, lambda x: x @ tf.transpose(x)),
        (lambda x: np.sum(x, axis=0), lambda x: tf.reduce_sum(x, axis=0)),
        (
            lambda x: np.sum(x, axis=1, keepdims=True),
            lambda x: tf.reduce_sum(x, axis=1, keepdims=True),
        ),
        (lambda x: np.mean(x, axis=1), lambda x: tf.reduce_mean(x, axis=1)),
        (
            lambda x: np.logaddexp.reduce(x, axis=1, keepdims=True),
            lambda x: tf.reduce_logsumexp(x, axis=1, keepdims=True),
        ),
        (lambda x: np.logaddexp.reduce(x), lambda x: tf.reduce_logsumexp(x, axis=0)),
        (lambda x: x[1:, ::2], lambda x: x[1:, ::2]),
        (lambda x: x[[2, 0, 2]], lambda x: tf.gather(x, [2, 0, 2])),
    ],
)
def test_operation_on_a_matrix(f, twin):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4))
    slope = rng.normal(size=f(x).shape)
    mine = autodiff.gradients(lambda x: np.sum(slope * f(x)), x)
    tape = tensorflow_twin.tape_gradients(lambda x: tf.reduce_sum(slope * twin(x)), x)
    assert_same(mine, tape)


@every_activation
def test_activation(activation):
    z = np.array([-30.0, -2.0, -0.5, 0.0, 0.1, 1.0, 25.0])
    (mine,) = autodiff.gradients(lambda z: np.sum(ACTIVATIONS[activation](z)), z)
    twin = tensorflow_twin.ACTIVATIONS[activation]
    (tape,) = tensorflow_twin.tape_gradients(lambda z: tf.reduce_sum(twin(z)), z)
    function, derivative = activations.ACTIVATIONS[activation]
    assert_same([mine, mine], [tape, derivative(function(z))])


# Losses


@every_loss
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (4, 1), (1, 4)])
def test_loss(loss, shape):
    rng = np.random.default_rng(0)
    y, t = rng.normal(0, 2, shape), activations.softmax(rng.normal(size=shape))
    value, (mine,) = autodiff.vjp(lambda y: LOSSES[loss](y, t), [y], 1.0)
    expected, hand = getattr(losses, loss)(y, t)
    assert value == pytest.approx(expected, rel=1e-14, abs=1e-15)
    (tape,) = tensorflow_twin.tape_gradients(lambda y: tensorflow_twin.LOSSES[loss](y, t), y)
    assert_same([mine, mine], [hand, tape])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "softmax_cross_entropy"])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_cross_entropy_far_out(loss, size):
    z = size * np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.5]])
    t = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    (mine,) = autodiff.gradients(lambda z: LOSSES[loss](z, t), z)
    (tape,) = tensorflow_twin.tape_gradients(lambda z: tensorflow_twin.LOSSES[loss](z, t), z)
    assert_same([mine, mine], [getattr(losses, loss)(z, t)[1], tape])


def test_losses_at_their_kinks():
    y, t = np.array([[1.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 1.0]])
    for loss in ("mean_absolute_error", "huber"):
        (mine,) = autodiff.gradients(lambda y, loss=loss: LOSSES[loss](y, t), y)
        assert_same([mine], [getattr(losses, loss)(y, t)[1]])


# Whole networks


@every_network
@every_loss
def test_network(names, loss):
    network, X, T = smooth_case(names)
    value, mine = autodiff.vjp(
        lambda *parameters: LOSSES[loss](forward(names, parameters, X), T), network.parameters, 1.0
    )
    expected, hand = network.loss_and_gradients(getattr(losses, loss), X, T)
    assert value == pytest.approx(expected, rel=1e-13)
    assert_same(mine, hand)
    assert_same(mine, tensorflow_twin.loss_gradients(network, loss, X, T))


@every_activation
@every_loss
def test_forward_mode(activation, loss):
    names = ["tanh", activation]
    network, X, T = smooth_case(names)
    rng = np.random.default_rng(0)
    changes = [rng.normal(size=p.shape) for p in network.parameters]
    _, mine = autodiff.jvp(
        lambda *parameters: LOSSES[loss](forward(names, parameters, X), T),
        network.parameters,
        changes,
    )
    hand = network.loss_and_gradients(getattr(losses, loss), X, T)[1]
    slope = sum(np.sum(g * c) for g, c in zip(hand, changes, strict=True))
    tensors = [tf.constant(p) for p in network.parameters]
    with tf.autodiff.ForwardAccumulator(tensors, [tf.constant(c) for c in changes]) as accumulator:
        output = tensorflow_twin.forward(network, tensors, X)
        value = tensorflow_twin.LOSSES[loss](output, tf.constant(T))
    # Each adds up fifty slopes near 1.
    assert mine == pytest.approx(slope, rel=0, abs=1e-13)
    assert mine == pytest.approx(accumulator.jvp(value).numpy(), rel=0, abs=1e-13)


def test_slope_of_the_input():
    names = ["tanh", "sigmoid"]
    network, X, T = smooth_case(names)
    outputs = network.forward(X)
    _, hand = network.backward(outputs, losses.half_squared_error(outputs[-1], T)[1])
    (mine,) = autodiff.gradients(
        lambda X: LOSSES["half_squared_error"](forward(names, network.parameters, X), T), X
    )
    assert_same([mine], [hand])


def test_shared_weights():
    rng = np.random.default_rng(0)
    X, W, H = (rng.normal(size=shape) for shape in [(4, 3), (3, 3), (4, 3)])

    def recurrent(W, H, tanh, total):
        for _ in range(3):
            H = tanh(H @ W + X)
        return total(H * H)

    mine = autodiff.gradients(lambda W, H: recurrent(W, H, np.tanh, np.sum), W, H)
    tape = tensorflow_twin.tape_gradients(
        lambda W, H: recurrent(W, H, tf.tanh, tf.reduce_sum), W, H
    )
    assert_same(mine, tape)


@every_loss
def test_network_in_float32(loss):
    names = ["tanh", "sigmoid"]
    network, X, T = smooth_case(names)
    network = network.with_parameters([p.astype(np.float32) for p in network.parameters])
    X, T = X.astype(np.float32), T.astype(np.float32)
    mine = autodiff.gradients(
        lambda *parameters: LOSSES[loss](forward(names, parameters, X), T), *network.parameters
    )
    tape = tensorflow_twin.loss_gradients(network, loss, X, T)
    for a, b in zip(mine, tape, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


# The same arguments


def test_the_three_of_a_family_take_the_same_arguments():
    assert list(inspect.signature(autodiff.gradients).parameters) == ["f", "arrays"]
    assert list(inspect.signature(tensorflow_twin.tape_gradients).parameters) == ["f", "arrays"]
