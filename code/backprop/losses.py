"""Loss functions. Each returns its value and its gradient with respect to its first argument.

Predictions and targets have one example in each row, shape ``(N, K)``. Every loss is a mean over
the batch. The two cross-entropies take logits, the numbers before the sigmoid or softmax. The
gradient has the dtype of the first argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from backprop.activations import sigmoid, softmax
from backprop.contracts import CONVERTED, Array, checked

Loss = Callable[[Array, Array], tuple[float, Array]]
Predictions = Annotated[Array, "N K"]
Targets = Annotated[Array, "N K", CONVERTED]


_SWAPPED = "are logits and targets swapped?"


def _probabilities(name: str, t: Array) -> None:
    if t.min() < 0 or t.max() > 1:
        got = f"{t.min()} to {t.max()}; {_SWAPPED}"
        raise ValueError(f"{name}: expected probabilities in [0, 1], got {got}")


def _distributions(name: str, t: Array) -> None:
    sums = t.sum(axis=1)
    if t.shape[1] == 1:
        got = f"{t.shape}; for one yes-or-no question take sigmoid_cross_entropy"
        raise ValueError(f"{name}: expected a column for each of two classes or more, got {got}")
    if t.min() < 0 or np.abs(sums - 1).max() > 1e-5:
        got = f"{t.min()} to {t.max()} with sums of {sums.min()} to {sums.max()}; {_SWAPPED}"
        raise ValueError(f"{name}: expected rows of probabilities that sum to 1, got {got}")


@checked
def mean_squared_error(predictions: Predictions, targets: Targets) -> tuple[float, Array]:
    """Squared error, averaged over all N·K entries (eq: mean-squared-error).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``2 (y - t) / (N K)`` (eq: mean-squared-error-gradient).
    """
    error = predictions - targets
    return float(np.mean(error**2)), 2 * error / error.size


@checked
def half_squared_error(predictions: Predictions, targets: Targets) -> tuple[float, Array]:
    """Half the squared error, summed over outputs, averaged over examples (eq: half-squared-error).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``(y - t) / N`` (eq: half-squared-error-gradient).
    """
    error = predictions - targets
    return float(np.sum(error**2) / (2 * len(error))), error / len(error)


@checked
def mean_absolute_error(predictions: Predictions, targets: Targets) -> tuple[float, Array]:
    """Absolute error, averaged over all N·K entries (eq: mean-absolute-error).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``sign(y - t) / (N K)``, and 0 at the kink (eq: mean-absolute-error-gradient).
    """
    error = predictions - targets
    return float(np.mean(np.abs(error))), np.sign(error) / error.size


@checked
def huber(
    predictions: Predictions, targets: Targets, threshold: Annotated[float, "(0, inf)"] = 1.0
) -> tuple[float, Array]:
    """Huber's loss, averaged over all N·K entries (eq: huber).

    Quadratic for errors up to `threshold` (which Keras calls ``delta``), linear beyond.

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``clip(y - t, -threshold, threshold) / (N K)`` (eq: huber-gradient).
    """
    error = predictions - targets
    clipped = np.clip(error, -threshold, threshold)
    # Inside, clipped = error and this is error²/2; outside, it is the tangent at the threshold.
    return float(np.mean(clipped * (error - clipped / 2))), clipped / error.size


@checked
def sigmoid_cross_entropy(
    logits: Predictions, targets: Annotated[Targets, _probabilities]
) -> tuple[float, Array]:
    """Cross-entropy of K yes-or-no questions, averaged over all N·K (eq: sigmoid-cross-entropy).

    Finite for any logit: only ``exp(-|z|)`` is computed.

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``(sigmoid(z) - t) / (N K)`` (eq: sigmoid-cross-entropy-gradient).

    Raises
    ------
    ValueError
        Also if a target lies outside [0, 1], which is what swapped arguments look like.
    """
    z, t = logits, targets
    value = np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))
    return float(np.mean(value)), (sigmoid(z) - t) / z.size


@checked
def softmax_cross_entropy(
    logits: Predictions, targets: Annotated[Targets, _distributions]
) -> tuple[float, Array]:
    """Cross-entropy of one choice among K classes, a mean over N (eq: softmax-cross-entropy).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``(softmax(z) - t) / N`` (eq: softmax-cross-entropy-gradient).

    Raises
    ------
    ValueError
        Also if a row of targets is not a probability distribution (one-hot rows are).
    """
    z, t = logits, targets
    shifted = z - z.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.sum(t * log_probabilities) / len(z)), (softmax(z) - t) / len(z)
