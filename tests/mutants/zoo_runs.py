"""Train networks on MNIST, one for each seed, and print what became of them as JSON: see zoo.py.

    PYTHONPATH=PACKAGE python zoo_runs.py 10 '{"learning_rate": 0.1}'

The same seeds, data and settings are used with and without a bug; only the package differs.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from backprop import augmentation, data_parallel, datasets, losses, metrics, optimizers
from backprop.activations import ACTIVATIONS, relu, relu_derivative
from backprop.network import Network, dense_backward, dense_forward
from backprop.training import Trainer

DIGITS = datasets.mnist()
# The picture between the two layers of a WarpedNetwork is stretched: place r is read at 13.5 + (r -
# 13.5) / 2. A warp is linear, so it has a matrix, and what undoes the warp has one, too.
STRETCH, SHRINK = (
    augmentation.warp(np.eye(784, dtype=np.float32), (np.mgrid[:28, :28] - 13.5) * factor + 13.5)
    for factor in (0.5, 2.0)
)


class WarpedNetwork(Network):
    """Two layers and a fixed warp between them, whose backward pass is `way_back`."""

    way_back = STRETCH.T

    def forward(self, X: Any, masks: None = None) -> list[Any]:
        """Return ``[X, picture, logits]``."""
        (W1, b1, _), (W2, b2, _) = self.layers
        picture = relu(dense_forward(X, W1, b1))
        return [X, picture, dense_forward(picture @ STRETCH, W2, b2)]

    def backward(self, outputs: Any, d_output: Any, masks: None = None) -> tuple[list[Any], Any]:
        """Return the gradients of the parameters and of the input."""
        (W1, _, _), (W2, _, _) = self.layers
        X, picture, _ = outputs
        dW2, db2, d_warped = dense_backward(picture @ STRETCH, W2, d_output)
        dW1, db1, dX = dense_backward(X, W1, d_warped @ self.way_back * relu_derivative(picture))
        return [dW1, db1, dW2, db2], dX


class InverseWarpedNetwork(WarpedNetwork):
    """The same, with the backward pass that TensorFlow registers: the inverse map."""

    way_back = SHRINK


class HastyTrainer(Trainer):
    """Each layer's weights are updated before the error passes them on its way back."""

    def loss_and_gradients(self, X: Any, T: Any) -> tuple[float, list[Any]]:
        """Return the loss, and gradients of which only the last layer's are right."""
        outputs = self.network.forward(X)
        value, dA = self.loss(outputs[-1], T)
        gradients: list[Any] = []
        for layer, (W, _, activation) in reversed(list(enumerate(self.network.layers))):
            delta = dA * ACTIVATIONS[activation].derivative(outputs[layer + 1])
            dW, db, _ = dense_backward(outputs[layer], W, delta)
            dA = delta @ (W - self.optimizer.learning_rate * dW).T
            gradients[:0] = [dW, db]
        return value, gradients


class ShardedTrainer(Trainer):
    """Every batch is cut for two workers."""

    def loss_and_gradients(self, X: Any, T: Any) -> tuple[float, list[Any]]:
        """Return the loss of the whole batch, and the gradients put together of both shards."""
        pieces = data_parallel.shards(len(X), 2)
        sizes = [piece.stop - piece.start for piece in pieces]
        values, gradients = zip(
            *(super(ShardedTrainer, self).loss_and_gradients(X[p], T[p]) for p in pieces),
            strict=True,
        )
        value = float(np.average(values, weights=sizes))
        return value, data_parallel.mean_of_shards(gradients, sizes)


def run(
    seed: int,
    *,
    images: int = 3000,
    epochs: int = 10,
    batch_size: int = 20,
    sizes: tuple[int, ...] = (784, 100, 10),
    activations: tuple[str, ...] = ("relu", "identity"),
    loss: str = "softmax_cross_entropy",
    optimizer: str = "SGD",
    learning_rate: float = 0.1,
    dropout: tuple[float, ...] = (),
    augment: bool = False,
    trainer: str = "Trainer",
    network: str = "Network",
) -> list[tuple[float | None, float]]:
    """Return after each epoch the loss, None if not finite, and the share of test images read."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(DIGITS.X_train))[:images]
    X = DIGITS.X_train[rows]
    T = datasets.one_hot(DIGITS.y_train[rows], 10).astype(np.float32)
    T_test = datasets.one_hot(DIGITS.y_test, 10)
    scale = "he" if "relu" in activations else "glorot"
    net = globals()[network].random(sizes, activations, rng, scale, np.float32)
    training = globals()[trainer](
        net,
        getattr(losses, loss),
        getattr(optimizers, optimizer)(learning_rate),
        seed,
        batch_size,
        dropout=dropout,
        augment=augmentation.Augmentation(15, 0.1, 0.1, 2, 8, 4) if augment else None,
    )
    history = []
    for epoch in range(1, epochs + 1):
        try:
            loss_now = training.fit(X, T, epoch)[-1]["loss"]
        except FloatingPointError:  # the loss is not finite
            loss_now = None
        except ValueError as error:  # nor are the outputs: a loss refuses them
            if "expected finite numbers" not in str(error):
                raise
            loss_now = None
        right = metrics.accuracy(np.nan_to_num(net.forward(DIGITS.X_test)[-1]), T_test)
        history.append((loss_now, right))
    return history


if __name__ == "__main__":
    seeds, settings = map(json.loads, sys.argv[1:])
    print(json.dumps([run(seed, **settings) for seed in range(seeds)]))
