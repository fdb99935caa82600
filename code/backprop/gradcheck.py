"""Checks of a gradient: central differences, and the three-way comparison of every chapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from backprop.validation import Array

# Balances the two errors of a central difference: truncation grows like h², rounding like 1/h.
RELATIVE_STEP = float(np.finfo(np.float64).eps ** (1 / 3))


def numerical_gradients(f: Callable[..., float], *arrays: npt.ArrayLike) -> list[Array]:
    """Return central differences of ``f(*arrays)``, one array for each argument.

    Every entry costs two calls of `f` (eq: central-difference).

    Parameters
    ----------
    f : callable
        Takes the arrays, returns a number.
    *arrays : array_like of float64, any shape
        Where to differentiate. They are copied and left as they are.

    Raises
    ------
    ValueError
        If an array is not float64 (a difference of float32 numbers has three good digits), or if
        a number, in the arrays or from `f`, is not finite.
    """
    points = [np.array(a) for a in arrays]
    for place, x in enumerate(points):
        if x.dtype != np.float64:
            raise ValueError(f"argument {place} of f: expected float64, got {x.dtype}")
        if not np.isfinite(x).all():
            raise ValueError(f"argument {place} of f: expected finite numbers, got {x}")
    gradients = [np.zeros_like(x) for x in points]
    for x, gradient in zip(points, gradients, strict=True):
        for i in np.ndindex(x.shape):
            middle = float(x[i])
            step = RELATIVE_STEP * max(1.0, abs(middle))
            x[i] = upper = middle + step
            f_upper = f(*points)
            x[i] = lower = middle - step
            f_lower = f(*points)
            x[i] = middle
            gradient[i] = (f_upper - f_lower) / (upper - lower)
            if not np.isfinite(gradient[i]):
                raise ValueError(f"f: expected finite numbers, got {f_lower} and {f_upper}")
    return gradients


def relative_error(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return ``‖a - b‖ / max(‖a‖, ‖b‖)``, 0 if both are zero (eq: relative-error).

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"b: expected shape {x.shape} like a, got {y.shape}")
    largest = max(np.abs(x).max(initial=0), np.abs(y).max(initial=0))
    if largest == 0:
        return 0.0
    x, y = x / largest, y / largest  # else the squares of small numbers would vanish
    return float(np.linalg.norm(x - y) / max(np.linalg.norm(x), np.linalg.norm(y)))


def agreement(
    names: Sequence[str],
    hand: Sequence[npt.ArrayLike],
    tape: Sequence[npt.ArrayLike],
    numerical: Sequence[npt.ArrayLike],
    tape_tolerance: float = 1e-12,
    numerical_tolerance: float = 1e-7,
) -> str:
    """Compare gradients got in three ways, and return the comparison as a table.

    The table shows each gradient's norm, then the largest absolute difference hand - tape and the
    relative error hand - differences, as a bound (the last digits differ between processors).

    Parameters
    ----------
    names : sequence of str
    hand, tape, numerical : sequences of ndarray
        The gradients, one for each name: by hand, by `tf.GradientTape`, by central differences.

    Raises
    ------
    ValueError
        If there are not as many gradients as names, or shapes differ.
    AssertionError
        If a tolerance is exceeded; names the gradient, its worst entry and the values there.
    """
    if not len(names) == len(hand) == len(tape) == len(numerical) > 0:
        counts = len(hand), len(tape), len(numerical)
        raise ValueError(f"names: expected one for each gradient, got {len(names)} for {counts}")
    width = max(map(len, ["gradient", *names]))
    lines = [f"{'gradient':<{width}}  shape               norm  hand-tape  hand-diff"]
    for name, by_hand, by_tape, by_difference in zip(names, hand, tape, numerical, strict=True):
        h, t, d = (np.asarray(g) for g in (by_hand, by_tape, by_difference))
        if not h.shape == t.shape == d.shape:
            raise ValueError(f"{name}: shapes differ: {h.shape}, {t.shape}, {d.shape}")
        # Comparisons are written so that a NaN fails them.
        if not np.abs(h - t).max() <= tape_tolerance:
            raise AssertionError(_disagreement(name, "the tape", h, t))
        if not relative_error(h, d) <= numerical_tolerance:
            raise AssertionError(_disagreement(name, "central differences", h, d))
        lines.append(
            f"{name:<{width}}  {h.shape!s:<9}  {np.linalg.norm(h):>13.8f}"
            f"  {f'< {tape_tolerance:.0e}':>9}  {f'< {numerical_tolerance:.0e}':>9}"
        )
    return "\n".join(lines)


def _disagreement(name: str, other: str, hand: Array, reference: Array) -> str:
    gap = np.abs(hand - reference)
    worst = np.unravel_index(np.argmax(np.where(np.isnan(gap), np.inf, gap)), gap.shape)
    place = tuple(int(i) for i in worst)
    return (
        f"{name}: the hand-written gradient disagrees with {other}, worst at {place}:"
        f" {hand[worst]:.9g} by hand, {reference[worst]:.9g} by {other}"
    )
