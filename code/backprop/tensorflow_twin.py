"""The TensorFlow side of every comparison. Only `multi_worker` imports TensorFlow, too."""

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
from backprop.validation import Array, float_array

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
        If an array does not hold floats, if `f` does not return a scalar, or if it does not
        depend on one of the arrays: the tape then has no gradient for it.
    """
    tensors = [tf.convert_to_tensor(np.asarray(a)) for a in arrays]
    for place, tensor in enumerate(tensors):
        if not tensor.dtype.is_floating:
            raise ValueError(f"argument {place} of f: expected floats, got {tensor.dtype.name}")
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = f(*tensors)
    if value.shape.rank != 0:  # the tape would differentiate the sum without a word
        raise ValueError(f"f: expected a scalar tensor, got shape {tuple(value.shape)}")
    gradients = tape.gradient(value, tensors)
    for place, gradient in enumerate(gradients):
        if gradient is None:
            raise ValueError(f"argument {place} of f: the value does not depend on it")
    # That of a gathered row comes as row and place.
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


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
    A = tf.convert_to_tensor(X)
    if A.dtype != parameters[0].dtype:
        raise ValueError(f"X: expected {parameters[0].dtype.name}, got {A.dtype.name}")
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
    if loss not in LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {loss!r}")
    inputs = float_array("X", X, ("N", network.parameters[0].shape[0]))
    targets = float_array("T", T, (len(inputs), len(network.parameters[-1])))
    return tape_gradients(
        lambda *parameters: LOSSES[loss](forward(network, parameters, inputs), targets),
        *network.parameters,
    )
