"""Solutions, hidden checks and mark schemes of the problem sets stay with the instructor."""

import os
import shutil
import subprocess
from pathlib import Path

import assignments
import grading
import leaks
import nbformat
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def secrets():
    return {name: leaks.of_assignment(assignments.make(name, 7)) for name in assignments.NAMES}


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """The project as Binder gets it, but for a Python that has nothing to install."""
    folder = tmp_path_factory.mktemp("launch")
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, files.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".git").mkdir()
    return folder


def test_a_launched_notebook_has_no_problem_set_beside_it(launched, secrets, tmp_path):
    every = set().union(*secrets.values())
    assert set(leaks.find(launched, every)) >= {f"assignments/{n}.md" for n in assignments.NAMES}
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    command = [launched / "binder" / "postBuild"]
    subprocess.run(command, cwd=launched, check=True, env=os.environ | {"PATH": path})
    assert leaks.find(launched, every) == {}
    assert not (launched / ".git").exists()
    assert (launched / "chapters").exists()


@pytest.mark.parametrize("name", assignments.NAMES)
def test_neither_release_nor_feedback_tells_a_secret(name, secrets, tmp_path):
    course, submitted = tmp_path / "course", tmp_path / "submitted"
    release = assignments.release(name, 7, course)
    assert len(secrets[name]) > 50
    assert leaks.find(course / "source", secrets[name])
    assert leaks.find(course / "release", secrets[name]) == {}
    submitted.mkdir()
    shutil.copy(release, submitted / "nothing.ipynb")
    grading.grade(name, submitted, course)
    assert (course / "feedback" / "nothing" / name / f"{name}.html").exists()
    assert leaks.find(course / "feedback", secrets[name]) == {}


def test_the_search_finds_a_solution_in_a_release(assignment, released, solutions, tmp_path):
    released.cells.append(nbformat.v4.new_code_cell(max(solutions.values(), key=len)))
    nbformat.write(released, tmp_path / "release.ipynb")
    assert list(leaks.find(tmp_path, leaks.of_assignment(assignment))) == ["release.ipynb"]
