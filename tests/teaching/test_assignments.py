"""Problem sets: each seed makes another exam, right by its own checks, and tells no solution."""

import json

import assignments
import leaks
import numpy as np
import pytest

from backprop import exercises

SEEDS = (1, 2)


@pytest.fixture(scope="module", params=assignments.NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def sets(name):
    return [assignments.make(name, seed) for seed in SEEDS]


def results(function, calls):
    with np.errstate(all="ignore"):
        return [function(*arguments) for arguments in calls]


def test_solutions_pass_the_checks_of_the_notebook(sets):
    """The notebook with solutions, run from its first cell to its last, as nbgrader does."""
    for made in sets:
        namespace = {}
        for cell in made.notebook.cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)


def test_each_mistake_is_told_from_the_right_answer_and_from_the_others(sets):
    for made in sets:
        for question in made.questions:
            assert len(question.mistakes) >= 3
            key, of_hidden = made.keys[question.name], slice(len(question.shown), None)
            for hint, wrong in key.mistakes.items():
                assert exercises.diagnose(wrong, key.expected, key.mistakes) == hint
                assert exercises.diagnose(wrong[of_hidden], key.expected[of_hidden], {})


def test_equal_seeds_make_equal_sets_and_others_another_exam(name, sets):
    sources = [[cell.source for cell in made.notebook.cells] for made in sets]
    again = assignments.make(name, SEEDS[0])
    assert [cell.source for cell in again.notebook.cells] == sources[0]
    assert sources[0] != sources[1]


def test_a_solution_of_one_seed_fails_another_where_the_seed_decides(name):
    """Of every set most functions differ between seeds, in what they are and not only are given."""
    made = [assignments.make(name, seed) for seed in range(6)]
    for question in made[0].questions:
        calls = [*question.shown, *question.hidden]
        ours = results(made[0].solutions[question.name], calls)
        theirs = [results(other.solutions[question.name], calls) for other in made[1:]]
        assert any(exercises.diagnose(their, ours, {}) for their in theirs), question.name


def test_the_release_tells_no_solution_no_hidden_check_and_no_seed(name, tmp_path):
    path = assignments.release(name, 12345, tmp_path)
    text = path.read_text(encoding="utf-8")
    made = assignments.make(name, 12345)
    for mark in ("BEGIN", "END SOLUTION", "HIDDEN", "MARK SCHEME", "12345"):
        assert mark not in text
    released = {cell["id"]: "".join(cell["source"]) for cell in json.loads(text)["cells"]}
    for cell in made.notebook.cells:
        for line in leaks.lines(cell.source, is_secret=True):
            if len(line) > 20:
                assert line not in text
                assert line not in released[cell.id]
    assert assignments.seeds(tmp_path) == {name: 12345}


def test_an_unknown_set():
    with pytest.raises(ValueError, match=r"^there is no assignment loss; there are .*losses"):
        assignments.make("loss", 1)
