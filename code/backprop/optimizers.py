"""Optimizers: what to do with a gradient.

All have one shape. The fields of a class are its hyper-parameters, spelled as in Keras; `slots`
names the arrays that it keeps for every parameter; `update` is the formula, for one parameter and
in place. The state is in plain sight: `iterations` counts the updates, `state` holds the slots. A
new optimizer is these three things and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from backprop.schedules import Schedule
from backprop.validation import Array


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

    Raises
    ------
    ValueError
        If a hyper-parameter is out of range.
    """

    learning_rate: float | Schedule
    iterations: int = field(default=0, init=False)
    state: list[dict[str, Array]] = field(default_factory=list, init=False, repr=False)
    slots: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Refuse hyper-parameters that would make an update grow for ever, or divide by zero."""
        for f in fields(self):
            value = getattr(self, f.name)
            if not f.init or (f.name == "learning_rate" and callable(value)):
                continue
            least = "0 <" if f.name == "epsilon" else "0 <="
            below = 1 if f.name in ("momentum", "rho", "beta_1", "beta_2") else math.inf
            fits = isinstance(value, Real) and 0 <= float(value) < below
            if not fits or (f.name == "epsilon" and value == 0):
                raise ValueError(f"{f.name}: expected {least} {f.name} < {below}, got {value!r}")

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Change all parameters in place, once.

        Parameters
        ----------
        parameters : sequence of ndarray of float32 or float64
            The same ones at every step.
        gradients : sequence of ndarray
            One for each parameter, of its shape and dtype, in arrays of their own. They are not
            searched for NaN.

        Raises
        ------
        ValueError
            If parameters, gradients and the state of earlier steps do not fit together. Nothing
            has been changed then.
        """
        gradients = [np.asarray(g) for g in gradients]
        if len(parameters) == 0:
            raise ValueError("parameters: expected at least one, got none")
        state = self.state or [{s: self.start(s, p) for s in self.slots} for p in parameters]
        if not len(parameters) == len(gradients) == len(state):
            raise ValueError(
                f"gradients: expected one for each of {len(state)} parameters,"
                f" got {len(gradients)} for {len(parameters)}"
            )
        for i, (p, g, slots) in enumerate(zip(parameters, gradients, state, strict=True)):
            if not isinstance(p, np.ndarray):  # a number, for example, does not change in place
                raise ValueError(f"parameter {i}: expected an array, got {type(p).__name__}")
            if p.dtype not in (np.float32, np.float64):
                raise ValueError(f"parameter {i}: expected float32 or float64, got {p.dtype}")
            if not p.flags.writeable:
                raise ValueError(f"parameter {i}: expected an array to change, got a read-only one")
            for name, array in {"the gradient": g, **slots}.items():
                if array.shape != p.shape or array.dtype != p.dtype:
                    raise ValueError(
                        f"parameter {i} is {p.dtype} {p.shape}: expected {name} to be alike,"
                        f" got {array.dtype} {array.shape}"
                    )
        rate = self.learning_rate
        rate = float(rate(self.iterations) if callable(rate) else rate)
        if not 0 <= rate < math.inf:
            raise ValueError(f"learning_rate: expected the schedule to return a rate, got {rate}")
        self.state, self.iterations = state, self.iterations + 1
        for p, g, slots in zip(parameters, gradients, state, strict=True):
            self.update(p, g, rate, **slots)

    def start(self, slot: str, p: Array) -> Array:
        """Return what a slot of the parameter p holds before the first update."""
        return np.zeros_like(p)

    def update(self, *args: Any, **slots: Any) -> None:
        """Change a parameter and its slots in place, given its gradient and the learning rate.

        Takes p, g, rate, and each slot by its name. `iterations` has counted this update already.
        """
        raise NotImplementedError


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent (eq: sgd)."""

    learning_rate: float | Schedule = 0.01

    def update(self, p: Array, g: Array, rate: float) -> None:
        """Go downhill."""
        p -= rate * g


@dataclass
class Momentum(Optimizer):
    """Keep a part of the last update (eq: momentum); Polyak's heavy ball."""

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.9
    slots = ("velocity",)

    def update(self, p: Array, g: Array, rate: float, velocity: Array) -> None:
        """Change the velocity, then move by it."""
        velocity *= self.momentum
        velocity -= rate * g
        p += velocity


