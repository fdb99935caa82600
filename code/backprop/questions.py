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


# The same gradients, faster


# Beyond one machine
