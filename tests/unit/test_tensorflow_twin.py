"""By hand, by TensorFlow, by central differences: every gradient of the package, three ways."""

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from smooth import smooth_case

from backprop import gradcheck, losses
from backprop.activations import ACTIVATIONS, softmax
from backprop.network import Network, dense_backward, dense_forward

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402

every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))
every_loss = pytest.mark.parametrize("loss", list(tensorflow_twin.LOSSES))


def smooth_batch(seed=0, shape=(5, 3)):
    """Return predictions and targets whose differences are not near a kink of any loss."""
    rng = np.random.default_rng(seed)
    y, t = rng.normal(0, 2, shape), softmax(rng.normal(size=shape))
    gaps = np.abs(y - t)
    assert min(gaps.min(), np.abs(gaps - 1).min()) > 1e-3
    return y, t


# Nothing is missing


def test_the_twin_has_every_activation_and_every_loss():
    assert tensorflow_twin.ACTIVATIONS.keys() == ACTIVATIONS.keys()
    public = {
        name
        for name, f in inspect.getmembers(losses, inspect.isfunction)
        if f.__module__ == losses.__name__ and not name.startswith("_")
    }
    assert tensorflow_twin.LOSSES.keys() == public


# Activations, losses, one layer


@every_activation
def test_activation(activation):
    function, derivative = ACTIVATIONS[activation]
    z = np.array([[-30.0, -2.0, -0.5, 0.1, 1.0, 25.0]])
    f = tensorflow_twin.ACTIVATIONS[activation]
    np.testing.assert_allclose(function(z), f(z).numpy(), rtol=0, atol=1e-15)
    hand = derivative(function(z))
    (tape,) = tensorflow_twin.tape_gradients(lambda z: tf.reduce_sum(f(z)), z)
    (numerical,) = gradcheck.numerical_gradients(lambda z: np.sum(function(z)), z)
    gradcheck.agreement([activation], [hand], [tape], [numerical])


@every_activation
def test_activation_at_zero(activation):
    function, derivative = ACTIVATIONS[activation]
    zero = np.zeros((1, 1))
    twin = tensorflow_twin.ACTIVATIONS[activation]
    (tape,) = tensorflow_twin.tape_gradients(lambda z: tf.reduce_sum(twin(z)), zero)
    assert derivative(function(zero)) == tape


@every_loss
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (4, 1), (1, 4)])
def test_loss(loss, shape):
    y, t = smooth_batch(shape=shape)
    by_hand, by_tensorflow = getattr(losses, loss), tensorflow_twin.LOSSES[loss]
    value, hand = by_hand(y, t)
    assert value == pytest.approx(by_tensorflow(y, t).numpy(), rel=1e-14, abs=1e-15)
    (tape,) = tensorflow_twin.tape_gradients(lambda y: by_tensorflow(y, t), y)
    (numerical,) = gradcheck.numerical_gradients(lambda y: by_hand(y, t)[0], y)
    gradcheck.agreement([loss], [hand], [tape], [numerical])


@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "softmax_cross_entropy"])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_cross_entropy_far_out(loss, size):
    z = size * np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.5]])
    t = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    value, hand = getattr(losses, loss)(z, t)
    assert value == pytest.approx(tensorflow_twin.LOSSES[loss](z, t).numpy(), rel=1e-14)
    (tape,) = tensorflow_twin.tape_gradients(lambda z: tensorflow_twin.LOSSES[loss](z, t), z)
    np.testing.assert_allclose(hand, tape, rtol=0, atol=1e-15)


def test_dense_layer():
    rng = np.random.default_rng(0)
    X, W, b, delta = (rng.normal(size=shape) for shape in [(4, 3), (3, 2), (2,), (4, 2)])
    hand = dense_backward(X, W, delta)
    tape = tensorflow_twin.tape_gradients(
        lambda W, b, X: tf.reduce_sum(delta * (X @ W + b)), W, b, X
    )
    numerical = gradcheck.numerical_gradients(
        lambda W, b, X: np.sum(delta * dense_forward(X, W, b)), W, b, X
    )
    gradcheck.agreement(["dW", "db", "dX"], hand, tape, numerical)


# Whole networks


@pytest.mark.parametrize(
    "activations",
    [
        *[[name] * depth for name in ACTIVATIONS for depth in (1, 2, 3)],
        ["tanh", "relu", "sigmoid"],
        ["relu", "sigmoid", "identity"],
    ],
    ids="-".join,
)
@every_loss
def test_network(activations, loss):
    network, X, T = smooth_case(activations)
    by_hand = getattr(losses, loss)
    value, hand = network.loss_and_gradients(by_hand, X, T)
    output = tensorflow_twin.forward(network, network.parameters, X)
    np.testing.assert_allclose(network.forward(X)[-1], output.numpy(), rtol=0, atol=1e-14)
    assert value == pytest.approx(tensorflow_twin.LOSSES[loss](output, T).numpy(), rel=1e-13)
    tape = tensorflow_twin.loss_gradients(network, loss, X, T)
    numerical = gradcheck.numerical_gradients(
        lambda *p: by_hand(network.with_parameters(p).forward(X)[-1], T)[0], *network.parameters
    )
    names = [f"{letter}{n + 1}" for n in range(len(activations)) for letter in "Wb"]
    gradcheck.agreement(names, hand, tape, numerical)


