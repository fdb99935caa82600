"""Checks for the exercises: they name a mistake and keep the answer to themselves.

`check` asks your function what `_questions` asks it, and compares what comes back with stored
numbers: those of a right answer, and those of the mistakes that people make.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np

from backprop import _questions
from backprop.datasets import DATA, restore_hint

FILE = DATA / "exercises.json"
RELATIVE, ABSOLUTE = 1e-6, 1e-9

Cases = list[list[np.ndarray]]
Pairs = list[tuple[np.ndarray, np.ndarray]]


def check(answer: Callable[..., Any]) -> None:
    """Print whether a function does what its exercise asks and, if not, what is wrong.

    Parameters
    ----------
    answer : function
        With the name that the exercise gives it.

    Raises
    ------
    ValueError
        If no exercise asks for a function of this name.
    """
    name = answer.__name__
    if name not in _stored():
        raise ValueError(f"no exercise asks for {name}; there are {', '.join(_stored())}")
    right, mistakes = _stored()[name]["right"], _stored()[name]["mistakes"]
    try:
        got = list(getattr(_questions, name)(answer))
    except Exception as error:
        print(f"{name}: it stops, with {type(error).__name__}: {error}")
    else:
        print(f"{name}: {diagnose(got, right, mistakes) or 'right.'}")


def diagnose(got: Iterable[Any], right: Iterable[Any], mistakes: Mapping[str, Any]) -> str:
    """Say in a sentence how results differ from the right ones; nothing if they don't.

    Parameters
    ----------
    got, right : iterable
        What a function returned in each case: a number, an array, or a tuple of them. Numbers may
        come in one array or one by one, and an array as a list.
    mistakes : dict
        For each hint what a function with this mistake returns in each case.

    Returns
    -------
    str
        The hint that fits, else what can be seen from outside: a shape, a sign, a factor, a place.
    """
    got = list(got)
    if all(result is None for result in got):
        return "nothing is returned yet."
    if any(result is None for result in got):
        return "in some cases nothing is returned."
    theirs = arrays(right)
    try:
        ours = arrays(map(_as_asked, got, theirs))
    except (TypeError, ValueError):
        return "it must return numbers or arrays."
    if agree(ours, theirs):
        return ""
    for hint, results in mistakes.items():
        if agree(ours, arrays(results)):
            return hint
    for a, b in zip(ours, theirs, strict=True):
        if len(a) != len(b):
            return f"it returns {_count(len(a))} instead of {_count(len(b))}."
    places = [
        [(a[k], b[k]) for a, b in zip(ours, theirs, strict=True) if k < len(b)]
        for k in range(max(map(len, theirs)))
    ]
    return _at_places(places)


def arrays(results: Iterable[Any]) -> Cases:
    """Return the results of each case as a list of arrays."""
    return [
        [np.asarray(part, dtype=float) for part in (case if _is_several(case) else [case])]
        for case in results
    ]


def agree(ours: Cases, theirs: Cases) -> bool:
    """Tell whether all arrays have equal shapes, and equal numbers but for rounding."""
    return len(ours) == len(theirs) and all(
        len(a) == len(b) and all(_is_close(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(ours, theirs, strict=True)
    )


def _is_several(case: Any) -> bool:
    return isinstance(case, tuple | list)


def _as_asked(case: Any, right: list[np.ndarray]) -> Any:
    """Return numbers in the form asked for: in one array, or one by one."""
    try:
        if len(right) == 1 and _is_several(case) and len(case) > 1:
            if isinstance(case, list) or all(np.ndim(part) == 0 for part in case):
                return np.asarray(case, dtype=float)
        elif len(right) > 1 and not _is_several(case) and np.shape(case) == (len(right),):
            return tuple(case)
    except (TypeError, ValueError):
        pass  # something else; the caller says what
    return case


def _is_close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.allclose(a, b, RELATIVE, ABSOLUTE, equal_nan=True)


def _count(number: int) -> str:
    return "one array" if number == 1 else f"{number} arrays"


def _at_places(places: list[Pairs]) -> str:
    """Say which arrays are wrong, if others are right, and what can be seen of them."""
    wrong = [k for k, pairs in enumerate(places) if any(a.shape != b.shape for a, b in pairs)][:1]
    wrong = wrong or [k for k, pairs in enumerate(places) if not all(_is_close(*p) for p in pairs)]
    where = f" of array {wrong[0] + 1}" if len(wrong) > 1 else ""
    seen = _from_outside([pair for k in wrong for pair in places[k]], where)
    if len(wrong) == len(places):
        return seen
    numbers = " and ".join(str(k + 1) for k in wrong)
    return f"array{'s' * (len(wrong) > 1)} {numbers} of {len(places)}: {seen}"


def _from_outside(pairs: Pairs, where: str) -> str:
    """Say what can be seen without knowing the exercise; `where` names the first pair's array."""
    for a, b in pairs:
        if a.shape != b.shape:
            return f"the shape is {a.shape}, where {b.shape} is asked for."
    for a, b in pairs:
        if not np.isfinite(a[np.isfinite(b)]).all():
            return "some numbers are not finite: does something overflow, or divide by zero?"
    if all(_is_close(-a, b) for a, b in pairs):
        return "the sign is turned."
    if all(a.ndim == 2 and _is_close(a.T, b) for a, b in pairs):
        return "the matrix is transposed."
    if (factor := _common_factor(pairs)) is not None:
        return f"every number is {factor:.4g} times what it should be."
    a, b = next((a, b) for a, b in pairs if not _is_close(a, b))
    wrong = np.argwhere(~np.isclose(a, b, RELATIVE, ABSOLUTE))
    if not a.ndim or len(wrong) == a.size:
        return "the shape is right, the numbers are not."
    place = wrong[0].tolist()
    return f"{len(wrong)} of {a.size} numbers{where} are wrong, the first at {place}."


def _common_factor(pairs: Pairs) -> float | None:
    """Return the factor between two sides if it is one for all their numbers."""
    a, b = (np.concatenate([side.ravel() for side in sides]) for sides in zip(*pairs, strict=True))
    if a.size < 2 or not b @ b > 0:
        return None
    factor = float(a @ b / (b @ b))
    return factor if factor and _is_close(a, factor * b) else None


@cache
def _stored() -> dict[str, dict[str, Any]]:
    with restore_hint(FILE):
        stored: dict[str, dict[str, Any]] = json.loads(FILE.read_bytes())
    return stored
