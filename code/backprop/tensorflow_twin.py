"""The TensorFlow side of every comparison. The only module that imports TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# TensorFlow reads these when it is imported: no log lines, and one order of summation everywhere.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
import tensorflow as tf

from backprop.network import Network
from backprop.validation import Array

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": tf.identity,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
}

# Each takes (predictions or logits, targets), both (N, K), and returns a scalar tensor.
LOSSES: dict[str, Callable[..., Any]] = {
    "mean_squared_error": lambda y, t: tf.reduce_mean(tf.square(y - t)),
    "half_squared_error": lambda y, t: tf.reduce_mean(tf.reduce_sum(tf.square(y - t) / 2, axis=1)),
    "mean_absolute_error": lambda y, t: tf.reduce_mean(tf.abs(y - t)),
    "huber": lambda y, t: tf.reduce_mean(tf.keras.losses.huber(t, y)),
    "sigmoid_cross_entropy": lambda z, t: tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z)
    ),
    "softmax_cross_entropy": lambda z, t: tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=z)
    ),
}


def tape_gradients(f: Callable[..., Any], *arrays: npt.ArrayLike) -> list[Array]:
    """Return the gradients of ``f(*arrays)`` by `tf.GradientTape`, one array for each argument.

    Parameters
    ----------
    f : callable
        Takes tensors of the arrays' dtypes and shapes, returns a scalar tensor.
    *arrays : array_like

    Raises
    ------
    ValueError
        If `f` does not depend on one of the arrays: the tape then has no gradient for it.
    """
    tensors = [tf.convert_to_tensor(np.asarray(a)) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = f(*tensors)
    gradients = tape.gradient(value, tensors)
    for place, gradient in enumerate(gradients):
        if gradient is None:
            raise ValueError(f"argument {place} of f: the value does not depend on it")
    return [gradient.numpy() for gradient in gradients]


def forward(network: Network, parameters: Sequence[Any], X: npt.ArrayLike) -> Any:
    """Return the output tensor (N, K) of the same network, computed by TensorFlow.

    Parameters
    ----------
    network : Network
        Gives the activations.
    parameters : sequence of tensors
        ``[W1, b1, ...]``, shaped like `network.parameters`.
    X : array_like, shape (N, D)
    """
    A = tf.convert_to_tensor(np.asarray(X))
    for W, b, name in zip(parameters[::2], parameters[1::2], network.activations, strict=True):
        A = ACTIVATIONS[name](A @ W + b)
    return A


def loss_gradients(network: Network, loss: str, X: npt.ArrayLike, T: npt.ArrayLike) -> list[Array]:
    """Return the gradients of a named loss by the tape, ordered like `network.parameters`.

    Parameters
    ----------
    network : Network
    loss : str
        The name of a function of `backprop.losses`.
    X : array_like, shape (N, D)
    T : array_like, shape (N, K)
    """
    return tape_gradients(
        lambda *parameters: LOSSES[loss](forward(network, parameters, X), np.asarray(T)),
        *network.parameters,
    )