def test_slope_of_the_input():
    network, X, T = smooth_case(["tanh", "sigmoid"])
    outputs = network.forward(X)
    _, hand = network.backward(outputs, losses.half_squared_error(outputs[-1], T)[1])
    W1, b1, W2, b2 = network.parameters

    def by_tensorflow(X):
        Y = tf.sigmoid(tf.tanh(X @ W1 + b1) @ W2 + b2)
        return tensorflow_twin.LOSSES["half_squared_error"](Y, T)

    (tape,) = tensorflow_twin.tape_gradients(by_tensorflow, X)
    (numerical,) = gradcheck.numerical_gradients(
        lambda X: losses.half_squared_error(network.forward(X)[-1], T)[0], X
    )
    gradcheck.agreement(["X"], [hand], [tape], [numerical])


@every_loss
def test_network_in_float32(loss):
    network, X, T = smooth_case(["tanh", "sigmoid"])
    network = network.with_parameters([p.astype(np.float32) for p in network.parameters])
    X, T = X.astype(np.float32), T.astype(np.float32)
    _, hand = network.loss_and_gradients(getattr(losses, loss), X, T)
    tape = tensorflow_twin.loss_gradients(network, loss, X, T)
    for mine, other in zip(hand, tape, strict=True):
        assert other.dtype == np.float32
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)


# The twin's own arguments


def test_an_argument_that_does_not_matter_is_refused():
    with pytest.raises(ValueError, match="argument 1 of f: the value does not depend on it"):
        tensorflow_twin.tape_gradients(lambda a, b: tf.reduce_sum(a), [1.0], [1.0])


def test_gathered_rows_have_a_gradient_of_the_whole_shape():
    (tape,) = tensorflow_twin.tape_gradients(
        lambda x: tf.reduce_sum(tf.gather(x, [2, 0, 2])), np.ones((3, 2))
    )
    assert tape.tolist() == [[1, 1], [0, 0], [2, 2]]


def test_parameters_that_do_not_fit_the_network_are_refused():
    network, X, _ = smooth_case(["tanh", "sigmoid"])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        tensorflow_twin.forward(network, network.parameters[:2], X)


def run(program, **settings):
    """Run a program in a new Python in which no TF_... variable is set but these."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=plain | settings
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_importing_the_twin_is_silent():
    assert run("from backprop import tensorflow_twin") == (0, "", "")


def test_importing_the_twin_keeps_the_readers_settings():
    program = (
        "import os, sys, unittest.mock\n"
        "sys.modules['tensorflow'] = unittest.mock.MagicMock()\n"  # it is slow to import
        "from backprop import tensorflow_twin\n"
        "print(os.environ['TF_CPP_MIN_LOG_LEVEL'], os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    assert run(program) == (0, "3 0\n", "")
    assert run(program, TF_ENABLE_ONEDNN_OPTS="1") == (0, "3 1\n", "")
    assert run(program, TF_CPP_MIN_LOG_LEVEL="0") == (0, "0 0\n", "")


@pytest.mark.parametrize(
    ("f", "argument", "message"),
    [
        (tf.identity, np.ones((2, 2)), r"f: expected a scalar tensor, got shape \(2, 2\)"),
        (tf.reduce_sum, np.ones(2, int), "argument 0 of f: expected floats, got int64"),
    ],
)
def test_the_tape_refuses_what_it_would_misunderstand(f, argument, message):
    with pytest.raises(ValueError, match=message):
        tensorflow_twin.tape_gradients(f, argument)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "nope"}, "loss: expected one of mean_squared_error, .* got 'nope'"),
        ({"X": np.ones((4, 2))}, r"X: expected shape \(N, 3\), got \(4, 2\)"),
        ({"T": np.ones(4)}, r"T: expected shape \(4, 2\), got \(4,\)"),
        ({"X": np.ones((4, 3), np.float32)}, "X: expected float64, got float32"),
    ],
)
def test_the_twin_refuses_bad_batches(changes, message):
    network = Network.random([3, 2], ["tanh"], np.random.default_rng(0))
    arguments = {"loss": "mean_squared_error", "X": np.ones((4, 3)), "T": np.ones((4, 2))}
    with pytest.raises(ValueError, match=message):
        tensorflow_twin.loss_gradients(network, **(arguments | changes))
