"""The TensorFlow side of the comparisons: what it has, what it refuses, how it is imported."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import registry
from smooth import smooth_case

from backprop import losses
from backprop.activations import ACTIVATIONS

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402
from backprop.tensorflow_twin import LOSSES, forward, loss_gradients, tape_gradients  # noqa: E402

# What it has. That activations and losses agree is in test_gradients.


def test_the_twin_has_every_activation_and_every_loss():
    assert tensorflow_twin.ACTIVATIONS.keys() == ACTIVATIONS.keys()
    assert LOSSES.keys() == {row.name for row in registry.LOSSES}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_networks_agree(dtype, tolerance):
    network, X, T = smooth_case(["tanh", "relu", "sigmoid"])
    network = network.with_parameters([p.astype(dtype) for p in network.parameters])
    X, T = X.astype(dtype), T.astype(dtype)
    output = forward(network, network.parameters, X)
    np.testing.assert_allclose(output, network.forward(X)[-1], rtol=tolerance, strict=True)
    for loss, targets in ((losses.huber, T), (losses.sigmoid_cross_entropy, np.full_like(T, 0.25))):
        hand = network.loss_and_gradients(loss, X, targets)[1]
        tape = loss_gradients(network, loss.__name__, X, targets.astype(float))  # are converted
        for a, b in zip(hand, tape, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, strict=True)


# The tape


def test_the_tape_returns_new_arrays_of_the_arguments_shapes_and_sees_no_later_change():
    x, y = np.ones((3, 2)), 2.0

    def f(t, y):
        x[:] = 5
        return y * tf.reduce_sum(tf.gather(t * t, [2, 0, 2]))  # one row comes twice

    tape = tape_gradients(f, x, y)
    assert [type(g) for g in tape] == [np.ndarray] * 2
    assert [g.tolist() for g in tape] == [[[4, 4], [0, 0], [8, 8]], 6]
    for gradient in (*tape, *tape_gradients(lambda t: tf.reduce_sum(tf.gather(t, [1])), x)):
        gradient[...] = 7
    assert x.tolist() == [[5, 5]] * 3


SCALAR = "f: expected a scalar tensor, got "
NUMPY = "inside f NumPy leaves the tape: write tf.exp(x) for np.exp(x)"
DEPENDS = "the value of f does not depend on it; " + NUMPY


@pytest.mark.parametrize(
    ("f", "arrays", "message"),
    [
        (tf.identity, [np.ones((2, 2))], SCALAR + "<tf.Tensor: shape=(2, 2), dtype=float64"),
        (lambda x: None, [1.0], SCALAR + "None; " + NUMPY),
        (lambda x: (x, x), [1.0], SCALAR + "(<tf"),
        (np.sum, [np.ones(2)], SCALAR),
        (lambda w: tf.reduce_sum(np.exp(w)), [np.ones(2)], "arrays[0]: " + DEPENDS),
        (lambda a, b: tf.reduce_sum(a), [1.0, 1.0], "arrays[1]: " + DEPENDS),
        (tf.reduce_sum, [np.ones(2, int)], "arrays[0]: expected float32 or float64, got int64"),
        (tf.reduce_sum, [np.ma.array([1.0])], "arrays[0]: expected an array without a mask"),
    ],
)
def test_the_tape_refuses_what_it_would_misunderstand(f, arrays, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        tape_gradients(f, *arrays)


def test_the_twin_refuses_what_does_not_fit():
    network, X, T = smooth_case(["tanh", "sigmoid"])
    for arguments, message in [
        ((network, "nope", X, T), "loss: expected one of mean_squared_error, .* got 'nope'"),
        ((1, "huber", X, T), "network: expected Network, got 1"),
        ((network, "huber", X[:, :2], T), r"X: expected shape \(N, 4\), got \(5, 2\)"),
        ((network, "huber", X, T[:4]), r"T: expected shape \(5, 3\), got \(4, 3\)"),
        ((network, "huber", X, T[:, :2]), r"T: expected shape \(5, 3\), got \(5, 2\)"),
        ((network, "huber", np.float32(X), T), "X: expected float64 like the parameters, got"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            loss_gradients(*arguments)
    with pytest.raises(ValueError, match="is longer"):
        forward(network, network.parameters[:2], X)
    with pytest.raises(ValueError, match=r"^X: expected float64, got float32"):
        forward(network, network.parameters, np.float32(X))


# How it is imported

FAKE = """
import os, sys, unittest.mock
sys.modules["tensorflow"] = unittest.mock.MagicMock()  # it is slow to import
from backprop import tensorflow_twin
print(*map(os.environ.get, ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND")))
"""


def run(program, **settings):
    """Run a program in a new Python in which none of TensorFlow's variables is set but these."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS_"))}
    command, env = [sys.executable, "-c", program], plain | settings
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_importing_the_twin_is_silent():
    assert run("from backprop import tensorflow_twin") == (0, "", "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "3 0 tensorflow"),
        ({"TF_ENABLE_ONEDNN_OPTS": "1", "KERAS_BACKEND": "tensorflow"}, "3 1 tensorflow"),
        ({"TF_CPP_MIN_LOG_LEVEL": "0", "TF_USE_LEGACY_KERAS": "0"}, "0 0 tensorflow"),
        ({"KERAS_BACKEND": "jax"}, "KERAS_BACKEND is jax, TF_USE_LEGACY_KERAS None"),
        ({"TF_USE_LEGACY_KERAS": "1"}, "KERAS_BACKEND is tensorflow, TF_USE_LEGACY_KERAS 1"),
        ({"TF_USE_LEGACY_KERAS": "True"}, "KERAS_BACKEND is tensorflow, TF_USE_LEGACY_KERAS True"),
    ],
)
def test_importing_the_twin_keeps_settings_or_refuses_another_keras(settings, said):
    code, output, errors = run(FAKE, **settings)
    if code:
        assert f"\nImportError: {said}: comparisons are with Keras 3 on TensorFlow" in errors
    else:
        assert (output, errors) == (said + "\n", "")
