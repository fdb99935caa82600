"""Two more editions of the book, cut from the chapters by their cells' tags.

    make student       _build/student: no solution on any page, in any notebook, file or history
    make instructor    _build/instructor: solutions open, remarks from exercises/ beside them

The student's is a folder to hand out, or to put into a repository of its own: pages in html/,
notebooks, and the package that they import.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import home
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from notebooks import CHECK, EXERCISE, has_tag

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
README = Path(__file__).with_name("student.md")
# What chapters run with, what the pages are made of, what else a student gets.
CODE = "chapters", "code", "pyproject.toml"
BOOK = *CODE, "TEACHING.md", "_config.yml", "_ext", "_static", "_toc.yml", "index.md"
PAPERS = "LICENSE", "LICENSE-TEXT", "binder"
REMARK = re.compile(r"^## Exercise (\d+\.\d+)\n\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def without_solutions(notebook: NotebookNode, name: str) -> None:
    """Take the solutions out of a chapter."""
    notebook.cells = [cell for cell in notebook.cells if not has_tag(cell, "solution")]


def with_remarks(notebook: NotebookNode, name: str) -> None:
    """Open a chapter's solutions, and put a remark behind each.

    Raises
    ------
    ValueError
        If the chapter's remarks are not for its exercises, one for each.
    """
    remarks = read_remarks(name)
    mistakes = json.loads((ROOT / "code/backprop/data/exercises.json").read_text(encoding="utf-8"))
    cells: list[NotebookNode] = []
    ends: dict[str, int] = {}
    asked: dict[str, list[str]] = {}
    number = ""
    for cell in notebook.cells:
        if has_tag(cell, "exercise") and (found := EXERCISE.match(cell.source)):
            number = f"{found[1]}.{found[2]}"
        cells.append(cell)
        if has_tag(cell, "solution"):
            ends[number] = len(cells)
            cell.source = cell.source.replace("<details>", "<details open>", 1)
            cell.metadata["tags"] = ["solution"]
        elif has_tag(cell, "exercise"):
            asked.setdefault(number, []).extend(CHECK.findall(cell.source))
    if ends.keys() != remarks.keys():
        differing = ", ".join(sorted(ends.keys() ^ remarks.keys()))
        raise ValueError(f"{name}: remarks and exercises differ in {differing}")
    for number, end in reversed(ends.items()):
        lines = [":::{admonition} For instructors", ":class: tip", "", remarks[number]]
        for function in asked[number]:
            hints = mistakes[function]["mistakes"]
            lines += ["", f"The check of `{function}` tells apart:", ""]
            lines += [f"- {hint}" for hint in hints]
        cells.insert(end, new_markdown_cell("\n".join([*lines, ":::"])))  # type: ignore[no-untyped-call]
    notebook.cells = cells


def read_remarks(name: str) -> dict[str, str]:
    """Return the remarks on a chapter's exercises, by number."""
    text = (ROOT / "exercises" / f"{name[3:]}.md").read_text(encoding="utf-8")
    return {number: remark.strip() for number, remark in REMARK.findall(text)}


def build(folder: Path, change: Callable[[NotebookNode, str], None], address: str) -> None:
    """Copy the book into `folder`, change its chapters, and build its pages into html/.

    Raises
    ------
    ValueError
        If the address is none, or the pages have warnings.
    """
    for name in BOOK:
        copy(ROOT / name, folder / name)
    for path in sorted((folder / "chapters").glob("[0-9]*.ipynb")):
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        change(notebook, path.stem)
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    home.set_home(folder, address)
    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    command = [jupyter_book, "build", str(folder), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise ValueError("the pages have warnings or errors, listed above")
    shutil.move(folder / "_build" / "html", folder / "html")


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without what Python and Jupyter leave behind."""
    if source.is_dir():
        left_out = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
        shutil.copytree(source, target, ignore=left_out)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def make_student(target: Path, address: str) -> None:
    """Write the student's edition."""
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder)
        build(book, without_solutions, address)
        for name in (*CODE, "html"):
            copy(book / name, target / name)
        for name in PAPERS:
            copy(ROOT / name, target / name)
        copy(README, target / "README.md")


def make_instructor(target: Path, address: str) -> None:
    """Write the instructor's edition."""
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), with_remarks, address)
        copy(Path(folder, "html"), target / "html")


EDITIONS = {"student": make_student, "instructor": make_instructor}


def main() -> None:
    """Make the edition of the first argument, for a class whose address is the second."""
    name, address = sys.argv[1:]
    target = BUILD / name
    shutil.rmtree(target, ignore_errors=True)
    try:
        EDITIONS[name](target, address or home.NOT_SET)
    except ValueError as error:
        sys.exit(f"Error: {error}.")
    print(f"The {name}'s edition is in {os.path.relpath(target)}. Open it with a browser:")
    print(" ", (target / "html" / "index.html").resolve().as_uri())


if __name__ == "__main__":
    main()
