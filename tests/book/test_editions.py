"""The student's edition tells no solution, whoever looks where; the instructor's has remarks."""

import re
import subprocess
import sys
from pathlib import Path

import assignments
import editions
import home
import leaks
import nbformat
import pytest
from notebooks import CHECK, has_tag
from sphinx.search.en import SearchEnglish

ROOT = Path(__file__).parents[2]
CLASS = "https://github.com/teacher/class"
NOTEBOOKS = {
    path.stem: nbformat.read(path, as_version=4)
    for path in sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    editions.make_student(folder, CLASS)
    return folder


@pytest.fixture(scope="module")
def secrets():
    return leaks.of_solutions(NOTEBOOKS.values())


def test_nothing_that_a_student_gets_tells_a_solution(student, secrets):
    assert len(secrets) > 4000
    assert leaks.find(student, secrets) == {}


@pytest.mark.parametrize("where", ["html/chapters/02_chain_rule.html", "chapters/new.ipynb"])
@pytest.mark.parametrize("kind", ["markdown", "code"])
def test_the_search_finds_a_planted_solution(tmp_path, secrets, where, kind):
    cell = next(
        cell
        for cell in NOTEBOOKS["02_chain_rule"].cells
        if has_tag(cell, "solution") and cell.cell_type == kind
    )
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    if path.suffix == ".ipynb":
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    else:
        path.write_text(re.sub(r"(\w+)", r"<span>\1</span>", cell.source), encoding="utf-8")
    assert list(leaks.find(tmp_path, secrets)) == [where]


def test_the_search_of_the_pages_knows_no_word_of_a_solution(student, folder):
    stem = SearchEnglish({}).stem
    cells = [cell for notebook in NOTEBOOKS.values() for cell in notebook.cells]
    texts = {True: [], False: []}
    for cell in cells:
        texts[has_tag(cell, "solution")].append(leaks.text_of(cell))
    others = (ROOT / "chapters").glob("[a-z]*.ipynb")  # which have no exercises
    for path in [*(ROOT / "chapters").rglob("*.md"), *(ROOT / "code").rglob("*.py"), *others]:
        texts[False].append(path.read_text(encoding="utf-8"))
    found = {
        kind: {stem(word) for text in parts for word in re.findall(r"[^\W\d_]+", text.lower())}
        for kind, parts in texts.items()
    }
    hidden = found[True] - found[False]
    assert len(hidden & leaks.index_of(folder)) > 10  # in the reader's edition they are found
    assert hidden & leaks.index_of(student / "html") == set()


def test_no_page_tells_anything_of_the_problem_sets(student, folder):
    sets = [assignments.make(name, seed) for name in assignments.NAMES for seed in (1, 2)]
    every = set().union(*map(leaks.of_assignment, sets))
    assert leaks.find(folder, every) == {}
    assert leaks.find(student, every) == {}


def test_a_student_is_sent_to_the_class_and_not_to_this_repository(student):
    files = [path for path in student.rglob("*") if path.suffix in {".html", ".toml", ".ipynb"}]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert CLASS in texts[student / "chapters" / "02_chain_rule.ipynb"]
    assert f"{CLASS}/blob/" in texts[student / "html" / "chapters" / "02_chain_rule.html"] or (
        "colab.research.google.com/github/teacher/class"
        in texts[student / "html" / "chapters" / "02_chain_rule.html"]
    )
    ours = home.read_home((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert [path for path, text in texts.items() if ours in text] == []
    assert not [path for path in student.rglob(".*") if path.name.startswith(".git")]


def test_no_cell_of_a_student_needs_a_solution(student):
    """A name that only a solution defines would be unknown."""
    config = ROOT / "chapters" / "ruff.toml"
    options = ["--select", "F821", "--config", config, "--no-cache"]
    command = [sys.executable, "-m", "ruff", "check", *options, student / "chapters"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_student_pages_keep_exercises_and_hints_and_ask_for_no_solutions(student, folder):
    for name, notebook in NOTEBOOKS.items():
        page = (student / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
        readers = (folder / "chapters" / f"{name}.html").read_text(encoding="utf-8")
        for mark in ('<section id="exercise-', "<summary>Hint"):
            assert page.count(mark) == readers.count(mark)
        assert page.count('<section id="exercise-') >= 5
        for mark in ("<summary>Solution", "tag_solution", "print-solutions"):
            assert mark in readers
            assert mark not in page
        assert any(has_tag(cell, "solution") for cell in notebook.cells)


@pytest.fixture(scope="module")
def instructor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instructor")
    editions.make_instructor(folder, home.NOT_SET)
    return folder / "html" / "chapters"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_instructor_sees_open_solutions_and_a_remark_on_each_exercise(instructor, name):
    page = (instructor / f"{name}.html").read_text(encoding="utf-8")
    exercises = re.findall(r'<section id="(exercise-[\d-]+)">(.*?)</section>', page, re.DOTALL)
    assert len(exercises) >= 5
    for number, text in exercises:
        assert text.count("For instructors") == 1, number
    assert "<details>\n<summary>Solution" not in page
    assert "<details open>\n<summary>Solution" in page
    assert "Solution in code" not in page
    functions = {
        function
        for cell in NOTEBOOKS[name].cells
        if cell.cell_type == "code" and has_tag(cell, "exercise")
        for function in CHECK.findall(cell.source)
    }
    assert page.count("tells apart:") == len(functions)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_remarks_say_how_long_an_exercise_takes(name):
    for remark in editions.read_remarks(name).values():
        assert re.match(r"\*About \d+ minutes\.\* \S", remark)


def test_remarks_on_an_exercise_that_is_not_there(monkeypatch):
    monkeypatch.setattr(editions, "read_remarks", lambda name: {"2.1": "x", "2.99": "x"})
    notebook = nbformat.from_dict(NOTEBOOKS["02_chain_rule"])
    with pytest.raises(ValueError, match=r"^02_chain_rule: remarks and exercises differ in 2\.2"):
        editions.with_remarks(nbformat.v4.new_notebook(cells=list(notebook.cells)), "02_chain_rule")


def test_an_address_that_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"^HOME_URL: expected https://github\.com/owner/name"):
        editions.make_student(tmp_path, "teacher/class")
