"""The TensorFlow side of the comparisons: what it has, what it refuses, how it is imported."""

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from smooth import smooth_case

from backprop import losses
from backprop.activations import ACTIVATIONS
from backprop.gradcheck import assert_gradients_agree, numerical_gradients
from backprop.network import Network

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402
from backprop.tensorflow_twin import forward, loss_gradients, tape_gradients  # noqa: E402

# What it has. That activations and losses agree is in test_gradients.


def test_the_twin_has_every_activation_and_every_loss():
    assert tensorflow_twin.ACTIVATIONS.keys() == ACTIVATIONS.keys()
    public = {
        name
        for name, f in inspect.getmembers(losses, inspect.isfunction)
        if f.__module__ == losses.__name__ and not name.startswith("_")
    }
    assert tensorflow_twin.LOSSES.keys() == public


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activations_agree_also_far_out_and_at_zero(name):
    function, derivative = ACTIVATIONS[name]
    z = np.array([-30.0, -2.0, -0.5, 0.0, 0.1, 1.0, 25.0])
    twin = tensorflow_twin.ACTIVATIONS[name]
    np.testing.assert_allclose(function(z), twin(z).numpy(), rtol=0, atol=1e-15)
    (tape,) = tape_gradients(lambda z: tf.reduce_sum(twin(z)), z)
    np.testing.assert_allclose(derivative(function(z)), tape, rtol=0, atol=1e-15)


@pytest.mark.parametrize("loss", list(tensorflow_twin.LOSSES))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("names", [["identity"], ["tanh", "relu", "sigmoid"]], ids="-".join)
def test_networks_agree(names, loss, dtype):
    network, X, T = smooth_case(names)
    network = network.with_parameters([p.astype(dtype) for p in network.parameters])
    X, T = X.astype(dtype), T.astype(dtype)
    by_hand = getattr(losses, loss)
    value, hand = network.loss_and_gradients(by_hand, X, T)
    output = forward(network, network.parameters, X)
    single = dtype is np.float32
    np.testing.assert_allclose(
        output, network.forward(X)[-1], rtol=0, atol=1e-6 if single else 1e-14
    )
    by_tensorflow = tensorflow_twin.LOSSES[loss](output, T).numpy()
    assert value == pytest.approx(by_tensorflow, rel=1e-5 if single else 1e-13)
    tape = loss_gradients(network, loss, X, T.astype(float))  # targets are converted
    assert {g.dtype for g in tape} == {np.dtype(dtype)}
    if single:
        for a, b in zip(hand, tape, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        return
    numerical = numerical_gradients(
        lambda *p: by_hand(network.with_parameters(p).forward(X)[-1], T)[0], *network.parameters
    )
    names = [f"{letter}{n + 1}" for n in range(len(names)) for letter in "Wb"]
    assert_gradients_agree(names, hand, tape, numerical)


@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "softmax_cross_entropy"])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_cross_entropies_far_out(loss, size):
    z = size * np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.5]])
    t = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    value, hand = getattr(losses, loss)(z, t)
    assert value == pytest.approx(tensorflow_twin.LOSSES[loss](z, t).numpy(), rel=1e-14)
    (tape,) = tape_gradients(lambda z: tensorflow_twin.LOSSES[loss](z, t), z)
    np.testing.assert_allclose(hand, tape, rtol=0, atol=1e-15)


# The tape


def test_the_tape_returns_new_arrays_of_the_arguments_shapes():
    x, y = np.ones((3, 2)), 2.0
    tape = tape_gradients(lambda x, y: y * tf.reduce_sum(tf.gather(x, [2, 0, 2])), x, y)
    assert [type(g) for g in tape] == [np.ndarray] * 2
    assert [g.tolist() for g in tape] == [[[2, 2], [0, 0], [4, 4]], 6]  # one row comes twice
    for gradient in tape:
        gradient[...] = 7
    assert x.tolist() == [[1, 1]] * 3


def test_arrays_that_f_changes_on_its_way_have_been_copied():
    x = np.ones(3)

    def f(t):
        y = tf.reduce_sum(t * t)
        x[:] = 5
        return y

    assert tape_gradients(f, x)[0].tolist() == [2, 2, 2]


NUMPY = "inside f NumPy leaves the tape: write tf.exp(x) for np.exp(x)"


