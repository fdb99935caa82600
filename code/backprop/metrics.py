"""Metrics: what a network is judged by, besides its loss. Nothing is differentiated here."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop.contracts import FREE, Array, checked


def _classes(name: str, array: Array) -> None:
    if array.shape[1] == 1:
        wanted = "a column for each of two classes or more"
        raise ValueError(f"{name}: expected {wanted}, got {array.shape}")


@checked
def accuracy(outputs: Annotated[Array, "N K", _classes], T: Annotated[Array, "N K", FREE]) -> float:
    """Return the share of examples whose largest output is where the target's largest is.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
        Logits or probabilities.
    T : ndarray, shape (N, K)
        One-hot rows, for example.
    """
    return float(np.mean(outputs.argmax(axis=1) == T.argmax(axis=1)))
