"""Losses: the book's numbers, kinks, extremes, and what they refuse. The registry has formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import datasets, gradcheck, losses
from backprop.activations import sigmoid

# Numbers that the sources and chapters print


def assert_least(loss, best):
    """Look whether a function of one number is flat at a place, and larger around it."""
    (slope,) = gradcheck.numerical_gradients(loss, [best])
    assert abs(slope[0]) < 1e-8
    assert loss(best) < min(loss(best - 1e-2), loss(best + 1e-2))


@pytest.mark.equation("best-factor")
@pytest.mark.parametrize("seed", range(3))
def test_best_factor_of_source_4(seed):
    x, t = datasets.regression_points(seed)
    best = 10 * sum(x.ravel().tolist()) / sum(v * v for v in x.ravel().tolist())
    assert_least(lambda A: losses.mean_squared_error(x * A, t)[0], best)
    assert best == pytest.approx(9.901, abs=0.3)


@pytest.mark.equation("best-shift")
@pytest.mark.parametrize(("sizes", "balanced"), [((50, 50), True), ((75, 25), False)])
def test_best_shift_of_source_4(sizes, balanced):
    x, t = datasets.classification_points(0, sizes=sizes)
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(sigmoid(x + middle)) < t.mean() else (low, middle)
    assert_least(lambda A: losses.sigmoid_cross_entropy(x + A, t)[0], low)
    assert (abs(low + 1) < 0.3) == balanced


Y, T = [[0.9, 0.2, 0.1], [0.4, 0.7, 0.5]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
ERRORS, FAR = np.array([[-0.1, 0.2, 0.1], [0.4, -0.3, 0.5]]), [[1e4, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "value", "gradient"),
    [
        ("mean_squared_error", Y, T, 0.0933, ERRORS / 3),
        ("half_squared_error", Y, T, 0.14, ERRORS / 2),
        ("sigmoid_cross_entropy", [[2.0]], [[0.0]], 2.1269, [[0.8808]]),
        ("sigmoid_cross_entropy", [[-10.0]], [[1.0]], 10.0, [[-0.999955]]),
        ("softmax_cross_entropy", [[2.0, 1, 0]], [[0.0, 1, 0]], 1.4076, [[0.6652, -0.7553, 0.09]]),
        # At its kink, the absolute error is flat. Rows far from each other do not meet.
        ("mean_absolute_error", [[1.0, 2.0]], [[1.0, 0.0]], 1.0, [[0.0, 0.5]]),
        ("softmax_cross_entropy", FAR, [[1, 0], [1, 0]], 0.3466, [[0, 0], [-0.25, 0.25]]),
    ],
)
def test_numbers_in_the_book(name, outputs, targets, value, gradient):
    outputs, targets = np.array(outputs, np.float32), np.array(targets, float)  # is converted
    found = getattr(losses, name)(outputs, targets)
    assert found[0] == pytest.approx(value, abs=5e-5)
    assert found[1].dtype == np.float32
    np.testing.assert_allclose(found[1], gradient, atol=5e-5)


def test_source_2_before_and_after_its_first_update():
    X, T = datasets.toy_points()
    w1 = np.array([[-0.8113182, 1.4845988, 0.06532937], [-2.4427042, 0.0992484, 0.5912243]])
    w2 = np.array([[-0.8113182], [1.4845988], [0.06532937]])
    assert round(losses.mean_squared_error(X @ w1 @ w2, T)[0], 5) == 5.23348
    _, delta = losses.mean_squared_error(X[:8] @ w1 @ w2, T[:8])
    dw1, dw2 = X[:8].T @ (delta @ w2.T), (X[:8] @ w1).T @ delta
    w1, w2 = w1 - 0.001 * dw1, w2 - 0.001 * dw2
    assert round(losses.mean_squared_error(X @ w1 @ w2, T)[0], 5) == 5.13118


# Laws


@given(st.floats(-100, 100), st.floats(1e-3, 50))
def test_huber_is_its_formula_for_any_threshold(error, threshold):
    for e in (error, threshold, -threshold):
        value, gradient = losses.huber([[e]], [[0.0]], np.float64(threshold))
        outside = threshold * (abs(e) - threshold / 2)
        expected = e * e / 2 if abs(e) <= threshold else outside
        assert value == pytest.approx(expected, rel=1e-12)
        assert gradient.item() == max(-threshold, min(threshold, e))


@pytest.mark.parametrize("size", [40.0, 1e4, 1e300])
def test_cross_entropies_far_out(size):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for z, t, expected in [(1, 0, size), (1, 1, 0), (-1, 0, 0), (-1, 1, size)]:
            value, gradient = losses.sigmoid_cross_entropy([[z * size]], [[float(t)]])
            assert value == pytest.approx(expected, abs=1e-17)
            assert gradient.item() == pytest.approx((z > 0) - t, abs=1e-17)
        for target, expected in zip(np.eye(3), [0.0, 2 * size, size], strict=True):
            value, gradient = losses.softmax_cross_entropy([[size, -size, 0.0]], [target])
            assert value == pytest.approx(expected, abs=1e-16)
            np.testing.assert_allclose(gradient, [[1, 0, 0] - target], atol=1e-17)


@st.composite
def batch(draw):
    shape = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    y = draw(arrays(np.float64, shape, elements=st.floats(-50, 50)))
    weights = draw(arrays(np.float64, shape, elements=st.floats(0.01, 1)))
    return y, weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "softmax_cross_entropy"])
@given(data=batch())
def test_cross_entropy_is_least_where_the_probabilities_are_the_targets(name, data):
    loss, (z, t) = getattr(losses, name), data
    best = np.log(t) - (np.log1p(-t) if name == "sigmoid_cross_entropy" else 0)
    value, gradient = loss(best, t)
    assert np.abs(gradient).max() < 1e-15
    assert -1e-14 <= value <= loss(z, t)[0] + 1e-13


# What is refused


@pytest.mark.parametrize(
    ("name", "targets", "message"),
    [
        ("sigmoid_cross_entropy", [[0.5, -0.1]], r"probabilities in \[0, 1\], got -0.1 to 0.5"),
        ("sigmoid_cross_entropy", [[0.5, 1.1]], r"probabilities in \[0, 1\], got 0.5 to 1.1"),
        *(
            ("softmax_cross_entropy", [[1.0, 0.0], row], "rows of probabilities that sum to 1, got")
            for row in ([0.5, 0.500011], [0.5, 0.499989], [0.0, 0.0], [1.5, -0.5], [3.0, 2.0])
        ),
    ],
)
def test_targets_of_cross_entropies_are_probabilities(name, targets, message):
    with pytest.raises(
        ValueError, match=f"^targets: expected {message}.*; are logits and targets swapped"
    ):
        getattr(losses, name)(np.zeros_like(targets), targets)
    for good in ([0.0, 1.0], [0.5, 0.500009], [0.5, 0.499991]):  # rounding is forgiven
        getattr(losses, name)(np.zeros((1, 2)), [good])


def test_other_refusals():
    column = np.ones((4, 1))
    with pytest.raises(ValueError, match=r"^predictions: expected shape \(N, K\), got \(4,\)$"):
        losses.mean_squared_error(column[:, 0], column)
    with pytest.raises(ValueError, match=r"^targets: expected shape \(4, 1\), got \(4,\)$"):
        losses.mean_squared_error(column, column[:, 0])
    with pytest.raises(ValueError, match=r"^threshold: expected a number above 0, got 0$"):
        losses.huber(column, column, 0)
    # A softmax of one number is 1: the gradient would be zero for whatever targets of one.
    with pytest.raises(ValueError, match=r"two classes or more, got \(4, 1\); .* take sigmoid_cr"):
        losses.softmax_cross_entropy(column, column)
