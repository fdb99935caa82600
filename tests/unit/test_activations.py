"""Activations: numbers of the book, kinks, extremes. The registry holds their derivatives."""

from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from backprop import activations
from backprop.activations import ACTIVATIONS, relu, relu_derivative, sigmoid, softmax, tanh

logits = array_shapes(min_dims=2, max_dims=2, max_side=6).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-1e4, 1e4))
)


def test_the_table_pairs_each_function_with_its_derivative():
    for name, (function, derivative) in ACTIVATIONS.items():
        assert function is unwrap(getattr(activations, name))
        assert derivative is unwrap(getattr(activations, f"{name}_derivative"))


@pytest.mark.equation("relu-derivative")
def test_relu_derivative_is_its_formula():
    a = relu([-2.0, -1e-300, 0.0, 1e-300, 3.0])
    # Taken with >= it would be 1 everywhere: no output of a ReLU is negative.
    slopes = relu_derivative(a)
    assert (slopes.tolist(), slopes.dtype) == ([0, 0, 0, 1, 1], float)


@given(logits, st.floats(-1e4, 1e4))
def test_sigmoid_and_softmax_give_probabilities_and_know_each_other(z, shift):
    p, q = softmax(z), sigmoid(z)
    assert min(p.min(), q.min(), (1 - q).min()) >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    shifts = shift * np.arange(1, len(z) + 1).reshape(-1, 1)  # rows are independent
    np.testing.assert_allclose(softmax(z + shifts), p, atol=1e-9)
    pairs = np.stack([z[:, 0], z[:, -1]], axis=1)
    np.testing.assert_allclose(softmax(pairs)[:, 0], sigmoid(z[:, 0] - z[:, -1]), atol=1e-15)
    np.testing.assert_allclose(tanh(z), 2 * sigmoid(2 * z) - 1, atol=1e-15)


@pytest.mark.parametrize("size", [40.0, 1e4, 1e300])
def test_extremes_have_their_digits_and_do_not_overflow(size):
    far = np.array([[size, -size]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for f, limits in ((sigmoid, [[1, 0]]), (softmax, [[1, 0]]), (tanh, [[1, -1]])):
            np.testing.assert_allclose(f(far), limits, atol=1e-17)
        assert sigmoid(-size) == pytest.approx(np.exp(-size), rel=1e-12)
    np.testing.assert_allclose(sigmoid([0.6, -0.1]), [0.64565631, 0.47502081], atol=5e-9)
    assert sigmoid(np.float32(-80)) == pytest.approx(np.exp(-80), rel=1e-5)


@pytest.mark.parametrize(("f", "z"), [(sigmoid, np.uint8(2)), (softmax, [1.0, 2.0])])
def test_what_is_refused(f, z):
    with pytest.raises(ValueError, match=r"^z: expected (float32 or float64|shape \(N, K\)), got"):
        f(z)
