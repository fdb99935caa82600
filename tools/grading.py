"""Mark submissions: `make grade ASSIGNMENT=losses SUBMISSIONS=folder`.

A student's cells run in a sandbox, where the functions that were asked for are called with other
numbers than those on the sheet. What they return is compared here, where no student's code runs:
the check cells of a submission count for nothing, however they were changed.

Each submission gets a file in marked/, at once and whole, so that a run that was stopped goes on
where it was. Tables, feedback and nbgrader's gradebook are made of these files, every time anew.
"""

from __future__ import annotations

import argparse
import builtins
import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import answering
import marks
import sandbox
from assignments import ASSIGNMENTS, KINDS, NAMES, TEXT_STUB, Assignment, Key, Question, make, seeds
from nbgrader.utils import parse_utc
from tqdm import tqdm

from backprop import exercises

ENCODINGS = "utf-8-sig", "utf-16", "cp1252"
EXCHANGE = "timestamp.txt", "submission_secret.txt"  # what nbgrader's exchange adds
CHECK = re.compile(r"# \d+ points?: ")
# What learning platforms add to the name of a student's file or folder.
MOODLE = re.compile(r"(?P<student>.+?)(?:_\d+)?_assignsubmission_\w+", re.DOTALL)
CANVAS = re.compile(r"(?P<student>[^_]+)(?P<late>_LATE)?_\d+_\d+_.+", re.DOTALL | re.IGNORECASE)


@dataclass
class Submission:
    """What one student handed in, the newest first."""

    student: str
    notebooks: list[Path]
    late: bool

    @property
    def digest(self) -> str:
        """What tells this version of the newest notebook from others."""
        data = self.notebooks[0].read_bytes() if self.notebooks else b""
        return hashlib.sha256(data).hexdigest()

    @property
    def exchange(self) -> dict[str, str]:
        """What nbgrader's exchange put beside the notebook, and needs to give feedback back."""
        files = [self.notebooks[0].with_name(name) for name in EXCHANGE] if self.notebooks else []
        return {file.name: file.read_text(encoding="utf-8") for file in files if file.exists()}


def find(folder: Path, name: str, deadline: datetime | None = None) -> list[Submission]:
    """Return the submissions in a folder, by student.

    A student is a folder with notebooks, or a notebook beside the others. In nbgrader's layout,
    STUDENT/ASSIGNMENT/, only the assignment's folder counts. Names that Moodle or Canvas made are
    cut to the student's.
    """
    found: dict[str, list[Path]] = {}
    said_late = set()
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or not (entry.is_dir() or entry.suffix == ".ipynb"):
            continue
        stem = entry.name if entry.is_dir() else entry.stem
        match = MOODLE.fullmatch(stem) or CANVAS.fullmatch(stem)
        student = match["student"] if match else stem
        notebooks = [entry]
        if entry.is_dir():
            within = entry / name if (entry / name).is_dir() else entry
            notebooks = [p for p in within.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts]
        found.setdefault(student, []).extend(notebooks)
        if match and match.groupdict().get("late"):
            said_late.add(student)
    submissions = []
    for student, notebooks in found.items():
        notebooks.sort(key=lambda path: (_handed_in(path), path.name), reverse=True)
        last = _handed_in(notebooks[0]) if notebooks else 0
        late = deadline is not None and last > deadline.timestamp()
        submissions.append(Submission(student, notebooks, late or student in said_late))
    return submissions


def _handed_in(path: Path) -> float:
    """Return when a notebook was handed in, as nbgrader's exchange or else its file tells."""
    stamp = path.with_name(EXCHANGE[0])
    if stamp.exists():
        with suppress(ValueError):
            text = stamp.read_text(encoding="utf-8")
            return float(parse_utc(text).replace(tzinfo=UTC).timestamp())
    return path.stat().st_mtime


