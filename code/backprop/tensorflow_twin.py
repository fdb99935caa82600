"""The TensorFlow side of every comparison. Only `multi_worker` imports TensorFlow, too."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from backprop.contracts import CONVERTED, Array, checked
from backprop.gradcheck import float_copies
from backprop.network import Network

# TensorFlow reads these when it is imported: no log lines, and one order of summation everywhere.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Its Keras would compute with what a file of settings names. The old one is no judge of ours.
backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
legacy = os.environ.get("TF_USE_LEGACY_KERAS")
if backend != "tensorflow" or legacy in ("1", "true", "True"):
    found = f"KERAS_BACKEND is {backend}, TF_USE_LEGACY_KERAS {legacy}"
    raise ImportError(f"{found}: comparisons are with Keras 3 on TensorFlow; remove both variables")

import tensorflow as tf  # noqa: E402

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
    "huber": lambda y, t: tf.reduce_mean(tf.keras.losses.huber(y_true=t, y_pred=y)),
    "sigmoid_cross_entropy": lambda z, t: tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z)
    ),
    "softmax_cross_entropy": lambda z, t: tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=z)
    ),
}

IN_TENSORFLOW = "inside f NumPy leaves the tape: write tf.exp(x) for np.exp(x)"


def tape_gradients(f: Callable[..., Any], *arrays: npt.ArrayLike) -> list[Array]:
    """Return the gradients of ``f(*arrays)`` by `tf.GradientTape`, one array for each argument.

    Parameters
    ----------
    f : callable
        Takes tensors of the arrays' dtypes and shapes, returns a scalar tensor.
    *arrays : array_like of float32 or float64

    Raises
    ------
    ValueError
        If an array does not hold floats, if `f` does not return a scalar, or if it does not
        depend on one of the arrays: the tape then has no gradient for it.
    """
    tensors = [tf.convert_to_tensor(a) for a in float_copies(arrays)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = f(*tensors)
    if not tf.is_tensor(value) or value.shape.rank != 0:  # the tape would differentiate the sum
        raise ValueError(f"f: expected a scalar tensor, got {value!r}; {IN_TENSORFLOW}")
    gradients = tape.gradient(value, tensors)
    for i, gradient in enumerate(gradients):
        if gradient is None:
            raise ValueError(f"arrays[{i}]: the value of f does not depend on it; {IN_TENSORFLOW}")
    # That of a gathered row comes as row and place.
    return [np.asarray(tf.convert_to_tensor(gradient).numpy()) for gradient in gradients]


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
    if A.dtype != network.dtype:
        raise ValueError(f"X: expected {network.dtype}, got {A.dtype.name}")
    for W, b, name in zip(parameters[::2], parameters[1::2], network.activations, strict=True):
        A = ACTIVATIONS[name](A @ W + b)
    return A


@checked
def loss_gradients(
    network: Network,
    loss: Annotated[str, tuple(LOSSES)],
    X: Annotated[Array, "N D"],
    T: Annotated[Array, "N K", CONVERTED],
) -> list[Array]:
    """Return the gradients of a named loss by the tape, ordered like `network.parameters`.

    Parameters
    ----------
    network : Network
    loss : str
        The name of a function of `backprop.losses`.
    X, T : array_like
    """
    return tape_gradients(
        lambda *parameters: LOSSES[loss](forward(network, parameters, X), T),
        *network.parameters,
    )
