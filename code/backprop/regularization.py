"""Regularizers: what keeps a network from learning its training examples by heart.

L1 and L2 penalties are losses of the parameters. Dropout is a mask, drawn anew for every batch,
with which `Network.forward` and `Network.backward` multiply the inputs of the layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from backprop.contracts import Array, Count, FloatType, checked

Parameters = Sequence[Annotated[Array, "..."]]
Strength = Annotated[float, "[0, inf)"]
Rate = Annotated[float, "[0, 1)"]


@checked
def l1(parameters: Parameters, strength: Strength) -> tuple[float, list[Array]]:
    """Strength times the sum of all weights' absolute values (eq: l1-penalty).

    Biases, which are the parameters with one axis, are left out.

    Returns
    -------
    value : float
    gradients : list of ndarray
        ``strength · sign(W)`` (eq: l1-gradient), zeros for biases; shaped like `parameters`. At a
        weight of zero, where there is no derivative, it is 0, as in TensorFlow.
    """
    value = strength * math.fsum(float(np.abs(p).sum()) for p in parameters if p.ndim > 1)
    return value, [strength * np.sign(p) if p.ndim > 1 else np.zeros_like(p) for p in parameters]


@checked
def l2(parameters: Parameters, strength: Strength) -> tuple[float, list[Array]]:
    """Strength times the sum of all weights' squares, without a half, as in Keras (eq: l2-penalty).

    Biases, which are the parameters with one axis, are left out.

    Returns
    -------
    value : float
    gradients : list of ndarray
        ``2 · strength · W`` (eq: l2-gradient), zeros for biases; shaped like `parameters`.
    """
    value = strength * math.fsum(float(np.square(p).sum()) for p in parameters if p.ndim > 1)
    return value, [2 * strength * p if p.ndim > 1 else np.zeros_like(p) for p in parameters]


@checked
def dropout_mask(
    shape: Sequence[Count],
    rate: Rate,
    rng: np.random.Generator,
    dtype: FloatType = np.float64,
) -> Array:
    """Return 0 with the probability `rate`, otherwise ``1 / (1 - rate)`` (eq: dropout).

    The mean of every entry is 1, so that nothing has to be rescaled when the mask is left out.

    Parameters
    ----------
    shape : sequence of int
        ``(N, D)``, that of the inputs of a layer.
    rate : float
        0 keeps all.
    rng : numpy.random.Generator
    dtype : dtype
    """
    kept = rng.random(shape, dtype=np.dtype(dtype)) >= rate  # type: ignore[arg-type]
    return np.divide(kept, 1 - rate, dtype=dtype)
