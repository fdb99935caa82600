"""Slips of the pen: what an equation looks like with one thing wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from formula import KNOWN, FormulaError, Reader, spelling

TURNED = {
    "+": "-", "-": "+", "\\max": "\\min", "\\min": "\\max", "\\cos": "\\sin", "\\sin": "\\cos",
    "\\tanh": "\\sigma", "\\log": "\\tanh", "\\odot": "+", "\\cdot": "+", "<": ">", ">": "<",
}  # fmt: skip


def slips(parts: list[str], names: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Return each slip by its name: in a sign, a number, an index, a factor, a transpose, ..."""
    names = {spelling(name): value for name, value in names.items()}
    reader = Reader(parts, names, set())
    indices = sorted(name for name in reader.indices if len(name) == 1)
    low = below(parts)
    at = 0
    while at < len(parts):
        token, next_at = parts[at], at + 1

        def wrong(*instead: str, to: int) -> list[str]:
            return [*parts[:at], *instead, *parts[to:]]  # noqa: B023

        if token == "\\underset":  # says a shape
            reader.at = next_at
            reader.group()
            at = reader.at
            continue
        if token in TURNED:
            yield f"{TURNED[token]} for {token}", wrong(TURNED[token], to=at + 1)
        if token[0].isdigit():
            larger = f"{float(token.replace('{,}', '')) + 1:g}"
            yield f"{larger} for {token}", wrong("{", larger, "}", to=at + 1)
        if token == "^":
            reader.at = at + 1
            exponent = "".join(reader.group())
            yield f"no {exponent}", wrong(to=reader.at)
        if token in indices and at in low:
            for other in indices:
                if other != token:
                    yield f"index {other} for {token}", wrong(other, to=at + 1)
        elif token in {"\\frac", "\\tfrac"}:
            reader.at = at + 1
            above, under = reader.group(), reader.group()
            turned = ["\\frac", "{", *under, "}", "{", *above, "}"]
            yield "a fraction upside down", wrong(*turned, to=reader.at)
            if above[0] == "\\partial":
                next_at = reader.at
        elif at not in low and token not in {"^", "_"}:
            reader.at = at
            try:
                name = reader.spelled("")
            except FormulaError:
                name = ""
            if (name in names or name in KNOWN) and not callable(names.get(name, KNOWN.get(name))):
                yield f"twice {name}", wrong("2", *parts[at : reader.at], to=reader.at)
        at = next_at


def below(parts: list[str]) -> set[int]:
    """Return where the tokens of subscripts stand."""
    found: set[int] = set()
    for at, token in enumerate(parts):
        if token == "_":
            reader = Reader(parts, {}, set())
            reader.at = at + 1
            reader.group()
            found |= set(range(at + 1, reader.at))
    return found
