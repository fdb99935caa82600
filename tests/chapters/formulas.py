"""The formulas on the book's pages, computed with their cases."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cases_displayed  # noqa: F401
import cases_gradients  # noqa: F401
import cases_sequences  # noqa: F401
import cases_training  # noqa: F401
import equations
import nbformat
import numpy as np
from cases import CASES
from formula import Equation, equations_in

CHAPTERS = Path(__file__).parents[2] / "chapters"
DRAWS = 4  # of the arguments of each formula


@cache
def texts() -> dict[str, list[str]]:
    """Return the Markdown cells of each notebook of the book, by its name."""
    return {
        path.stem: [
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "markdown"
        ]
        for path in sorted(CHAPTERS.glob("*.ipynb"))
    }


def title(chapter: str) -> str:
    """Return a notebook's title."""
    return texts()[chapter][0].partition("\n")[0].removeprefix("# ")


@cache
def on_pages() -> dict[str, dict[str, str]]:
    """Return each notebook's displayed formulas, with their colours.

    They go by their labels; those without one by the notebook's first letters and their LaTeX.
    """
    return {
        chapter: {
            label or f"{chapter[:2]} {equations.plain(latex)}": " ".join(latex.split())
            for cell in cells
            for latex, label in equations.displayed(cell)
        }
        for chapter, cells in texts().items()
    }


def case_of(key: str) -> str | None:
    """Return the name of the case for a formula on a page, if it has one."""
    return next((n for n in CASES if key == n or (" " in n and key.startswith(n))), None)


def latex_of(name: str) -> str:
    """Return the one formula that a case is for."""
    (latex,) = {
        latex for page in on_pages().values() for key, latex in page.items() if case_of(key) == name
    }
    return latex


@cache
def draws(name: str) -> list[dict[str, Any]]:
    """Return what the names in a formula stand for, some times at random."""
    return [CASES[name].draw(np.random.default_rng(seed)) for seed in range(DRAWS)]


def deviation(parts: list[str], name: str, until: float = np.inf) -> float:
    """Return the largest deviation of an equation over the draws, or one larger than `until`."""
    worst = 0.0
    for names in draws(name):
        worst = max(worst, Equation(parts, names).deviation())
        if worst > until:
            break
    return worst


def computed(name: str, latex: str) -> list[list[str]]:
    """Return the equations of a formula that are computed."""
    return equations_in(equations.plain(latex), draws(name)[0], CASES[name].leaves)[0]
