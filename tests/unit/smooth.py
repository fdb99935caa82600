"""Networks for gradient checks: central differences mean something only away from every kink."""

import numpy as np

from backprop.activations import ACTIVATIONS, softmax
from backprop.network import Network


def masked_case(activations, rate=0.4, sizes=None, N=5):
    """Return a network, a batch of N examples and masks, with nothing near a kink.

    The network has 4 inputs and 3 outputs, unless `sizes` says otherwise.
    """
    sizes = sizes or [4, *[5, 4][: len(activations) - 1], 3]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        network = Network.random(sizes, activations, rng)
        X, T = rng.normal(size=(N, sizes[0])), softmax(rng.normal(size=(N, sizes[-1])))
        masks = [(rng.random((N, D)) >= rate) / (1 - rate) for D in sizes[:-1]]
        A, Z = X, []
        for mask, (W, b, name) in zip(masks, network.layers, strict=True):
            Z.append(A * mask @ W + b)
            A = ACTIVATIONS[name].function(Z[-1])
        errors = np.abs(A - T)
        if min(np.abs(gap).min() for gap in [*Z, errors, errors - 1]) > 1e-3:
            return network, X, T, masks
    raise AssertionError("no batch found that is away from every kink")


def smooth_case(activations):
    """Return the same without masks."""
    return masked_case(activations, rate=0)[:3]
