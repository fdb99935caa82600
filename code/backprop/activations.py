"""Activation functions and their derivatives.

A derivative takes the *output* ``a = f(z)`` and not ``z``: the forward pass has stored it already,
and for each of these functions it is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Annotated, NamedTuple

import numpy as np

from backprop.contracts import Array, checked

AnyShape = Annotated[Array, "..."]


@checked
def identity(z: AnyShape) -> Array:
    """Return ``z`` itself: for the output layer of a regression, or one that returns logits."""
    return z


@checked
def identity_derivative(a: AnyShape) -> Array:
    """Return ``dz/dz = 1``, shaped like `a`."""
    return np.ones_like(a)


@checked
def sigmoid(z: AnyShape) -> Array:
    """Return ``1 / (1 + exp(-z))`` for any shape, without overflow (eq: sigmoid).

    Only ``exp(-|z|)`` is computed, which is at most one.
    """
    e = np.exp(-np.abs(z))
    p: Array = np.where(z >= 0, np.ones_like(e), e) / (1 + e)
    return p


@checked
def sigmoid_derivative(a: AnyShape) -> Array:
    """Return ``a (1 - a)`` for ``a = sigmoid(z)`` (eq: sigmoid-derivative)."""
    return a * (1 - a)


@checked
def tanh(z: AnyShape) -> Array:
    """Return the hyperbolic tangent, for any shape."""
    return np.tanh(z)


@checked
def tanh_derivative(a: AnyShape) -> Array:
    """Return ``1 - a**2`` for ``a = tanh(z)`` (eq: tanh-derivative)."""
    return 1 - a * a


@checked
def relu(z: AnyShape) -> Array:
    """Return ``max(z, 0)``, for any shape."""
    return np.maximum(z, 0)


@checked
def relu_derivative(a: AnyShape) -> Array:
    """Return 1 where ``a = relu(z)`` is positive, else 0 (eq: relu-derivative).

    The comparison is strict. After the ReLU no output is negative, so ``a >= 0`` would be true
    everywhere and the derivative would be lost. At the kink ``z = 0`` it is 0, as in TensorFlow.
    """
    return (a > 0).astype(a.dtype)


@checked
def softmax(z: Annotated[Array, "N K"]) -> Array:
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


# Without their gates: a network has checked what it passes on.
ACTIVATIONS = {
    "identity": Activation(unwrap(identity), unwrap(identity_derivative)),
    "sigmoid": Activation(unwrap(sigmoid), unwrap(sigmoid_derivative)),
    "tanh": Activation(unwrap(tanh), unwrap(tanh_derivative)),
    "relu": Activation(unwrap(relu), unwrap(relu_derivative)),
}
