"""A module with one bug in it: where it is, what it changes, and the text that comes of it."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2] / "code" / "backprop"


def path_of(module: str) -> Path:
    """Return the file of a module, which is named without the package."""
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py")


@dataclass(frozen=True)
class Mutant:
    """A module with one bug in it."""

    module: str
    scope: str  # the function or class in which the bug is, by its qualified name
    name: str
    original: str
    source: str
    origin: str = ""  # where a person has made this mistake, if one has

    @property
    def diff(self) -> list[str]:
        """The lines that differ, as in a unified diff."""
        old, new = self.original.splitlines(), self.source.splitlines()
        lines = difflib.unified_diff(old, new, n=0, lineterm="")
        return [line for line in list(lines)[2:] if not line.startswith("@@")]

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same when the lines around it change."""
        sides = (" ".join(d[1:].strip() for d in self.diff if d[0] == sign) for sign in "-+")
        return (self.module, self.scope, *sides)


def controls() -> dict[str, Mutant]:
    """Return what every run begins with: no bug, and another version, which each chapter prints.

    If the first is noticed, or the second isn't, the tests do not run the copy of the package.
    """
    text = path_of("__init__").read_text(encoding="utf-8")
    other = text.replace('__version__ = "', '__version__ = "0.')
    sources = {"no bug": text, "another version": other}
    return {name: Mutant("__init__", "", name, text, source) for name, source in sources.items()}


def parse(text: str) -> Any:
    statement = ast.parse(text).body[0]
    return statement.value if isinstance(statement, ast.Expr) else statement


def matches(pattern: Any, node: Any, letters: dict[str, str]) -> bool:
    """Tell whether code is as in a pattern, and collect what the letters stand for."""
    if isinstance(pattern, ast.Name) and len(pattern.id) == 1 and isinstance(node, ast.expr):
        text = f"({ast.unparse(node)})"
        return letters.setdefault(pattern.id, text) == text
    if isinstance(pattern, ast.AST) and type(pattern) is type(node):
        names = [name for name, _ in ast.iter_fields(pattern)]
        return all(matches(getattr(pattern, n), getattr(node, n, None), letters) for n in names)
    if isinstance(pattern, list) and len(pattern) == len(node):
        return all(matches(p, n, letters) for p, n in zip(pattern, node, strict=True))
    return pattern == node


def replace(source: str, first: Any, last: Any, new: str) -> str:
    """Return the source with other code in the place of all from one node to another."""
    tree = ast.parse(new)
    text = ast.unparse(tree).replace("\n", "\n" + " " * first.col_offset)
    loose = ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda
    if isinstance(first, ast.expr) and isinstance(getattr(tree.body[0], "value", None), loose):
        text = f"({text})"
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    begin = sum(map(len, lines[: first.lineno - 1])) + first.col_offset
    end = sum(map(len, lines[: last.end_lineno - 1])) + last.end_col_offset
    data = b"".join(lines)
    return (data[:begin] + text.encode() + data[end:]).decode()
