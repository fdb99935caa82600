"""Optimizers: what to do with a gradient.

All have one shape. The fields of a class are its hyper-parameters, spelled as in Keras; `slots`
names the arrays that it keeps for every parameter; `update` is the formula, for one parameter and
in place. The state is in plain sight: `iterations` counts the updates, `state` holds the slots. A
new optimizer is these three things and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from backprop.contracts import FLOATS, FREE, Array, as_number, check_fields, checked
from backprop.schedules import Rate, Schedule

Share = Annotated[float, "[0, 1)"]
Positive = Annotated[float, "(0, inf)"]
AnyArray = Annotated[Array, "...", FREE]


@dataclass
class Optimizer:
    """What all optimizers share: the learning rate, the slots, and the step.

    Parameters
    ----------
    learning_rate : float or callable
        A number, or a schedule (see `backprop.schedules`): a function that is given the number of
        updates made so far and returns a number.

    Attributes
    ----------
    iterations : int
        The number of updates made so far.
    state : list of dict of ndarray
        The slots of each parameter, by name; empty before the first update.
    """

    learning_rate: Rate | Schedule
    iterations: int = field(default=0, init=False)
    state: list[dict[str, Array]] = field(default_factory=list, init=False, repr=False)
    slots: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Hold the hyper-parameters to their ranges."""
        check_fields(self)

    def step(self, parameters: Sequence[Array], gradients: Sequence[npt.ArrayLike]) -> None:
        """Change all parameters in place, once.

        Parameters
        ----------
        parameters : sequence of ndarray of float32 or float64
            The same ones at every step.
        gradients : sequence of array_like
            One for each parameter, of its shape and dtype. They are not searched for NaN.

        Raises
        ------
        ValueError
            If parameters, gradients and the state of earlier steps do not fit together, if a
            parameter shares its memory with another one or with a gradient, or if the schedule
            returns no rate. Nothing has been changed then.
        """
        state = self.state or [{s: self.start(s, p) for s in self.slots} for p in parameters]
        arrays = _fitting(parameters, gradients, state, first=not self.iterations)
        rate = self.learning_rate
        rate = rate(self.iterations) if callable(rate) else rate
        rate = as_number(f"learning_rate({self.iterations})", np.asarray(rate).item(), "[0, inf)")
        self.state, self.iterations = state, self.iterations + 1
        for p, g, slots in zip(parameters, arrays, state, strict=True):
            self.update(p, g, rate, **slots)

    def start(self, slot: str, p: Array) -> Array:
        """Return what a slot of the parameter p holds before the first update."""
        return np.zeros_like(p)

    def update(self, *args: Any, **slots: Any) -> None:
        """Change a parameter and its slots in place, given its gradient and the learning rate.

        Takes p, g, rate, and each slot by its name. `iterations` has counted this update already.
        """
        raise NotImplementedError


def _fitting(
    parameters: Sequence[Array],
    gradients: Sequence[npt.ArrayLike],
    state: Sequence[Mapping[str, Array]],
    first: bool,
) -> list[Array]:
    """Return the gradients as arrays, if NumPy would neither broadcast nor convert one.

    On the first step, also refuse what a step would change twice, or together with a gradient.
    """
    n, got = len(state), (len(parameters), len(gradients))
    if not n or got != (n, n):
        raise ValueError(f"parameters, gradients: expected {n or 'at least 1'} of each, got {got}")
    if any(isinstance(a, np.ma.MaskedArray) for a in [*parameters, *gradients]):
        raise ValueError("expected arrays without a mask: fill or drop what it hides")
    arrays = [np.asarray(g) for g in gradients]
    for i, (p, g, slots) in enumerate(zip(parameters, arrays, state, strict=True)):
        if not (isinstance(p, np.ndarray) and p.dtype in FLOATS and p.flags.writeable):
            raise ValueError(f"parameter {i}: expected writable float32 or float64, got {_kind(p)}")
        for name, a in {"gradient": g, **slots}.items():
            if (a.shape, a.dtype) != (p.shape, p.dtype):
                raise ValueError(f"{name} {i}: expected the parameter's {_kind(p)}, got {_kind(a)}")
        if first and any(np.shares_memory(p, a) for a in [*parameters[:i], *arrays]):
            raise ValueError(f"parameter {i}: expected memory that no other array shares; copy one")
    return arrays


def _kind(value: Any) -> str:
    """Return what an array is, for a message."""
    if not isinstance(value, np.ndarray):
        return f"a {type(value).__name__}"
    return f"{value.dtype} {value.shape}{'' if value.flags.writeable else ', read-only'}"


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent (eq: sgd)."""

    learning_rate: Rate | Schedule = 0.01

    def update(self, p: Array, g: Array, rate: float) -> None:
        """Change p by ``-rate · g``."""
        p -= rate * g


@dataclass
class Momentum(Optimizer):
    """Keep a part of the last update (eq: momentum); Polyak's heavy ball."""

    learning_rate: Rate | Schedule = 0.01
    momentum: Share = 0.9
    slots = ("velocity",)

    def update(self, p: Array, g: Array, rate: float, velocity: Array) -> None:
        """Change p by the velocity ``v ← momentum · v - rate · g``."""
        velocity *= self.momentum
        velocity -= rate * g
        p += velocity


