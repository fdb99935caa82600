"""What the checks of the exercises ask: each function gives an answer its arguments.

A question bears the name of the function that its exercise asks for. It yields what that function
returns, case by case: a number, an array, or a tuple of them. Arguments are small, random, and of
lengths that differ, so that a transposed matrix or a sum over the wrong axis shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Answer = Callable[..., Any]


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(0, 1, shape)


def _as_array(result: Any) -> Any:
    """Return a list of numbers or arrays as one array, and nothing as nothing."""
    return None if result is None else np.asarray(result)


def _passed(test: Answer, right: Answer, *wrong: Answer) -> Any:
    """Tell by ones which functions a test lets through: the right one, then the wrong ones.

    If it rejects the right one, nothing else counts. Only an assertion rejects; any other error of
    the test is shown to whoever wrote it.
    """

    def passes(function: Answer) -> bool:
        try:
            test(function)
        except AssertionError:
            return False
        return True

    accepted = passes(right)
    return np.array([accepted, *(accepted and passes(function) for function in wrong)], float)


# Introduction


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


# MNIST by hand


# Automatic differentiation


# Optimizers


# Backpropagation through time


# A model that has read this book


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
    """Exercise 3: which of five functions the test lets through, the right one first."""

    def share_kept(mask: Any, slope: Any) -> Any:
        return slope * mask * np.size(mask) / max(np.sum(mask), 1)

    yield _passed(
        answer,
        lambda mask, slope: slope * mask * 2,
        lambda mask, slope: slope * mask,
        lambda mask, slope: slope * 2,
        lambda mask, slope: slope * np.roll(mask, 1) * 2,
        share_kept,
    )


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
