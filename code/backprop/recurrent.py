"""Recurrent layers: forward through a sequence, and backpropagation through time.

A sequence is an array ``(T, N, D)``: T steps, in each of them a batch with one example per row. A
layer carries a state along, ``h`` and in an LSTM also ``c``, of shape ``(N, H)``. Weights of all
G gates stand side by side, in Keras's order: ``Wx (D, G H)``, ``Wh (H, G H)``, ``b (G H,)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from inspect import unwrap
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from backprop import activations
from backprop.contracts import Array, Count, FloatType, as_array, checked

sigmoid = unwrap(activations.sigmoid)
State = Annotated[Array, "N H"]


class Cache(NamedTuple):
    """What a forward pass leaves for the backward pass.

    Attributes
    ----------
    X : ndarray, shape (T, N, D)
    states : list of ndarray, shape (T + 1, N, H)
        ``[h]``, in an LSTM ``[h, c]``: first the initial state, then that after each step.
    gates : ndarray, shape (T, N, G H)
        The outputs of the cell's activations.
    mask : ndarray of bool, shape (T, N, 1), or None
        Where an example has a step; None if all of them have all.
    """

    X: Array
    states: list[Array]
    gates: Array
    mask: npt.NDArray[np.bool_] | None

    @property
    def outputs(self) -> Array:
        """``h`` after each step, shape (T, N, H)."""
        return self.states[0][1:]

    @property
    def axes(self) -> dict[str, int]:
        """The lengths that gradients must have: T steps of N examples."""
        return {"T": len(self.gates), "N": self.gates.shape[1]}

    def masked(self, t: int, new: Array, old: Array | float) -> Array:
        """Return `new` where an example has a step t, and `old` where it has none."""
        return new if self.mask is None else np.where(self.mask[t], new, old)


def _rows(sequences: Array) -> Array:
    """Return the steps of all examples, one below the other."""
    return sequences.reshape(-1, sequences.shape[2])


def windows(T: int, k1: int | None, k2: int | None) -> Iterator[tuple[int, int, int]]:
    """Return the walks of truncated backpropagation through T steps (eq: truncated-gradient).

    After every k1 steps, and at the end, the losses of the new steps walk back, k2 steps at most.
    Without k1 there is one walk, through all steps.

    Yields
    ------
    begin, end : int
        The walk goes from step ``end - 1`` back to step `begin`.
    new : int
        The first step whose own loss no walk before has seen.
    """
    new = 0
    for end in [*range(k1 or T, T, k1 or T), T]:
        yield max(0, end - (k2 or T)), end, new
        new = end


class Recurrent(ABC):
    """What all recurrent layers share: the walk through time, forward and backward.

    Parameters
    ----------
    parameters : sequence of ndarray
        ``[Wx, Wh, b]``, of one float dtype. They are kept, not copied, so that an optimizer may
        change them in place.

    Raises
    ------
    ValueError
        If shapes or dtypes do not fit together.
    """

    gate_count: ClassVar[int]
    state_count: ClassVar[int] = 1

    @checked
    def __init__(self, parameters: Sequence[npt.ArrayLike]) -> None:
        if len(parameters) != 3:
            raise ValueError(f"parameters: expected Wx, Wh and b, got {len(parameters)} arrays")
        Wx, Wh, b = parameters
        units = len(as_array("Wh", Wh, "H GH"))
        lengths: dict[str, Any] = {"H": units, "GH": self.gate_count * units}
        self.parameters = [
            as_array("Wx", Wx, "D GH", lengths),
            as_array("Wh", Wh, "H GH", lengths),
            as_array("b", b, "GH", lengths),
        ]

    @classmethod
    @checked
    def random(
        cls,
        inputs: Count,
        units: Count,
        rng: np.random.Generator,
        dtype: FloatType = np.float64,
    ) -> Self:
        """Return a layer with Keras's initial weights.

        Those of the input are uniform with variance ``2 / (D + G H)``, those of the state have
        orthogonal rows, biases are zero (an LSTM's forget gate: one).
        """
        width = cls.gate_count * units
        limit = np.sqrt(6 / (inputs + width))
        Wx = rng.uniform(-limit, limit, (inputs, width))
        Q, R = np.linalg.qr(rng.normal(size=(width, units)))
        Wh = (Q * np.sign(np.diag(R))).T  # the signs make all orthogonal matrices equally likely
        return cls([a.astype(dtype) for a in (Wx, Wh, cls.initial_bias(units))])

    @classmethod
    def initial_bias(cls, units: int) -> Array:
        """Return the biases before training, shape (G H,)."""
        return np.zeros(cls.gate_count * units)

    def with_parameters(self, parameters: Sequence[npt.ArrayLike]) -> Self:
        """Return a layer of the same kind with other parameters."""
        return type(self)(parameters)

    @property
    def axes(self) -> dict[str, Any]:
        """The lengths that arguments must have: D inputs, H units; and their dtype."""
        Wx, Wh, _ = self.parameters
        return {"D": len(Wx), "H": len(Wh), "dtype": (Wx.dtype, "the parameters")}

    @checked
    def forward(
        self,
        X: Annotated[Array, "T N D"],
        state: Sequence[State] | None = None,
        mask: Annotated[npt.NDArray[np.bool_], "T N"] | None = None,
    ) -> Cache:
        """Go through a sequence (eq: masked-step).

        Parameters
        ----------
        X : array_like, shape (T, N, D)
        state : sequence of array_like, shape (N, H), optional
            The initial state, ``[h]`` or ``[h, c]``; zeros if it is not given.
        mask : array_like of bool, shape (T, N), optional
            False where an example has no step: its state stays what it was.
        """
        Wx, Wh, b = self.parameters
        T, N, _ = X.shape
        states = [np.empty((T + 1, N, len(Wh)), Wx.dtype) for _ in range(self.state_count)]
        for s, initial in zip(states, self._states("state", state, N), strict=True):
            s[0] = initial
        # The input's share of all steps is one product; only the state's has to wait its turn.
        gates = (_rows(X) @ Wx).reshape(T, N, len(b)) + b
        cache = Cache(X, states, gates, None if mask is None else mask[..., np.newaxis])
        for t in range(T):
            before = [s[t] for s in states]
            after = self.cell(gates[t], before)
            for s, new, old in zip(states, after, before, strict=True):
                s[t + 1] = cache.masked(t, new, old)
        return cache

    @checked
    def backward(
        self,
        cache: Cache,
        d_outputs: Annotated[Array, "T N H"],
        d_state: Sequence[State] | None = None,
        k1: Count | None = None,
        k2: Count | None = None,
    ) -> tuple[list[Array], Array, list[Array]]:
        """Return the gradients of the loss (eq: carried-error), (eq: rnn-gradients).

        Parameters
        ----------
        cache : Cache
            What `forward` returned.
        d_outputs : array_like, shape (T, N, H)
            The direct gradient of the loss in each output ``h_t``, as if later steps did not exist.
        d_state : sequence of array_like, shape (N, H), optional
            The gradient of what comes after the sequence in the last state; zeros if not given.
        k1, k2 : int, optional
            Truncated backpropagation, see `windows`. Not given: all losses walk back to the
            beginning.

        Returns
        -------
        gradients : list of ndarray
            Of Wx, Wh and b.
        dX : ndarray, shape (T, N, D)
        d_state : list of ndarray, shape (N, H)
            The gradient in the initial state.

        Raises
        ------
        ValueError
            Also if there are not as many arrays in `d_state` as the layer has states, or if k2 is
            less than k1 or given without it.
        """
        T, N, _ = cache.X.shape
        if k2 is not None and (k1 is None or k2 < k1):
            raise ValueError(f"k2: expected a whole number of at least k1, {k1}, got {k2}")
        zeros = self._states("zeros", None, N)
        d_final, d_initial = self._states("d_state", d_state, N), zeros
        delta = np.zeros_like(cache.gates)  # gradient in the total inputs, summed over all walks
        for begin, end, new in windows(T, k1, k2):
            carried = d_final if end == T else zeros
            for t in reversed(range(begin, end)):
                if t >= new:
                    carried = [carried[0] + d_outputs[t], *carried[1:]]
                d_gates, before = self.cell_backward(cache, t, carried)
                delta[t] += cache.masked(t, d_gates, 0)
                carried = [cache.masked(t, *pair) for pair in zip(before, carried, strict=True)]
            if begin == 0:
                d_initial = [d_initial[i] + c for i, c in enumerate(carried)]
        X, rows = _rows(cache.X), _rows(delta)
        gradients = [X.T @ rows, self.state_weight_gradient(cache, rows), rows.sum(axis=0)]
        return gradients, (rows @ self.parameters[0].T).reshape(cache.X.shape), d_initial

    def _states(self, name: str, arrays: Sequence[Array] | None, N: int) -> list[Array]:
        """Return one array for each state of N examples: those given, or zeros."""
        Wh = self.parameters[1]
        if arrays is None:
            return [np.zeros((N, len(Wh)), Wh.dtype)] * self.state_count
        if len(arrays) != self.state_count:
            raise ValueError(f"{name}: expected {self.state_count} arrays, got {len(arrays)}")
        return list(arrays)

    @abstractmethod
    def cell(self, gates: Array, before: list[Array]) -> list[Array]:
        """Return the states after a step, given the input's share of the gates and those before.

        Leaves the outputs of the gates' activations in `gates`.
        """

    @abstractmethod
    def cell_backward(
        self, cache: Cache, t: int, d_after: Sequence[Array]
    ) -> tuple[Array, list[Array]]:
        """Return the gradients in step t's total inputs and in the states before it."""

    def state_weight_gradient(self, cache: Cache, delta: Array) -> Array:
        """Return the gradient of Wh: what came in times what comes back (eq: rnn-gradients).

        The rows of `delta` are the steps of all examples, one below the other.
        """
        return _rows(cache.states[0][:-1]).T @ delta


class SimpleRNN(Recurrent):
    """``h = tanh(x Wx + h Wh + b)`` (eq: rnn-step)."""

    gate_count = 1

    def cell(self, gates: Array, before: list[Array]) -> list[Array]:
        """Return ``[h]``."""
        (h,) = before
        gates += h @ self.parameters[1]
        np.tanh(gates, out=gates)
        return [gates]

    def cell_backward(
        self, cache: Cache, t: int, d_after: Sequence[Array]
    ) -> tuple[Array, list[Array]]:
        """Through the tanh, then across Wh (eq: rnn-delta)."""
        (d_h,) = d_after
        delta = d_h * (1 - cache.gates[t] ** 2)
        return delta, [delta @ self.parameters[1].T]


class LSTM(Recurrent):
    """Gates i, f, o and a candidate g; ``c = f c + i g``, ``h = o tanh(c)`` (eq: lstm-step).

    The gates stand in the order i, f, g, o.
    """

    gate_count = 4
    state_count = 2

    @classmethod
    def initial_bias(cls, units: int) -> Array:
        """Return zeros, but ones for the forget gate: it starts open."""
        return np.repeat([0.0, 1.0, 0.0, 0.0], units)

    def cell(self, gates: Array, before: list[Array]) -> list[Array]:
        """Return ``[h, c]``."""
        h, c = before
        gates += h @ self.parameters[1]
        # One tanh serves all four, since sigmoid(z) = tanh(z / 2) / 2 + 1 / 2.
        scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], gates.dtype), gates.shape[1] // 4)
        gates *= scale
        np.tanh(gates, out=gates)
        gates *= scale
        gates += 1 - scale
        i, f, g, o = np.split(gates, 4, axis=1)
        c = f * c + i * g
        return [o * np.tanh(c), c]

    def cell_backward(
        self, cache: Cache, t: int, d_after: Sequence[Array]
    ) -> tuple[Array, list[Array]]:
        """Through output and cell (eq: lstm-cell-error), then the gates (eq: lstm-delta)."""
        i, f, g, o = np.split(cache.gates[t], 4, axis=1)
        c_before, tanh_c = cache.states[1][t], np.tanh(cache.states[1][t + 1])
        d_h, d_c = d_after
        d_c = d_c + d_h * o * (1 - tanh_c**2)
        delta = np.concatenate(
            [
                d_c * g * i * (1 - i),
                d_c * c_before * f * (1 - f),
                d_c * i * (1 - g**2),
                d_h * tanh_c * o * (1 - o),
            ],
            axis=1,
        )
        return delta, [delta @ self.parameters[1].T, d_c * f]


