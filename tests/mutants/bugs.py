"""The table of known bugs, one in each line of bugs.tsv."""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path
from typing import Any

from mutant import Mutant, path_of, replace

TABLE = Path(__file__).parent / "bugs.tsv"


def read_table(path: Path) -> list[list[str]]:
    """Return the rows of a table, with tabs between columns and # before comments."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row for row in rows if row and not row[0].startswith("#")][1:]


def node_of(tree: ast.Module, scope: str) -> Any:
    """Return the function, the class or the assignment that has a qualified name."""
    node: Any = tree
    for name in scope.split("."):
        named = []
        for n in node.body:
            targets = getattr(n, "targets", [getattr(n, "target", n)])
            if name in [getattr(x, "id", getattr(x, "name", None)) for x in targets]:
                named.append(n)
        if len(named) != 1:
            raise LookupError(f"there is no {name}")
        node = named[0]
    return node


def normal(nodes: Any) -> str:
    """Return what is the same for the same code, however it is laid out."""
    return re.sub(r"ctx=\w+\(\)", "", "; ".join(map(ast.dump, nodes)))


def find(node: ast.AST, old: str) -> tuple[Any, Any]:
    """Return the first and the last node of the one place in a scope where code stands."""
    wanted: list[Any] = ast.parse(old).body
    if len(wanted) == 1 and isinstance(wanted[0], ast.Expr):
        wanted = [wanted[0].value]
    found = []
    for n in ast.walk(node):
        fields = [value for _, value in ast.iter_fields(n)]
        for group in [[n], *(f for f in fields if isinstance(f, list))]:
            for i in range(len(group) - len(wanted) + 1):
                run = group[i : i + len(wanted)]
                same = all(isinstance(x, ast.expr | ast.stmt) for x in run)
                if same and normal(run) == normal(wanted) and (run[0], run[-1]) not in found:
                    found.append((run[0], run[-1]))
    if len(found) != 1:
        raise LookupError(f"expected the old code once, found it {len(found)} times: {old}")
    return found[0]


def bug(module: str, scope: str, name: str, old: str, new: str, origin: str) -> Mutant:
    """Return a module with a bug, or raise LookupError if the code has changed."""
    source = path_of(module).read_text(encoding="utf-8")
    try:
        first, last = find(node_of(ast.parse(source), scope), old)
    except LookupError as error:
        place = f"{module}.{scope}: {name}"
        raise LookupError(f"{place}: {error}; update tests/mutants/bugs.tsv") from None
    return Mutant(module, scope, name, source, replace(source, first, last, new), origin)


def bugs() -> tuple[list[Mutant], list[str]]:
    """Return the bugs of the table, and what is wrong with lines that do not fit any more."""
    found, wrong = [], []
    for row in read_table(TABLE):
        try:
            found.append(bug(*row))
        except LookupError as error:
            wrong.append(str(error))
    return found, wrong
