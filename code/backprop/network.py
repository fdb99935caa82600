"""The multilayer perceptron: forward and backward pass of dense layers.

Examples are rows. A layer computes ``Z = X W + b`` and ``A = f(Z)``; ``delta`` is the gradient of
the loss with respect to ``Z``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import unwrap
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt

from backprop import npz
from backprop.activations import ACTIVATIONS
from backprop.contracts import Array, Count, FloatType, as_array, as_number, checked
from backprop.losses import Loss

# Not a Literal of the table's keys, which a type checker could read: the names stand in one place.
ActivationName = Annotated[str, tuple(ACTIVATIONS)]


@checked
def dense_forward(
    X: Annotated[Array, "N D"], W: Annotated[Array, "D H"], b: Annotated[Array, "H"]
) -> Array:
    """Return ``Z = X W + b``, shape (N, H) (eq: layer-forward)."""
    return X @ W + b


@checked
def dense_backward(
    X: Annotated[Array, "N D"], W: Annotated[Array, "D H"], delta: Annotated[Array, "N H"]
) -> tuple[Array, Array, Array]:
    """Return the gradients of the loss with respect to W, b and X, given ``delta = dL/dZ``.

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


# The standard deviation of the weights of a layer with D inputs and H outputs. "he" is for ReLU and
# keeps the variance of the activations from layer to layer (eq: he-variance); "glorot" is for tanh
# and keeps, as well as one number can, that of activations and gradients (eq: glorot-variance).
INITIALIZERS: dict[str, Callable[[int, int], float]] = {
    "he": lambda D, H: math.sqrt(2 / D),
    "glorot": lambda D, H: math.sqrt(2 / (D + H)),
}


def _scale(name: str, value: Any) -> Any:
    """Return a standard deviation, or the name of a rule for it."""
    if not isinstance(value, str):
        return as_number(name, value, "[0, inf)")
    if value not in INITIALIZERS:
        raise ValueError(f"{name}: expected a number, {' or '.join(INITIALIZERS)}, got {value!r}")
    return value


def _check_length(name: str, values: Sequence[Any], length: int) -> None:
    if len(values) != length:
        raise ValueError(f"{name}: expected a sequence of length {length}, got {len(values)}")


