"""Loss functions. Each returns its value and its gradient with respect to its first argument.

Predictions and targets have one example in each row, shape ``(N, K)``. Every loss is a mean over
the batch. The two cross-entropies take logits, the numbers before the sigmoid or softmax.
Every loss raises ValueError for arrays that are not float, of unequal shape, empty, or not finite.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from backprop.activations import sigmoid, softmax
from backprop.validation import Array, float_array

Loss = Callable[[npt.ArrayLike, npt.ArrayLike], tuple[float, Array]]


def _checked(name: str, predictions: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Array, Array]:
    """Return both as arrays of one shape ``(N, K)`` and of the predictions' dtype."""
    y = float_array(name, predictions, ("N", "K"))
    t = float_array("targets", targets, y.shape)
    return y, t.astype(y.dtype, copy=False)


def mean_squared_error(predictions: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[float, Array]:
    """Squared error, averaged over all N·K entries (eq: mean-squared-error).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``2 (y - t) / (N K)`` (eq: mean-squared-error-gradient).
    """
    y, t = _checked("predictions", predictions, targets)
    error = y - t
    return float(np.mean(error**2)), 2 * error / error.size


def half_squared_error(predictions: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[float, Array]:
    """Half the squared error, summed over outputs, averaged over examples (eq: half-squared-error).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``(y - t) / N`` (eq: half-squared-error-gradient).
    """
    y, t = _checked("predictions", predictions, targets)
    error = y - t
    return float(np.sum(error**2) / (2 * len(error))), error / len(error)


def mean_absolute_error(predictions: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[float, Array]:
    """Absolute error, averaged over all N·K entries (eq: mean-absolute-error).

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``sign(y - t) / (N K)``, and 0 at the kink (eq: mean-absolute-error-gradient).
    """
    y, t = _checked("predictions", predictions, targets)
    error = y - t
    return float(np.mean(np.abs(error))), np.sign(error) / error.size


def huber(
    predictions: npt.ArrayLike, targets: npt.ArrayLike, threshold: float = 1.0
) -> tuple[float, Array]:
    """Huber's loss, averaged over all N·K entries (eq: huber).

    Quadratic for errors up to `threshold` (which Keras calls ``delta``), linear beyond.

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        ``clip(y - t, -threshold, threshold) / (N K)`` (eq: huber-gradient).

    Raises
    ------
    ValueError
        Also if `threshold` is not a positive number.
    """
    y, t = _checked("predictions", predictions, targets)
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold: expected a positive number, got {threshold}")
    threshold = float(threshold)  # else a NumPy scalar would decide the gradient's dtype
    error = y - t
    clipped = np.clip(error, -threshold, threshold)
    # Inside, clipped = error and this is error²/2; outside, it is the tangent at the threshold.
    return float(np.mean(clipped * (error - clipped / 2))), clipped / error.size


def sigmoid_cross_entropy(logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[float, Array]:
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
    z, t = _checked("logits", logits, targets)
    if t.min() < 0 or t.max() > 1:
        raise ValueError(
            f"targets: expected probabilities in [0, 1], got {t.min()} to {t.max()};"
            " are logits and targets swapped?"
        )
    value = np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))
    return float(np.mean(value)), (sigmoid(z) - t) / z.size


def softmax_cross_entropy(logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[float, Array]:
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
    z, t = _checked("logits", logits, targets)
    if t.min() < 0 or np.abs(t.sum(axis=1) - 1).max() > 1e-5:
        raise ValueError(
            f"targets: expected rows of probabilities that sum to 1, got {t.min()} to {t.max()}"
            f" and sums up to {t.sum(axis=1).max()}; are logits and targets swapped?"
        )
    shifted = z - z.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.sum(t * log_probabilities) / len(z)), (softmax(z) - t) / len(z)
