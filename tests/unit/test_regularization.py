"""Dropout masks by their formula and their chances; what the registry leaves of penalties."""

import math

import numpy as np
import pytest

from backprop.regularization import dropout_mask, l1, l2


def mask_of(shape, rate, seed=0, **options):
    return dropout_mask(shape, rate, np.random.default_rng(seed), **options)


def test_l1_is_flat_where_a_weight_is_zero():
    value, (gradient, of_bias) = l1([np.array([[0.0, -0.0, -2.0, 3.0]]), np.array([5.0])], 0.5)
    assert value == 2.5
    assert gradient.tolist() == [[0, 0, -0.5, 0.5]]
    assert of_bias.tolist() == [0]


@pytest.mark.parametrize("penalty", [l1, l2])
def test_gradients_are_new_arrays_shaped_like_the_parameters_also_of_integers_strength(penalty):
    parameters = [np.ones((2, 3), np.float32), np.ones(3, np.float32), np.ones((), np.float32)]
    for strength in (0, 1):
        value, gradients = penalty(parameters, strength)
        assert (type(value), value) == (float, 6.0 * strength)
        for p, g in zip(parameters, gradients, strict=True):
            assert (g.shape, g.dtype) == (p.shape, p.dtype)
            assert not np.shares_memory(g, p)
    assert penalty([], 1) == (0.0, [])


@pytest.mark.equation("dropout")
@pytest.mark.parametrize("rate", [0, 0.2, 0.5, 0.9])
def test_a_mask_is_its_formula(rate):
    mask, chances = mask_of((7, 5), rate, seed=3), np.random.default_rng(3).random((7, 5))
    for place in np.ndindex(7, 5):
        expected = 0 if chances[place] < rate else 1 / (1 - rate)
        assert mask[place] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.8])
def test_share_dropped_and_mean_of_many_masks(rate, dtype):
    n = 100_000
    mask = mask_of((n // 10, 10), rate, dtype=dtype)
    assert mask.dtype == dtype
    assert set(mask.ravel()) <= {dtype(0), 1 / dtype(1 - rate)}
    # Four standard errors.
    assert np.mean(mask == 0) == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / n))
    assert mask.mean(dtype=float) == pytest.approx(
        1, abs=4 * math.sqrt(rate / (1 - rate) / n) + 1e-6
    )


def test_rows_and_columns_of_a_mask_are_independent():
    mask = mask_of((500, 500), 0.5) / 2
    for axis in (0, 1):
        assert mask.mean(axis=axis).std() == pytest.approx(0.5 / math.sqrt(500), rel=0.2)


def test_masks_repeat_with_the_seed_and_differ_from_call_to_call():
    rng, again = np.random.default_rng(1), np.random.default_rng(1)
    first, second = (dropout_mask((5, 4), 0.5, rng) for _ in range(2))
    np.testing.assert_array_equal(first, dropout_mask((5, 4), 0.5, again))
    np.testing.assert_array_equal(second, dropout_mask((5, 4), 0.5, again))
    assert (first != second).any()
