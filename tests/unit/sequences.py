"""Sequences and masks for the checks of recurrent layers."""

from typing import NamedTuple

import numpy as np
import pytest

from backprop.recurrent import GRU, LSTM, Recurrent, SimpleRNN

T, N, D, H = 6, 4, 3, 2  # all different, so that no axis can be taken for another

MASKS = {
    "no mask": None,
    "ends": np.arange(T)[:, np.newaxis] < [6, 4, 1, 5],
    # One example starts late, one has no step at all.
    "holes": np.array(
        [[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0]],
        bool,
    ),
}

every_kind = pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU], ids=lambda k: k.__name__)
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


class Case(NamedTuple):
    """A layer, a batch of sequences, and the gradients in what comes out."""

    layer: Recurrent
    X: np.ndarray
    state: list
    d_outputs: np.ndarray
    d_state: list

    def by_hand(self, mask=None, k1=None, k2=None):
        """Return the gradients in parameters, X and state."""
        cache = self.layer.forward(self.X, self.state, mask)
        gradients, dX, d_first = self.layer.backward(cache, self.d_outputs, self.d_state, k1, k2)
        return [*gradients, dX, *d_first]


def make_case(kind, dtype=np.float64, T=T, N=N):
    """Draw a case, everything away from zero, no gate saturated."""
    rng = np.random.default_rng(0)
    width = kind.gate_count * H
    parameters = [rng.normal(0, 0.5, shape) for shape in [(D, width), (H, width), (width,)]]
    X, d_outputs = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, H))
    state, d_state = rng.normal(size=(2, kind.state_count, N, H)).astype(dtype)
    layer = kind([p.astype(dtype) for p in parameters])
    return Case(layer, X.astype(dtype), [*state], d_outputs.astype(dtype), [*d_state])


def assert_same(mine, others, tolerance=3e-14):
    """Compare sums of at most some hundred products near 1, added up in another order."""
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, strict=True)