def _dropped(A: Array, masks: Sequence[Array] | None, layer: int) -> Array:
    return A if masks is None else A * masks[layer]


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

    @checked
    def __init__(
        self, parameters: Sequence[npt.ArrayLike], activations: Sequence[ActivationName]
    ) -> None:
        _check_length("parameters", parameters, 2 * max(1, len(activations)))
        _check_length("activations", activations, len(parameters) // 2)
        self.parameters: list[Array] = []
        lengths: dict[str, Any] = {}
        for layer, (W, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True), 1):
            self.parameters += [
                as_array(f"W{layer}", W, "D H", lengths),
                as_array(f"b{layer}", b, "H", lengths),
            ]
            lengths["D"] = lengths.pop("H")
        self.activations = tuple(activations)

    @classmethod
    @checked
    def random(
        cls,
        sizes: Sequence[Count],
        activations: Sequence[ActivationName],
        rng: np.random.Generator,
        scale: Annotated[float | str, _scale] = 1.0,
        dtype: FloatType = np.float64,
    ) -> Self:
        """Return a network whose weights are drawn from a normal distribution around zero.

        Parameters
        ----------
        sizes : sequence of int
            ``[D, H1, ..., K]``: the number of inputs, then of units in each layer.
        activations : sequence of str
        rng : numpy.random.Generator
        scale : float or str
            The standard deviation, of the biases as well; or a key of `INITIALIZERS`, whose rule
            gives each layer's, and the biases start from zero.
        dtype : dtype
        """
        _check_length("activations", activations, len(sizes[1:]))
        parameters = []
        for D, H in pairwise(sizes):
            deviation = INITIALIZERS[scale](D, H) if isinstance(scale, str) else scale
            b_deviation = 0.0 if isinstance(scale, str) else scale
            parameters += [rng.normal(0, deviation, (D, H)), rng.normal(0, b_deviation, H)]
        return cls([p.astype(dtype) for p in parameters], activations)

    def with_parameters(self, parameters: Sequence[npt.ArrayLike]) -> Self:
        """Return a network of the same activations with other parameters."""
        return type(self)(parameters, self.activations)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of all parameters."""
        return np.result_type(*self.parameters)

    @property
    def axes(self) -> dict[str, Any]:
        """The lengths that arguments must have: D inputs, K outputs; and their dtype."""
        D, K = len(self.parameters[0]), len(self.parameters[-1])
        return {"D": D, "K": K, "dtype": (self.dtype, "the parameters")}

    @property
    def layers(self) -> list[tuple[Array, Array, str]]:
        """The weights, the bias and the activation's name of each layer."""
        return list(zip(self.parameters[::2], self.parameters[1::2], self.activations, strict=True))

    @checked
    def forward(
        self, X: Annotated[Array, "N D"], masks: Sequence[Array] | None = None
    ) -> list[Array]:
        """Return ``[X, A1, ..., AL]``, all of which the backward pass needs (eq: layer-forward).

        Parameters
        ----------
        X : ndarray
        masks : sequence of ndarray, optional
            One for each layer, by which its inputs are multiplied, as
            `regularization.dropout_mask` makes them. What is returned has not been multiplied.
        """
        masks = self._masks(masks, len(X))
        outputs = [X]
        for layer, (W, b, activation) in enumerate(self.layers):
            A = _dropped(outputs[layer], masks, layer)
            outputs.append(ACTIVATIONS[activation].function(A @ W + b))
        return outputs

    @checked
    def backward(
        self,
        outputs: Sequence[Array],
        d_output: Annotated[Array, "N K"],
        masks: Sequence[Array] | None = None,
    ) -> tuple[list[Array], Array]:
        """Return the gradients of the loss, given its gradient with respect to the output.

        Parameters
        ----------
        outputs : list of ndarray
            What `forward` returned.
        d_output : ndarray
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
        N, K = d_output.shape
        outputs = self._per_width("outputs", outputs, N, [*self._widths, K])
        masks = self._masks(masks, N)
        gradients: list[Array] = []
        dA = d_output
        for layer, (W, _, activation) in reversed(list(enumerate(self.layers))):
            # (eq: delta-recursion)
            delta = dA * ACTIVATIONS[activation].derivative(outputs[layer + 1])
            A = _dropped(outputs[layer], masks, layer)
            dW, db, dA = unwrap(dense_backward)(A, W, delta)
            dA = _dropped(dA, masks, layer)  # (eq: dropout-gradient)
            gradients[:0] = [dW, db]
        return gradients, dA

    @property
    def _widths(self) -> list[int]:
        """The number of inputs of each layer."""
        return [len(W) for W in self.parameters[::2]]

    def _per_width(
        self, name: str, arrays: Sequence[Array], N: int, widths: list[int]
    ) -> list[Array]:
        """Return the arrays, if there is one of N rows for each width."""
        _check_length(name, arrays, len(widths))
        return [
            as_array(f"{name}[{i}]", A, "N D", self.axes | {"N": N, "D": D})
            for i, (A, D) in enumerate(zip(arrays, widths, strict=True))
        ]

    def _masks(self, masks: Sequence[Array] | None, N: int) -> list[Array] | None:
        return None if masks is None else self._per_width("masks", masks, N, self._widths)

    @checked
    def loss_and_gradients(
        self, loss: Loss, X: Array, T: Array, masks: Sequence[Array] | None = None
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
        """Write the parameters and the activations' names to a file of just this name."""
        arrays: dict[str, Any] = {f"parameter_{i}": p for i, p in enumerate(self.parameters)}
        npz.write(file, activations=self.activations, **arrays)

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """Return the network that `save` wrote, or raise ValueError if it is another file."""
        saved = npz.read(file)
        try:
            activations = [str(name) for name in saved["activations"].flat]
            parameters = [saved[f"parameter_{i}"] for i in range(2 * len(activations))]
        except KeyError as error:
            raise ValueError(f"{file}: not a network ({error})") from error
        return cls(parameters, activations)
