"""The gradients of `backprop.network` in less time: the same sums, fewer of them and in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from backprop.losses import Loss
from backprop.network import Network
from backprop.validation import Array, same_dtype


def softmax_cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """Do what `losses.softmax_cross_entropy` does, in the memory of the logits and unchecked.

    Returns
    -------
    value : float
    gradient : ndarray, shape (N, K)
        (eq: softmax-cross-entropy-gradient); it takes the place of the logits.
    """
    z = logits
    z -= z.max(axis=1, keepdims=True)
    value = -np.vdot(targets, z)
    np.exp(z, out=z)
    sums = z.sum(axis=1, keepdims=True)
    value += np.vdot(targets.sum(axis=1), np.log(sums))
    z /= sums
    z -= targets
    z /= len(z)
    return float(value) / len(z), z


class FastNetwork(Network):
    """A network of ReLU layers and a last layer of logits that keeps its memory between batches.

    `loss_and_gradients` takes and gives what `Network`'s does, to rounding. But it overwrites the
    gradients that it gave before, does not search X for NaN, and leaves inputs that are zero in
    the whole batch out of the products.
    """

    def __init__(self, parameters: Sequence[npt.ArrayLike], activations: Sequence[str]) -> None:
        super().__init__(parameters, activations)
        *hidden, last = self.activations
        if set(hidden) - {"relu"} or last != "identity":
            raise ValueError(f"activations: expected relu, ..., identity, got {self.activations}")
        self.gradients = [np.zeros_like(p) for p in self.parameters]
        self.memory: dict[int, tuple[list[Array], list[Array]]] = {}

    def loss_and_gradients(
        self,
        loss: Loss,
        X: npt.ArrayLike,
        T: npt.ArrayLike,
        masks: Sequence[Array] | None = None,
    ) -> tuple[float, list[Array]]:
        """Return the loss on a batch and its gradients, which the next call overwrites.

        The loss gets logits in memory that it may change: `softmax_cross_entropy` above does.
        Shapes and arguments are those of `Network.loss_and_gradients`.
        """
        A = np.asarray(X)
        if A.ndim != 2 or A.shape[1] != len(self.parameters[0]):
            raise ValueError(f"X: expected (N, {len(self.parameters[0])}), got {A.shape}")
        same_dtype("X", A, self.dtype)
        outputs, slopes = self._memory(len(A))
        if masks is not None:
            A = A * masks[0]
        active = np.flatnonzero((A != 0).any(axis=0))
        inputs = [A[:, active], *outputs[:-1]]
        weights = [self.parameters[0].take(active, axis=0), *self.parameters[2::2]]

        for layer, (A, W, Z) in enumerate(zip(inputs, weights, outputs, strict=True), 1):
            np.matmul(A, W, out=Z)
            Z += self.parameters[2 * layer - 1]
            if layer < len(weights):
                np.maximum(Z, 0, out=Z)
                if masks is not None:
                    Z *= masks[layer]

        value, delta = loss(outputs[-1], T)

        for layer in reversed(range(len(weights))):
            dW, db = self.gradients[2 * layer : 2 * layer + 2]
            delta.sum(axis=0, out=db)
            if layer == 0:
                dW.fill(0)
                dW[active] = inputs[0].T @ delta
                break
            np.matmul(inputs[layer].T, delta, out=dW)
            dA = np.matmul(delta, weights[layer].T, out=slopes[layer - 1])
            dA *= inputs[layer] > 0
            if masks is not None:
                dA *= masks[layer]
            delta = dA
        return value, self.gradients

    def _memory(self, n: int) -> tuple[list[Array], list[Array]]:
        """Return the layers' outputs and the slopes of the hidden ones, for n examples."""
        if n not in self.memory:
            shapes = [(n, len(b)) for b in self.parameters[1::2]]
            self.memory[n] = (
                [np.empty(shape, self.dtype) for shape in shapes],
                [np.empty(shape, self.dtype) for shape in shapes[:-1]],
            )
        return self.memory[n]
