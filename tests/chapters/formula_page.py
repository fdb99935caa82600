"""Write the page that lists every displayed formula, its test, and how far its sides are apart.

make equations
"""

from __future__ import annotations

from pathlib import Path

import arithmetic
import equations
import formulas

ROOT = Path(__file__).parents[2]
PAGE = formulas.CHAPTERS / "equations.md"
HEAD = Path(__file__).with_suffix(".md")
TABLE = """
## {title}

:::{{list-table}}
:header-rows: 1

* - number
  - apart
  - formula
  - test
"""


def page() -> str:
    """Return the page's text."""
    tested = equations.tested(ROOT / "tests")
    parts, counts = [], dict.fromkeys(["numbered", "read", "unnumbered", "read_too"], 0)
    for chapter, found in formulas.on_pages().items():
        rows = []
        for key, latex in found.items():
            name, labelled = formulas.case_of(key), " " not in key
            counts["numbered" if labelled else "unnumbered"] += 1
            counts["read" if labelled else "read_too"] += name is not None
            number = f"{{eq}}`{key}`" if labelled else ""
            test = tested[key].partition(":")[0] if labelled else "test_formulas.py"
            cells = [number, apart(name, latex), f"$\\displaystyle {latex}$", f"`{test}`"]
            rows.append("* - " + "\n  - ".join(cells) + "\n")
        if rows:
            parts += [TABLE.format(title=formulas.title(chapter)), *rows, ":::\n"]
    claims = len(list(arithmetic.claims()))
    return HEAD.read_text(encoding="utf-8").format(
        draws=formulas.DRAWS, claims=claims, **counts
    ) + "".join(parts)


def apart(name: str | None, latex: str) -> str:
    """Return how far the sides of a formula are apart, or that it is locked."""
    if name is None:
        return "locked"
    gap = max(formulas.deviation(parts, name) for parts in formulas.computed(name, latex))
    return f"{gap:.0e}" if gap else "0"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
