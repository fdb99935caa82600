"""What the checks of the exercises ask: each function gives an answer its arguments.

A question bears the name of the function that its exercise asks for. It yields what that function
returns, case by case: a number, an array, or a tuple of them. Arguments are small, random, and of
lengths that differ, so that a transposed matrix or a sum over the wrong axis shows. Where the
exercise asks for a test, the question tells what the test lets through: right code, and wrong code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from backprop import activations, autodiff, recurrent

Answer = Callable[..., Any]


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(0, 1, shape)


def _uniform(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).uniform(0, 1, shape)


def _one_hot(*labels: int) -> Any:
    return np.eye(3)[list(labels)]


def _parts(result: Any) -> list[Any]:
    """Return the matrices in a nested result, one after the other; a stack is nested, too."""
    if isinstance(result, tuple | list) or np.ndim(result) > 2:
        return [matrix for part in result for matrix in _parts(part)]
    return [result]


def _as_array(result: Any) -> Any:
    """Return a list of numbers or arrays as one array, and nothing as nothing."""
    return None if result is None else np.asarray(result)


def _let_through(test: Answer, right: Answer, wrong: Sequence[Answer]) -> Any:
    """Return 1 for what a test lets through and 0 for what it stops, the right code first.

    So that one sentence says what to do next, all are 0 if the right code is stopped, and of
    several wrong ones only the first is 1, unless all come through. An error other than a failed
    assert is the test's own if it comes with the right code; with wrong code it is a stop, too.
    """
    try:
        test(right)
    except AssertionError:
        return np.zeros(1 + len(wrong))
    through = np.array([1.0, *(_passes(test, code) for code in wrong)])
    return through if through.all() else np.where(np.cumsum(through) <= 2, through, 0)


def _passes(test: Answer, code: Answer) -> bool:
    try:
        test(code)
    except Exception:
        return False
    return True


# Introduction


def gradients_in_columns(answer: Answer) -> Iterator[Any]:
    """Exercise 4: for two layers, with five and with two examples."""
    yield answer(_normal(0, 3, 5), _normal(1, 2, 3), _normal(2, 2, 5))
    yield answer(_normal(3, 4, 2), _normal(4, 3, 4), _normal(5, 3, 2))


# Loss functions


def best_shift(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for a share of ones, and for widths of the classes."""
    yield from (answer(share) for share in (0.5, 0.25, 0.8))
    yield answer(0.5, 1, 2)


