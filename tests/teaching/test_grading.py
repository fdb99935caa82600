"""Marks are right, whatever is handed in: each case changes a notebook that is right throughout."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import assignments
import grading
import nbformat
import pytest
import sandbox
from nbgrader.api import Gradebook

NAME, SEED = "losses", 7
QUESTIONS = ["robust_loss", "weighted_cross_entropy", "smoothed_cross_entropy", "slope_on_paper"]
FULL, SHOWN, NONE = (8, 10, 10, 4), (2, 2, 2, 0), (0, 0, 0, 0)
needs_isolation = pytest.mark.skipif(
    not sandbox.is_isolated(), reason="bubblewrap is not here (apt-get install bubblewrap)"
)

CASES = {}


def case(points, says=None, marks=()):
    """Register a change of a right notebook: the points it must get, what must be said of it."""

    def register(change):
        CASES[change.__name__] = pytest.param(change, points, says or {}, marks=marks)
        return change

    return register


def cell_of(notebook, name):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def code(source):
    return nbformat.v4.new_code_cell(source)


def instead(points, of, question="robust_loss"):
    """Full marks, but for one question."""
    return tuple(points if q == question else p for q, p in zip(QUESTIONS, of, strict=True))


@case(FULL)
def right(notebook):
    pass


@case(FULL)
def solved_in_other_cells(notebook):
    answer = cell_of(notebook, "robust_loss")
    notebook.cells.append(code(answer.source))
    answer.source = "# see below"


@case((0, 10, 10, 0), {"robust_loss": "nothing is returned yet.", "slope_on_paper": "TypeError"})
def one_unanswered(notebook):
    """The answer on paper calls it, and falls with it."""
    cell_of(notebook, "robust_loss").source = "def robust_loss(Y, T):\n    pass  # your code"


@case(instead(0, FULL), {"robust_loss": "no such function"})
def renamed_function(notebook):
    cell = cell_of(notebook, "robust_loss")
    cell.source = cell.source.replace("robust_loss", "my_loss")
    paper = cell_of(notebook, "slope_on_paper")
    paper.source = paper.source.replace("robust_loss", "my_loss")


def wrapped(change):
    """Replace robust_loss by a function of it; what was answered on paper stays right."""

    def apply(notebook):
        cell = cell_of(notebook, "robust_loss")
        cell.source = cell.source.replace("robust_loss", "true_loss")
        cell.source += (
            f"\n\ndef robust_loss(Y, T):\n    value, gradient = true_loss(Y, T)\n    {change}"
        )
        paper = cell_of(notebook, "slope_on_paper")
        paper.source = paper.source.replace("robust_loss", "true_loss")

    return apply


for name, change, says in (
    ("no_mean", "return value, gradient * Y.size", "the gradient lacks the mean's 1/(NK)."),
    ("uphill", "return value, -gradient", "the gradient has the wrong sign: the error is y - t."),
    ("only_a_value", "return value", "it returns one array instead of 2 arrays."),
    (
        "text",
        "return 'value', 'gradient'",
        "ValueError: could not convert string to float: 'value'",
    ),
    (
        "raises",
        "return value, gradient[9]",
        "IndexError: index 9 is out of bounds for axis 0 with size 2",
    ),
    (
        "not_a_number",
        "return value, gradient * np.nan",
        "array 2 of 2: some numbers are not finite: does something overflow, or divide by zero?",
    ),
    (
        "transposed",
        "return value, gradient.T",
        "array 2 of 2: the shape is (3, 2), where (2, 3) is asked for.",
    ),
    ("huge", "return value, np.zeros(10**6)", "the result is too large"),
    ("loops", "while True: pass", "TimeoutError: it took too long"),
    (
        "loops_and_catches",
        "while True:\n        try:\n            while True: sum(range(999))\n"
        "        except BaseException: pass",
        sandbox.KILLED,
    ),
    ("exits", "import os; os._exit(0)", sandbox.KILLED),
    ("leaves", "raise SystemExit", "SystemExit: "),
    (
        "recurses",
        "return robust_loss(Y, T)",
        "RecursionError: maximum recursion depth exceeded in comparison",
    ),
    ("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", sandbox.KILLED),
    ("grabs_memory", "return np.ones((10**6, 10**6))", None),
    ("shouts", "print('x' * 10**8); import os; os.write(1, b'x' * 10**7); return value, 0", None),
):
    CASES[name] = pytest.param(wrapped(change), instead(0, FULL), {"robust_loss": says})


@case(FULL)
def prints_a_hundred_megabytes(notebook):
    notebook.cells.insert(
        1, code("print('x' * 10**8)\nimport os\nos.system('yes | head -c 100000000')")
    )


@case(SHOWN)
def passes_what_is_shown_only(notebook):
    """Returns the numbers on the sheet."""
    for name in QUESTIONS[:3]:
        check = cell_of(notebook, f"{name}-shown").source
        start = check.index("expected = (")
        numbers = check[start : check.index("\nfor part")]
        cell_of(notebook, name).source = (
            f"def {name}(A, B):\n    " + numbers.replace("\n", "\n    ") + "\n    return expected"
        )
    cell_of(notebook, "slope_on_paper").source = "def slope_on_paper():\n    return 1.0"


@case((0, 10, 10, 0))
def syntax_error(notebook):
    cell_of(notebook, "robust_loss").source += "\n    return )"
    cell_of(notebook, "slope_on_paper").source = "def slope_on_paper():\n    return 0"


@case(FULL)
def a_cell_that_loops_for_ever(notebook):
    notebook.cells.insert(1, code("while True: pass"))
    notebook.cells.insert(
        1,
        code("while True:\n  try:\n    while True: sum(range(999))\n  except BaseException: pass"),
    )


@case(FULL)
def a_cell_that_ends_python(notebook):
    notebook.cells.insert(1, code("import os\nos._exit(0)"))
    notebook.cells.insert(1, code("raise SystemExit"))


@case(FULL, marks=pytest.mark.skipif(sys.platform != "linux", reason="macOS sets no such limit"))
def a_cell_that_grabs_memory(notebook):
    notebook.cells.insert(1, code("x = []\nwhile True: x.append(bytearray(2**26))"))


@case(FULL)
def deleted_checks(notebook):
    notebook.cells = [
        c
        for c in notebook.cells
        if not c.metadata.get("nbgrader", {}).get("grade_id", "").endswith(("shown", "hidden"))
    ]


@case(instead(0, FULL, "weighted_cross_entropy"))
def edited_checks_and_a_wrong_answer(notebook):
    for cell in notebook.cells:
        if cell.source.startswith("#"):
            cell.source = "assert True"
            cell.metadata["nbgrader"]["points"] = 1000
    cell_of(
        notebook, "weighted_cross_entropy"
    ).source = "def weighted_cross_entropy(Z, T):\n    return 1.0, Z"


@case(FULL)
def reordered_and_duplicated(notebook):
    notebook.cells = notebook.cells[::-1] + notebook.cells


@case(FULL)
def metadata_stripped(notebook):
    """As Colab saves it."""
    for cell in notebook.cells:
        cell.metadata = {"id": "abc"}
        cell.pop("id", None)
    notebook.metadata = {
        "colab": {"provenance": []},
        "kernelspec": {"name": "no-such-kernel", "display_name": "?"},
    }
    notebook.nbformat_minor = 0


@case(FULL)
def answers_split_over_cells(notebook):
    number = notebook.cells.index(cell_of(notebook, "robust_loss"))
    notebook.cells.insert(number, code("def part(Y, T):\n    return Y - T"))
    notebook.cells.insert(number, nbformat.v4.new_markdown_cell("My helper:"))


@case(FULL)
def imports_that_are_not_there(notebook):
    cell = notebook.cells[1]
    cell.source = (
        "%matplotlib inline\n!pip install x\nfrom backprop import losses\nimport tensorflow as tf\n"
        + cell.source
    )


@case(NONE)
def calls_the_package(notebook):
    for name in QUESTIONS:
        cell_of(notebook, name).source = (
            f"def {name}(Z=None, T=None):\n    from backprop import losses\n"
            "    return losses.softmax_cross_entropy(Z, T)"
        )


@case(NONE)
def calls_the_tape(notebook):
    for name in QUESTIONS:
        cell_of(notebook, name).source = f"def {name}(Z=None, T=None):\n    import tensorflow as tf"


LIAR = """
import builtins, sys, json, types, threading, time
np.allclose = lambda *a, **k: True
np.testing.assert_allclose = lambda *a, **k: None
np.asarray = lambda a, **k: a
builtins.isinstance = lambda *a: True
builtins.AssertionError = Exception
builtins.abs = builtins.max = lambda *a: 0
sys.modules['backprop'] = types.ModuleType('backprop')
sys.modules['numpy'] = np
def later():
    while True:
        time.sleep(0.01)
        np.isclose = lambda *a, **k: True
