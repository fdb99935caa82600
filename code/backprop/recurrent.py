"""Recurrent layers: forward through a sequence, and backpropagation through time.

A sequence is an array ``(T, N, D)``: T steps, in each of them a batch with one example per row. A
layer carries a state along, ``h`` and in an LSTM also ``c``, of shape ``(N, H)``. Weights of all
G gates stand side by side, in Keras's order: ``Wx (D, G H)``, ``Wh (H, G H)``, ``b (G H,)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from backprop.activations import sigmoid
from backprop.validation import Array, float_array, generator, same_dtype, whole_number


class Trace(NamedTuple):
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


class Recurrent:
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

    def __init__(self, parameters: Sequence[npt.ArrayLike]) -> None:
        if len(parameters) != 3:
            raise ValueError(f"parameters: expected Wx, Wh and b, got {len(parameters)} arrays")
        units = len(float_array("Wh", parameters[1], ("H", "G H")))
        width = self.gate_count * units
        self.parameters = [
            float_array("Wx", parameters[0], ("D", width)),
            float_array("Wh", parameters[1], (units, width)),
            float_array("b", parameters[2], (width,)),
        ]
        for array in self.parameters:
            same_dtype("parameters", array, self.parameters[0].dtype)

    @classmethod
    def random(
        cls,
        inputs: int,
        units: int,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float64,
    ) -> Self:
        """Return a layer with Keras's starting weights.

        Those of the input are uniform with variance ``2 / (D + G H)``, those of the state have
        orthogonal rows, biases are zero (an LSTM's forget gate: one).
        """
        whole_number("inputs", inputs, least=1)
        whole_number("units", units, least=1)
        generator("rng", rng)
        width = cls.gate_count * units
        limit = np.sqrt(6 / (inputs + width))
        Wx = rng.uniform(-limit, limit, (inputs, width))
        Q, R = np.linalg.qr(rng.normal(size=(width, units)))
        Wh = (Q * np.sign(np.diag(R))).T  # the signs make all orthogonal matrices equally likely
        return cls([a.astype(dtype) for a in (Wx, Wh, cls.starting_bias(units))])

    @classmethod
    def starting_bias(cls, units: int) -> Array:
        """Return the biases before training, shape (G H,)."""
        return np.zeros(cls.gate_count * units)

    def with_parameters(self, parameters: Sequence[npt.ArrayLike]) -> Self:
        """Return a layer of the same kind with other parameters."""
        return type(self)(parameters)

    def forward(
        self,
        X: npt.ArrayLike,
        state: Sequence[npt.ArrayLike] | None = None,
        mask: npt.ArrayLike | None = None,
    ) -> Trace:
        """Go through a sequence (eq: masked-step).

        Parameters
        ----------
        X : array_like, shape (T, N, D)
        state : sequence of array_like, shape (N, H), optional
            The initial state, ``[h]`` or ``[h, c]``; zeros if it is not given.
        mask : array_like of bool, shape (T, N), optional
            False where an example has no step: its state stays what it was.

        Returns
        -------
        Trace

        Raises
        ------
        ValueError
            If a shape or dtype does not fit, if a number is not finite, or if there are not as many
            initial states as the layer has.
        """
        Wx, Wh, b = self.parameters
        inputs = float_array("X", X, ("T", "N", len(Wx)))
        same_dtype("X", inputs, Wx.dtype)
        T, N, D = inputs.shape
        units = len(Wh)
        states = [np.zeros((T + 1, N, units), Wx.dtype) for _ in range(self.state_count)]
        if state is not None:
            for s, start in zip(states, self.checked("state", state, N), strict=True):
                s[0] = start
        steps = None if mask is None else np.asarray(mask)[..., np.newaxis]
        if steps is not None and (steps.dtype != bool or steps.shape != (T, N, 1)):
            raise ValueError(f"mask: expected bool {(T, N)}, got {steps.dtype} {steps.shape[:-1]}")
        # The input's share of all steps is one product; only the state's has to wait its turn.
        gates = (inputs.reshape(T * N, D) @ Wx).reshape(T, N, -1) + b
        for t in range(T):
            previous = [s[t] for s in states]
            after = self.step(gates[t], previous)
            for s, new, old in zip(states, after, previous, strict=True):
                s[t + 1] = new if steps is None else np.where(steps[t], new, old)
        return Trace(inputs, states, gates, steps)

    def backward(
        self,
        trace: Trace,
        d_outputs: npt.ArrayLike,
        d_state: Sequence[npt.ArrayLike] | None = None,
        k1: int | None = None,
        k2: int | None = None,
    ) -> tuple[list[Array], Array, list[Array]]:
        """Return the gradients of the loss (eq: carried-error), (eq: rnn-gradients).

        Parameters
        ----------
        trace : Trace
            What `forward` returned.
        d_outputs : array_like, shape (T, N, H)
            The direct slope of the loss in each output ``h_t``, as if later steps did not exist.
        d_state : sequence of array_like, shape (N, H), optional
            The slope of what comes after the sequence in the last state; zeros if not given.
        k1, k2 : int, optional
            Truncated backpropagation (eq: truncated-gradient): after every k1 steps, the slopes of
            these steps walk back at most k2 steps, with k2 >= k1. Not given: all walk back to the
            beginning.

        Returns
        -------
        gradients : list of ndarray
            Of Wx, Wh and b.
        dX : ndarray, shape (T, N, D)
        d_state : list of ndarray, shape (N, H)
            The slope in the initial state.

        Raises
        ------
        ValueError
            If a shape or dtype does not fit, if a number is not finite, if there are not as many
            arrays in `d_state` as the layer has states, or if k1 and k2 are not whole numbers with
            1 <= k1 <= k2. There is no k2 without k1.
        """
        Wx = self.parameters[0]
        T, N, _ = trace.gates.shape
        direct = float_array("d_outputs", d_outputs, trace.outputs.shape)
        same_dtype("d_outputs", direct, Wx.dtype)
        if k1 is None and k2 is not None:
            raise ValueError(f"k1: expected a whole number, since k2 is {k2!r}, got None")
        k1 = T if k1 is None else whole_number("k1", k1, least=1)
        k2 = max(T, k1) if k2 is None else whole_number("k2", k2, least=k1)
        zeros = [np.zeros_like(s[0]) for s in trace.states]
        d_last = zeros if d_state is None else self.checked("d_state", d_state, N)
        delta = np.zeros_like(trace.gates)  # slopes in the total inputs, added up over all walks
        d_first = zeros
        done = 0
        for end in [*range(k1, T, k1), T]:
            carried = d_last if end == T else zeros
            begin = max(0, end - k2)
            for t in reversed(range(begin, end)):
                if t >= done:  # the walks before this one have not seen this step
                    carried = [carried[0] + direct[t], *carried[1:]]
                d_gates, earlier = self.step_back(trace, t, carried)
                if trace.mask is not None:
                    d_gates = np.where(trace.mask[t], d_gates, 0)
                    pairs = zip(earlier, carried, strict=True)
                    earlier = [np.where(trace.mask[t], new, old) for new, old in pairs]
                delta[t] += d_gates
                carried = earlier
            if begin == 0:
                d_first = [d + c for d, c in zip(d_first, carried, strict=True)]
            done = end
        X, flat = trace.X.reshape(T * N, -1), delta.reshape(T * N, -1)
        gradients = [X.T @ flat, self.state_weight_gradient(trace, delta), flat.sum(axis=0)]
        return gradients, (flat @ Wx.T).reshape(trace.X.shape), d_first

    def checked(self, name: str, arrays: Sequence[npt.ArrayLike], examples: int) -> list[Array]:
        """Return one array for each state, or raise ValueError."""
        if len(arrays) != self.state_count:
            raise ValueError(f"{name}: expected {self.state_count} arrays, got {len(arrays)}")
        Wh = self.parameters[1]
        states = [float_array(name, array, (examples, len(Wh))) for array in arrays]
        for array in states:
            same_dtype(name, array, Wh.dtype)
        return states

    def step(self, gates: Array, previous: list[Array]) -> list[Array]:
        """Return the states after a step, given the input's share of the gates and the states.

        Leaves the outputs of the gates' activations in `gates`.
        """
        raise NotImplementedError

    def step_back(self, trace: Trace, t: int, d: list[Array]) -> tuple[Array, list[Array]]:
        """Return the slopes in step t's total inputs and in the states before, from those after."""
        raise NotImplementedError

    def state_weight_gradient(self, trace: Trace, delta: Array) -> Array:
        """Return the gradient of Wh: what came in times what comes back (eq: rnn-gradients)."""
        h = trace.states[0][:-1]
        return h.reshape(-1, h.shape[2]).T @ delta.reshape(-1, delta.shape[2])


class SimpleRNN(Recurrent):
    """``h = tanh(x Wx + h Wh + b)`` (eq: rnn-step)."""

    gate_count = 1

    def step(self, gates: Array, previous: list[Array]) -> list[Array]:
        """Return ``[h]``."""
        gates += previous[0] @ self.parameters[1]
        np.tanh(gates, out=gates)
        return [gates]

    def step_back(self, trace: Trace, t: int, d: list[Array]) -> tuple[Array, list[Array]]:
        """Through the tanh, then across Wh (eq: rnn-delta)."""
        delta = d[0] * (1 - trace.gates[t] ** 2)
        return delta, [delta @ self.parameters[1].T]


class LSTM(Recurrent):
    """Gates i, f, o and a candidate g; ``c = f c + i g``, ``h = o tanh(c)`` (eq: lstm-step).

    The gates stand in the order i, f, g, o.
    """

    gate_count = 4
    state_count = 2

    @classmethod
    def starting_bias(cls, units: int) -> Array:
        """Return zeros, but ones for the forget gate: it starts open."""
        return np.repeat([0.0, 1.0, 0.0, 0.0], units)

    def step(self, gates: Array, previous: list[Array]) -> list[Array]:
        """Return ``[h, c]``."""
        gates += previous[0] @ self.parameters[1]
        # One tanh serves all four, since sigmoid(z) = tanh(z / 2) / 2 + 1 / 2.
        scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], gates.dtype), gates.shape[1] // 4)
        gates *= scale
        np.tanh(gates, out=gates)
        gates *= scale
        gates += 1 - scale
        i, f, g, o = np.split(gates, 4, axis=1)
        c = f * previous[1] + i * g
        return [o * np.tanh(c), c]

    def step_back(self, trace: Trace, t: int, d: list[Array]) -> tuple[Array, list[Array]]:
        """Through output and cell (eq: lstm-cell-error), then the gates (eq: lstm-delta)."""
        i, f, g, o = np.split(trace.gates[t], 4, axis=1)
        c_before, tanh_c = trace.states[1][t], np.tanh(trace.states[1][t + 1])
        d_h = d[0]
        d_c = d[1] + d_h * o * (1 - tanh_c**2)
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
    h before the product with Wh.
    """

    gate_count = 3

    def step(self, gates: Array, previous: list[Array]) -> list[Array]:
        """Return ``[h]``."""
        h, Wh = previous[0], self.parameters[1]
        units = len(Wh)
        z, r, g = np.split(gates, 3, axis=1)
        gates[:, : 2 * units] = sigmoid(gates[:, : 2 * units] + h @ Wh[:, : 2 * units])
        g += (r * h) @ Wh[:, 2 * units :]
        np.tanh(g, out=g)
        return [z * h + (1 - z) * g]

    def step_back(self, trace: Trace, t: int, d: list[Array]) -> tuple[Array, list[Array]]:
        """Through the mixture, the candidate, and the two gates (eq: gru-delta)."""
        h, Wh = trace.states[0][t], self.parameters[1]
        units = len(Wh)
        z, r, g = np.split(trace.gates[t], 3, axis=1)
        delta_g = d[0] * (1 - z) * (1 - g**2)
        d_reset = delta_g @ Wh[:, 2 * units :].T  # slope in r h
        delta = np.concatenate(
            [d[0] * (h - g) * z * (1 - z), d_reset * h * r * (1 - r), delta_g], axis=1
        )
        d_h = d[0] * z + d_reset * r + delta[:, : 2 * units] @ Wh[:, : 2 * units].T
        return delta, [d_h]

    def state_weight_gradient(self, trace: Trace, delta: Array) -> Array:
        """Return the gradient of Wh; what the candidate received is r h."""
        h, units = trace.states[0][:-1], len(self.parameters[1])
        reset = trace.gates[..., units : 2 * units] * h
        flat = delta.reshape(-1, 3 * units)
        return np.concatenate(
            [
                h.reshape(-1, units).T @ flat[:, : 2 * units],
                reset.reshape(-1, units).T @ flat[:, 2 * units :],
            ],
            axis=1,
        )
