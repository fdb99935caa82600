"""What the checks of the exercises ask: each function gives an answer its arguments.

A question bears the name of the function that its exercise asks for. It yields what that function
returns, case by case: a number, an array, or a tuple of them. Arguments are small, random, and of
lengths that differ, so that a transposed matrix or a sum over the wrong axis shows. Where the
exercise asks for a test, the question tells what the test lets through: right code, and wrong code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from backprop import activations

Answer = Callable[..., Any]


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(0, 1, shape)


def _one_hot(*labels: int) -> Any:
    return np.eye(3)[list(labels)]


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


# Optimizers


# Backpropagation through time


# A model that has read this book


# Training for real


# The same gradients, faster


# Beyond one machine