threading.Thread(target=later, daemon=True).start()
class Equal(np.ndarray):
    def __eq__(self, other): return True
    def __array_function__(self, *a): return True
"""


@case(NONE)
def patched_libraries(notebook):
    notebook.cells.insert(0, code(LIAR))
    for name in QUESTIONS:
        cell_of(
            notebook, name
        ).source = f"def {name}(Z=None, T=None):\n    return np.zeros((2, 3)).view(Equal), 1"


THIEF = """
def {name}(Z=None, T=None):
    import sys, gc
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, dict) and "expected" in value:
                return value["expected"]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "expected" in thing:
            return thing["expected"]
    return 1.0, 1.0
"""


@case((0, 0, 2, 0))
def walks_frames(notebook):
    """Finds what the last check on the sheet shows, and no more."""
    for name in QUESTIONS:
        cell_of(notebook, name).source = THIEF.format(name=name)


FORGER = """
import os, json
def say(**line):
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, (json.dumps(line) + "\\n").encode())
        except OSError:
            pass
for name in {names}:
    for number in range(5):
        say(at=[name, number])
        say(done={{"points": 100, "result": "[[1]]", "single": True}})
say(at=["end", 0])
"""


@case(NONE)
def forged_reports(notebook):
    for name in QUESTIONS:
        cell_of(notebook, name).source = f"def {name}(*a):\n    return 1.0"
    notebook.cells.append(code(FORGER.format(names=QUESTIONS)))


@case(NONE)
def reports_of_a_step_that_does_not_exist(notebook):
    for name in QUESTIONS:
        cell_of(notebook, name).source = f"def {name}(*a):\n    return 1.0"
    notebook.cells.append(code(FORGER.format(names=["nonsense"]) + "\nos._exit(0)"))


@pytest.mark.parametrize(("change", "expected", "says"), CASES.values(), ids=CASES)
def test_marks(solved, assignment, tmp_path, impatient, change, expected, says):
    change(solved)
    path = tmp_path / "losses.ipynb"
    path.write_text(json.dumps(solved), encoding="utf-8")
    record = grading.mark(assignment, grading.Submission("somebody", [path], False))
    said = {name: record["questions"][name]["says"] for name in QUESTIONS}
    assert points(record) == expected, said
    for name, sentence in says.items():
        if sentence is not None:
            assert said[name] == sentence


def points(record):
    return tuple(record["questions"][name]["points"] for name in QUESTIONS)


SPY = """
def robust_loss(Y, T):
    import os, socket
    places = [{root!r}, {submissions!r}, os.path.expanduser("~/.ssh"), {project!r}]
    seen = [place for place in places if os.path.exists(place)]
    seen += [place for place in os.listdir("/") if place in ("work", "home", "etc", "var")]
    seen += [name for name in os.listdir("/tmp") if name != "answering.py"]
    seen += [n for n in os.listdir("/proc") if n.isdigit() and int(n) != os.getpid()][2:]
    try:
        socket.create_connection(("127.0.0.1", {port}), 1)
        seen.append("network")
    except OSError:
        pass
    raise RuntimeError(f"sees {{seen}}")
