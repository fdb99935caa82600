"""Sequences, masks and losses for the checks of recurrent layers."""

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
# Whether the loss depends on the outputs of the steps before the last, of the last, on what is
# handed over.
LOSSES = {
    "many-to-many": (1, 1, 0),
    "many-to-one": (0, 1, 0),
    "final state": (0, 0, 1),
    "everything": (1, 1, 1),
}

every_kind = pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU], ids=lambda k: k.__name__)
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
every_loss = pytest.mark.parametrize("loss", LOSSES)


class Case(NamedTuple):
    """A layer, a batch of sequences, and how the loss depends on what comes out."""

    layer: Recurrent
    X: np.ndarray
    state: list
    d_outputs: np.ndarray
    d_state: list

    @property
    def arguments(self):
        return [*self.layer.parameters, self.X, *self.state]

    def value(self, mask=None):
        """Return the loss as a function of the arguments."""

        def f(Wx, Wh, b, X, *state):
            cache = self.layer.with_parameters([Wx, Wh, b]).forward(X, state, mask)
            pairs = zip(self.d_state, cache.states, strict=True)
            return np.sum(self.d_outputs * cache.outputs) + sum(np.sum(d * s[-1]) for d, s in pairs)

        return f

    def by_hand(self, mask=None, k1=None, k2=None):
        """Return the gradients in the arguments."""
        cache = self.layer.forward(self.X, self.state, mask)
        gradients, dX, d_first = self.layer.backward(cache, self.d_outputs, self.d_state, k1, k2)
        return [*gradients, dX, *d_first]


def make_case(kind, loss="everything", sizes=(T, N, D, H), seed=0):
    """Draw a case, everything away from zero, no gate saturated."""
    T, N, D, H = sizes
    rng = np.random.default_rng(seed)
    width = kind.gate_count * H
    layer = kind([rng.normal(0, 0.5, size) for size in [(D, width), (H, width), (width,)]])
    X = rng.normal(size=(T, N, D))
    state, d_state = rng.normal(size=(2, kind.state_count, N, H))
    before, last, after = LOSSES[loss]
    weights = np.where(np.arange(T) < T - 1, before, last)[:, np.newaxis, np.newaxis]
    return Case(layer, X, [*state], rng.normal(size=(T, N, H)) * weights, [*(d_state * after)])


def with_visible_deltas(case):
    """Return the case with the identity as Wx and other X: then the slope in X is delta."""
    _, Wh, b = case.layer.parameters
    X = np.random.default_rng(1).normal(size=(*case.X.shape[:2], len(b)))
    return case._replace(layer=case.layer.with_parameters([np.eye(len(b)), Wh, b]), X=X)
