"""Losses: values and gradients against the book's formulas, written here as loops."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import datasets, gradcheck, losses
from backprop.activations import softmax

TAU = 1.0  # Huber's threshold


def sigma(z):
    return 1 / (1 + math.exp(-z))


def row_softmax(row):
    return [math.exp(z) / sum(math.exp(other) for other in row) for z in row]


def huber_of(e, tau=TAU):
    return e * e / 2 if abs(e) <= tau else tau * (abs(e) - tau / 2)


# For each loss: its value, then its gradient at [n][k], as the chapter's formulas say.
# y (or z) and t are lists of N rows of K numbers.


def mean_squared_error(y, t):
    N, K = len(y), len(y[0])
    return sum((y[n][k] - t[n][k]) ** 2 for n in range(N) for k in range(K)) / (N * K)


def mean_squared_error_gradient(y, t, n, k):
    return 2 * (y[n][k] - t[n][k]) / (len(y) * len(y[0]))


def half_squared_error(y, t):
    N, K = len(y), len(y[0])
    return sum(sum((y[n][k] - t[n][k]) ** 2 for k in range(K)) / 2 for n in range(N)) / N


def half_squared_error_gradient(y, t, n, k):
    return (y[n][k] - t[n][k]) / len(y)


def mean_absolute_error(y, t):
    N, K = len(y), len(y[0])
    return sum(abs(y[n][k] - t[n][k]) for n in range(N) for k in range(K)) / (N * K)


def mean_absolute_error_gradient(y, t, n, k):
    e = y[n][k] - t[n][k]
    return (1 if e > 0 else -1 if e < 0 else 0) / (len(y) * len(y[0]))


def huber(y, t):
    N, K = len(y), len(y[0])
    return sum(huber_of(y[n][k] - t[n][k]) for n in range(N) for k in range(K)) / (N * K)


def huber_gradient(y, t, n, k):
    return max(-TAU, min(TAU, y[n][k] - t[n][k])) / (len(y) * len(y[0]))


def sigmoid_cross_entropy(z, t):
    # Not the chapter's stable form, but the definition it comes from.
    N, K = len(z), len(z[0])
    terms = [
        -t[n][k] * math.log(sigma(z[n][k])) - (1 - t[n][k]) * math.log(1 - sigma(z[n][k]))
        for n in range(N)
        for k in range(K)
    ]
    return sum(terms) / (N * K)


def sigmoid_cross_entropy_gradient(z, t, n, k):
    return (sigma(z[n][k]) - t[n][k]) / (len(z) * len(z[0]))


def softmax_cross_entropy(z, t):
    N, K = len(z), len(z[0])
    return -sum(t[n][k] * math.log(row_softmax(z[n])[k]) for n in range(N) for k in range(K)) / N


def softmax_cross_entropy_gradient(z, t, n, k):
    return (row_softmax(z[n])[k] - t[n][k]) / len(z)


LOSSES = {
    losses.mean_squared_error: (mean_squared_error, mean_squared_error_gradient),
    losses.half_squared_error: (half_squared_error, half_squared_error_gradient),
    losses.mean_absolute_error: (mean_absolute_error, mean_absolute_error_gradient),
    losses.huber: (huber, huber_gradient),
    losses.sigmoid_cross_entropy: (sigmoid_cross_entropy, sigmoid_cross_entropy_gradient),
    losses.softmax_cross_entropy: (softmax_cross_entropy, softmax_cross_entropy_gradient),
}
FROM_ERRORS = list(LOSSES)[:4]
CROSS_ENTROPIES = list(LOSSES)[4:]
every_loss = pytest.mark.parametrize("loss", list(LOSSES))


def example(N, K, seed=0, dtype=np.float64):
    """Return predictions or logits, and targets that are probability distributions."""
    rng = np.random.default_rng(seed)
    y, t = rng.normal(0, 2, (N, K)), softmax(rng.normal(0, 1, (N, K)))
    assert np.abs(y - t).min() > 1e-3  # away from the kinks at 0 and 1
    assert np.abs(np.abs(y - t) - TAU).min() > 1e-3
    return y.astype(dtype), t.astype(dtype)


# Each labelled equation, against loops


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (4, 1), (4, 3), (2, 5)])
@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(losses.mean_squared_error, marks=pytest.mark.equation("mean-squared-error")),
        pytest.param(losses.half_squared_error, marks=pytest.mark.equation("half-squared-error")),
        pytest.param(losses.mean_absolute_error, marks=pytest.mark.equation("mean-absolute-error")),
        pytest.param(losses.huber, marks=pytest.mark.equation("huber")),
        pytest.param(
            losses.sigmoid_cross_entropy, marks=pytest.mark.equation("sigmoid-cross-entropy")
        ),
        pytest.param(
            losses.softmax_cross_entropy, marks=pytest.mark.equation("softmax-cross-entropy")
        ),
    ],
)
def test_value_is_its_formula(loss, shape):
    y, t = example(*shape)
    assert loss(y, t)[0] == pytest.approx(LOSSES[loss][0](y.tolist(), t.tolist()), abs=1e-14)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (4, 1), (4, 3), (2, 5)])
@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(
            losses.mean_squared_error, marks=pytest.mark.equation("mean-squared-error-gradient")
        ),
        pytest.param(
            losses.half_squared_error, marks=pytest.mark.equation("half-squared-error-gradient")
        ),
        pytest.param(
            losses.mean_absolute_error, marks=pytest.mark.equation("mean-absolute-error-gradient")
        ),
        pytest.param(losses.huber, marks=pytest.mark.equation("huber-gradient")),
        pytest.param(
            losses.sigmoid_cross_entropy,
            marks=pytest.mark.equation("sigmoid-cross-entropy-gradient"),
        ),
        pytest.param(
            losses.softmax_cross_entropy,
            marks=pytest.mark.equation("softmax-cross-entropy-gradient"),
        ),
    ],
)
def test_gradient_is_its_formula(loss, shape):
    y, t = example(*shape)
    gradient = loss(y, t)[1]
    assert gradient.shape == shape
    formula = LOSSES[loss][1]
    for n, k in np.ndindex(shape):
        assert gradient[n, k] == pytest.approx(formula(y.tolist(), t.tolist(), n, k), abs=1e-15)


@every_loss
@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (5, 2)])
def test_gradient_agrees_with_central_differences(loss, shape):
    y, t = example(*shape)
    (numerical,) = gradcheck.numerical_gradients(lambda y: loss(y, t)[0], y)
    assert gradcheck.relative_error(loss(y, t)[1], numerical) <= 1e-7


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

    def surplus(A):  # the mean probability, minus the share of ones
        return sum(sigma(v + A) for v in x.ravel().tolist()) / len(x) - t.mean()

    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if surplus(middle) < 0 else (low, middle)

    def loss(A):
        return losses.sigmoid_cross_entropy(x + A, t)[0]

    (slope,) = gradcheck.numerical_gradients(loss, [low])
    assert abs(slope[0]) < 1e-9
    assert loss(low) < min(loss(low - 1e-2), loss(low + 1e-2))
    assert (abs(low + 1) < 0.3) == balanced


# Numbers that the sources and chapters print


def test_squared_errors_in_the_book():
    Y = np.array([[0.9, 0.2, 0.1], [0.4, 0.7, 0.5]])
    T = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    errors = np.array([[-0.1, 0.2, 0.1], [0.4, -0.3, 0.5]])
    value, gradient = losses.mean_squared_error(Y, T)
    assert value == pytest.approx(0.56 / 6)
    assert round(value, 4) == 0.0933
    np.testing.assert_allclose(gradient, errors * 2 / 6, atol=1e-15)
    value, gradient = losses.half_squared_error(Y, T)
    assert value == pytest.approx(0.14)
    np.testing.assert_allclose(gradient, errors / 2, atol=1e-15)


def test_cross_entropies_in_the_book():
    value, gradient = losses.sigmoid_cross_entropy([[2.0]], [[0.0]])
    assert (round(value, 4), round(gradient.item(), 4)) == (2.1269, 0.8808)
    value, gradient = losses.softmax_cross_entropy([[2.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]])
    assert round(value, 4) == 1.4076
    np.testing.assert_allclose(gradient, [[0.6652, -0.7553, 0.0900]], atol=5e-5)


def test_slopes_of_a_saturated_sigmoid():
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


# Kinks


def test_absolute_error_is_flat_at_its_kink():
    _, gradient = losses.mean_absolute_error([[1.0, 2.0]], [[1.0, 0.0]])
    assert gradient.tolist() == [[0.0, 0.5]]


@pytest.mark.parametrize("threshold", [0.1, 1.0, 2.5])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_huber_joins_at_its_threshold_without_jump_or_bend(threshold, sign):
    joint = sign * threshold
    around = [joint * (1 - 1e-9), joint, joint * (1 + 1e-9)]
    pairs = [losses.huber([[e]], [[0.0]], threshold) for e in around]
    for value, slope in pairs:
        assert value == pytest.approx(threshold**2 / 2, rel=1e-8)
        assert slope.item() == pytest.approx(joint, rel=1e-8)


@given(st.floats(-100, 100), st.floats(1e-3, 50))
def test_huber_is_its_formula_for_any_threshold(e, threshold):
    value, slope = losses.huber([[e]], [[0.0]], threshold)
    assert value == pytest.approx(huber_of(e, threshold), rel=1e-12)
    assert slope.item() == max(-threshold, min(threshold, e))


# Extreme logits


@pytest.mark.parametrize("size", [40.0, 1e4, 1e300])
def test_sigmoid_cross_entropy_far_out(size):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for sign, target in [(1, 0.0), (1, 1.0), (-1, 0.0), (-1, 1.0)]:
            value, gradient = losses.sigmoid_cross_entropy([[sign * size]], [[target]])
            right = (sign > 0) == (target == 1)
            assert value == pytest.approx(0 if right else size, abs=1e-17)
            assert gradient.item() == pytest.approx((sign > 0) - target, abs=1e-17)


@pytest.mark.parametrize("size", [40.0, 1e4, 1e300])
def test_softmax_cross_entropy_far_out(size):
    z = np.array([[size, -size, 0.0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for k, expected in enumerate([0.0, 2 * size, size]):
            target = np.eye(3)[[k]]
            value, gradient = losses.softmax_cross_entropy(z, target)
            assert value == pytest.approx(expected, abs=1e-16)
            np.testing.assert_allclose(gradient, [[1, 0, 0]] - target, atol=1e-17)


# What holds for any batch


@st.composite
def batch(draw, least=1):
    N, K = draw(st.integers(least, 6)), draw(st.integers(1, 5))
    y = draw(arrays(np.float64, (N, K), elements=st.floats(-50, 50)))
    weights = draw(arrays(np.float64, (N, K), elements=st.floats(0.01, 1)))
    return y, weights / weights.sum(axis=1, keepdims=True)


@every_loss
@given(data=batch())
def test_no_loss_is_negative(loss, data):
    # A cross-entropy can miss zero by rounding.
    assert loss(*data)[0] >= -1e-14


@pytest.mark.parametrize("loss", FROM_ERRORS)
@given(data=batch(), error=st.floats(1e-6, 1e6), place=st.integers(0, 29))
def test_only_the_perfect_prediction_has_loss_zero(loss, data, error, place):
    _, t = data
    value, gradient = loss(t, t)
    assert value == 0
    assert not gradient.any()
    y = t.copy()
    y.flat[place % y.size] += error
    value, gradient = loss(y, t)
    assert value > 0
    assert gradient.flat[place % y.size] > 0
    assert np.count_nonzero(gradient) == 1


@pytest.mark.parametrize("loss", CROSS_ENTROPIES)
@given(data=batch())
def test_cross_entropy_is_least_where_the_probabilities_are_the_targets(loss, data):
    z, t = data
    assume((t < 1).all())
    best = np.log(t) - (np.log1p(-t) if loss is losses.sigmoid_cross_entropy else 0)
    value, gradient = loss(best, t)
    assert np.abs(gradient).max() < 1e-15
    assert value <= loss(z, t)[0] + 1e-13


@every_loss
@given(data=batch(least=2), order=st.randoms(use_true_random=False))
def test_order_of_examples_does_not_matter(loss, data, order):
    y, t = data
    rows = list(range(len(y)))
    order.shuffle(rows)
    value, gradient = loss(y, t)
    shuffled_value, shuffled_gradient = loss(y[rows], t[rows])
    assert shuffled_value == pytest.approx(value, rel=1e-12, abs=1e-15)
    np.testing.assert_array_equal(shuffled_gradient, gradient[rows])


@every_loss
@given(data=batch())
def test_batch_is_the_mean_of_its_examples(loss, data):
    y, t = data
    value, gradient = loss(y, t)
    single = [loss(y[n : n + 1], t[n : n + 1]) for n in range(len(y))]
    assert value == pytest.approx(np.mean([v for v, _ in single]), rel=1e-12, abs=1e-15)
    rows = np.concatenate([g for _, g in single]) / len(y)
    np.testing.assert_allclose(gradient, rows, rtol=1e-12, atol=1e-300)


@given(batch())
def test_softmax_slopes_of_a_row_add_up_to_zero(data):
    gradient = losses.softmax_cross_entropy(*data)[1]
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


@every_loss
@pytest.mark.parametrize("targets_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_has_the_predictions_dtype(loss, dtype, targets_dtype):
    y, t = example(4, 3, dtype=dtype)
    value, gradient = loss(y, t.astype(targets_dtype))
    assert type(value) is float
    assert gradient.dtype == dtype
    exact_value, exact_gradient = loss(*example(4, 3))
    assert value == pytest.approx(exact_value, rel=1e-5)
    np.testing.assert_allclose(gradient, exact_gradient, rtol=1e-5, atol=1e-6)


@every_loss
def test_arguments_are_left_alone(loss):
    y, t = example(4, 3)
    before = y.copy(), t.copy()
    _, gradient = loss(y, t)
    gradient[:] = 7
    np.testing.assert_array_equal((y, t), before)


# Bad input

GOOD = [[0.5, 0.5], [1.0, 0.0]]


@every_loss
@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        ([[1, 2], [3, 4]], GOOD, r"(predictions|logits): expected float32 or float64, got int64"),
        (GOOD, [[1, 0], [0, 1]], "targets: expected float32 or float64, got int64"),
        (GOOD, [[True, False], [False, True]], "targets: expected float32 or .* got bool"),
        (np.array(GOOD, complex), GOOD, "(predictions|logits): .* got complex128"),
        (np.array(GOOD, object), GOOD, "(predictions|logits): .* got object"),
        (np.array(GOOD, np.float16), GOOD, "(predictions|logits): .* got float16"),
        ([["a", "b"]], GOOD, "(predictions|logits): expected float32 or float64, got <U1"),
        (None, GOOD, "(predictions|logits): .* got object"),
        (GOOD[0], GOOD[0], r"(predictions|logits): expected shape \(N, K\), got \(2,\)"),
        (1.0, 1.0, r"(predictions|logits): expected shape \(N, K\), got \(\)"),
        ([GOOD], [GOOD], r"(predictions|logits): .* got \(1, 2, 2\)"),
        (np.ones((0, 2)), np.ones((0, 2)), r"(predictions|logits): .* got \(0, 2\)"),
        (np.ones((2, 0)), np.ones((2, 0)), r"(predictions|logits): .* got \(2, 0\)"),
        ([], [], r"(predictions|logits): expected shape \(N, K\), got \(0,\)"),
        # NumPy would broadcast each of these.
        ([[1.0], [2.0]], [1.0, 1.0], r"targets: expected shape \(2, 1\), got \(2,\)"),
        (GOOD, [0.5, 0.5], r"targets: expected shape \(2, 2\), got \(2,\)"),
        (GOOD, [[0.5, 0.5]], r"targets: expected shape \(2, 2\), got \(1, 2\)"),
        (GOOD, [[1.0], [1.0]], r"targets: expected shape \(2, 2\), got \(2, 1\)"),
        (GOOD, 1.0, r"targets: expected shape \(2, 2\), got \(\)"),
        ([[0.5, np.nan]], [[1.0, 0.0]], r"(predictions|logits): .* got nan at \(0, 1\)"),
        ([[0.5, -np.inf]], [[1.0, 0.0]], r"(predictions|logits): .* got -inf at \(0, 1\)"),
        (GOOD, [[1.0, 0.0], [np.nan, 1.0]], r"targets: .* got nan at \(1, 0\)"),
        (GOOD, [[1.0, 0.0], [np.inf, 1.0]], r"targets: .* got inf at \(1, 0\)"),
    ],
)
def test_bad_input_is_refused(loss, predictions, targets, message):
    with pytest.raises(ValueError, match=message):
        loss(predictions, targets)


@pytest.mark.parametrize("loss", CROSS_ENTROPIES)
def test_cross_entropies_name_their_logits(loss):
    with pytest.raises(ValueError, match=r"^logits: "):
        loss([[1]], [[1.0]])


@pytest.mark.parametrize("target", [-0.1, 1.1, 2.0])
def test_sigmoid_cross_entropy_wants_probabilities(target):
    message = r"targets: expected probabilities in \[0, 1\], got .*swap"
    with pytest.raises(ValueError, match=message):
        losses.sigmoid_cross_entropy([[0.0, 0.0]], [[0.5, target]])


def test_softmax_cross_entropy_forgives_rounding_in_its_targets():
    for total in (1 - 9e-6, 1 + 9e-6):
        losses.softmax_cross_entropy([[0.0, 0.0]], [[0.5, total - 0.5]])


@pytest.mark.parametrize(
    "row",
    [[0.5, 0.50002], [0.5, 0.49998], [0.5, 0.4], [0.0, 0.0], [1.0, 1.0], [1.5, -0.5], [3.0, 2.0]],
)
def test_softmax_cross_entropy_wants_distributions(row):
    with pytest.raises(ValueError, match="targets: expected rows of probabilities that sum to 1"):
        losses.softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], row])


@pytest.mark.parametrize("loss", CROSS_ENTROPIES)
def test_swapped_logits_and_targets_are_refused(loss):
    logits, targets = example(4, 3)
    with pytest.raises(ValueError, match="targets: expected"):
        loss(targets, logits)


@pytest.mark.parametrize("threshold", [0, -1.0, np.nan, np.inf])
def test_huber_wants_a_positive_threshold(threshold):
    with pytest.raises(ValueError, match=f"threshold: expected a positive number, got {threshold}"):
        losses.huber(GOOD, GOOD, threshold)


def test_huber_keeps_float32_with_a_threshold_of_float64():
    y = np.ones((2, 2), np.float32)
    assert losses.huber(y, y + 3, np.float64(1))[1].dtype == np.float32
