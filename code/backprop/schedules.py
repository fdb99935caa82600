"""Learning-rate schedules: functions of the number of updates made so far.

An optimizer takes one as its `learning_rate`. Names, arguments and formulas are those of Keras;
its ``alpha`` and ``staircase`` are left out. A schedule is a frozen dataclass: it prints its
numbers, equals another one with the same numbers, and can be pickled.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

from backprop.contracts import Count, check_fields

Schedule = Callable[[int], float]
Rate = Annotated[float, "[0, inf)"]
Updates = Annotated[int, "[0, inf)"]


class LearningRateSchedule(ABC):
    """What all schedules share: their fields are checked."""

    def __post_init__(self) -> None:
        """Hold the fields to their annotations."""
        check_fields(self)

    @abstractmethod
    def __call__(self, t: int) -> float:
        """Return the learning rate of the update that comes after `t` others."""


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including update ``boundaries[0]``, then ``values[1]``, and so on.

    Parameters
    ----------
    boundaries : sequence of int
        Increasing.
    values : sequence of float
        One more than there are boundaries.
    """

    boundaries: Sequence[Updates]
    values: Sequence[Rate]

    def __post_init__(self) -> None:
        """Hold the fields to their annotations and to each other."""
        check_fields(self)
        ends = self.boundaries
        if len(ends) != len(self.values) - 1 or any(a >= b for a, b in pairwise(ends)):
            raise ValueError(f"boundaries: expected one fewer than values, increasing, got {ends}")
        for name in ("boundaries", "values"):  # tuples, so that nobody changes them
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def __call__(self, t: int) -> float:
        """Return the value between the boundaries around `t`."""
        return self.values[bisect_left(self.boundaries, t)]


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """Multiply by `decay_rate` in every `decay_steps` updates, smoothly (eq: exponential-decay)."""

    initial_learning_rate: Rate
    decay_steps: Count
    decay_rate: Rate

    def __call__(self, t: int) -> float:
        """Return ``initial_learning_rate · decay_rate^(t / decay_steps)``."""
        return float(self.initial_learning_rate * self.decay_rate ** (t / self.decay_steps))


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """Fall like one over the number of updates (eq: inverse-time-decay)."""

    initial_learning_rate: Rate
    decay_steps: Count
    decay_rate: Rate

    def __call__(self, t: int) -> float:
        """Return ``initial_learning_rate / (1 + decay_rate · t / decay_steps)``."""
        return self.initial_learning_rate / (1 + self.decay_rate * t / self.decay_steps)


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """Half a cosine down to zero (eq: cosine-decay), after a warm-up if there is a target for it.

    Parameters
    ----------
    initial_learning_rate : float
        The first rate.
    decay_steps : int
        How many updates the cosine takes. Then the rate stays zero.
    warmup_target : float, optional
        Where the cosine begins after a warm-up; without one, at the initial rate.
    warmup_steps : int
        How many updates the warm-up takes, on a straight line from the initial rate to the target.
    """

    initial_learning_rate: Rate
    decay_steps: Count
    warmup_target: Rate | None = field(default=None, kw_only=True)
    warmup_steps: Updates = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        """Hold the fields to their annotations and to each other."""
        check_fields(self)
        if self.warmup_target is None and self.warmup_steps:
            raise ValueError("warmup_target: expected the rate that a warm-up leads to, got None")

    def __call__(self, t: int) -> float:
        """Return the rate on the line before `warmup_steps`, on the cosine after."""
        first, target = self.initial_learning_rate, self.warmup_target
        highest = first if target is None else target
        if t < self.warmup_steps:
            return first + (highest - first) * t / self.warmup_steps
        done = min((t - self.warmup_steps) / self.decay_steps, 1)
        return highest * (1 + math.cos(math.pi * done)) / 2
