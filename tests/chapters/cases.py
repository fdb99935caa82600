"""What the book's formulas are computed with: one function for each, which draws its arguments.

A case takes a generator and returns what the names in the formula stand for, those on the left
side, too: there stands what the package computes, or a derivative taken without the formula. The
formula, as it is on the page, must then come out even. Lengths differ from each other, so that a
transpose that is missing has the wrong shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop import gradcheck

Names = dict[str, Any]
N, D, H, K, T = 3, 4, 5, 2, 3  # examples, inputs, units, outputs, steps
INDICES: Names = {"N": N, "K": K, "n": range(1, N + 1), "k": range(1, K + 1)}
TIMES: Names = {"T": T, "t": range(1, T + 1)}


@dataclass(frozen=True)
class Case:
    """How one formula is computed."""

    draw: Callable[[np.random.Generator], Names]
    tolerance: float  # far below what a slip would change
    leaves: tuple[str, ...]  # the beginnings of those of its equations that can't be computed


CASES: dict[str, Case] = {}


def case(label: str, *, tolerance: float = 1e-12, leaves: tuple[str, ...] = ()) -> Any:
    """Register a function as the case of the formula with a label."""

    def register(draw: Callable[[np.random.Generator], Names]) -> Any:
        if label in CASES:
            raise ValueError(f"{label} has a case already")
        CASES[label] = Case(draw, tolerance, leaves)
        return draw

    return register


def slopes(f: Callable[..., complex], *arrays: Any) -> list[Any]:
    """Return derivatives to the last digit, by the complex step."""
    return gradcheck.complex_step_gradients(f, *map(np.asarray, arrays))


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function changes its sign, by bisection."""
    sign = np.sign(f(low))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.sign(f(middle)) == sign else (low, middle)
    return low


def sigma(z: Any) -> Any:
    """Return the sigmoid, of complex numbers as well."""
    return 1 / (1 + np.exp(-z))
