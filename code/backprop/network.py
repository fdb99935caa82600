"""The multilayer perceptron: forward and backward pass of dense layers.

Examples are rows. A layer computes ``Z = X W + b`` and ``A = f(Z)``; ``delta`` is the gradient of
the loss with respect to ``Z``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from backprop.activations import ACTIVATIONS
from backprop.losses import Loss
from backprop.validation import Array, float_array, generator, same_dtype, whole_number


def dense_forward(X: Array, W: Array, b: Array) -> Array:
    """Return ``Z = X W + b`` (eq: layer-forward).

    Parameters
    ----------
    X : ndarray, shape (N, D)
    W : ndarray, shape (D, H)
    b : ndarray, shape (H,)
    """
    return X @ W + b


def dense_backward(X: Array, W: Array, delta: Array) -> tuple[Array, Array, Array]:
    """Return the gradients of the loss with respect to W, b and X, given ``delta = dL/dZ``.

    Parameters
    ----------
    X : ndarray, shape (N, D)
    W : ndarray, shape (D, H)
    delta : ndarray, shape (N, H)

    Returns
    -------
    dW : ndarray, shape (D, H)
        ``Xᵀ delta`` (eq: weight-gradient).
    db : ndarray, shape (H,)
        ``delta`` summed over the examples (eq: bias-gradient).
    dX : ndarray, shape (N, D)
        ``delta Wᵀ`` (eq: input-gradient).
    """
    return X.T @ delta, delta.sum(axis=0), delta @ W.T


# How far the weights of a layer with D inputs and H outputs are drawn from zero. "he" is for ReLU
# and keeps the size of the signal from layer to layer (eq: he-variance); "glorot" is for tanh and
# keeps, as well as one number can, the sizes of signal and slope (eq: glorot-variance).
SCALES: dict[str, Callable[[int, int], float]] = {
    "he": lambda D, H: math.sqrt(2 / D),
    "glorot": lambda D, H: math.sqrt(2 / (D + H)),
}


class Network:
    """A multilayer perceptron with given parameters.

    Parameters
    ----------
    parameters : sequence of ndarray
        ``[W1, b1, W2, b2, ...]``, W of shape (D, H), b of shape (H,), all of one float dtype.
        They are kept, not copied, so that an optimizer may change them in place.
    activations : sequence of str
        The name of each layer's activation, a key of `activations.ACTIVATIONS`.

    Raises
    ------
    ValueError
        If shapes or dtypes do not fit together, or an activation is unknown.
    """

    def __init__(self, parameters: Sequence[npt.ArrayLike], activations: Sequence[str]) -> None:
        if not activations or len(parameters) != 2 * len(activations):
            raise ValueError(
                "parameters: expected a weight matrix and a bias for each of the"
                f" {len(activations)} activations, got {len(parameters)} arrays"
            )
        for name in activations:
            if not isinstance(name, str) or name not in ACTIVATIONS:
                raise ValueError(
                    f"activations: expected one of {', '.join(ACTIVATIONS)}, got {name!r}"
                )
        self.parameters: list[Array] = []
        inputs: int | str = "D"
        for layer, (W, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True), 1):
            weights = float_array(f"W{layer}", W, (inputs, "H"))
            inputs = weights.shape[1]
            self.parameters += [weights, float_array(f"b{layer}", b, (inputs,))]
        for array in self.parameters:
            same_dtype("parameters", array, self.dtype)
        self.activations = tuple(activations)

    @classmethod
    def random(
        cls,
        sizes: Sequence[int],
        activations: Sequence[str],
        rng: np.random.Generator,
        scale: float | str = 1.0,
        dtype: npt.DTypeLike = np.float64,
    ) -> Self:
        """Return a network whose weights are drawn from a normal distribution around zero.

        Parameters
        ----------
        sizes : sequence of int
            ``[D, H1, ..., K]``: the number of inputs, then of units in each layer.
        scale : float or str
            The standard deviation, of the biases as well; or a key of `SCALES`, whose rule gives
            each layer's, and the biases start from zero.
        """
        for size in sizes:
            whole_number("sizes", size, least=1)
        generator("rng", rng)
        if isinstance(scale, str) and scale not in SCALES:
            raise ValueError(f"scale: expected a number, {' or '.join(SCALES)}, got {scale!r}")
        parameters = []
        for D, H in pairwise(sizes):
            deviation = SCALES[scale](D, H) if isinstance(scale, str) else scale
            b_deviation = 0.0 if isinstance(scale, str) else scale
            parameters += [rng.normal(0, deviation, (D, H)), rng.normal(0, b_deviation, H)]
        return cls([p.astype(dtype) for p in parameters], activations)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of all parameters."""
        return self.parameters[0].dtype

    def with_parameters(self, parameters: Sequence[npt.ArrayLike]) -> Network:
        """Return a network of the same activations with other parameters."""
        return Network(parameters, self.activations)

    def forward(self, X: npt.ArrayLike, masks: Sequence[Array] | None = None) -> list[Array]:
        """Return ``[X, A1, ..., AL]``, all of which the backward pass needs (eq: layer-forward).

        Parameters
        ----------
        X : array_like, shape (N, D)
            Of the network's dtype.
        masks : sequence of ndarray, optional
            One for each layer, by which its inputs are multiplied, as
            `regularization.dropout_mask` makes them. What is returned has not been multiplied.
        """
        A = float_array("X", X, ("N", self.parameters[0].shape[0]))
        same_dtype("X", A, self.dtype)
        outputs = [A]
        for layer, name in enumerate(self.activations):
            W, b = self.parameters[2 * layer : 2 * layer + 2]
            A = self._masked(outputs, layer, masks)
            outputs.append(ACTIVATIONS[name].function(dense_forward(A, W, b)))
        return outputs

    def _masked(self, outputs: Sequence[Array], layer: int, masks: Sequence[Array] | None) -> Array:
        """Return the inputs of a layer: the outputs before it, times the layer's mask if any."""
        if masks is None:
            return outputs[layer]
        if len(masks) != len(self.activations):
            raise ValueError(
                f"masks: expected one for each of {len(self.activations)} layers, got {len(masks)}"
            )
        mask = float_array(f"masks[{layer}]", masks[layer], outputs[layer].shape)
        same_dtype(f"masks[{layer}]", mask, self.dtype)
        return outputs[layer] * mask

    def backward(
        self,
        outputs: Sequence[Array],
        d_output: npt.ArrayLike,
        masks: Sequence[Array] | None = None,
    ) -> tuple[list[Array], Array]:
        """Return the gradients of the loss, given its gradient with respect to the output.

        Parameters
        ----------
        outputs : list of ndarray
            What `forward` returned.
        d_output : array_like, shape (N, K)
            ``dL/dA`` of the last layer.
        masks : sequence of ndarray, optional
            Those that `forward` was given.

        Returns
        -------
        gradients : list of ndarray
            Shaped and ordered like `parameters`.
        d_input : ndarray, shape (N, D)
            ``dL/dX``.
        """
        if len(outputs) != len(self.activations) + 1:
            raise ValueError(
                f"outputs: expected the {len(self.activations) + 1} arrays that forward returns,"
                f" got {len(outputs)}"
            )
        dA = float_array("d_output", d_output, outputs[-1].shape)
        same_dtype("d_output", dA, self.dtype)
        gradients: list[Array] = []
        for layer in reversed(range(len(self.activations))):
            derivative = ACTIVATIONS[self.activations[layer]].derivative
            delta = dA * derivative(outputs[layer + 1])  # (eq: delta-recursion)
            inputs = self._masked(outputs, layer, masks)
            dW, db, dA = dense_backward(inputs, self.parameters[2 * layer], delta)
            if masks is not None:
                dA = dA * masks[layer]  # (eq: dropout-gradient)
            gradients[:0] = [dW, db]
        return gradients, dA

    def loss_and_gradients(
        self,
        loss: Loss,
        X: npt.ArrayLike,
        T: npt.ArrayLike,
        masks: Sequence[Array] | None = None,
    ) -> tuple[float, list[Array]]:
        """Return the loss on a batch and its gradients, ordered like `parameters`.

        Parameters
        ----------
        loss : callable
            A function of `losses`, or one like it: ``loss(A, T) -> (value, dL/dA)``.
        X : array_like, shape (N, D)
        T : array_like, shape (N, K)
        masks : sequence of ndarray, optional
            See `forward`.
        """
        outputs = self.forward(X, masks)
        value, d_output = loss(outputs[-1], T)
        return value, self.backward(outputs, d_output, masks)[0]

    def save(self, file: str | Path) -> None:
        """Write the parameters and the activations' names to a file, which should end in .npz."""
        arrays: dict[str, Any] = {f"parameter_{i}": p for i, p in enumerate(self.parameters)}
        np.savez(file, activations=np.array(self.activations), **arrays)

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """Return the network that `save` wrote, or raise ValueError if it is another file."""
        try:
            with np.load(file, allow_pickle=False) as saved:
                activations = [str(name) for name in saved["activations"]]
                parameters = [saved[f"parameter_{i}"] for i in range(2 * len(activations))]
        except Exception as error:  # a damaged archive can raise almost anything
            raise ValueError(f"{file}: not a network ({error})") from error
        return cls(parameters, activations)
