"""The book's equations, and who claims to test or to implement which."""

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat
from notebooks import EQUATION

FENCE = re.compile(r"^([ >]*)(```+|~~~+).*?^\1\2", re.MULTILINE | re.DOTALL)
COLOUR = re.compile(r"\{\\color\{#[0-9A-Fa-f]{6}\}\{")
SPACING = re.compile(r"\\(?:[,;:! ]|q?quad(?![A-Za-z]))|[\s~]")
CITED = re.compile(r"\(eq:\s*([^()]+?)\s*\)")


def found(folder: Path) -> list[tuple[str, str]]:
    """Return label and LaTeX of each numbered equation in notebooks and Markdown pages."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))]
    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        texts += [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [pair for text in texts for pair in found_in(text)]


def found_in(text: str) -> list[tuple[str, str]]:
    """Return label and LaTeX of each numbered equation in a Markdown text."""
    return [(label, latex) for latex, label in displayed(text) if label]


def displayed(text: str) -> list[tuple[str, str]]:
    """Return LaTeX and label, if there is one, of each displayed formula in a Markdown text."""
    return EQUATION.findall(FENCE.sub("", text))


def labels(chapters: Path) -> Counter:
    """Count the labels of the display equations in a folder of notebooks and Markdown pages."""
    return Counter(label for label, _ in found(chapters))


def plain(latex: str) -> str:
    """Return a formula without its colours."""
    while start := COLOUR.search(latex):
        depth, end = 1, start.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(latex[end], 0) * (latex[end - 1] != "\\")
            end += 1
        body = latex[start.end() : end - 1]
        latex = latex[: start.start()] + body + latex[end + 1 :]
    return " ".join(latex.split())


def same(latex: str, other: str) -> bool:
    """Tell whether two formulas are the same, colours and spacing aside."""
    return SPACING.sub("", plain(latex)) == SPACING.sub("", plain(other))


def tested(tests: Path) -> dict[str, str]:
    """Return label -> file:line of each `pytest.mark.equation(label)` in a tree of tests.

    Files are read, not imported. A mark counts if pytest collects what it stands on. In a file
    named registry.py, whose entries are all tested, ``labels=("label", ...)`` counts, too.

    Raises
    ------
    ValueError
        For a mark on something that is no test, or with anything but one string.
    """
    found = {}
    for path in sorted(tests.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        decorators = {
            decorator: node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            for decorator in node.decorator_list
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and (path.name, node.arg) == ("registry.py", "labels"):
                place = f"{path.name}:{node.value.lineno}"
                found |= dict.fromkeys(ast.literal_eval(node.value), place)
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith(
                "mark.equation"
            ):
                continue
            place = f"{path.name}:{node.lineno}"
            name = decorators.get(node, "test_parameter")
            if not (path.name.startswith("test_") and name.startswith(("test_", "Test"))):
                raise ValueError(f"{place}: an equation mark on {name}, which pytest never runs")
            match node.args:
                case [ast.Constant(value=str(label))]:
                    found[label] = place
                case _:
                    raise ValueError(f"{place}: expected one label in quotes")
    return found


def cited(package: Path) -> dict[str, str]:
    """Return label -> file of each `(eq: label)` in a package's source files."""
    return {
        label: path.name
        for path in sorted(package.rglob("*.py"))
        for label in CITED.findall(path.read_text(encoding="utf-8"))
    }
