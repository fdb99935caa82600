"""Cases for gradient checks: central differences mean something only away from every kink."""

import numpy as np

from backprop.activations import ACTIVATIONS, softmax
from backprop.network import Network, dense_forward


def masked_case(activations, rate=0.4):
    """Return a network of 4 inputs and 3 outputs, a batch and masks, with nothing near a kink."""
    sizes = [4, *[5, 4][: len(activations) - 1], 3]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        network = Network.random(sizes, activations, rng)
        X, T = rng.normal(size=(5, 4)), softmax(rng.normal(size=(5, 3)))
        masks = [(rng.random((5, D)) >= rate) / (1 - rate) for D in sizes[:-1]]
        A, Z = X, []
        layers = zip(network.parameters[::2], network.parameters[1::2], masks, strict=True)
        for (W, b, mask), name in zip(layers, activations, strict=True):
            Z.append(dense_forward(A * mask, W, b))
            A = ACTIVATIONS[name].function(Z[-1])
        errors = np.abs(A - T)
        if min(np.abs(gap).min() for gap in [*Z, errors, errors - 1]) > 1e-3:
            return network, X, T, masks
    raise AssertionError("no batch found that is away from every kink")


def smooth_case(activations):
    """Return the same without masks."""
    return masked_case(activations, rate=0)[:3]