@dataclass
class Nesterov(Momentum):
    """Momentum whose gradient is taken where the velocity leads (eq: nesterov).

    The parameters are those places: gradients are taken where the parameters are, as in Keras.
    """

    def update(self, p: Array, g: Array, rate: float, velocity: Array) -> None:
        """Change p by ``momentum · v - rate · g`` with the velocity of `Momentum`."""
        velocity *= self.momentum
        velocity -= rate * g
        p += self.momentum * velocity - rate * g


@dataclass
class Adagrad(Optimizer):
    """Divide by the root of the sum of all squared gradients (eq: adagrad)."""

    learning_rate: Rate | Schedule = 0.001
    initial_accumulator_value: Annotated[float, "[0, inf)"] = 0.1
    epsilon: Positive = 1e-7
    slots = ("accumulator",)

    def start(self, slot: str, p: Array) -> Array:
        """Return the accumulator, which does not start from zero."""
        return np.full_like(p, self.initial_accumulator_value)

    def update(self, p: Array, g: Array, rate: float, accumulator: Array) -> None:
        """Change p by ``-rate · g / √(a + epsilon)`` with the sum ``a ← a + g²``."""
        accumulator += g * g
        p -= rate * g / np.sqrt(accumulator + self.epsilon)


@dataclass
class RMSProp(Optimizer):
    """Divide by the root of a running mean of squared gradients (eq: rmsprop)."""

    learning_rate: Rate | Schedule = 0.001
    rho: Share = 0.9
    epsilon: Positive = 1e-7
    slots = ("mean_square",)

    def update(self, p: Array, g: Array, rate: float, mean_square: Array) -> None:
        """Change p by ``-rate · g / √(s + epsilon)`` with the mean ``s ← rho s + (1 - rho) g²``."""
        mean_square *= self.rho
        mean_square += (1 - self.rho) * (g * g)
        p -= rate * g / np.sqrt(mean_square + self.epsilon)


@dataclass
class Adadelta(Optimizer):
    """RMSProp in which earlier steps take the learning rate's place (eq: adadelta).

    The paper has no learning rate, which is 1 here; Keras's default of 0.001 is kept.
    """

    learning_rate: Rate | Schedule = 0.001
    rho: Share = 0.95
    epsilon: Positive = 1e-7
    slots = ("mean_square", "mean_square_step")

    def update(
        self, p: Array, g: Array, rate: float, mean_square: Array, mean_square_step: Array
    ) -> None:
        """Change p by ``-rate · √(d + epsilon) / √(s + epsilon) · g``.

        s is the running mean of squared gradients, d that of the squares of earlier steps, without
        the rate.
        """
        mean_square *= self.rho
        mean_square += (1 - self.rho) * (g * g)
        step = np.sqrt(mean_square_step + self.epsilon) * g / np.sqrt(mean_square + self.epsilon)
        mean_square_step *= self.rho
        mean_square_step += (1 - self.rho) * (step * step)
        p -= rate * step


@dataclass
class Adam(Optimizer):
    """Divide a mean gradient by a root mean square, both freed of their bias (eq: adam).

    As in Keras, epsilon is added to the root of the mean square before its bias is corrected.
    """

    learning_rate: Rate | Schedule = 0.001
    beta_1: Share = 0.9
    beta_2: Share = 0.999
    epsilon: Positive = 1e-7
    slots = ("mean", "mean_square")

    def update(self, p: Array, g: Array, rate: float, mean: Array, mean_square: Array) -> None:
        """Change p by ``-rate · √(1 - beta_2^t) / (1 - beta_1^t) · m / (√s + epsilon)``.

        m and s are the running means of the gradients and of their squares, t counts the updates.
        """
        mean += (1 - self.beta_1) * (g - mean)
        mean_square += (1 - self.beta_2) * (g * g - mean_square)
        t = self.iterations
        rate *= math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        p -= rate * mean / (np.sqrt(mean_square) + self.epsilon)


@dataclass
class AdamW(Adam):
    """Adam that also shrinks every parameter a little, apart from the gradient (eq: adamw)."""

    weight_decay: Annotated[float, "[0, inf)"] = 0.004

    def update(self, p: Array, g: Array, rate: float, mean: Array, mean_square: Array) -> None:
        """Change p by ``-rate · weight_decay · p``, then as Adam does."""
        p -= rate * self.weight_decay * p
        super().update(p, g, rate, mean, mean_square)


@checked
def global_norm(arrays: Sequence[AnyArray]) -> float:
    """Return the length of all arrays together, ``√Σ g²``, in float64; 0 of none."""
    return math.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in arrays))


@checked
def clip_by_global_norm(
    gradients: Sequence[AnyArray], limit: Positive
) -> tuple[list[Array], float]:
    """Shrink all gradients by one factor, so that together they are no longer than `limit`.

    The direction stays what it was (eq: clip).

    Returns
    -------
    clipped : list of ndarray
        New arrays.
    norm : float
        The length before clipping.

    Raises
    ------
    ValueError
        Also if the length is too large for a number.
    """
    norm = as_number("the length of gradients", global_norm(gradients), "[0, inf)")
    return [g * (limit / max(norm, limit)) for g in gradients], norm
