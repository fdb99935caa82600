"""Problem sets: from a template and a seed to a notebook in nbgrader's format.

A set is two files in assignments/. The template, NAME.md, is a notebook as text, with Jinja's
<< >> and <% %> where a seed decides. NAME.py has

- ``variant(rng)``, which draws what the template shows,
- ``questions(v, rng)``, which returns a `Question` for each function that is asked for.

`make release` writes source/, with solutions and hidden checks, for the instructor, and release/,
without them, for the students; nbgrader cuts the second out of the first.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import jupytext
import nbformat
import numpy as np
from nbgrader.apps import NbGraderAPI
from notebooks import has_tag
from traitlets.config import Config

# nbgrader calls its helper alembic by name.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENTS = ROOT / "assignments"
NAMES = [path.stem for path in sorted(ASSIGNMENTS.glob("*.md"))]
STUB = "pass  # your code"
TEXT_STUB = "*Your answer.*"
KINDS = "shown", "hidden"
CONFIG = """# For nbgrader's commands in this folder; add to it what your server needs.
c = get_config()
c.CourseDirectory.course_id = "backpropagation"
"""
# Everything that a set asks for is called with these in its namespace.
NAMESPACE = {"np": np}

Function = Callable[..., Any]


@dataclass
class Question:
    """A function that is asked for, and how it is marked.

    Parameters
    ----------
    name : str
        The function's name.
    shown, hidden : sequence of tuple
        Arguments of the calls whose results the students see, and of those that they don't.
    points : tuple of int
        For the calls that are shown, and for the hidden ones.
    mistakes : dict
        By its hint, each a function that takes the right function, then its arguments.
    """

    name: str
    shown: Sequence[tuple[Any, ...]]
    hidden: Sequence[tuple[Any, ...]]
    points: tuple[int, int]
    mistakes: Mapping[str, Function] = field(default_factory=dict)


@dataclass
class Key:
    """What a question's calls return: the right function's results, and each mistake's by hint."""

    expected: list[Any]
    mistakes: dict[str, list[Any]]


@dataclass
class Assignment:
    """A problem set as a seed makes it: the notebook with solutions, and its questions."""

    name: str
    notebook: nbformat.NotebookNode
    questions: list[Question]
    solutions: dict[str, Function]

    @cached_property
    def keys(self) -> dict[str, Key]:
        """Return the key of each question, by its name."""
        keys = {}
        for question in self.questions:
            right, calls = self.solutions[question.name], [*question.shown, *question.hidden]
            mistakes = {
                f"{hint}.": [mistake(right, *arguments) for arguments in calls]
                for hint, mistake in question.mistakes.items()
            }
            keys[question.name] = Key([right(*arguments) for arguments in calls], mistakes)
        return keys


def make(name: str, seed: int) -> Assignment:
    """Return a problem set. Equal seeds make equal sets.

    Raises
    ------
    ValueError
        If there is no set of this name.
    """
    if name not in NAMES:
        raise ValueError(f"there is no assignment {name}; there are {', '.join(NAMES)}")
    definition = runpy.run_path(str(ASSIGNMENTS / f"{name}.py"))
    rng = np.random.default_rng([seed, *name.encode()])
    v = definition["variant"](rng)
    questions = definition["questions"](v, rng)
    notebook = jupytext.reads(_render(name, v), fmt="md:myst")
    solutions = _solutions(notebook)
    if set(solutions) != {question.name for question in questions}:
        raise ValueError(f"{name}: the template solves {set(solutions)}, questions ask for others")
    assignment = Assignment(name, notebook, questions, solutions)
    _add_checks(assignment)
    return assignment


def _render(name: str, v: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(ASSIGNMENTS),
    )
    return environment.get_template(f"{name}.md").render(v)


def _solutions(notebook: nbformat.NotebookNode) -> dict[str, Function]:
    """Run the cells with answers, and return the function that each is asked for."""
    namespace: dict[str, Any] = dict(NAMESPACE)
    for cell in notebook.cells:
        if has_tag(cell, "answer"):
            exec(cell.source, namespace)
    asked = {name for cell in notebook.cells if (name := answered(cell))}
    return {name: namespace[name] for name in asked}


def answered(cell: nbformat.NotebookNode) -> str:
    """Return the name of the function that a cell with an answer defines last, or nothing."""
    if not has_tag(cell, "answer"):
        return ""
    lines = [line for line in cell.source.splitlines() if line.startswith("def ")]
    return str(lines[-1].removeprefix("def ").split("(")[0])