@pytest.mark.parametrize(
    ("f", "arrays", "message"),
    [
        (tf.identity, [np.ones((2, 2))], "f: expected a scalar tensor, got shape (2, 2)"),
        (lambda x: None, [1.0], "f: expected a scalar tensor, got None"),
        (lambda x: (x, x), [1.0], "f: expected a scalar tensor, got (<tf"),
        (lambda w: np.sum(w), [np.ones(2)], NUMPY),
        (
            lambda w: tf.reduce_sum(np.exp(w)),
            [np.ones(2)],
            f"arrays[0]: the value of f does not depend on it; {NUMPY}",
        ),
        (lambda a, b: tf.reduce_sum(a), [1.0, 1.0], "arrays[1]: the value of f does not depend on"),
        (tf.reduce_sum, [np.ones(2, int)], "arrays[0]: expected float32 or float64, got int64"),
        (
            tf.reduce_sum,
            [np.ma.array([1.0], mask=True)],
            "arrays[0]: expected an array without a m",
        ),
    ],
)
def test_the_tape_refuses_what_it_would_misunderstand(f, arrays, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        tape_gradients(f, *arrays)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "nope"}, "loss: expected one of mean_squared_error, .* got 'nope'"),
        ({"network": 1}, "network: expected Network, got 1"),
        ({"X": np.ones((4, 2))}, r"X: expected shape \(N, 3\), got \(4, 2\)"),
        ({"T": np.ones((3, 2))}, r"T: expected shape \(4, 2\), got \(3, 2\)"),
        ({"T": np.ones((4, 3))}, r"T: expected shape \(4, 2\), got \(4, 3\)"),
        (
            {"X": np.ones((4, 3), np.float32)},
            "X: expected float64 like the parameters, got float32",
        ),
    ],
)
def test_the_twin_refuses_bad_batches(changes, message):
    network = Network.random([3, 2], ["tanh"], np.random.default_rng(0))
    arguments = {"network": network, "loss": "mean_squared_error"}
    arguments |= {"X": np.ones((4, 3)), "T": np.ones((4, 2))}
    with pytest.raises(ValueError, match=message):
        loss_gradients(**(arguments | changes))


def test_parameters_that_do_not_fit_the_network_are_refused():
    network, X, _ = smooth_case(["tanh", "sigmoid"])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        forward(network, network.parameters[:2], X)
    with pytest.raises(ValueError, match="X: expected float64, got float32"):
        forward(network, network.parameters, X.astype(np.float32))


# How it is imported

FAKE = (
    "import os, sys, unittest.mock\n"
    "sys.modules['tensorflow'] = unittest.mock.MagicMock()\n"  # it is slow to import
    "from backprop import tensorflow_twin\n"
    "names = 'TF_CPP_MIN_LOG_LEVEL', 'TF_ENABLE_ONEDNN_OPTS', 'KERAS_BACKEND'\n"
    "print(*map(os.environ.get, names))"
)


def run(program, **settings):
    """Run a program in a new Python in which none of TensorFlow's variables is set but these."""
    ours = ("TF_", "KERAS_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=plain | settings
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_importing_the_twin_is_silent():
    assert run("from backprop import tensorflow_twin") == (0, "", "")


@pytest.mark.parametrize(
    ("settings", "after"),
    [
        ({}, "3 0 tensorflow"),
        ({"TF_ENABLE_ONEDNN_OPTS": "1", "KERAS_BACKEND": "tensorflow"}, "3 1 tensorflow"),
        ({"TF_CPP_MIN_LOG_LEVEL": "0", "TF_USE_LEGACY_KERAS": "0"}, "0 0 tensorflow"),
    ],
)
def test_importing_the_twin_keeps_the_readers_settings(settings, after):
    assert run(FAKE, **settings) == (0, after + "\n", "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"KERAS_BACKEND": "jax"}, "KERAS_BACKEND is jax"),
        ({"TF_USE_LEGACY_KERAS": "1"}, "TF_USE_LEGACY_KERAS is 1"),
        ({"TF_USE_LEGACY_KERAS": "True"}, "TF_USE_LEGACY_KERAS is True"),
    ],
)
def test_another_keras_is_refused(settings, said):
    code, _, errors = run(FAKE, **settings)
    assert code == 1
    assert errors.splitlines()[-1].startswith(f"ImportError: The environment variable {said}, but")


def test_a_missing_tensorflow_gets_a_sentence():
    code, _, errors = run("import sys; sys.modules['tensorflow'] = None\n" + FAKE.split("\n")[2])
    assert code == 1
    assert errors.splitlines()[-1].startswith("ModuleNotFoundError: tensorflow_twin compares with")