def log_softmax(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for logits of usual size, and for large ones."""
    yield answer(_normal(0, 3, 4))
    yield answer(np.array([[1e4, -1e4, 0.0]]))


def log_softmax_backward(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for two batches, with slopes from outside."""
    yield answer(_normal(0, 3, 4), _normal(1, 3, 4))
    yield answer(_normal(2, 2, 5), _normal(3, 2, 5))


def slopes_in_w_and_A(answer: Answer) -> Iterator[Any]:
    """Exercise 7: at two places, for five points."""
    t = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    yield answer(1.0, 0.0, _normal(0, 5), t)
    yield answer(-0.5, 2.0, _normal(1, 5), t)


def log_cosh(answer: Answer) -> Iterator[Any]:
    """Exercise 8: for errors of usual size, and for large ones."""
    yield answer(_normal(0, 3, 4), _normal(1, 3, 4))
    yield answer(np.array([[1e4], [-1e4]]), np.zeros((2, 1)))


# The chain rule


def test_relu_backward(answer: Answer) -> Iterator[Any]:
    """Exercise 4: what the test lets through, of a right gradient and four wrong ones."""
    wrong = [_relu_not_strict, _relu_without_slope, _relu_times_output, _relu_without_negatives]
    yield _let_through(answer, _relu_right, wrong)


def _relu_right(dA: Any, A: Any) -> Any:
    return np.multiply(dA, activations.relu_derivative(np.asarray(A, dtype=float)))


def _relu_not_strict(dA: Any, A: Any) -> Any:
    return np.multiply(dA, np.greater_equal(A, 0))


def _relu_without_slope(dA: Any, A: Any) -> Any:
    return np.ones_like(dA, dtype=float) * np.greater(A, 0)


def _relu_times_output(dA: Any, A: Any) -> Any:
    return np.multiply(dA, A)


def _relu_without_negatives(dA: Any, A: Any) -> Any:
    return np.maximum(_relu_right(dA, A), 0)


def softmax_gradients(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for two small networks."""
    yield answer(_network(0, 4, 6, 3), _normal(8, 5, 4), _one_hot(0, 2, 1, 1, 0))
    yield answer(_network(4, 2, 4, 3), _normal(9, 2, 2), _one_hot(2, 0))


def _network(seed: int, D: int, H: int, K: int) -> list[Any]:
    return [_normal(seed + n, *shape) for n, shape in enumerate([(D, H), (H,), (H, K), (K,)])]


def tied_slope(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for three values of the weight."""
    yield from (answer(v) for v in (0.4, -1.5, 3.0))


def shortcut_slopes(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for three weights of the new arrow."""
    yield from (answer(weight) for weight in (0.3, -2.0, 0.0))


def jacobian(answer: Answer) -> Iterator[Any]:
    """Exercise 8: for a layer that gets narrower, and one that gets wider."""
    yield answer(_normal(0, 5), _normal(1, 5, 3), _normal(2, 3))
    yield answer(_normal(3, 2), _normal(4, 2, 4), _normal(5, 4))


# MNIST by hand


def mean_update(answer: Answer) -> Iterator[Any]:
    """Exercise 3: for batches of ten and of twenty."""
    for N in (10, 20):
        A1, A2 = map(activations.sigmoid, (_normal(0, N, 4), _normal(1, N, 3)))
        yield answer(_normal(2, 4, 3), A1, A2, _one_hot(*(n % 3 for n in range(N))))


def cross_entropy_gradients(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for a small network, and for one whose outputs are 0 and 1 to the last bit."""
    images, targets = _normal(8, 5, 6), _one_hot(0, 2, 1, 1, 0)
    W1, b1, W2, b2 = _network(0, 6, 4, 3)
    yield answer([W1, b1, W2, b2], images, targets)
    yield answer([W1, b1, 1000 * W2, b2], images, targets)


# Automatic differentiation


def _three_layers(mistake: str) -> Answer:
    """Return the page's gradient of three layers by hand, right or with a mistake."""

    def gradient(parameters: Any, X: Any, T: Any) -> list[Any]:
        W1, b1, W2, b2, W3, b3 = parameters
        A1 = np.tanh(X @ W1 + b1)
        A2 = np.tanh(A1 @ W2 + b2)
        delta_3 = (activations.softmax(A2 @ W3 + b3) - T) / (1 if mistake == "sum" else len(X))
        delta_2 = (delta_3 @ W3.T) * (1 - A2**2)
        delta_1 = delta_2 @ (W2 if mistake == "not transposed" else W2.T)
        delta_1 = delta_1 * (1 if mistake == "no slope" else 1 - A1**2)
        pairs = [(X, delta_1), (A1, delta_2), (A2, delta_3)]
        slopes = [g for A, delta in pairs for g in (A.T @ delta, delta.sum(axis=0))]
        slopes[1][0] *= 1.01 if mistake == "one entry" else 1
        return slopes

    return gradient


def test_three_layers(answer: Answer) -> Iterator[Any]:
    """Exercise 4: against the right gradient and four wrong ones."""
    mistakes = ("", "sum", "no slope", "not transposed", "one entry")
    right, *wrong = map(_three_layers, mistakes)
    yield _let_through(answer, right, wrong)


def arctan_slope(answer: Answer) -> Iterator[Any]:
    """Exercise 5: on both sides of zero, and for one number."""
    for a in (2 * _normal(0, 3, 4), -0.5):
        yield answer(np.arctan(a), a)


def maximum_slopes(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for arrays, beside a number, and at a tie, where only the sum counts."""
    a, b = _normal(0, 3, 4), _normal(1, 3, 4)
    yield answer(np.maximum(a, b), a, b)
    yield answer(np.maximum(a, 0.25), a, 0.25)
    tied = answer(a, a, a.copy())
    yield tied if tied is None else sum(np.asarray(slope, float) for slope in tied)


def pull_taken(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for rows, a column, and entries that are taken one by one, some of them twice."""
    keys: list[Any] = [[0, 2, 0], np.s_[:, 1], ([1, 3, 1, 0], [2, 0, 2, 2])]
    for seed, key in enumerate(keys):
        a = _normal(seed, 4, 3)
        yield answer(a, key, _normal(9, *a[key].shape))


def hessian_times(answer: Answer) -> Iterator[Any]:
    """Exercise 8: for the slopes of a parabola, and of a bent valley on a very steep slope."""
    A = _normal(0, 4, 4)
    for seed, bend in ((1, 0.0), (3, 1.0)):
        w, v = _normal(seed, 4), _normal(seed + 1, 4)
        yield answer(lambda at, b=bend: (A + A.T) @ at + b * (np.exp(at) + 1e30), w, v)


# Optimizers


def gradients_with_bias(answer: Answer) -> Iterator[Any]:
    """Exercise 2: for batches of five and of three."""
    for N in (5, 3):
        arrays = [_normal(N + i, *s) for i, s in enumerate([(2, 3), (3, 1), (1,), (N, 2), (N, 1)])]
        yield answer(*arrays)


def stable_below(answer: Answer) -> Iterator[Any]:
    """Exercise 4: for valleys of three curvatures."""
    yield from (answer(*case) for case in ((2.0, 0.5), (0.25, 0.9), (20.0, 0.25)))


def lion(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for twelve updates by default, and with other betas."""
    slopes = _normal(0, 12, 4)
    yield _path(answer, slopes, {})
    yield _path(answer, slopes, {"beta_1": 0.4, "beta_2": 0.2})


def _path(rule: Answer, slopes: Iterable[Any], betas: dict[str, float]) -> Any:
    """Return the places that a rule leads to; none if it changes the one that it was given."""
    w, memory, path = np.zeros(4), defaultdict[str, Any](float), []
    for g in slopes:
        before = np.copy(w)
        after = rule(w, g, memory, 0.125, **betas)
        if after is None:
            return None
        if not np.array_equal(w, before):
            return np.array([])
        w = after
        path.append(np.copy(w))
    return np.array(path)


def _adam(mistake: str) -> Answer:
    """Return the page's rule, right or with a mistake."""

    def adam(
        w: Any, g: Any, s: Any, rate: float,
        beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
    ) -> Any:  # fmt: skip
        if mistake == "swapped":
            beta_1, beta_2 = beta_2, beta_1
        s["t"] = 1 if mistake == "frozen" else s["t"] + 1
        s["m"] += (1 - beta_1) * (g - s["m"])
        s["s"] += (1 - beta_2) * (g * g - s["s"])
        correction = 1 - beta_2 ** s["t"]
        mean, size = s["m"] / (1 - beta_1 ** s["t"]), s["s"] / correction
        if mistake != "no root":
            size = np.sqrt(size)
        if mistake == "outside":
            return w - rate * mean / size + epsilon
        return w - rate * mean / (size + epsilon / np.sqrt(correction))  # before it, as in Keras

    return adam


def test_adam(answer: Answer) -> Iterator[Any]:
    """Exercise 7: against the right rule and four wrong ones."""
    mistakes = ("", "outside", "frozen", "swapped", "no root")
    right, *wrong = map(_adam, mistakes)
    with np.errstate(all="ignore"):
        yield _let_through(answer, right, wrong)


# Backpropagation through time


def _lstm_parameters(seed: int, D: int, H: int) -> list[Any]:
    return [_normal(seed, *shape) / 2 for shape in ((D, 4 * H), (H, 4 * H), (4 * H,))]


def piece_by_piece(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for two pieces of three steps, and for three of two."""
    for seed, k in ((0, 3), (1, 2)):
        layer = recurrent.LSTM(_lstm_parameters(seed, 5, 2))
        X, state = _normal(seed + 2, 6, 4, 5), _normal(seed + 4, 2, 4, 2)
        yield answer(layer, X, state, _normal(seed + 6, 6, 4, 2), k)


def lstm_loss(answer: Answer) -> Iterator[Any]:
    """Exercise 6: its value and, by `autodiff`, its gradients; lengths are the page's."""
    X, state, slope = _normal(0, 7, 4, 3), _normal(1, 2, 4, 5), _normal(2, 4, 5)
    parameters = _lstm_parameters(3, 3, 5)
    value = answer(*parameters, X, state, slope)
    yield value
    if np.ndim(value):
        yield (value,) * 3  # nothing has a gradient but a number
    elif value is not None:
        yield tuple(autodiff.gradients(lambda *p: answer(*p, X, state, slope), *parameters))


def _walk_back(mistake: str, Wx: Any, Wh: Any, X: Any, h: Any, d_outputs: Any) -> list[Any]:
    """Return an RNN's gradients in Wx, Wh, b, X and h0, with a mistake or with none."""
    dX, dWx, dWh, db, carried = [], 0, 0, 0, 0
    for t in reversed(range(len(X))):
        heard = mistake != "last loss only" or t == len(X) - 1
        d_h = heard * d_outputs[t] + (mistake != "nothing carried") * carried
        delta = d_h * (1 - h[t + 1] ** 2)
        dX.append(delta @ Wx.T)
        dWx = dWx + X[t].T @ delta
        dWh = dWh + (mistake != "first step left out" or t > 0) * h[t].T @ delta
        db = db + delta.sum(axis=0)
        carried = delta @ (Wh if mistake == "not transposed" else Wh.T)
    return [dWx, dWh, db, np.array(dX[::-1]), carried]


def test_through_time(answer: Answer) -> Iterator[Any]:
    """Exercise 7: for the right walk back, and for four with a mistake."""
    mistakes = ("", "nothing carried", "not transposed", "last loss only", "first step left out")
    right, *wrong = (partial(_walk_back, mistake) for mistake in mistakes)
    yield _let_through(answer, right, wrong)


def coupled_step(answer: Answer) -> Iterator[Any]:
    """Exercise 8: the new h and c, then the gates f, g and o."""
    result = answer(*_lstm_parameters(0, 4, 3), _normal(1, 2, 4), _normal(2, 2, 2, 3))
    yield None if result is None else tuple(_parts(result))


def coupled_back(answer: Answer) -> Iterator[Any]:
    """Exercise 8: the error term, then the slopes that are carried to h and c."""
    (f, o), g = _uniform(0, 2, 2, 3), np.tanh(_normal(1, 2, 3))
    h, c = _normal(2, 2, 2, 3)
    after = f * c + (1 - f) * g
    states = np.array([h, c]), np.array([o * np.tanh(after), after])
    result = answer(_normal(3, 3, 12), *states, (f, g, o), _normal(4, 2, 2, 3))
    yield None if result is None else tuple(_parts(result))


# A model that has read this book


def perplexity(answer: Answer) -> Iterator[Any]:
    """Exercise 1: for a few letters, and for a long text."""
    yield answer(np.array([0.3, 0.2, 0.8, 0.6, 0.9]))
    yield answer(np.array([0.25, 0.01]))
    yield answer(0.001 + 0.9 * _uniform(0, 5000))


def table_gradient(answer: Answer) -> Iterator[Any]:
    """Exercise 2: for letters that come once, several times, and never."""
    yield answer(np.array([2, 0, 2, 3, 2]), _normal(0, 5, 3), 6)
    yield answer(np.array([1, 1, 0, 4]), _normal(1, 4, 2), 5)


def lean(answer: Answer) -> Iterator[Any]:
    """Exercise 3: for a context seen often, and for one seen twice."""
    for times in ([3, 0, 1, 7, 0], [0, 2, 0, 0, 0]):
        shorter = _uniform(sum(times), 5)
        yield answer(np.array(times), shorter / shorter.sum())


def from_basic_lstm_cell(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for three units with two inputs, and for one with four."""
    yield answer(_normal(0, 2 + 3, 12), _normal(1, 12), 2)
    yield answer(_normal(2, 4 + 1, 4), _normal(3, 4), 4)


def mixture(answer: Answer) -> Iterator[Any]:
    """Exercise 7: at two places, for seven letters and for three."""
    yield answer(0.5, _uniform(0, 7), _uniform(1, 7))
    yield answer(-2.0, _uniform(2, 3), _uniform(3, 3))


# Training for real


def l1_step(answer: Answer) -> Iterator[Any]:
    """Exercise 2: with and without a slope from the loss; one weight is 0, two are close to it."""
    yield from _steps(answer)


def l2_step(answer: Answer) -> Iterator[Any]:
    """Exercise 2: with and without a slope from the loss; one weight is 0, two are close to it."""
    yield from _steps(answer)


def _steps(answer: Answer) -> Iterator[Any]:
    yield answer(_normal(0, 2, 3), _normal(1, 2, 3), 0.3, 0.2)
    yield answer(np.array([0.3, 0.0, 0.02, -0.02]), np.zeros(4), 0.1, 0.5)


def test_mask_backward(answer: Answer) -> Iterator[Any]:
    """Exercise 3: which of seven functions the test lets through, the right one first."""

    def share_kept(mask: Any, slope: Any) -> Any:
        return slope * mask * np.size(mask) / max(np.sum(mask), 1)

    wrong = [
        lambda mask, slope: slope * mask,
        lambda mask, slope: slope * 2,
        lambda mask, slope: slope * np.roll(mask, 1) * 2,
        share_kept,
        lambda mask, slope: 2 * mask * np.mean(slope),
        lambda mask, slope: np.roll(slope * mask, 1) * 2,
    ]
    yield _let_through(answer, lambda mask, slope: slope * mask * 2, wrong)


def row_weights(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for half a pixel, and for places between, on and beyond three pixels."""
    yield answer(np.arange(4) + 0.5, 4)
    yield answer(np.array([-0.25, 0.5, 1.75, 2.0, 5.0]), 3)


def row_slopes(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for half a pixel, and for a stretched row, whose inverse map is another.

    There are as many new pixels as old ones: slopes that are read like values show as such.
    """
    yield answer(np.arange(4) + 0.5, 4, np.array([1.0, 2.0, 3.0, 4.0]))
    yield answer(np.arange(5) / 2 + 0.25, 5, _normal(0, 5))


def deviations_apart(answer: Answer) -> Iterator[Any]:
    """Exercise 7: for much in common, little and nothing, and either network the better one."""
    yield answer(128, 116, 90, 10_000)
    yield answer(30, 50, 20, 100)
    yield answer(300, 100, 0, 1_000)


# The same gradients, faster


def derivative_from_output(answer: Answer) -> Iterator[Any]:
    """Exercise 2: for each activation, with outputs that it can have."""
    yield answer("sigmoid", np.array([[0.1, 0.5, 0.75], [0.9, 0.25, 0.999]]))
    yield answer("tanh", np.array([[0.1, -0.5, 0.75], [-0.9, 0.0, 0.999]]))
    yield answer("relu", np.array([[0.0, 0.5, 3.0], [0.25, 0.0, 7.0]]))
    yield answer("identity", np.array([[0.0, -0.5, 3.0], [0.25, 2.0, 7.0]]))


def momentum_path(answer: Answer) -> Iterator[Any]:
    """Exercise 3: for a single slope that is not 0, and for five."""
    yield _as_array(answer([1.0, 0.0, 0.0, 0.0], 0.1, 0.5))
    yield _as_array(answer(_normal(0, 5), 0.3, 0.9))


def _pixels() -> tuple[Any, Any]:
    """Return mean and deviation of four pixels, the last of which never has ink."""
    return np.array([0.5, 2.0, 0.25, 0.0]), np.array([0.75, 3.0, 0.5, 1.0])


def weights_for_raw(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for four pixels and three units."""
    yield answer(_normal(0, 4, 3), _normal(1, 3), *_pixels())


def gradient_from_raw(answer: Answer) -> Iterator[Any]:
    """Exercise 5: for five images of four pixels, and three units."""
    X, delta = np.abs(_normal(0, 5, 4)), _normal(1, 5, 3)
    X[:, 3] = 0
    yield answer(X.T @ delta, delta, *_pixels())


def product_in_parts(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for six images with gaps, in one part, two and three."""
    X = np.abs(_normal(0, 6, 8))
    for row, end in zip(X, (3, 8, 5, 2, 6, 4), strict=True):
        row[: end - 2 : 2] = row[end:] = 0
    yield from (answer(X.copy(), _normal(1, 8, 3), parts) for parts in (1, 2, 3))


# Beyond one machine


def loudness(answer: Answer) -> Iterator[Any]:
    """Exercise 1: for shards of three workers, four and two."""
    yield from (_as_array(answer(sizes)) for sizes in ([60, 30, 10], [5, 2, 1, 1], [4, 4]))


def with_penalty(answer: Answer) -> Iterator[Any]:
    """Exercise 3: for three workers with shards of different sizes, and for two."""
    W = _normal(0, 4, 3)
    yield answer(list(_normal(1, 3, 4, 3)), [5, 2, 1], W.copy(), 0.3)
    yield answer(list(_normal(2, 2, 4, 3)), [3, 4], W.copy(), 0.05)


def delayed_descent(answer: Answer) -> Iterator[Any]:
    """Exercise 4: in a bowl with three slopes, without a delay and with two of them."""
    for delay in (0, 2, 3):
        start = [np.array([1.0, -2.0, 3.0])]
        yield answer(lambda held: [held[0] * [1.0, 0.5, 2.0]], start, 0.4, delay, 6)


def tree_all_reduce(answer: Answer) -> Iterator[Any]:
    """Exercise 6: for eight workers, and for four with numbers that show the order of summation."""
    yield _as_array(answer(list(_normal(0, 8, 3))))
    big = 1e16  # beside it a 1 is lost
    columns = [[big, -big, 1, 1], [big, 1, -big, 1], [1, big, 1, -big]]
    yield _as_array(answer(list(np.transpose(columns).astype(float))))


def halving_all_reduce(answer: Answer) -> Iterator[Any]:
    """Exercise 6: what is held and sent by eight workers, and by four, who show the order."""
    big = 1e16
    rows = [[big, big, 1, 1], [-big, 1, big, 1], [1, -big, 1, big], [1, 1, -big, -big]]
    for vectors in (_normal(0, 8, 16), np.array(rows)):
        result = answer(list(vectors))
        is_pair = isinstance(result, tuple | list) and len(result) == 2
        yield tuple(map(_as_array, result)) if is_pair else _as_array(result)
