"""What the guide counts is what there is: minutes, exercises, problem sets, commands."""

import re
from pathlib import Path

import assignments
import editions
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\|.*\|$", GUIDE, re.MULTILINE)
]
PLAN = {row[0]: row[1:] for row in TABLE if len(row) == 6}
SETS = {row[0].strip("`"): row[1:] for row in TABLE if re.fullmatch(r"`\w+`", row[0])}


def minutes(path):
    return {
        number: int(re.match(r"\*About (\d+) minutes", remark).group(1))
        for number, remark in editions.read_remarks(path.stem).items()
    }


MINUTES = {number: taken for path in CHAPTERS for number, taken in minutes(path).items()}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_minutes_and_exercises_of_a_chapter(path):
    notebook = nbformat.read(path, as_version=4)
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    read, core, core_minutes, optional, optional_minutes = PLAN[title]
    head = "\n".join(cell.source for cell in notebook.cells[:10])
    assert f"{read} minutes to read" in head
    core, optional = core.split(", "), optional.split(", ")
    assert sorted(core + optional) == sorted(minutes(path))
    assert sum(MINUTES[number] for number in core) == int(core_minutes)
    assert sum(MINUTES[number] for number in optional) == int(optional_minutes)


def test_the_plan_has_all_chapters():
    assert len(PLAN) == len(CHAPTERS) + 2  # and the table's head


@pytest.mark.parametrize("name", assignments.NAMES)
def test_points_and_minutes_of_a_problem_set(name):
    made = assignments.make(name, 1)
    _, points, minutes = SETS[name]
    marks = [cell.metadata.get("nbgrader", {}).get("points", 0) for cell in made.notebook.cells]
    assert sum(marks) == int(points)
    said = "two hours" if minutes == "120" else f"{minutes} minutes"
    assert f"about {said}" in made.notebook.cells[0].source


def test_exercises_and_sets_that_are_named_exist():
    named = re.findall(r"[Ee]xercises? ((?:\d+\.\d+(?:, | and )?)+)(?: \((\d+) minutes\))?", GUIDE)
    assert len(named) > 15
    for numbers, taken in named:
        total = sum(MINUTES[number] for number in re.findall(r"\d+\.\d+", numbers))
        assert total == int(taken or total), numbers
    assert set(SETS) == set(assignments.NAMES)


def test_commands_exist():
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets = {target for line in targets for target in line.split()}
    named = set(re.findall(r"^make ([a-z]+)", GUIDE, re.MULTILINE))
    assert {"book", "student", "instructor", "release", "grade"} <= named <= targets
