"""A course whose first problem set has been released, and notebooks of its students."""

import copy

import assignments
import nbformat
import pytest
import sandbox

NAME, SEED = "losses", 7


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    assignments.release(NAME, SEED, folder)
    return folder


@pytest.fixture(scope="session")
def assignment():
    return assignments.make(NAME, SEED)


@pytest.fixture(scope="session")
def released(course):
    return nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", as_version=4)


@pytest.fixture(scope="session")
def solutions(assignment):
    """The code of each right answer."""
    return {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in assignment.notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }


@pytest.fixture
def solved(released, solutions):
    """A notebook in which everything is answered right."""
    notebook = copy.deepcopy(released)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in solutions:
            cell.source = solutions[name]
        elif name == "words-1":
            cell.source = "It falls to zero."
    return notebook


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits long for a student's cell."""
    monkeypatch.setattr(sandbox, "SECONDS", 1.0)
    monkeypatch.setattr(sandbox, "GRACE", 1.0)