@dataclass
class Nesterov(Momentum):
    """Momentum whose gradient is taken where the velocity leads (eq: nesterov).

    The parameters are those places: gradients are taken where the parameters are, as in Keras.
    """

    def update(self, p: Array, g: Array, rate: float, velocity: Array) -> None:
        """Change the velocity, then move by the next step's share of it and this gradient."""
        velocity *= self.momentum
        velocity -= rate * g
        p += self.momentum * velocity - rate * g


@dataclass
class Adagrad(Optimizer):
    """Divide by the root of the sum of all squared gradients (eq: adagrad)."""

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    slots = ("accumulator",)

    def start(self, slot: str, p: Array) -> Array:
        """Return the accumulator, which does not start from zero."""
        return np.full_like(p, self.initial_accumulator_value)

    def update(self, p: Array, g: Array, rate: float, accumulator: Array) -> None:
        """Step by g over the root of the sum."""
        accumulator += g * g
        p -= rate * g / np.sqrt(accumulator + self.epsilon)


@dataclass
class RMSProp(Optimizer):
    """Divide by the root of a decaying mean of squared gradients (eq: rmsprop)."""

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    epsilon: float = 1e-7
    slots = ("mean_square",)

    def update(self, p: Array, g: Array, rate: float, mean_square: Array) -> None:
        """Step by g over the root of the mean square."""
        mean_square *= self.rho
        mean_square += (1 - self.rho) * (g * g)
        p -= rate * g / np.sqrt(mean_square + self.epsilon)


@dataclass
class Adadelta(Optimizer):
    """RMSProp in which earlier steps take the learning rate's place (eq: adadelta).

    The paper has no learning rate, which is 1 here; Keras's default of 0.001 is kept.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7
    slots = ("mean_square", "mean_square_step")

    def update(
        self, p: Array, g: Array, rate: float, mean_square: Array, mean_square_step: Array
    ) -> None:
        """Step by g times the ratio of two roots of mean squares, of steps and of gradients."""
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

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    slots = ("mean", "mean_square")

    def update(self, p: Array, g: Array, rate: float, mean: Array, mean_square: Array) -> None:
        """Step by the mean over the root of the mean square."""
        mean += (1 - self.beta_1) * (g - mean)
        mean_square += (1 - self.beta_2) * (g * g - mean_square)
        t = self.iterations
        rate *= math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        p -= rate * mean / (np.sqrt(mean_square) + self.epsilon)


@dataclass
class AdamW(Adam):
    """Adam that also shrinks every parameter a little, apart from the gradient (eq: adamw)."""

    weight_decay: float = 0.004

    def update(self, p: Array, g: Array, rate: float, mean: Array, mean_square: Array) -> None:
        """Shrink, then do as Adam does."""
        p -= rate * self.weight_decay * p
        super().update(p, g, rate, mean, mean_square)


def clip_by_global_norm(
    gradients: Sequence[npt.ArrayLike], limit: float
) -> tuple[list[Array], float]:
    """Shrink all gradients by one factor, so that together they are no longer than `limit`.

    The direction stays what it was (eq: clip).

    Parameters
    ----------
    gradients : sequence of array_like
    limit : float
        The greatest length allowed.

    Returns
    -------
    clipped : list of ndarray
    norm : float
        The length before clipping.

    Raises
    ------
    ValueError
        If `limit` is not a positive number, or the length is not finite.
    """
    if not 0 < limit < math.inf:
        raise ValueError(f"limit: expected a positive number, got {limit}")
    arrays = [np.asarray(g) for g in gradients]
    norm = math.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in arrays))
    if not math.isfinite(norm):
        raise ValueError(f"gradients: expected a finite length, got {norm}")
    factor = min(1.0, float(limit) / norm) if norm > 0 else 1.0
    return [g * factor for g in arrays], norm
