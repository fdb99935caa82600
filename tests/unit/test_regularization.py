"""Penalties and dropout masks: against loops over single numbers and central differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import gradcheck
from backprop.regularization import dropout_mask, l1, l2, strength_of_penalty

SHAPES = [(4, 3), (3,), (3, 2), (2,)]
PENALTIES = {"l1": (l1, lambda w, s: s * abs(w)), "l2": (l2, lambda w, s: s * w**2)}
every_penalty = pytest.mark.parametrize("name", list(PENALTIES))
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def parameters():
    """Return weights and biases; no weight is near the kink of its size."""
    rng = np.random.default_rng(0)
    signs = [rng.choice([-1, 1], shape) for shape in SHAPES]
    return [sign * rng.uniform(0.1, 2, sign.shape) for sign in signs]


# Penalties


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("l1", marks=pytest.mark.equation("l1-penalty")),
        pytest.param("l2", marks=pytest.mark.equation("l2-penalty")),
    ],
)
def test_a_penalty_is_its_formula(parameters, name):
    penalty, of_weight = PENALTIES[name]
    value, _ = penalty(parameters, 0.3)
    weights = [w for p in parameters[::2] for row in p.tolist() for w in row]
    assert type(value) is float
    assert value == pytest.approx(sum(of_weight(w, 0.3) for w in weights), rel=1e-14)


@pytest.mark.equation("l1-gradient")
def test_l1_gradient_is_its_formula(parameters):
    parameters[0][1, 2] = 0.0
    parameters[2][0, 0] = -0.0
    _, gradients = l1(parameters, 0.3)
    for p, g in zip(parameters[::2], gradients[::2], strict=True):
        for place in np.ndindex(p.shape):
            w = p[place]
            assert g[place] == (0.3 if w > 0 else -0.3 if w < 0 else 0)


@pytest.mark.equation("l2-gradient")
def test_l2_gradient_is_its_formula(parameters):
    _, gradients = l2(parameters, 0.3)
    for p, g in zip(parameters[::2], gradients[::2], strict=True):
        for place in np.ndindex(p.shape):
            assert g[place] == pytest.approx(2 * 0.3 * p[place], rel=1e-15)


@every_penalty
def test_gradients_of_a_penalty_agree_with_central_differences(parameters, name):
    penalty, _ = PENALTIES[name]
    _, hand = penalty(parameters, 0.3)
    numerical = gradcheck.numerical_gradients(lambda *p: penalty(p, 0.3)[0], *parameters)
    for p, mine, other in zip(parameters, hand, numerical, strict=True):
        assert mine.shape == p.shape
        # Away from its kink each is a line or a parabola, on which a difference is exact.
        assert gradcheck.relative_error(mine, other) <= 1e-9


@every_penalty
def test_biases_are_free(parameters, name):
    penalty, _ = PENALTIES[name]
    value, gradients = penalty(parameters, 0.3)
    for b, g in zip(parameters[1::2], gradients[1::2], strict=True):
        assert not g.any()
        b *= 100
    assert penalty(parameters, 0.3)[0] == value


@every_penalty
def test_a_strength_of_zero_is_no_penalty(parameters, name):
    value, gradients = PENALTIES[name][0](parameters, 0)
    assert value == 0
    assert not any(g.any() for g in gradients)


@every_penalty
@every_dtype
def test_gradients_are_new_arrays_of_the_parameters_dtype(parameters, name, dtype):
    parameters = [p.astype(dtype) for p in parameters]
    before = [p.copy() for p in parameters]
    _, gradients = PENALTIES[name][0](parameters, 0.3)
    for p, was, g in zip(parameters, before, gradients, strict=True):
        assert g.dtype == dtype
        g += 7
        np.testing.assert_array_equal(p, was)


@given(arrays(np.float64, (3, 2), elements=st.floats(-1e6, 1e6)), st.floats(0, 1e3))
def test_l2_pulls_along_the_weights_and_l1_as_much_as_its_strength(W, strength):
    value, (g,) = l2([W], strength)
    assert np.sum(g * W) == pytest.approx(2 * value, rel=1e-12, abs=1e-300)
    value, (g,) = l1([W], strength)
    assert np.sum(g * W) == pytest.approx(value, rel=1e-12, abs=1e-300)
    assert set(np.abs(g).ravel()) <= {0, strength}


@pytest.mark.parametrize("bad", [-0.1, -math.inf, math.inf, math.nan, "1", None, 1j])
def test_bad_strengths_are_refused(parameters, bad):
    for penalty in (l1, l2):
        with pytest.raises(ValueError, match="strength: expected a number of at least 0, got"):
            penalty(parameters, bad)
    with pytest.raises(ValueError, match="l1: expected a number of at least 0, got"):
        strength_of_penalty("l1", bad)


def test_a_good_strength_comes_back_as_a_float():
    strength = strength_of_penalty("l1", np.float32(0.5))
    assert (type(strength), strength) == (float, 0.5)


# Dropout


@pytest.mark.equation("dropout")
@pytest.mark.parametrize("rate", [0, 0.2, 0.5, 0.9])
def test_a_mask_is_its_formula(rate):
    mask = dropout_mask((7, 5), rate, np.random.default_rng(3))
    chances = np.random.default_rng(3).random((7, 5))
    for place in np.ndindex(7, 5):
        expected = 0 if chances[place] < rate else 1 / (1 - rate)
        assert mask[place] == pytest.approx(expected, rel=1e-15)


@every_dtype
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.8])
def test_share_dropped_and_mean_of_many_masks(rate, dtype):
    n = 100_000
    mask = dropout_mask((n // 10, 10), rate, np.random.default_rng(0), dtype)
    assert mask.dtype == dtype
    assert set(mask.ravel()) <= {dtype(0), 1 / dtype(1 - rate)}
    # Four standard errors.
    assert np.mean(mask == 0) == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / n))
    assert mask.mean(dtype=float) == pytest.approx(
        1, abs=4 * math.sqrt(rate / (1 - rate) / n) + 1e-6
    )


def test_rows_and_columns_of_a_mask_are_independent():
    mask = dropout_mask((500, 500), 0.5, np.random.default_rng(0)) / 2
    for axis in (0, 1):
        assert mask.mean(axis=axis).std() == pytest.approx(0.5 / math.sqrt(500), rel=0.2)


def test_a_rate_of_zero_keeps_all():
    assert (dropout_mask((50, 50), 0, np.random.default_rng(0)) == 1).all()


def test_masks_repeat_with_the_seed_and_differ_from_call_to_call():
    rng, again = np.random.default_rng(1), np.random.default_rng(1)
    first, second = (dropout_mask((5, 4), 0.5, rng) for _ in range(2))
    np.testing.assert_array_equal(first, dropout_mask((5, 4), 0.5, again))
    np.testing.assert_array_equal(second, dropout_mask((5, 4), 0.5, again))
    assert (first != second).any()


@pytest.mark.parametrize("bad", [-0.1, 1, 1.0, 2, math.nan, math.inf, "0.5", None])
def test_bad_rates_are_refused(bad):
    with pytest.raises(ValueError, match="rate: expected 0 <= rate < 1, got"):
        dropout_mask((2, 2), bad, np.random.default_rng(0))


def test_a_seed_is_no_generator():
    with pytest.raises(ValueError, match=r"rng: expected np.random.default_rng\(seed\), got 0"):
        dropout_mask((2, 2), 0.5, 0)
