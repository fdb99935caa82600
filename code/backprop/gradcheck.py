"""Checks of a gradient: finite differences, and comparisons that say where a mistake sits."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator, Sequence
from inspect import unwrap
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from backprop.contracts import FREE, Array, Count, as_array, checked
from backprop.optimizers import global_norm

# Balances the two errors of a central difference: truncation grows like h², rounding like 1/h.
RELATIVE_STEP = float(np.finfo(np.float64).eps ** (1 / 3))
# Nothing is subtracted, so it may be tiny, and its square, the truncation error, vanishes.
COMPLEX_STEP = 1e-100
# NumPy's letters of what a function may return.
_KINDS = {"real": "biuf", "complex": "c"}

AnyFloats = Annotated[Array, "...", FREE]
Tolerance = Annotated[float, "[0, inf)"]


def numerical_gradients(f: Callable[..., float], *arrays: npt.ArrayLike) -> list[Array]:
    """Return central differences of ``f(*arrays)``, one array for each argument.

    Every entry costs two calls of `f` (eq: central-difference).

    Parameters
    ----------
    f : callable
        Takes copies of the arrays, returns a number.
    *arrays : array_like of float64, any shape
        Where to differentiate. A difference of float32 numbers has three good digits.

    Raises
    ------
    ValueError
        If an array is not float64 or not finite, or `f` does not return one finite number.
    """
    points = float_copies(arrays, np.float64)
    gradients = [np.empty_like(x) for x in points]
    for x, gradient in zip(points, gradients, strict=True):
        for i in np.ndindex(x.shape):
            middle = float(x[i])
            step = RELATIVE_STEP * max(1.0, abs(middle))
            x[i] = upper = middle + step
            f_upper = _value(f, points)
            x[i] = lower = middle - step
            f_lower = _value(f, points)
            x[i] = middle
            gradient[i] = (f_upper - f_lower) / (upper - lower)
    return gradients


def complex_step_gradients(f: Callable[..., complex], *arrays: npt.ArrayLike) -> list[Array]:
    """Return ``Im f(x + ih) / h`` for every entry, with a tiny h (eq: complex-step).

    Nothing is subtracted, so nothing cancels, and the result is exact to rounding. It works for
    functions that NumPy can compute with complex numbers and that are differentiable as such: no
    ``abs``, no conjugate, no ``maximum`` of the numbers that are moved.

    Parameters
    ----------
    f : callable
        Takes complex copies of the arrays, returns a complex number. Where the package's functions
        refuse complex numbers, `inspect.unwrap` gives them without their gates.
    *arrays : array_like of float64, any shape
        Where to differentiate.

    Raises
    ------
    ValueError
        As in `numerical_gradients`; a real number, too, is refused: then `f` has dropped the
        imaginary part, which holds the derivative.
    """
    points = [x.astype(complex) for x in float_copies(arrays, np.float64)]
    gradients: list[Array] = [np.empty(x.shape) for x in points]
    for x, gradient in zip(points, gradients, strict=True):
        for i in np.ndindex(x.shape):
            x[i] += 1j * COMPLEX_STEP
            gradient[i] = _value(f, points, "complex").imag / COMPLEX_STEP
            x[i] = x[i].real
    return gradients


@checked
def directional_derivatives(
    f: Callable[..., float],
    gradients: Sequence[AnyFloats],
    arrays: Sequence[Annotated[npt.NDArray[np.float64], "..."]],
    rng: np.random.Generator,
    directions: Count = 10,
) -> tuple[Array, Array]:
    """Return derivatives of ``f(*arrays)`` along random directions, twice (eq: directional-slope).

    The check for millions of parameters: two calls of `f` for each direction, not for each entry.
    A wrong entry of the gradient shows in every direction, since no component of a random
    direction is zero.

    Parameters
    ----------
    f : callable
        Takes the arrays, returns a number.
    gradients : sequence of array_like
        The gradients to check, one for each of `arrays`, of its shape.
    arrays : sequence of array_like
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
        Also if a gradient has not the shape of its array, and as in `numerical_gradients`.
    """
    shapes, got = [x.shape for x in arrays], [g.shape for g in gradients]
    if got != shapes:
        raise ValueError(f"gradients: expected the arrays' shapes {shapes}, got {got}")
    by_gradient, by_difference = np.empty((2, directions))
    # Relative to the point's length, as the step of a single entry is to its size.
    step = RELATIVE_STEP * max(1.0, global_norm(arrays))
    for k in range(directions):
        direction = [rng.normal(size=shape) for shape in shapes]
        length = global_norm(direction)
        direction = [d / length for d in direction]
        by_gradient[k] = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
        upper, lower = (
            _value(f, [x + sign * step * d for x, d in zip(arrays, direction, strict=True)])
            for sign in (1, -1)
        )
        by_difference[k] = (upper - lower) / (2 * step)
    return by_gradient, by_difference


@checked
def relative_error(a: AnyFloats, b: AnyFloats) -> float:
    """Return ``‖a - b‖ / max(‖a‖, ‖b‖)``, 0 if both are zero (eq: relative-error).

    Raises
    ------
    ValueError
        Also if the shapes differ. A NaN is refused: ``error > limit`` would let it pass.
    """
    if a.shape != b.shape:
        raise ValueError(f"b: expected shape {a.shape} like a, got {b.shape}")
    # The squares of small numbers would vanish, were it not for math.hypot.
    difference = math.hypot(*np.subtract(a, b, dtype=np.float64).flat)
    return difference / max(math.hypot(*a.flat), math.hypot(*b.flat)) if difference else 0.0


@checked
def assert_gradients_agree(
    names: Sequence[str],
    hand: Sequence[npt.ArrayLike],
    tape: Sequence[npt.ArrayLike],
    numerical: Sequence[npt.ArrayLike],
    tape_tolerance: Tolerance = 1e-12,
    numerical_tolerance: Tolerance = 1e-7,
) -> str:
    """Compare gradients got in three ways, and return the comparison as a table.

    The table shows each gradient's norm, then the largest absolute difference hand - tape and the
    relative error hand - differences, rounded up to a power of ten: digits differ between
    processors.

    Parameters
    ----------
    names : sequence of str
    hand, tape, numerical : sequences of ndarray
        The gradients, one for each name: by hand, by `tf.GradientTape`, by central differences.
    tape_tolerance, numerical_tolerance : float
        What the absolute difference and the relative error may be at most.

    Raises
    ------
    ValueError
        If there are not as many gradients as names, or shapes differ.
    AssertionError
        If a tolerance is exceeded; names the gradient, its worst entry and the values there.
    """
    width = max(map(len, ["gradient", *names]))
    wide = max([9, *(len(str(np.shape(h))) for h in hand)])
    lines = [f"{'gradient':<{width}}  {'shape':<{wide}}  {'norm':>13}  hand-tape  hand-diff"]
    for name, h, (t, d) in _by_name(names, hand, tape, numerical):
        for other, compared, agree in (  # with NaN nothing does
            ("the tape", t, t.gap.max() <= tape_tolerance),
            ("central differences", d, d.error <= numerical_tolerance),
        ):
            if not agree:
                raise AssertionError(_disagreement(name, other, h, compared))
        lines.append(
            f"{name:<{width}}  {h.shape!s:<{wide}}  {np.linalg.norm(h):>13.8f}"
            f"  {_bound(t.gap.max()):>9}  {_bound(d.error):>9}"
        )
    return "\n".join(lines)


def _bound(gap: float) -> str:
    """Return the next power of ten, as text; nothing is nearer than rounding can tell."""
    return f"≤ {10.0 ** math.ceil(math.log10(max(gap, 1e-17))):.0e}"


@checked
def gradient_report(
    names: Sequence[str], hand: Sequence[npt.ArrayLike], reference: Sequence[npt.ArrayLike]
) -> str:
    """Compare gradients entry by entry, and return a table that tells where a mistake sits.

    For each gradient: its relative error and how many entries are off by more than 1e-6 of the
    reference's largest entry; if there are any, the worst of them, with both values there.

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
    width = max(map(len, ["gradient", *names]))
    lines = [
        f"{'gradient':<{width}}  rel. error       entries off        worst     by hand   reference"
    ]
    for name, h, (c,) in _by_name(names, hand, reference):
        off = np.sum(~(c.gap <= 1e-6 * np.abs(c.reference).max()))  # so that a NaN counts
        # What agrees differs by rounding only, which is another on every machine: not printed.
        shown = "< 1e-07" if c.error < 1e-7 else f"{c.error:.1e}"
        line = f"{name:<{width}}  {shown:>10}  {f'{off} of {h.size}':>16}"
        # The sum turns a negative zero, which is rounding, into a plain one.
        pair = (round(float(a[c.worst]), 6) + 0.0 for a in (h, c.reference))
        values = "  ".join(f"{number:10.6f}" for number in pair)
        lines.append(line + (f"  {c.worst!s:>11}  {values}" if off else ""))
    return "\n".join(lines)


