"""Tables, feedback and nbgrader's gradebook, made from what was marked."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from assignments import Assignment, course_config
from nbgrader.api import Gradebook
from sqlalchemy.exc import SAWarning

FEEDBACK = Path(__file__).with_name("feedback.html")
WORDS = ["student", "question", "points", "comment", "of", "answer"]


def write_whole(file: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old text or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8", newline="")
    os.replace(new, file)


def write(assignment: Assignment, records: list[dict[str, Any]], course: Path) -> None:
    """Write marks, the sheet for answers in words, feedback and gradebook of an assignment."""
    of_words = points_of_words(assignment)
    sheet = course / "marks" / f"{assignment.name}-words.csv"
    judged = _read_sheet(sheet)
    for record in records:
        record["in words"] = {
            question: {"points": "" if answer else "0", "comment": ""}
            | judged.get((record["student"], question), {})
            | {"of": of, "answer": answer}
            for question, of in of_words.items()
            for answer in [record["words"].get(question, "")]
        }
    if of_words:
        _write_table(sheet, WORDS, _sheet_rows(records))
    _write_marks(assignment, records, course)
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        FEEDBACK.read_text(encoding="utf-8")
    )
    for record in records:
        page = template.render(
            record,
            in_words=record["in words"],
            assignment=assignment.name,
            total=total(record),
            of=of(record),
        )
        folder = course / "feedback" / record["student"] / assignment.name
        for name, text in {f"{assignment.name}.html": page, **record["exchange"]}.items():
            write_whole(folder / name, text)
    _write_gradebook(assignment, records, course)


def points_of_words(assignment: Assignment) -> dict[str, int]:
    """Return the points of the questions that are answered in words."""
    return {
        data["grade_id"]: data["points"]
        for cell in assignment.notebook.cells
        if (data := cell.metadata.get("nbgrader", {})).get("grade") and data["solution"]
    }


def total(record: dict[str, Any]) -> float:
    """Return a student's points, those for words included as far as they have been given."""
    judged = [*record["questions"].values(), *record["in words"].values()]
    return sum(float(question["points"] or 0) for question in judged)


def of(record: dict[str, Any]) -> int:
    """Return how many points there are."""
    judged = [*record["questions"].values(), *record["in words"].values()]
    return sum(int(question["of"]) for question in judged)


def summary(name: str, records: list[dict[str, Any]]) -> Iterable[str]:
    """Yield what an instructor wants to know at once."""
    totals = sorted(total(record) for record in records)
    yield f"{len(records)} marked; median {totals[len(totals) // 2]:g} of {of(records[0])} points."
    for record in records:
        for note in record["notes"]:
            yield f"  {record['student']}: {note}"
    if waiting := sum(q["points"] == "" for r in records for q in r["in words"].values()):
        yield f"Answers in words that wait for points: {waiting}. Fill in {name}-words.csv, beside"
        yield "the marks, and run this again."


def _write_marks(assignment: Assignment, records: list[dict[str, Any]], course: Path) -> None:
    name = assignment.name
    questions = [question.name for question in assignment.questions]
    in_words = list(points_of_words(assignment))
    rows = [
        {
            "student": record["student"],
            **{question: record["questions"][question]["points"] for question in questions},
            **{question: record["in words"][question]["points"] for question in in_words},
            "total": f"{total(record):g}",
            "of": of(record),
            "late": "late" if record["late"] else "",
            "notes": "; ".join(record["notes"]),
        }
        for record in records
    ]
    head = ["student", *questions, *in_words, "total", "of", "late", "notes"]
    _write_table(course / "marks" / f"{name}.csv", head, rows)
    # What the platforms import: Canvas wants its five columns, Moodle a column to know people by.
    canvas = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", name]
    _write_table(
        course / "marks" / f"{name}-canvas.csv",
        canvas,
        [
            dict.fromkeys(canvas, "") | {"Student": "Points Possible", name: rows[0]["of"]},
            *(
                dict.fromkeys(canvas, "")
                | {"Student": row["student"], "SIS Login ID": row["student"], name: row["total"]}
                for row in rows
            ),
        ],
    )
    _write_table(
        course / "marks" / f"{name}-moodle.csv",
        ["username", name],
        [{"username": row["student"], name: row["total"]} for row in rows],
    )


def _sheet_rows(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"student": record["student"], "question": question, **judged}
        for record in records
        for question, judged in record["in words"].items()
    ]


def _read_sheet(file: Path) -> dict[tuple[str, str], dict[str, str]]:
    if not file.exists():
        return {}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return {
            (_plain(row["student"]), row["question"]): {
                "points": row["points"].strip(),
                "comment": _plain(row["comment"]),
            }
            for row in csv.DictReader(lines)
        }


def _write_table(file: Path, head: list[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write a table that spreadsheets open; what a student wrote is never a formula in it."""
    lines = io.StringIO(newline="")
    table = csv.DictWriter(lines, head)
    table.writeheader()
    table.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    write_whole(file, f"\ufeff{lines.getvalue()}")


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _plain(value: str) -> str:
    return value[1:] if value[:1] == "'" and value[1:2] in "=+-@\t\r" and value[1:] else value


def _write_gradebook(assignment: Assignment, records: list[dict[str, Any]], course: Path) -> None:
    """Hand the marks to nbgrader, which keeps them in gradebook.db."""
    name = assignment.name
    config = course_config(course)
    url = f"sqlite:///{Path(config.CourseDirectory.root, 'gradebook.db')}"
    with warnings.catch_warnings(), Gradebook(url, "backpropagation") as gradebook:
        warnings.simplefilter("ignore", SAWarning)  # of how nbgrader adds to its database
        for record in records:
            gradebook.update_or_create_student(record["student"])
            submission = gradebook.update_or_create_submission(name, record["student"])
            for grade in submission.notebooks[0].grades:
                cell = grade.name
                if cell in record["in words"]:
                    points = record["in words"][cell]["points"]
                    grade.manual_score = float(points) if points else None
                    grade.needs_manual_grade = not points
                else:
                    question, kind = cell.rsplit("-", 1)
                    grade.auto_score = record["questions"][question][kind]
                    grade.needs_manual_grade = False
        gradebook.db.commit()
