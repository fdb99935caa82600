"""Activations and their derivatives, against the book's formulas and central differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import gradcheck
from backprop.activations import (
    ACTIVATIONS,
    relu,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    softmax,
    tanh,
    tanh_derivative,
)

POINTS = [-7.5, -2.0, -0.5, -1e-3, 1e-3, 0.25, 1.0, 3.0, 8.0]

finite = st.floats(-1e9, 1e9)
logits = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-1e4, 1e4))
)


# The book's equations, one number at a time


@pytest.mark.equation("sigmoid")
@pytest.mark.parametrize("z", POINTS)
def test_sigmoid_is_its_formula(z):
    assert sigmoid(np.array([z]))[0] == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-15)


@pytest.mark.equation("sigmoid-derivative")
@pytest.mark.parametrize("z", POINTS)
def test_sigmoid_derivative_is_its_formula(z):
    p = 1 / (1 + math.exp(-z))
    slope = sigmoid_derivative(np.array([p]))[0]
    assert slope == pytest.approx(math.exp(-z) / (1 + math.exp(-z)) ** 2, rel=1e-12)
    assert slope == pytest.approx(p * (1 - p), rel=1e-15)


@pytest.mark.equation("tanh-derivative")
@pytest.mark.parametrize("z", POINTS)
def test_tanh_derivative_is_its_formula(z):
    u, v = math.exp(z) - math.exp(-z), math.exp(z) + math.exp(-z)
    assert tanh(np.array([z]))[0] == pytest.approx(u / v, rel=1e-12)
    slope = tanh_derivative(np.array([u / v]))[0]
    assert slope == pytest.approx((v * v - u * u) / (v * v), abs=1e-15)


@pytest.mark.equation("relu-derivative")
@pytest.mark.parametrize(("z", "slope"), [(-2.0, 0), (-1e-300, 0), (0.0, 0), (1e-300, 1), (3.0, 1)])
def test_relu_derivative_is_its_formula(z, slope):
    a = relu(np.array([z]))
    assert a[0] == (z if z > 0 else 0)
    assert relu_derivative(a)[0] == slope


@pytest.mark.equation("softmax")
def test_softmax_is_its_formula():
    z = np.random.default_rng(0).normal(0, 2, (4, 3))
    for n, row in enumerate(softmax(z)):
        total = sum(math.exp(z[n, j]) for j in range(3))
        for k in range(3):
            assert row[k] == pytest.approx(math.exp(z[n, k]) / total, rel=1e-14)


# Numbers that the sources and chapters print


def test_numbers_in_the_book():
    np.testing.assert_allclose(sigmoid(np.array([0.6, -0.1])), [0.64565631, 0.47502081], atol=5e-9)
    assert sigmoid(np.array(2.0)) == pytest.approx(0.8808, abs=5e-5)
    probabilities = softmax(np.array([[2.0, 1.0, 0.0]]))
    np.testing.assert_allclose(probabilities, [[0.6652, 0.2447, 0.0900]], atol=5e-5)


# Derivatives by central differences


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_derivative_agrees_with_central_differences(name):
    function, derivative = ACTIVATIONS[name]
    z = np.array(POINTS)
    slopes = [gradcheck.numerical_gradients(lambda v: function(v)[0], [v])[0][0] for v in z]
    assert gradcheck.relative_error(derivative(function(z)), slopes) <= 1e-7


def test_names():
    assert list(ACTIVATIONS) == ["identity", "sigmoid", "tanh", "relu"]


# What holds for any numbers


@given(arrays(np.float64, 5, elements=finite))
def test_sigmoid_is_symmetric_and_a_probability(z):
    p = sigmoid(z)
    np.testing.assert_allclose(sigmoid(-z), 1 - p, atol=1e-15)
    assert p.min() >= 0
    assert p.max() <= 1


@given(arrays(np.float64, 5, elements=finite))
def test_sigmoid_and_tanh_are_one_curve(z):
    np.testing.assert_allclose(tanh(z), 2 * sigmoid(2 * z) - 1, atol=1e-15)


@given(logits)
def test_softmax_rows_are_distributions(z):
    p = softmax(z)
    assert p.min() >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)


@given(logits, st.floats(-1e4, 1e4))
def test_softmax_does_not_see_a_shift_of_a_row(z, shift):
    shifts = shift * np.arange(1, len(z) + 1).reshape(-1, 1)
    np.testing.assert_allclose(softmax(z + shifts), softmax(z), atol=1e-9)


@given(logits)
def test_softmax_takes_each_row_by_itself(z):
    np.testing.assert_array_equal(softmax(z), np.concatenate([softmax(row[None]) for row in z]))


@given(logits)
def test_softmax_of_two_is_a_sigmoid(z):
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
    assert sigmoid(np.array(-700.0)) == pytest.approx(math.exp(-700), rel=1e-12)


def test_relu_on_relus_output_has_lost_nothing():
    # A derivative taken with >= would be 1 everywhere here.
    a = relu(np.linspace(-1, 1, 201))
    assert relu_derivative(a).sum() == 100


@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_dtype_and_shape_stay_and_inputs_are_left_alone(name, dtype, shape):
    function, derivative = ACTIVATIONS[name]
    z = np.random.default_rng(0).normal(size=shape).astype(dtype)
    before = z.copy()
    a = function(z)
    outputs = a.copy()
    slope = derivative(a)
    for result in (a, slope):
        assert result.dtype == dtype
        assert result.shape == shape
    np.testing.assert_array_equal(z, before)
    np.testing.assert_array_equal(a, outputs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_keeps_its_dtype_and_its_input(dtype):
    z = np.array([[1, 2, 3]], dtype)
    assert softmax(z).dtype == dtype
    assert z.tolist() == [[1, 2, 3]]
