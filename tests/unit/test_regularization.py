"""Dropout masks by their formula and their chances; what the registry leaves of penalties."""

import math

import numpy as np
import pytest

from backprop.regularization import dropout_mask, l1, l2


def test_l1_is_flat_where_a_weight_is_zero():
    value, (gradient, of_bias) = l1([np.array([[0.0, -0.0, -2.0, 3.0]]), np.array([5.0])], 0.5)
    assert (value, gradient.tolist(), of_bias.tolist()) == (2.5, [[0, 0, -0.5, 0.5]], [0])


@pytest.mark.parametrize("penalty", [l1, l2])
@pytest.mark.parametrize("strength", [0, 1, np.float64(1)])
def test_a_penalty_keeps_float32_and_takes_no_weights_at_all(penalty, strength):
    weights = np.ones((2, 3), np.float32)
    value, (gradient, _) = penalty([weights, np.ones((), np.float32)], strength)
    assert (type(value), value, gradient.dtype) == (float, 6 * strength, np.float32)
    assert penalty([], strength) == (0.0, [])
    with pytest.raises(ValueError, match=r"^parameters\[1\]: expected finite numbers, got nan"):
        penalty([weights, weights * np.nan], strength)
    with pytest.raises(ValueError, match=r"^strength: expected a number of at least 0, got -1"):
        penalty([weights], -1)


@pytest.mark.equation("dropout")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0, 0.2, 0.5, 0.9])
def test_a_mask_is_its_formula_and_its_mean_is_one(rate, dtype):
    shape, n = (500, 400), 200_000
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(2):  # the second mask is another one
        mask = dropout_mask(shape, rate, rng, dtype)
        assert (mask.shape, mask.dtype) == (shape, dtype)
        expected = (again.random(shape, dtype) >= rate) / (1 - rate)
        np.testing.assert_allclose(mask, expected, rtol=float(np.finfo(dtype).eps))
        # Four standard errors.
        error = 4 * math.sqrt(rate * (1 - rate) / n)
        assert np.mean(mask == 0) == pytest.approx(rate, abs=error)
        assert mask.mean(dtype=float) == pytest.approx(1, abs=error / (1 - rate) + 1e-6)


def test_rows_and_columns_of_a_mask_are_independent():
    mask = dropout_mask((500, 500), 0.5, np.random.default_rng(0)) / 2
    for axis in (0, 1):
        assert mask.mean(axis=axis).std() == pytest.approx(0.5 / math.sqrt(500), rel=0.2)


def test_a_rate_of_zero_keeps_even_what_draws_a_zero_and_a_rate_of_one_is_refused():
    class Zeros(np.random.Generator):
        def random(self, size, dtype):
            return np.zeros(size, dtype)

    rng = Zeros(np.random.PCG64(0))
    assert (dropout_mask((2, 3), 0, rng) == 1).all()
    with pytest.raises(ValueError, match=r"^rate: expected a number of at least 0 and below 1"):
        dropout_mask((2, 3), 1, rng)