def read(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook, as kind, source and nbgrader's name; of any age and encoding.

    Raises
    ------
    ValueError
        If it is no notebook.
    """
    data = path.read_bytes()
    for encoding in ENCODINGS:
        try:
            notebook = json.loads(data.decode(encoding))
            break
        except (UnicodeError, ValueError, RecursionError):
            continue
    else:
        raise ValueError("the file is no notebook: it can't be read as JSON")
    try:
        sheets = notebook.get("worksheets", [notebook])  # before nbformat 4
        return [
            {
                "kind": str(cell["cell_type"]),
                "source": "".join(cell.get("source", cell.get("input", ""))),
                "name": str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")),
            }
            for sheet in sheets
            for cell in sheet["cells"]
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("the file is no notebook: it has no cells") from error


def mark(assignment: Assignment, submission: Submission) -> dict[str, Any]:
    """Return what comes of a submission: for each question the points, and what is wrong."""
    record: dict[str, Any] = {
        "student": submission.student,
        "late": submission.late,
        "exchange": submission.exchange,
        "notes": [],
        "questions": {},
        "words": {},
    }
    cells: list[dict[str, Any]] = []
    notes = record["notes"]
    if not submission.notebooks:
        notes.append("no notebook was handed in")
    else:
        if len(submission.notebooks) > 1:
            notes.append(f"{len(submission.notebooks)} notebooks; the newest is marked")
        try:
            cells = read(submission.notebooks[0])
        except ValueError as error:
            notes.append(str(error))
    calls = [
        (question.name, number, arguments)
        for question in assignment.questions
        for number, arguments in enumerate([*question.shown, *question.hidden])
    ]
    code = [cell["source"] for cell in cells if cell["kind"] == "code"]
    answers = sandbox.Answers()
    try:
        if code:
            answers = sandbox.ask(code, calls)
    except RuntimeError as error:
        notes.append(str(error))
    for number, errors in sorted(answers.of_cells.items()):
        if not CHECK.match(code[number]):  # of what they check the questions say more
            notes += [f"code cell {number + 1}: {error}" for error in errors]
    for question in assignment.questions:
        key = assignment.keys[question.name]
        record["questions"][question.name] = judge(question, key, answers)
    record["words"] = words(assignment, cells)
    return record


def judge(question: Question, key: Key, answers: sandbox.Answers) -> dict[str, Any]:
    """Return the points of a question, and what is wrong in a sentence without numbers."""
    calls = range(len(key.expected))
    results = [answers.results.get((question.name, n)) for n in calls]
    errors = [answers.errors.get((question.name, n), "") for n in calls]
    split = len(question.shown)
    judged: dict[str, Any] = {"of": sum(question.points)}
    for kind, part, points in zip(
        KINDS, (slice(split), slice(split, None)), question.points, strict=True
    ):
        fails = any(errors[part]) or exercises.diagnose(results[part], key.expected[part], {})
        judged[kind] = 0 if fails else points
    judged["points"] = sum(judged[kind] for kind in KINDS)
    said = [e if n < split else _without_values(e) for n, e in enumerate(errors) if e]
    judged["says"] = said[0] if said else exercises.diagnose(results, key.expected, key.mistakes)
    return judged


def _without_values(error: str) -> str:
    """Keep the kind of an error: its words may tell numbers that are hidden."""
    kind = error.split(":")[0]
    if error in (sandbox.KILLED, answering.NO_FUNCTION, answering.TOO_LARGE):
        return error
    return kind if hasattr(builtins, kind) else "an error"


def words(assignment: Assignment, cells: list[dict[str, Any]]) -> dict[str, str]:
    """Return the answers in words: a cell with nbgrader's name, or what follows the question."""
    released = [
        (cell.metadata.get("nbgrader", {}), cell.source) for cell in assignment.notebook.cells
    ]
    known = {_squeezed(source) for _, source in released}
    found = {}
    for (_, question), (marks_of, _) in pairwise(released):
        if not (marks_of.get("grade") and marks_of.get("solution")):
            continue
        name = marks_of["grade_id"]
        answer = [cell["source"] for cell in cells if cell["name"] == name]
        if not answer:
            after = iter(cells)
            for cell in after:
                if _squeezed(cell["source"]) == _squeezed(question):
                    break
            for cell in after:
                if cell["kind"] != "markdown" or _squeezed(cell["source"]) in known:
                    break
                answer.append(cell["source"])
        found[name] = "\n\n".join(answer).replace(TEXT_STUB, "").strip()
    return found


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def grade(
    name: str, submissions: Path, course: Path, deadline: datetime | None = None
) -> list[dict[str, Any]]:
    """Mark all submissions, and write marks and feedback into the course's folder.

    Raises
    ------
    ValueError
        If the assignment was not released from this folder, or there are no submissions.
    """
    if name not in seeds(course):
        raise ValueError(f"{name} was not released from {course}: run make release first")
    if not submissions.is_dir():
        raise ValueError(f"there is no folder {submissions}")
    found = find(submissions, name, deadline)
    if not found:
        raise ValueError(f"there are no submissions in {submissions}")
    assignment = make(name, seeds(course)[name])
    state = _state(name, seeds(course)[name])
    folder = course / "marked" / name
    folder.mkdir(parents=True, exist_ok=True)

    def marked(submission: Submission) -> dict[str, Any]:
        file = folder / f"{submission.student}.json"
        stamp = f"{state} {submission.digest} {submission.late} {len(submission.notebooks)}"
        if file.exists():
            record: dict[str, Any] = json.loads(file.read_bytes())
            if record["stamp"] == stamp:
                return record
        record = mark(assignment, submission) | {"stamp": stamp}
        marks.write_whole(file, json.dumps(record, indent=1))
        return record

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        records = list(tqdm(pool.map(marked, found), total=len(found), unit="submission"))
    marks.write(assignment, records, course)
    return records


def _state(name: str, seed: int) -> str:
    """Return what a mark depends on, beside the submission: a change means to mark anew."""
    files = [ASSIGNMENTS / f"{name}.md", ASSIGNMENTS / f"{name}.py", Path(__file__)]
    files += [Path(sandbox.__file__), sandbox.PROGRAM, Path(exercises.__file__)]
    data = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(data + str(seed).encode()).hexdigest()


def main() -> None:
    """Mark the submissions of one assignment."""
    parser = argparse.ArgumentParser(description="Mark the submissions of an assignment.")
    parser.add_argument("name", metavar="ASSIGNMENT", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("submissions", type=Path, help="a folder: one folder or notebook a student")
    parser.add_argument("--course", type=Path, default=Path("course"), help="your course's folder")
    parser.add_argument(
        "--deadline", type=datetime.fromisoformat, help='for example "2026-12-01 23:59"'
    )
    options = parser.parse_args()
    if not sandbox.is_isolated():
        print("Warning: bubblewrap is not here, or can't work. Answers run with limits of time")
        print("and memory, but can read files and use the network: see TEACHING.md.")
    try:
        records = grade(options.name, options.submissions, options.course, options.deadline)
    except ValueError as error:
        parser.error(str(error))
    for line in marks.summary(options.name, records):
        print(line)
    print(f"Marks are in {options.course / 'marks'}, feedback is in {options.course / 'feedback'}.")


if __name__ == "__main__":
    main()