class GRU(Recurrent):
    """Gates z and r and a candidate g; ``h = z h + (1 - z) g`` (eq: gru-step).

    The gates stand in the order z, r, g. As in Keras with ``reset_after=False``, the gate r acts on
    h before the product with Wh. Keras's default has two rows of biases, which do not fit here.
    """

    gate_count = 3

    def cell(self, gates: Array, before: list[Array]) -> list[Array]:
        """Return ``[h]``."""
        (h,), Wh = before, self.parameters[1]
        units = len(Wh)
        z, r, g = np.split(gates, 3, axis=1)
        gates[:, : 2 * units] = sigmoid(gates[:, : 2 * units] + h @ Wh[:, : 2 * units])
        g += (r * h) @ Wh[:, 2 * units :]
        np.tanh(g, out=g)
        return [z * h + (1 - z) * g]

    def cell_backward(
        self, cache: Cache, t: int, d_after: Sequence[Array]
    ) -> tuple[Array, list[Array]]:
        """Through the mixture, the candidate, and the two gates (eq: gru-delta)."""
        (states,), (d_h,), Wh = cache.states, d_after, self.parameters[1]
        h, units = states[t], len(Wh)
        z, r, g = np.split(cache.gates[t], 3, axis=1)
        delta_g = d_h * (1 - z) * (1 - g**2)
        d_reset = delta_g @ Wh[:, 2 * units :].T  # gradient in r h
        delta = np.concatenate(
            [d_h * (h - g) * z * (1 - z), d_reset * h * r * (1 - r), delta_g], axis=1
        )
        through_gates = delta[:, : 2 * units] @ Wh[:, : 2 * units].T
        return delta, [d_h * z + d_reset * r + through_gates]

    def state_weight_gradient(self, cache: Cache, delta: Array) -> Array:
        """Return the gradient of Wh; what the candidate received is r h."""
        (states,), units = cache.states, len(self.parameters[1])
        h = _rows(states[:-1])
        _, r, _ = np.split(_rows(cache.gates), 3, axis=1)
        delta_zr, delta_g = np.split(delta, [2 * units], axis=1)
        return np.concatenate([h.T @ delta_zr, (r * h).T @ delta_g], axis=1)