def _add_checks(assignment: Assignment) -> None:
    """Give cells nbgrader's metadata, and put two checks behind each answer."""
    by_name = {question.name: question for question in assignment.questions}
    cells = []
    words = 0
    for cell in assignment.notebook.cells:
        cells.append(cell)
        if name := answered(cell):
            _mark(cell, name, solution=True, grade=False)
            question, right = by_name[name], assignment.solutions[name]
            for kind, points in zip(KINDS, question.points, strict=True):
                if calls := getattr(question, kind):
                    check = nbformat.v4.new_code_cell(_check(kind, name, right, calls, points))
                    _mark(check, f"{name}-{kind}", solution=False, grade=True, points=points)
                    cells.append(check)
        elif has_tag(cell, "words"):
            words += 1
            _mark(cell, f"words-{words}", True, True, points=cell.metadata.pop("points"))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("tags", None)
        if "nbgrader" not in cell.metadata and cell.cell_type == "markdown":
            _mark(cell, f"text-{number}", solution=False, grade=False)
    assignment.notebook.cells = cells
    assignment.notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def _mark(cell: Any, name: str, solution: bool, grade: bool, points: int | None = None) -> None:
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": name,
        "solution": solution,
        "grade": grade,
        "locked": not solution,
        "task": False,
        **({} if points is None else {"points": points}),
    }


def _check(
    kind: str, name: str, right: Function, calls: Sequence[tuple[Any, ...]], points: int
) -> str:
    """Return a cell that compares what a function returns with the right numbers."""
    parameters = list(inspect.signature(right).parameters)
    lines = []
    for arguments in calls:
        lines += [f"{p} = {_literal(a)}" for p, a in zip(parameters, arguments, strict=False)]
        lines += [
            f"got = {name}({', '.join(parameters[: len(arguments)])})",
            f'assert got is not None, "{name} returns nothing yet"',
        ]
        result = right(*arguments)
        if isinstance(result, tuple):
            parts = ",\n    ".join(map(_literal, result))
            lines.append(f"expected = (\n    {parts},\n)")
            lines.append("for part, right in zip(got, expected, strict=True):")
            lines.append("    np.testing.assert_allclose(part, right, rtol=1e-6, atol=1e-9)")
        else:
            lines.append(f"expected = {_literal(result)}")
            lines.append("np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)")
    worth = "1 point" if points == 1 else f"{points} points"
    head = f"# {worth}: {name} must give these numbers."
    if kind == "shown":
        return "\n".join([head, *lines])
    hidden = f"# {worth}: {name} must also be right for other numbers, not shown here."
    return "\n".join([hidden, "### BEGIN HIDDEN TESTS", *lines, "### END HIDDEN TESTS"])


def _literal(value: Any) -> str:
    if isinstance(value, np.ndarray):
        text = np.array2string(value, separator=", ", floatmode="maxprec", precision=10)
        return f"np.array({text})".replace("\n", "\n    ")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value.item() if isinstance(value, np.generic) else value)


def course_config(course: Path) -> Config:
    """Return nbgrader's settings for a course's folder."""
    config = Config()
    config.CourseDirectory.root = str(course.resolve())
    config.ClearSolutions.code_stub = {"python": STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    return config


def seeds(course: Path) -> dict[str, int]:
    """Return the seeds with which a course's sets were released, by their names."""
    file = course / "seeds.json"
    found: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    return found


def release(name: str, seed: int, course: Path) -> Path:
    """Write a problem set into a course's folder, and return the notebook for the students."""
    assignment = make(name, seed)
    source = course / "source" / name / f"{name}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    if not (settings := course / "nbgrader_config.py").exists():
        settings.write_text(CONFIG, encoding="utf-8")
    nbformat.write(assignment.notebook, source)
    result = NbGraderAPI(config=course_config(course)).generate_assignment(name, force=True)
    if not result["success"]:
        raise ValueError(f"nbgrader does not accept {name}: {result.get('error')}{result['log']}")
    (course / "seeds.json").write_text(json.dumps(seeds(course) | {name: seed}, indent=1))
    return course / "release" / name / f"{name}.ipynb"


def main() -> None:
    """Release one problem set, or all."""
    parser = argparse.ArgumentParser(description="Write problem sets for students.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; or all")
    parser.add_argument("--seed", type=int, required=True, help="another seed, another exam")
    parser.add_argument("--course", type=Path, default=Path("course"), help="your course's folder")
    options = parser.parse_args()
    for name in options.names or NAMES:
        try:
            print("For your students:", release(name, options.seed, options.course))
        except ValueError as error:
            parser.error(str(error))
    print("For you, with solutions and hidden checks:", options.course / "source")


if __name__ == "__main__":
    main()
