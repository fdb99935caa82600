"""Write what the checks of the exercises compare with; `make exercises` runs it.

In exercises/ stand, for each chapter, right answers and mistakes. The package keeps only the
numbers that they return: whoever reads it finds no solution.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backprop import _questions, exercises

ROOT = Path(__file__).resolve().parents[1]
Mistakes = dict[Callable[..., Any], dict[str, Callable[..., Any]]]


def answers() -> Mistakes:
    """Return all right answers, each with its mistakes by the hints that they get."""
    found: Mistakes = {}
    for path in sorted((ROOT / "exercises").glob("*.py")):
        found |= runpy.run_path(str(path))["MISTAKES"]
    return found


def numbers(answer: Callable[..., Any], name: str) -> list[list[Any]]:
    """Return what an answer returns to its question, for JSON: twelve digits are enough."""
    with np.errstate(all="ignore"):
        cases = exercises.arrays(getattr(_questions, name)(answer))
    return [[_rounded(array.tolist()) for array in case] for case in cases]


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.12g}")


def stored() -> dict[str, Any]:
    """Return the content of the file."""
    return {
        right.__name__: {
            "right": numbers(right, right.__name__),
            "mistakes": {hint: numbers(wrong, right.__name__) for hint, wrong in wrongs.items()},
        }
        for right, wrongs in answers().items()
    }


def main() -> None:
    """Write the file."""
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in stored().items()]
    exercises.FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(lines)} exercises in {exercises.FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
