"""Checks of arguments, shared by every module: wrong input stops here, with a sentence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def float_array(name: str, value: npt.ArrayLike, shape: tuple[int | str, ...]) -> Array:
    """Return `value` as a finite array of float32 or float64 with the given shape.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like
        What the caller passed.
    shape : tuple of int or str
        The length of each axis; a string stands for any length of at least one.

    Raises
    ------
    ValueError
        If `value` has another dtype or shape, is empty, or holds NaN or infinity.
    """
    array = np.asarray(value)
    if array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name}: expected float32 or float64, got {array.dtype}")
    fits = array.ndim == len(shape) and all(
        got >= 1 if isinstance(want, str) else got == want
        for got, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name}: expected shape ({wanted}), got {array.shape}")
    # A finite sum of squares has finite terms: one pass, no memory. If it overflows, look closer.
    if not np.isfinite(np.vdot(array, array)) and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}: expected finite numbers, got {array[place]} at {place}")
    return array


def whole_number(name: str, value: int, least: int) -> int:
    """Return `value` if it is a whole number of at least `least`, else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    return int(value)


def generator(name: str, value: np.random.Generator) -> None:
    """Raise ValueError if `value` is not a NumPy generator, but for example a seed."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(f"{name}: expected np.random.default_rng(seed), got {value!r}")


def same_dtype(name: str, array: Array, dtype: np.dtype) -> None:
    """Raise ValueError if `array` is not of `dtype`: NumPy would promote it without a word."""
    if array.dtype != dtype:
        raise ValueError(f"{name}: expected {dtype} like the parameters, got {array.dtype}")


def strength_of_penalty(name: str, value: float) -> float:
    """Transitional, until `training` states its contracts."""
    if not 0 <= value < np.inf:
        raise ValueError(f"{name}: expected a number of at least 0, got {value!r}")
    return float(value)


def share_dropped(name: str, value: float) -> None:
    """Transitional, until `training` states its contracts."""
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected 0 <= rate < 1, got {value!r}")
