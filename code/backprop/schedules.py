"""Learning-rate schedules: functions of the number of updates made so far.

Each function here returns such a schedule, which an optimizer takes as its `learning_rate`. Names
of arguments and formulas are those of Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from backprop.validation import whole_number

Schedule = Callable[[int], float]


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """Return ``values[0]`` up to and including update ``boundaries[0]``, and so on.

    Parameters
    ----------
    boundaries : sequence of int
        Increasing.
    values : sequence of float
        One more than there are boundaries.
    """
    if len(values) != len(boundaries) + 1:
        raise ValueError(f"values: expected {len(boundaries) + 1}, got {len(values)}")
    if list(boundaries) != sorted(set(boundaries)):
        raise ValueError(f"boundaries: expected increasing numbers, got {boundaries}")
    return lambda t: values[sum(t > boundary for boundary in boundaries)]


def exponential_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float
) -> Schedule:
    """Return a schedule that multiplies by `decay_rate` every `decay_steps` updates, smoothly.

    (eq: exponential-decay)
    """
    _checked(initial_learning_rate, decay_steps, decay_rate)
    return lambda t: initial_learning_rate * decay_rate ** (t / decay_steps)


def inverse_time_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float
) -> Schedule:
    """Return a schedule that falls like one over the number of updates (eq: inverse-time-decay)."""
    _checked(initial_learning_rate, decay_steps, decay_rate)
    return lambda t: initial_learning_rate / (1 + decay_rate * t / decay_steps)


def cosine_decay(initial_learning_rate: float, decay_steps: int, warmup_steps: int = 0) -> Schedule:
    """Return half a cosine from the initial rate to zero (eq: cosine-decay).

    Parameters
    ----------
    initial_learning_rate : float
        The highest rate.
    decay_steps : int
        The number of updates from there to zero, where the rate stays.
    warmup_steps : int
        Before that, the rate rises from zero on a straight line for so many updates.
    """
    _checked(initial_learning_rate, decay_steps)
    whole_number("warmup_steps", warmup_steps, least=0)

    def schedule(t: int) -> float:
        if t < warmup_steps:
            return initial_learning_rate * t / warmup_steps
        done = min((t - warmup_steps) / decay_steps, 1)
        return initial_learning_rate * (1 + math.cos(math.pi * done)) / 2

    return schedule


def _checked(initial_learning_rate: float, decay_steps: int, decay_rate: float = 0) -> None:
    whole_number("decay_steps", decay_steps, least=1)
    numbers = {"initial_learning_rate": initial_learning_rate, "decay_rate": decay_rate}
    for name, value in numbers.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}: expected a number of at least 0, got {value}")
