"""Activations: numbers of the book, kinks, extremes. The registry holds their derivatives."""

import math
from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import activations
from backprop.activations import ACTIVATIONS, relu, relu_derivative, sigmoid, softmax, tanh

finite = arrays(np.float64, 5, elements=st.floats(-1e9, 1e9))
logits = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-1e4, 1e4))
)


def test_the_table_pairs_each_function_with_its_derivative():
    assert list(ACTIVATIONS) == ["identity", "sigmoid", "tanh", "relu"]
    for name, (function, derivative) in ACTIVATIONS.items():
        assert function is unwrap(getattr(activations, name))
        assert derivative is unwrap(getattr(activations, f"{name}_derivative"))


@pytest.mark.equation("relu-derivative")
@pytest.mark.parametrize(("z", "slope"), [(-2.0, 0), (-1e-300, 0), (0.0, 0), (1e-300, 1), (3.0, 1)])
def test_relu_derivative_is_its_formula(z, slope):
    a = relu(np.array([z]))
    assert a[0] == max(z, 0)
    # Taken with >= it would be 1 everywhere: no output of a ReLU is negative.
    assert relu_derivative(a)[0] == slope


def test_numbers_in_the_book():
    np.testing.assert_allclose(sigmoid([0.6, -0.1]), [0.64565631, 0.47502081], atol=5e-9)
    assert sigmoid(2.0) == pytest.approx(0.8808, abs=5e-5)
    np.testing.assert_allclose(softmax([[2.0, 1.0, 0.0]]), [[0.6652, 0.2447, 0.0900]], atol=5e-5)


@given(finite)
def test_sigmoid_is_a_probability_symmetric_and_a_tanh(z):
    p = sigmoid(z)
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(sigmoid(-z), 1 - p, atol=1e-15)
    np.testing.assert_allclose(tanh(z), 2 * sigmoid(2 * z) - 1, atol=1e-15)


@given(logits, st.floats(-1e4, 1e4))
def test_softmax_of_a_row_is_a_distribution_that_a_shift_does_not_change(z, shift):
    p = softmax(z)
    assert p.min() >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    shifts = shift * np.arange(1, len(z) + 1).reshape(-1, 1)
    np.testing.assert_allclose(softmax(z + shifts), p, atol=1e-9)
    np.testing.assert_array_equal(p, np.concatenate([softmax(row[None]) for row in z]))
    pair = np.stack([z[:, 0], z[:, -1]], axis=1)
    np.testing.assert_allclose(softmax(pair)[:, 0], sigmoid(z[:, 0] - z[:, -1]), atol=1e-15)


@pytest.mark.parametrize("size", [40.0, 1e4, 1e300])
def test_no_overflow(size):
    far = np.array([[size, -size]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_allclose(sigmoid(far), [[1, 0]], atol=1e-17)
        np.testing.assert_allclose(softmax(far), [[1, 0]], atol=1e-17)
        np.testing.assert_allclose(tanh(far), [[1, -1]], atol=1e-17)
        for function, derivative in ACTIVATIONS.values():
            assert np.isfinite(derivative(function(far))).all()


def test_sigmoid_keeps_its_digits_far_out():
    assert sigmoid(-700.0) == pytest.approx(math.exp(-700), rel=1e-12)
    assert sigmoid(np.float32(-80)) == pytest.approx(math.exp(-80), rel=1e-5)


@pytest.mark.parametrize(
    "z", [np.array([0, 128, 255], np.uint8), [[0, 10, 250]], np.ones(2, np.float16), np.uint8(2)]
)
def test_other_numbers_than_floats_are_refused(z):
    # Silently, uint8 gave a sigmoid of .5, 0, .269.
    for f in (sigmoid, activations.sigmoid_derivative, relu, softmax):
        name = "a" if f is activations.sigmoid_derivative else "z"
        with pytest.raises(ValueError, match=f"^{name}: expected float32 or float64, got"):
            f(z)
