"""Losses: the book's formulas as loops, its numbers, kinks, extremes, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import datasets, gradcheck, losses
from backprop.activations import softmax


def sigma(z):
    return 1 / (1 + math.exp(-z))


def share(z, row):
    return math.exp(z) / sum(math.exp(other) for other in row)


def huber_of(e, threshold=1.0):
    return e * e / 2 if abs(e) <= threshold else threshold * (abs(e) - threshold / 2)


# What one entry adds to a loss, and the derivative in this entry, before the sum is divided by N
# or by N·K. Each gets the entries of predictions (or logits) and targets, and the row of logits.
# The cross-entropies are not the stable forms, but the definitions that these come from.
FORMULAS = {
    "mean_squared_error": (lambda y, t, _: (y - t) ** 2, lambda y, t, _: 2 * (y - t)),
    "half_squared_error": (lambda y, t, _: (y - t) ** 2 / 2, lambda y, t, _: y - t),
    "mean_absolute_error": (lambda y, t, _: abs(y - t), lambda y, t, _: 1 if y > t else -1),
    "huber": (lambda y, t, _: huber_of(y - t), lambda y, t, _: max(-1, min(1, y - t))),
    "sigmoid_cross_entropy": (
        lambda z, t, _: -t * math.log(sigma(z)) - (1 - t) * math.log(1 - sigma(z)),
        lambda z, t, _: sigma(z) - t,
    ),
    "softmax_cross_entropy": (
        lambda z, t, row: -t * math.log(share(z, row)),
        lambda z, t, row: share(z, row) - t,
    ),
}
PER_EXAMPLE = ("half_squared_error", "softmax_cross_entropy")
FROM_ERRORS, CROSS_ENTROPIES = list(FORMULAS)[:4], list(FORMULAS)[4:]


def example(N, K):
    rng = np.random.default_rng(0)
    return rng.normal(0, 2, (N, K)), softmax(rng.normal(size=(N, K)))


@pytest.mark.equation("mean-squared-error")
@pytest.mark.equation("mean-squared-error-gradient")
@pytest.mark.equation("half-squared-error")
@pytest.mark.equation("half-squared-error-gradient")
@pytest.mark.equation("mean-absolute-error")
@pytest.mark.equation("mean-absolute-error-gradient")
@pytest.mark.equation("huber")
@pytest.mark.equation("huber-gradient")
@pytest.mark.equation("sigmoid-cross-entropy")
@pytest.mark.equation("sigmoid-cross-entropy-gradient")
@pytest.mark.equation("softmax-cross-entropy")
@pytest.mark.equation("softmax-cross-entropy-gradient")
@pytest.mark.parametrize("shape", [(1, 2), (4, 2), (4, 3), (2, 5)])
@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_gradient_are_their_formulas(name, shape):
    (y, t), (N, K) = example(*shape), shape
    value, gradient = getattr(losses, name)(y, t)
    of_entry, derivative = FORMULAS[name]
    count = N if name in PER_EXAMPLE else N * K
    entries = [(n, k, (y[n, k], t[n, k], y[n])) for n, k in np.ndindex(shape)]
    assert value == pytest.approx(sum(of_entry(*e) for _, _, e in entries) / count, abs=1e-14)
    for n, k, entry in entries:
        assert gradient[n, k] == pytest.approx(derivative(*entry) / count, abs=1e-15)


# Source 4's two experiments


@pytest.mark.equation("best-factor")
@pytest.mark.parametrize("seed", range(3))
def test_best_factor_of_source_4(seed):
    x, target = datasets.regression_points(seed)
    best = 10 * sum(x.ravel().tolist()) / sum(v * v for v in x.ravel().tolist())

    def loss(A):
        return losses.mean_squared_error(x * A, target)[0]

    (slope,) = gradcheck.numerical_gradients(loss, [best])
    assert abs(slope[0]) < 1e-8
    assert loss(best) < min(loss(best - 1e-3), loss(best + 1e-3), loss(10.0))
    assert best == pytest.approx(9.901, abs=0.3)


@pytest.mark.equation("best-shift")
@pytest.mark.parametrize(("sizes", "balanced"), [((50, 50), True), ((75, 25), False)])
def test_best_shift_of_source_4(sizes, balanced):
    x, t = datasets.classification_points(0, sizes=sizes)
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        surplus = np.mean([sigma(v + middle) for v in x.ravel().tolist()]) - t.mean()
        low, high = (middle, high) if surplus < 0 else (low, middle)

    def loss(A):
        return losses.sigmoid_cross_entropy(x + A, t)[0]

    (slope,) = gradcheck.numerical_gradients(loss, [low])
    assert abs(slope[0]) < 1e-9
    assert loss(low) < min(loss(low - 1e-2), loss(low + 1e-2))
    assert (abs(low + 1) < 0.3) == balanced


# Numbers that the sources and chapters print


def test_numbers_in_the_book():
    Y, T = [[0.9, 0.2, 0.1], [0.4, 0.7, 0.5]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    errors = np.array([[-0.1, 0.2, 0.1], [0.4, -0.3, 0.5]])
    value, gradient = losses.mean_squared_error(Y, T)
    assert round(value, 4) == 0.0933
    np.testing.assert_allclose(gradient, errors * 2 / 6, atol=1e-15)
    value, gradient = losses.half_squared_error(Y, T)
    assert value == pytest.approx(0.14)
    np.testing.assert_allclose(gradient, errors / 2, atol=1e-15)
    value, gradient = losses.sigmoid_cross_entropy([[2.0]], [[0.0]])
    assert (round(value, 4), round(gradient.item(), 4)) == (2.1269, 0.8808)
    value, gradient = losses.softmax_cross_entropy([[2.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]])
    assert round(value, 4) == 1.4076
    np.testing.assert_allclose(gradient, [[0.6652, -0.7553, 0.0900]], atol=5e-5)


def test_a_saturated_sigmoid_in_the_book():
    # Chapter 1: -4.5e-5 with the squared error, -1 with the cross-entropy.
    p = np.array([[sigma(-10.0)]])
    through_square = losses.half_squared_error(p, [[1.0]])[1] * p * (1 - p)
    assert through_square.item() == pytest.approx(-4.54e-5, rel=1e-3)
    through_entropy = losses.sigmoid_cross_entropy([[-10.0]], [[1.0]])[1].item()
    assert through_entropy == pytest.approx(-0.999955, abs=5e-7)


def test_source_2_before_and_after_its_first_update():
    X, T = datasets.toy_points()
    w1 = np.array([[-0.8113182, 1.4845988, 0.06532937], [-2.4427042, 0.0992484, 0.5912243]])
    w2 = np.array([[-0.8113182], [1.4845988], [0.06532937]])
    assert round(losses.mean_squared_error(X @ w1 @ w2, T)[0], 5) == 5.23348
    _, delta = losses.mean_squared_error(X[:8] @ w1 @ w2, T[:8])
    dw1, dw2 = X[:8].T @ (delta @ w2.T), (X[:8] @ w1).T @ delta
    w1, w2 = w1 - 0.001 * dw1, w2 - 0.001 * dw2
    assert round(losses.mean_squared_error(X @ w1 @ w2, T)[0], 5) == 5.13118


# Kinks and extremes


def test_absolute_error_is_flat_at_its_kink():
    _, gradient = losses.mean_absolute_error([[1.0, 2.0]], [[1.0, 0.0]])
    assert gradient.tolist() == [[0.0, 0.5]]


@given(st.floats(-100, 100), st.floats(1e-3, 50))
def test_huber_is_its_formula_for_any_threshold(e, threshold):
    value, gradient = losses.huber([[e]], [[0.0]], threshold)
    assert value == pytest.approx(huber_of(e, threshold), rel=1e-12)
    assert gradient.item() == max(-threshold, min(threshold, e))
    at_the_joint, gradient = losses.huber([[-threshold]], [[0.0]], threshold)
    assert (at_the_joint, gradient.item()) == (pytest.approx(threshold**2 / 2), -threshold)


@pytest.mark.parametrize("size", [40.0, 1e4, 1e300])
def test_cross_entropies_far_out(size):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for sign, target in [(1, 0.0), (1, 1.0), (-1, 0.0), (-1, 1.0)]:
            value, gradient = losses.sigmoid_cross_entropy([[sign * size]], [[target]])
            right = (sign > 0) == (target == 1)
            assert value == pytest.approx(0 if right else size, abs=1e-17)
            assert gradient.item() == pytest.approx((sign > 0) - target, abs=1e-17)
        for k, expected in enumerate([0.0, 2 * size, size]):
            target = np.eye(3)[[k]]
            value, gradient = losses.softmax_cross_entropy([[size, -size, 0.0]], target)
            assert value == pytest.approx(expected, abs=1e-16)
            np.testing.assert_allclose(gradient, [[1, 0, 0]] - target, atol=1e-17)


def test_examples_far_from_each_other_do_not_meet():
    value, gradient = losses.softmax_cross_entropy([[1e4, 0.0], [0.0, 0.0]], np.eye(2)[[0, 0]])
    assert value == pytest.approx(math.log(2) / 2, rel=1e-15)
    np.testing.assert_allclose(gradient, [[0, 0], [-0.25, 0.25]], atol=1e-16)


# What holds for any batch


@st.composite
def batch(draw):
    N, K = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    y = draw(arrays(np.float64, (N, K), elements=st.floats(-50, 50)))
    weights = draw(arrays(np.float64, (N, K), elements=st.floats(0.01, 1)))
    return y, weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", FROM_ERRORS)
@given(data=batch(), error=st.floats(1e-6, 1e6), place=st.integers(0, 29))
def test_only_the_perfect_prediction_has_loss_zero(name, data, error, place):
    loss, (_, t) = getattr(losses, name), data
    value, gradient = loss(t, t)
    assert value == 0
    assert not gradient.any()
    y = t.copy()
    y.flat[place % y.size] += error
    value, gradient = loss(y, t)
    assert value > 0
    assert gradient.flat[place % y.size] > 0
    assert np.count_nonzero(gradient) == 1


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
@given(data=batch())
def test_cross_entropy_is_least_where_the_probabilities_are_the_targets(name, data):
    loss, (z, t) = getattr(losses, name), data
    best = np.log(t) - (np.log1p(-t) if name == "sigmoid_cross_entropy" else 0)
    value, gradient = loss(best, t)
    assert np.abs(gradient).max() < 1e-15
    assert -1e-14 <= value <= loss(z, t)[0] + 1e-13


@pytest.mark.parametrize("targets_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORMULAS)
def test_gradient_has_the_predictions_dtype(name, dtype, targets_dtype):
    y, t = example(4, 3)
    exact = getattr(losses, name)(y, t)
    value, gradient = getattr(losses, name)(y.astype(dtype), t.astype(targets_dtype))
    assert gradient.dtype == dtype
    assert value == pytest.approx(exact[0], rel=1e-5)
    np.testing.assert_allclose(gradient, exact[1], rtol=1e-5, atol=1e-6)


def test_huber_keeps_float32_with_a_threshold_of_float64():
    y = np.ones((2, 2), np.float32)
    assert losses.huber(y, y + 3, np.float64(1))[1].dtype == np.float32


# What only cross-entropies refuse


def refused(loss, logits, targets, message):
    with pytest.raises(ValueError, match=f"^targets: expected {message}"):
        loss(logits, targets)


@pytest.mark.parametrize("target", [-0.1, 1.1, 2.0])
def test_sigmoid_cross_entropy_wants_probabilities(target):
    losses.sigmoid_cross_entropy([[5.0, -5.0]], [[0.0, 1.0]])
    message = r"probabilities in \[0, 1\], got .*; are logits and targets swapped\?"
    refused(losses.sigmoid_cross_entropy, [[0.0, 0.0]], [[0.5, target]], message)


@pytest.mark.parametrize(
    "row",
    [[0.5, 0.50002], [0.5, 0.49998], [0.5, 0.4], [0.0, 0.0], [1.0, 1.0], [1.5, -0.5], [3.0, 2.0]],
)
def test_softmax_cross_entropy_wants_distributions(row):
    for total in (1 - 9e-6, 1 + 9e-6):  # rounding is forgiven
        losses.softmax_cross_entropy([[0.0, 0.0]], [[0.5, total - 0.5]])
    message = "rows of probabilities that sum to 1, got .*; are logits and targets swapped"
    refused(losses.softmax_cross_entropy, np.zeros((2, 2)), [[1.0, 0.0], row], message)


def test_swapped_logits_and_targets_are_refused():
    logits, targets = example(4, 3)
    refused(losses.sigmoid_cross_entropy, targets, logits, "probabilities in")
    refused(losses.softmax_cross_entropy, targets, logits, "rows of probabilities")


@pytest.mark.parametrize("T", [np.ones((4, 1)), np.zeros((4, 1))])
def test_one_column_of_classes_is_refused(T):
    # A softmax of one number is 1: the gradient would be zero for whatever targets of one.
    message = r"a column for each of two classes .* \(4, 1\).* take sigmoid_cross_entropy"
    refused(losses.softmax_cross_entropy, np.zeros((4, 1)), T, message)
