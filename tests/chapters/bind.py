"""Bind formulas to their tests: formulas.md holds each as it was when somebody looked at its test.

make bind                          show what has changed since, old above new, with the test
make bind LABELS="sigmoid huber"   take these over as they are now
"""

import sys
from pathlib import Path

import equations

ROOT = Path(__file__).parents[2]
BOUND = Path(__file__).with_name("formulas.md")
HEAD = """# Formulas as they were when somebody last looked at their tests

`make bind` shows what has changed since, and binds anew. Don't edit this by hand.
"""


def changes(bound: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the labels whose formulas are new, gone, or not what they were."""
    return [
        label
        for label in {**now, **bound}
        if label not in bound or label not in now or not equations.same(bound[label], now[label])
    ]


def bind(labels: list[str], bound: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return the bound formulas, in the book's order, with these as they are now."""
    return {
        label: equations.plain(now[label] if label in labels else bound[label])
        for label in now
        if label in labels or label in bound
    } | {label: bound[label] for label in bound if label not in now and label not in labels}


def main(labels: list[str]) -> None:
    """Show what has changed, or bind some formulas."""
    bound = dict(equations.found_in(BOUND.read_text(encoding="utf-8"))) if BOUND.exists() else {}
    now = dict(equations.found(ROOT / "chapters"))
    tested = equations.tested(ROOT / "tests")
    if unknown := set(labels) - {*now, *bound}:
        sys.exit(f"Error: neither the book nor {BOUND.name} has {', '.join(sorted(unknown))}.")
    changed = changes(bound, now)
    for label in labels or changed:
        print(f"{label}, tested in {tested.get(label, 'no test')}")
        print("  was", equations.plain(bound[label]) if label in bound else "not bound")
        print("  is ", equations.plain(now[label]) if label in now else "gone", end="\n\n")
    if labels:
        parts = [
            f"\n$$\n{latex}\n$$ ({label})\n" for label, latex in bind(labels, bound, now).items()
        ]
        BOUND.write_text(HEAD + "".join(parts), encoding="utf-8", newline="\n")
        print(f"Bound {', '.join(labels)}.")
    elif changed:
        print('Look at these tests. Then: make bind LABELS="' + " ".join(changed) + '"')
    else:
        print(f"All {len(now)} formulas are what their tests were bound to.")


if __name__ == "__main__":
    main(sys.argv[1:])
