"""A case for gradient checks: central differences mean something only away from every kink."""

import numpy as np

from backprop.activations import softmax
from backprop.network import Network, dense_forward


def smooth_case(activations):
    """Return a network of 4 inputs and 3 outputs, and a batch on which nothing is near a kink."""
    sizes = [4, *[5, 4][: len(activations) - 1], 3]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        network = Network.random(sizes, activations, rng)
        X, T = rng.normal(size=(5, 4)), softmax(rng.normal(size=(5, 3)))
        *inputs, Y = network.forward(X)
        weights, biases = network.parameters[::2], network.parameters[1::2]
        Z = [dense_forward(*layer) for layer in zip(inputs, weights, biases, strict=True)]
        errors = np.abs(Y - T)
        if min(np.abs(gap).min() for gap in [*Z, errors, errors - 1]) > 1e-3:
            return network, X, T
    raise AssertionError("no batch found that is away from every kink")
