"""Activation functions and their derivatives.

A derivative takes the *output* ``a = f(z)`` and not ``z``: the forward pass has stored it already,
and for each of these functions it is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from backprop.validation import Array


def identity(z: Array) -> Array:
    """Return ``z`` itself: for the output layer of a regression, or one that returns logits."""
    return z


def identity_derivative(a: Array) -> Array:
    """Return ``dz/dz = 1``, shaped like `a`."""
    return np.ones_like(a)


def sigmoid(z: Array) -> Array:
    """Return ``1 / (1 + exp(-z))`` for any shape, without overflow (eq: sigmoid).

    Only ``exp(-|z|)`` is computed, which is at most one.
    """
    e = np.exp(-np.abs(z))
    p: Array = np.where(z >= 0, np.ones_like(e), e) / (1 + e)
    return p


def sigmoid_derivative(a: Array) -> Array:
    """Return ``a (1 - a)`` for ``a = sigmoid(z)`` (eq: sigmoid-derivative)."""
    return a * (1 - a)


def tanh(z: Array) -> Array:
    """Return the hyperbolic tangent, for any shape."""
    return np.tanh(z)


def tanh_derivative(a: Array) -> Array:
    """Return ``1 - a**2`` for ``a = tanh(z)`` (eq: tanh-derivative)."""
    return 1 - a * a


def relu(z: Array) -> Array:
    """Return ``max(z, 0)``, for any shape."""
    return np.maximum(z, 0)


def relu_derivative(a: Array) -> Array:
    """Return 1 where ``a = relu(z)`` is positive, else 0 (eq: relu-derivative).

    The comparison is strict. After the ReLU no output is negative, so ``a >= 0`` would be true
    everywhere and the derivative would be lost. At the kink ``z = 0`` it is 0, as in TensorFlow.
    """
    return (a > 0).astype(a.dtype)


def softmax(z: Array) -> Array:
    """Return each row's softmax for logits ``(N, K)``, without overflow (eq: softmax).

    It has no entry in `ACTIVATIONS`: its derivative is a full matrix, and
    `losses.softmax_cross_entropy` takes logits and differentiates both together.
    """
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p: Array = e / e.sum(axis=1, keepdims=True)
    return p


class Activation(NamedTuple):
    """A function ``f`` of ``z`` and its derivative, written with ``a = f(z)``."""

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


ACTIVATIONS = {
    "identity": Activation(identity, identity_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
}
