"""Checks of a gradient: finite differences, and comparisons that say where a mistake sits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from backprop.validation import Array, generator, whole_number

# Balances the two errors of a central difference: truncation grows like h², rounding like 1/h.
RELATIVE_STEP = float(np.finfo(np.float64).eps ** (1 / 3))
# Nothing is subtracted, so it may be tiny, and its square, the truncation error, vanishes.
COMPLEX_STEP = 1e-100


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
    points = _float64_copies(arrays)
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


def complex_step_gradients(f: Callable[..., complex], *arrays: npt.ArrayLike) -> list[Array]:
    """Return ``Im f(x + ih) / h`` for every entry, with a tiny h (eq: complex-step).

    Nothing is subtracted, so nothing cancels, and the result is exact to rounding. It works for
    functions that NumPy can compute with complex numbers and that are differentiable as such: no
    ``abs``, no conjugate, no ``maximum`` of the numbers that are moved.

    Parameters
    ----------
    f : callable
        Takes complex arrays, returns a complex number.
    *arrays : array_like of float64, any shape
        Where to differentiate. They are copied and left as they are.

    Raises
    ------
    ValueError
        As in `numerical_gradients`, and if `f` returns a real number: then it has dropped the
        imaginary part, which holds the derivative.
    """
    points = [x.astype(complex) for x in _float64_copies(arrays)]
    gradients: list[Array] = [np.zeros(x.shape) for x in points]
    for x, gradient in zip(points, gradients, strict=True):
        for i in np.ndindex(x.shape):
            x[i] += 1j * COMPLEX_STEP
            value = f(*points)
            x[i] = x[i].real
            if not np.iscomplexobj(value):
                raise ValueError(f"f: expected a complex number, got the real number {value}")
            gradient[i] = np.imag(value) / COMPLEX_STEP
            if not np.isfinite(gradient[i]):
                raise ValueError(f"f: expected finite numbers, got {value}")
    return gradients


def directional_slopes(
    f: Callable[..., float],
    gradients: Sequence[npt.ArrayLike],
    arrays: Sequence[npt.ArrayLike],
    rng: np.random.Generator,
    directions: int = 10,
) -> tuple[Array, Array]:
    """Return slopes of ``f(*arrays)`` along random directions, twice (eq: directional-slope).

    The check for millions of parameters: two calls of `f` for each direction, not for each entry.
    A wrong entry of the gradient shows in every direction, since no component of a random
    direction is zero.

    Parameters
    ----------
    f : callable
        Takes the arrays, returns a number.
    gradients : sequence of array_like
        The gradients to check, one for each of `arrays`, of its shape.
    arrays : sequence of array_like of float64
    rng : numpy.random.Generator
        Draws directions, each of length 1 over all arrays together.
    directions : int
        How many.

    Returns
    -------
    by_gradient, by_difference : ndarray, shape (directions,)
        The product of gradient and direction; the central difference along the direction.

    Raises
    ------
    ValueError
        As in `numerical_gradients`, and if a gradient has not the shape of its array.
    """
    points = _float64_copies(arrays)
    slopes = [np.asarray(g) for g in gradients]
    if [g.shape for g in slopes] != [x.shape for x in points]:
        shapes = [g.shape for g in slopes], [x.shape for x in points]
        raise ValueError(f"gradients: expected the arrays' shapes {shapes[1]}, got {shapes[0]}")
    generator("rng", rng)
    by_gradient = np.zeros(whole_number("directions", directions, least=1))
    by_difference = np.zeros_like(by_gradient)
    # Relative to the point's length, as the step of a single entry is to its size.
    step = RELATIVE_STEP * max(1.0, _length(points))
    for k in range(directions):
        direction = [rng.normal(size=x.shape) for x in points]
        length = _length(direction)
        direction = [d / length for d in direction]
        by_gradient[k] = sum(np.sum(g * d) for g, d in zip(slopes, direction, strict=True))
        upper, lower = (
            f(*(x + sign * step * d for x, d in zip(points, direction, strict=True)))
            for sign in (1, -1)
        )
        by_difference[k] = (upper - lower) / (2 * step)
        if not np.isfinite(by_difference[k]):
            raise ValueError(f"f: expected finite numbers, got {lower} and {upper}")
    return by_gradient, by_difference


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
    _one_name_each(names, hand, tape, numerical)
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


def worst_entries(
    names: Sequence[str], hand: Sequence[npt.ArrayLike], reference: Sequence[npt.ArrayLike]
) -> str:
    """Compare gradients entry by entry, and return a table that tells where a mistake sits.

    For each gradient: its relative error and how many entries are off by more than 1e-6 of its
    largest entry; if there are any, the worst of them, with both values there.

    Parameters
    ----------
    names : sequence of str
    hand, reference : sequences of array_like
        The gradients to check, and what they are compared with, one for each name.

    Raises
    ------
    ValueError
        If there are not as many gradients as names, or shapes differ.
    """
    _one_name_each(names, hand, reference)
    width = max(map(len, ["gradient", *names]))
    lines = [
        f"{'gradient':<{width}}  rel. error       entries off        worst     by hand   reference"
    ]
    for name, h, r in zip(names, map(np.asarray, hand), map(np.asarray, reference), strict=True):
        if h.shape != r.shape:
            raise ValueError(f"{name}: shapes differ: {h.shape}, {r.shape}")
        error, worst = relative_error(h, r), _worst_entry(h, r)
        # Written so that a NaN counts as off, and infinity even if the largest entry is infinite.
        gap = np.abs(h - r)
        off = h.size - np.sum(np.isfinite(gap) & (gap <= 1e-6 * np.abs(r).max()))
        # What agrees differs by rounding only, which is another on every machine: not printed.
        shown = "< 1e-07" if error < 1e-7 else f"{error:.1e}"
        line = f"{name:<{width}}  {shown:>10}  {f'{off} of {h.size}':>16}"
        entry = f"  {worst!s:>11}  {h[worst]:10.6f}  {r[worst]:10.6f}" if off else ""
        lines.append(line + entry)
    return "\n".join(lines)


def _one_name_each(names: Sequence[str], *gradients: Sequence[npt.ArrayLike]) -> None:
    """Refuse gradients of which there are not as many as names, and none at all."""
    counts = tuple(map(len, gradients))
    if len(names) == 0 or any(count != len(names) for count in counts):
        raise ValueError(f"names: expected one for each gradient, got {len(names)} for {counts}")


def _worst_entry(hand: Array, reference: Array) -> tuple[int, ...]:
    gap = np.abs(hand - reference)
    worst = np.unravel_index(np.argmax(np.where(np.isnan(gap), np.inf, gap)), gap.shape)
    return tuple(int(i) for i in worst)


def _disagreement(name: str, other: str, hand: Array, reference: Array) -> str:
    worst = _worst_entry(hand, reference)
    return (
        f"{name}: the hand-written gradient disagrees with {other}, worst at {worst}:"
        f" {hand[worst]:.9g} by hand, {reference[worst]:.9g} by {other}"
    )


def _length(arrays: Sequence[Array]) -> float:
    return float(np.sqrt(sum(np.sum(x * x) for x in arrays)))


def _float64_copies(arrays: Sequence[npt.ArrayLike]) -> list[Array]:
    copies = [np.array(a) for a in arrays]
    for place, x in enumerate(copies):
        if x.dtype != np.float64:
            raise ValueError(f"argument {place} of f: expected float64, got {x.dtype}")
        if not np.isfinite(x).all():
            raise ValueError(f"argument {place} of f: expected finite numbers, got {x}")
    return copies