def float_copies(arrays: Sequence[npt.ArrayLike], kind: type = np.floating) -> list[Array]:
    """Return copies of the arrays at which a function is differentiated, or refuse them."""
    named = ((f"arrays[{i}]", array) for i, array in enumerate(arrays))
    return [as_array(name, array, "...", kind=kind).copy() for name, array in named]


def _value(f: Callable[..., Any], points: Sequence[Array], kind: str = "real") -> Any:
    """Return the number that `f` returns, as Python's own: an array of `f` may go on to change."""
    value = f(*(x.copy() for x in points))  # which f may change
    number = np.asarray(None if isinstance(value, list | tuple | np.ma.MaskedArray) else value)
    if number.ndim or number.dtype.kind not in _KINDS[kind] or not np.isfinite(number):
        raise ValueError(f"f: expected one finite {kind} number, got {reprlib.repr(value)}")
    return number.item()


class _Comparison:
    """How a gradient differs from a reference."""

    def __init__(self, hand: Array, reference: Array) -> None:
        with np.errstate(all="ignore"):
            gap = np.abs(hand - reference)
        finite = np.isfinite(gap)
        self.reference, self.gap = reference, np.where(finite, gap, np.nan)
        self.error = unwrap(relative_error)(hand, reference) if finite.all() else math.nan
        worst = np.unravel_index(np.argmax(self.gap), gap.shape)  # NaN is the largest
        self.worst = tuple(map(int, worst))


def _by_name(
    names: Sequence[str], hand: Sequence[npt.ArrayLike], *references: Sequence[npt.ArrayLike]
) -> Iterator[tuple[str, Array, list[_Comparison]]]:
    """Go through the names, each with its gradient and how that differs from each reference."""
    counts = tuple(map(len, (hand, *references)))
    if len(names) == 0 or any(count != len(names) for count in counts):
        raise ValueError(f"names: expected one for each gradient, got {len(names)} for {counts}")
    for name, *group in zip(names, hand, *references, strict=True):
        shapes = [np.shape(g) for g in group]
        if len(set(shapes)) > 1 or any(map(np.ma.isMaskedArray, group)):
            raise ValueError(f"{name}: expected arrays of one shape, without masks, got {shapes}")
        h, *others = map(np.asarray, group)
        yield name, h, [_Comparison(h, other) for other in others]


def _disagreement(name: str, other: str, hand: Array, compared: _Comparison) -> str:
    worst, reference = compared.worst, compared.reference
    return (
        f"{name}: the hand-written gradient disagrees with {other}, worst at {worst}:"
        f" {hand[worst]:.9g} by hand, {reference[worst]:.9g} by {other}"
    )
