"""What the checks of the exercises ask: each function gives an answer its arguments.

A question bears the name of the function that its exercise asks for. It yields what that function
returns, case by case: a number, an array, or a tuple of them. Arguments are small, random, and of
lengths that differ, so that a transposed matrix or a sum over the wrong axis shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from backprop import autodiff, recurrent

Answer = Callable[..., Any]


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(0, 1, shape)


def _uniform(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).uniform(0, 1, shape)


def _parts(result: Any) -> list[Any]:
    """Return the matrices in a nested result, one after the other; a stack is nested, too."""
    if isinstance(result, tuple | list) or np.ndim(result) > 2:
        return [matrix for part in result for matrix in _parts(part)]
    return [result]


def _passed(test: Answer, right: Answer, wrong: list[Answer]) -> Any:
    """Tell, by 1 or 0, which functions pass a test: the right one, then each of the wrong ones.

    A hint is about one thing. So where the right one fails, all count as failed, and of several
    wrong ones that pass only the first counts, unless all of them pass.
    """

    def passes(function: Answer) -> bool:
        try:
            test(function)
        except AssertionError:
            return False
        return True

    if not passes(right):
        return np.zeros(1 + len(wrong))
    caught = [not passes(function) for function in wrong]
    if not any(caught):
        return np.ones(1 + len(wrong))
    missed = np.arange(len(wrong)) == (caught.index(False) if False in caught else -1)
    return np.concatenate([[1.0], missed])


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
    mistakes = ["nothing carried", "not transposed", "last loss only", "first step left out"]
    yield _passed(
        answer, partial(_walk_back, ""), [partial(_walk_back, mistake) for mistake in mistakes]
    )


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


# The same gradients, faster


# Beyond one machine