"""


@needs_isolation
def test_an_answer_sees_no_solution_no_other_submission_and_no_network(
    solved, course, assignment, tmp_path
):
    path = tmp_path / "losses.ipynb"
    with socket.create_server(("127.0.0.1", 0)) as server:
        spy = SPY.format(
            root=str(course),
            submissions=str(tmp_path),
            project=str(grading.ASSIGNMENTS),
            port=server.getsockname()[1],
        )
        cell_of(solved, "robust_loss").source = spy
        nbformat.write(solved, path)
        record = grading.mark(assignment, grading.Submission("spy", [path], False))
    assert record["questions"]["robust_loss"]["says"] == "RuntimeError: sees []"


def test_without_bubblewrap_the_limits_hold(solved, assignment, tmp_path, impatient, monkeypatch):
    monkeypatch.setattr(sandbox, "_bubblewrap", tuple)
    path = tmp_path / "losses.ipynb"
    cell_of(
        solved, "robust_loss"
    ).source = "def robust_loss(Y, T):\n    import os\n    open('x', 'w').write('x' * 10**7)"
    cell_of(
        solved, "weighted_cross_entropy"
    ).source = "def weighted_cross_entropy(Z, T):\n    import os\n    raise ValueError(os.getuid())"
    cell_of(solved, "slope_on_paper").source = "def slope_on_paper():\n    while True: pass"
    nbformat.write(solved, path)
    record = grading.mark(assignment, grading.Submission("somebody", [path], False))
    says = {name: record["questions"][name]["says"] for name in QUESTIONS}
    assert says["robust_loss"] in ("OSError: [Errno 27] File too large", sandbox.KILLED)
    assert says["weighted_cross_entropy"] == (
        f"ValueError: {sandbox.NOBODY if sandbox.gives_up_root() else os.getuid()}"
    )
    assert says["smoothed_cross_entropy"] == ""
    assert says["slope_on_paper"] == "TimeoutError"


# Files and folders.


def write(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def graded(folder, course, deadline=None):
    return {record["student"]: record for record in grading.grade(NAME, folder, course, deadline)}


def test_notebooks_of_every_kind_are_read(solved, released, course, tmp_path):
    folder = tmp_path / "submitted"
    text = json.dumps(solved)
    for student, data in {
        "utf-16": text.encode("utf-16"),
        "with a mark": text.encode("utf-8-sig"),
        "no JSON": b"PK\x03\x04",
        "a list": b"[1, 2]",
        "no cells": b'{"cells": 3}',
        "empty": b"",
    }.items():
        (folder / student).mkdir(parents=True)
        (folder / student / "losses.ipynb").write_bytes(data)
    old = {
        "nbformat": 3,
        "worksheets": [
            {
                "cells": [
                    {"cell_type": c.cell_type, "input": c.source.splitlines(True)}
                    for c in solved.cells
                ]
            }
        ],
    }
    (folder / "nbformat 3").mkdir()
    (folder / "nbformat 3" / "losses.ipynb").write_text(json.dumps(old))
    (folder / "nothing").mkdir()
    write(released, folder / "untouched" / "losses.ipynb")
    records = graded(folder, course)
    assert {student: sum(points(record)) for student, record in records.items()} == {
        **dict.fromkeys(["utf-16", "with a mark", "nbformat 3"], 32),
        **dict.fromkeys(["no JSON", "a list", "no cells", "empty", "nothing", "untouched"], 0),
    }
    assert records["nothing"]["notes"] == ["no notebook was handed in"]
    assert records["empty"]["notes"] == ["the file is no notebook: it can't be read as JSON"]
    assert records["a list"]["notes"] == ["the file is no notebook: it has no cells"]
    assert records["untouched"]["notes"] == []


STUDENTS = ["Zoë O'Neil", 'Ann "Al" B', "李 四", "=1+1", "<b>x", "a,b;c"]


def test_names_late_and_second_submissions(solved, released, course, tmp_path):
    folder = tmp_path / "submitted"
    for student in STUDENTS:
        write(solved, folder / student / "losses.ipynb")
    write(released, folder / "twice" / "losses.ipynb")
    write(solved, folder / "twice" / "losses-2.ipynb")
    os.utime(folder / "twice" / "losses.ipynb", (0, 0))
    write(solved, folder / "nbgrader" / NAME / "losses.ipynb")
    write(released, folder / "nbgrader" / "chain_rule" / "chain_rule.ipynb")
    write(solved, folder / "ng_LATE_123_456_losses.ipynb")
    write(solved, folder / "Ada L_77_assignsubmission_file_" / "losses.ipynb")
    write(solved, folder / "plain.ipynb")
    os.utime(folder / "plain.ipynb", (0, 0))
    (folder / "readme.txt").write_text("")
    deadline = grading.datetime(2001, 1, 1)
    records = graded(folder, course, deadline)
    assert sorted(records) == sorted([*STUDENTS, "twice", "nbgrader", "ng", "Ada L", "plain"])
    assert {sum(points(record)) for record in records.values()} == {32}
    assert records["twice"]["notes"] == ["2 notebooks; the newest is marked"]
    assert [name for name, record in records.items() if not record["late"]] == ["plain"]
    assert graded(folder, course)["ng"]["late"]
    assert not graded(folder, course)["twice"]["late"]

    with (course / "marks" / "losses.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = {row["student"]: row for row in csv.DictReader(lines)}
    assert {row["total"] for row in rows.values()} == {"32"}
    assert "'=1+1" in rows
    assert (course / "feedback" / "李 四" / NAME / "losses.html").exists()
    page = (course / "feedback" / "<b>x" / NAME / "losses.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;x: 32 of 36 points." in page


def test_a_class_on_a_server_gets_and_hands_in_by_nbgraders_exchange(solved, tmp_path):
    """Every command as the guide gives it; time and feedback go the same way."""
    course, home = tmp_path / "course", tmp_path / "home"
    assignments.release(NAME, SEED, course)
    home.mkdir()
    settings = (course / "nbgrader_config.py").read_text(encoding="utf-8")
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    for folder in (course, home):
        (folder / "nbgrader_config.py").write_text(
            f"{settings}c.Exchange.root = {str(exchange)!r}\n", encoding="utf-8"
        )

    def nbgrader(command, folder):
        program = Path(sys.executable).with_name("nbgrader")
        done = subprocess.run([program, command, NAME], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    nbgrader("release_assignment", course)
    nbgrader("fetch_assignment", home)
    nbformat.write(solved, home / NAME / "losses.ipynb")
    os.utime(home / NAME / "losses.ipynb", (0, 0))
    nbgrader("submit", home)
    nbgrader("collect", course)
    (record,) = graded(course / "submitted", course, grading.datetime(2001, 1, 1)).values()
    assert points(record) == FULL
    assert record["late"]  # the exchange's time counts, not the file's
    nbgrader("release_feedback", course)
    nbgrader("fetch_feedback", home)
    (page,) = (home / NAME / "feedback").rglob("*.html")
    assert "32 of 36 points, handed in late." in page.read_text(encoding="utf-8")


def test_a_stopped_run_goes_on_and_loses_and_doubles_nothing(solved, course, tmp_path, monkeypatch):
    folder = tmp_path / "submitted"
    for student in "abcdef":
        write(solved, folder / student / "losses.ipynb")
    whole, marked = grading.mark, []

    def stopping(assignment, submission):
        if len(marked) == 3:
            raise KeyboardInterrupt
        marked.append(submission.student)
        return whole(assignment, submission)

    monkeypatch.setattr(grading, "mark", stopping)
    monkeypatch.setattr(grading.os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        graded(folder, course)
    monkeypatch.setattr(grading, "mark", lambda a, s: marked.append(s.student) or whole(a, s))
    records = graded(folder, course)
    assert sorted(marked) == list("abcdef")
    assert {student: sum(points(record)) for student, record in records.items()} == dict.fromkeys(
        "abcdef", 32
    )
    write(solved, folder / "a" / "again.ipynb")
    graded(folder, course)
    assert marked[6:] == ["a"]


def test_points_for_words_come_from_the_sheet_and_reach_marks_feedback_and_gradebook(
    solved, released, course, tmp_path
):
    folder = tmp_path / "submitted"
    cell_of(solved, "words-1").source = "=SUM(1) grows"
    write(solved, folder / "Ann" / "losses.ipynb")
    write(released, folder / "Bob" / "losses.ipynb")
    graded(folder, course)
    sheet = course / "marks" / "losses-words.csv"
    rows = list(csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines()))
    assert [(r["student"], r["points"], r["answer"]) for r in rows] == [
        ("Ann", "", "'=SUM(1) grows"),
        ("Bob", "0", ""),
    ]
    filled = sheet.read_text(encoding="utf-8-sig").replace(
        "Ann,words-1,,,", "Ann,words-1,3.5,Good,"
    )
    sheet.write_text(filled, encoding="utf-8")
    for _ in range(2):
        graded(folder, course)
        marks = (course / "marks" / "losses.csv").read_text(encoding="utf-8-sig")
        assert "Ann,8,10,10,4,3.5,35.5,36,," in marks
        assert "Bob,0,0,0,0,0,0,36,," in marks
    assert "Ann,35.5" in (course / "marks" / "losses-moodle.csv").read_text(encoding="utf-8-sig")
    assert ",Ann,,35.5" in (course / "marks" / "losses-canvas.csv").read_text(encoding="utf-8-sig")
    assert "Good" in (course / "feedback" / "Ann" / NAME / "losses.html").read_text(
        encoding="utf-8"
    )
    with Gradebook(f"sqlite:///{course}/gradebook.db", "backpropagation") as gradebook:
        scores = {row["student"]: row["score"] for row in gradebook.submission_dicts(NAME)}
    assert scores["Ann"] == 35.5
    assert scores["Bob"] == 0


@pytest.mark.parametrize("stripped", [False, True])
def test_answers_in_words_are_found_without_their_names(solved, assignment, tmp_path, stripped):
    number = solved.cells.index(cell_of(solved, "words-1"))
    solved.cells.insert(number + 1, nbformat.v4.new_markdown_cell("And one thing more."))
    if stripped:
        for cell in solved.cells:
            cell.metadata = {}
    path = tmp_path / "losses.ipynb"
    nbformat.write(solved, path)
    words = grading.mark(assignment, grading.Submission("Ann", [path], False))["words"]["words-1"]
    assert words == "It falls to zero." + "\n\nAnd one thing more." * stripped


def test_feedback_shows_no_number_of_a_hidden_check(solved, assignment, course, tmp_path):
    """An answer that tries to say what it was asked, in its error, its cells and its type."""
    folder = tmp_path / "submitted"
    tells = """
def robust_loss(Y, T):
    import sys
    text = repr((Y, T))
    if len(Y) != 2:
        raise type(text, (ValueError,), {})(text)
    return 1.0, Y
def spy():
    import sys
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if "robust" in repr(value) and "array" in repr(value):
                raise ValueError(repr(value))
        frame = frame.f_back
spy()
"""
    cell_of(solved, "robust_loss").source = tells
    write(solved, folder / "spy" / "losses.ipynb")
    graded(folder, course)
    page = (course / "feedback" / "spy" / NAME / "losses.html").read_text(encoding="utf-8")
    hidden = {
        f"{value}"
        for question in assignment.questions
        for arguments in question.hidden
        for array in arguments
        for value in array.ravel()
        if len(f"{value}") > 3
    }
    assert len(hidden) > 10
    assert not [value for value in hidden if value in page]


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("chain", ".", "chain was not released from .*: run make release first"),
        (NAME, "nowhere", "there is no folder .*nowhere"),
        (NAME, "empty", "there are no submissions in .*empty"),
    ],
)
def test_what_cannot_be_marked_is_said(course, tmp_path, name, folder, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        grading.grade(name, tmp_path / folder, course)
