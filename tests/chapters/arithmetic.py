"""The book's arithmetic: equations between numbers, such as 0.6203 · 0.1402 = 0.0870.

Numbers with three decimals or more are rounded ones: they stand for all that round to them. So does
a result. The rest is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import equations
import formulas
import numpy as np
from formula import SEPARATORS, FormulaError, Reader, cut, tokens
from notebooks import EQUATION

INLINE = re.compile(r"(?<![\\$])\$([^$\n]+)\$(?!\$)")
LITERAL = re.compile(r"\d+(?:\{,\}\d+)*(?:\.\d+)?")
PERCENT = ["/", "100"]


def formulas_in(text: str) -> Iterator[str]:
    """Return the LaTeX of all formulas in a Markdown text."""
    text = equations.FENCE.sub("", text)
    displayed = [latex for latex, _ in equations.displayed(text)]
    yield from map(equations.plain, displayed + INLINE.findall(EQUATION.sub("", text)))


def claims() -> Iterator[tuple[str, list[str], list[str]]]:
    """Return the notebook and both sides of all that the book says about numbers."""
    for chapter, cells in formulas.texts().items():
        for cell in cells:
            for latex in formulas_in(cell):
                yield from ((chapter, *claim) for claim in claims_in(latex))


def claims_in(latex: str) -> Iterator[tuple[list[str], list[str]]]:
    """Return neighbouring sides of an equation that are numbers, as tokens."""
    parts = [part for token in tokens(latex) for part in (PERCENT if token == "\\%" else [token])]
    words = {token for token in parts if token.startswith("\\text")}
    for piece in cut(parts, SEPARATORS | words)[0]:
        sides, _ = cut([token for part in cut(piece, "&")[0] for token in part], {"=", "\\approx"})
        for left, right in pairwise(sides):
            if is_number(left) and is_number(right) and not (is_plain(left) and is_plain(right)):
                yield left, right


def is_number(parts: list[str]) -> bool:
    try:
        value(parts)
    except FormulaError:
        return False
    return any(token[0].isdigit() for token in parts)


def is_plain(parts: list[str]) -> bool:
    """Tell whether a side is one number, with its sign, percent or power of ten."""
    return re.fullmatch(r"-?[\d{,}.]+(/100)?|-?([\d.]+\\cdot)?10\^.*", "".join(parts)) is not None


def value(parts: list[str]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(Reader(parts, {}, set()).whole()({}))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise FormulaError(str(error)) from error


def spread(parts: list[str]) -> Any:
    """Return by how much a side's value may be off, since its numbers are rounded."""
    result = value(parts)
    if parts[0] == "10" and is_plain(parts):  # a power of ten alone has no digit to round to
        return result / 2
    total = np.zeros_like(result)
    for at, token in enumerate(parts):
        if not LITERAL.fullmatch(token):
            continue
        decimals = len(token.partition(".")[2])
        rounded = is_plain(parts) and at == (parts[0] == "-") and not is_small_whole(parts)
        if decimals >= 3 or rounded:
            moved = [*parts]
            moved[at] = f"{float(token.replace('{,}', '')) + 0.5 * 10**-decimals:.10f}"
            total = total + np.abs(value(moved) - result)
    return total


def is_small_whole(parts: list[str]) -> bool:
    """Tell whether a side is one digit: nobody rounds to that."""
    return len([token for token in parts if token != "-"]) == 1 and len(parts[-1]) == 1


def gap(left: list[str], right: list[str]) -> float:
    """Return the difference of two sides in units of what rounding allows: above 1 it is wrong."""
    a, b = value(left), value(right)
    if a.shape != b.shape:
        return float("inf")
    whole = not any("." in token or token == "^" for token in [*left, *right])
    allowed = 0.0 if whole and np.all(a == np.round(a)) else spread(left) + spread(right)
    slack = 1e-9 * np.maximum(np.abs(a), np.abs(b)) + 1e-15
    worst = float(np.max(np.abs(a - b) / (allowed + slack)))
    return worst if worst >= 0 else float("inf")


def differs(left: list[str], right: list[str]) -> bool:
    """Tell whether two sides differ by more than rounding, or one makes no sense."""
    try:
        return gap(left, right) > 1
    except FormulaError:
        return True
