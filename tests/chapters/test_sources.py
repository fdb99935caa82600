"""The page of the sources decides each claim by a cell, and leaves out no line of a source.

The sources are not in the repository. All that is known of them here is how long they are.
"""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import notebook_rules
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

CHAPTERS = Path(__file__).parents[2] / "chapters"
PAGE = nbformat.read(CHAPTERS / "what_five_sources_say.ipynb", as_version=4)
LINES = {0: 73, 1: 169, 2: 135, 3: 291, 4: 210}  # of each source
MISTAKES = [f"E{n}" for n in range(1, 36)]
QUESTIONS = ["lines 277–279", "lines 281–283", "lines 285–287", "lines 289–291"]  # of source 3
VERDICTS = ["Right", "Half right", "Wrong", "Outdated"]
COVERAGE = "Every section of every source, and where it went"

PLACE = r"ource (\d), lines? (\d+)(?:–(\d+))?"
SAID = re.compile(rf"S{PLACE}(; s{PLACE})*( · E\d+(, E\d+)*)?")
VERDICT = re.compile(rf"^\*\*({'|'.join(VERDICTS)})\b", re.MULTILINE)
ARROW = re.compile(r"^→ (.+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)([^\[]*)")  # where to, and the sections that it names
OVERVIEW = re.compile(r"^\| \[(.+)\]\((#.+)\) \| (.+) \| (.+) \|$", re.MULTILINE)
ROW = re.compile(r"^\| (\d) \| (\d+)(?:–(\d+))? \| [^|]+ \| ([^|]*) \|$", re.MULTILINE)


class Entry(NamedTuple):
    """A claim, where it stands, and what follows, texts and code cells in order."""

    title: str
    said: str
    pieces: list[Any]


def entries(page):
    """Return the entries of a page: what stands under its headings of the third level."""
    found = []
    for cell in page.cells:
        if cell.cell_type == "code":
            parts = [cell]
        else:
            parts = re.split(r"^(?=#{1,3} )", cell.source, flags=re.MULTILINE)
        for part in parts:
            if isinstance(part, str) and part.startswith("### "):
                title, said, text = (part[4:] + "\n\n").split("\n\n", 2)
                found.append(Entry(title, said, [text]))
            elif isinstance(part, str) and part.startswith("#"):
                found.append(None)  # a heading of a higher level ends an entry
            elif part and found and found[-1]:
                found[-1].pieces.append(part)
    return [entry for entry in found if entry]


def slug(title):
    """Return a heading's anchor, as MyST makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@cache
def titles(name):
    """Return the headings of a page of the book, or None if there is no such page."""
    path = CHAPTERS / name
    if not path.exists():
        return None
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        return [title for _, _, title in notebook_rules.headings(notebook)]
    return re.findall(r"^#+ +(.*\S)", path.read_text(encoding="utf-8"), re.MULTILINE)


def missing_places(text, page):
    """Return what a text links to or names, and the book doesn't have."""
    here = [title for _, _, title in notebook_rules.headings(page)]
    missing = []
    for target, rest in LINK.findall(text):
        name, _, anchor = target.partition("#")
        found = titles(name) if name else here
        if found is None or (anchor and anchor not in map(slug, found)):
            missing.append(target)
            continue
        missing += [f"{target} {s}" for s in re.findall(r"\*(.+?)\*", rest) if s not in found]
        for exercise in re.findall(r"Exercise \d+\.\d+", rest):
            if not any(title.startswith(f"{exercise} ") for title in found):
                missing.append(f"{target} {exercise}")
    return missing


def says_where_each_claim_stands(page):
    broken = []
    for title, said, _ in entries(page):
        if not SAID.fullmatch(said):
            broken.append(f"{title}: expected 'Source 3, lines 33–35 · E1', got {said!r}")
        for source, first, last in re.findall(PLACE, said):
            lines = range(int(first), int(last or first) + 1)
            if (
                len(lines) < (2 if last else 1)
                or not 1 <= lines[0] <= lines[-1] <= LINES[int(source)]
            ):
                broken.append(f"{title}: source {source} has no such lines, {first}–{last}")
            if (f"source {source}, lines {first}" in said.lower()) != bool(last):
                broken.append(f"{title}: 'line' for one line, 'lines' for several")
    return broken


def decides_each_claim_by_a_cell(page):
    broken = []
    for title, _, pieces in entries(page):
        code = [piece for piece in pieces if not isinstance(piece, str)]
        if not any(text.strip() for cell in code for text in notebook_rules.output_texts(cell)):
            broken.append(f"{title}: no cell prints anything")
    return broken


def ends_each_claim_with_a_verdict(page):
    """It comes once, after the cells, and an arrow leads on to places that exist."""
    broken = []
    for title, _, pieces in entries(page):
        texts = [piece if isinstance(piece, str) else "" for piece in pieces]
        if [len(VERDICT.findall(text)) for text in texts] != [0] * (len(texts) - 1) + [1]:
            broken.append(f"{title}: expected one bold verdict, after the cells")
        arrows = ARROW.findall(texts[-1])
        if len(arrows) != 1 or not LINK.search(arrows[0]):
            broken.append(f"{title}: expected one line '→ [Chapter](chapter.ipynb)' at the end")
        missing = missing_places(texts[-1], page)
        broken += [f"{title}: {place} does not exist" for place in missing]
    return broken


def has_an_entry_for_each_mistake_and_question(page):
    found = entries(page)
    numbers = {number for entry in found for number in re.findall(r"E\d+", entry.said)}
    broken = [f"no entry for {number}" for number in MISTAKES if number not in numbers]
    broken += [f"there is no {number}" for number in numbers - set(MISTAKES)]
    asked = " ".join(entry.said for entry in found if entry.title.endswith("?")).lower()
    return broken + [f"no entry asks {q}" for q in QUESTIONS if f"source 3, {q}" not in asked]


def verdict(entry):
    """Return an entry's verdict, or an empty text."""
    match = isinstance(entry.pieces[-1], str) and VERDICT.search(entry.pieces[-1])
    return match.group(1) if match else ""


def lists_and_counts_all_claims(page):
    top, found = page.cells[0].source, entries(page)
    listed = OVERVIEW.findall(top)
    expected = [
        (
            re.sub(r"([\[\]])", r"\\\1", entry.title),
            f"#{slug(entry.title)}",
            re.sub(r"[Ss]ource (\d), lines? ", r"\1: ", entry.said.split(" · ")[0]),
            verdict(entry),
        )
        for entry in found
    ]
    pairs = zip([*listed, *[None] * len(expected)], expected, strict=False)
    broken = [f"the overview has {got}, expected {row}" for got, row in pairs if got != row]
    broken += [f"the overview has {row} at its end" for row in listed[len(expected) :]]
    counts = Counter(map(verdict, found))
    parts = ", ".join(f"{counts[name]} {name.lower()}" for name in VERDICTS)
    if f"**{len(found)} claims: {parts}.**" not in top:
        broken.append(f"expected at the top: **{len(found)} claims: {parts}.**")
    anchors = Counter(slug(title) for _, _, title in notebook_rules.headings(page))
    return broken + [f"two headings are called {name}" for name, n in anchors.items() if n > 1]


def covers_every_line_once(page):
    """The table's rows run from a source's first line to its last, and each leads somewhere."""
    text = "\n".join(cell.source for _, cell in notebook_rules.cells(page, "markdown"))
    _, _, table = text.partition(f"## {COVERAGE}\n")
    rows = ROW.findall(table)
    if len(rows) != len(re.findall(r"^\| \d", table, re.MULTILINE)):
        return ["a row of the table can't be read"]
    broken = []
    for source, length in LINES.items():
        spans = [(int(a), int(b or a)) for number, a, b, _ in rows if int(number) == source]
        ends = [(0, 0), *spans, (length + 1, length + 1)]
        for (_, last), (first, end) in pairwise(ends):
            if first != last + 1 or end < first:
                broken.append(f"source {source}: line {first} follows line {last}")
    for source, first, _, where in rows:
        if not LINK.search(where):
            broken.append(f"source {source}, line {first}: went nowhere")
        missing = missing_places(where, page)
        broken += [f"source {source}, line {first}: {place} does not exist" for place in missing]
    return broken


CHECKS = [
    says_where_each_claim_stands,
    decides_each_claim_by_a_cell,
    ends_each_claim_with_a_verdict,
    has_an_entry_for_each_mistake_and_question,
    lists_and_counts_all_claims,
    covers_every_line_once,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_page_of_the_sources(check):
    assert check(PAGE) == []


def small_page():
    """Return a page that passes: one entry for all, and each source in one row."""
    places = "; ".join(f"source 3, {lines}" for lines in QUESTIONS)
    listed = "; ".join(lines.replace("lines ", "3: ") for lines in QUESTIONS)
    top = f"""# Page

They make **1 claims: 0 right, 1 half right, 0 wrong, 0 outdated.**

| claim | source: lines | verdict |
|---|---|---|
| [Why?](#why) | {listed} | Half right |"""
    entry = f"## Group\n\n### Why?\n\nS{places[1:]} · {', '.join(MISTAKES)}\n\nBut see."
    decision = new_code_cell("print(0.4)", outputs=[new_output("stream", text="0.4\n")])
    end = """**Half right.** It prints 0.4.

→ [The chain rule](02_chain_rule.ipynb), *The walk backward*, Exercise 2.7; [Words](notation.md)"""
    rows = [f"| {n} | 1–{length} | all | [Why?](#why) |" for n, length in LINES.items()]
    table = f"## {COVERAGE}\n\n| source | lines | what | where |\n|---|---|---|---|\n"
    texts = [new_markdown_cell(text) for text in (top, entry, end, table + "\n".join(rows))]
    return new_notebook(cells=[*texts[:2], decision, *texts[2:]])


@pytest.mark.parametrize("check", CHECKS)
def test_a_small_page_passes(check):
    assert check(small_page()) == []


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        (says_where_each_claim_stands, "Source 3, lines 277–279", "Source 3, 277–279"),
        (says_where_each_claim_stands, "Source 3, lines 277–279", "In source 3, lines 277–279"),
        (says_where_each_claim_stands, "Source 3, lines 277–279", "Source 3, line 277–279"),
        (says_where_each_claim_stands, "Source 3, lines 277–279", "Source 3, lines 277"),
        (says_where_each_claim_stands, "source 3, lines 289–291", "source 3, lines 289–292"),
        (says_where_each_claim_stands, "source 3, lines 289–291", "source 3, line 292"),
        (says_where_each_claim_stands, "source 3, lines 289–291", "source 3, lines 289–288"),
        (ends_each_claim_with_a_verdict, "**Half right.** It", "It"),
        (ends_each_claim_with_a_verdict, "**Half right.** It", "**Not quite.** It"),
        (ends_each_claim_with_a_verdict, "But see.", "**Wrong.** But see."),
        (ends_each_claim_with_a_verdict, "→ [The", "[The"),
        (ends_each_claim_with_a_verdict, "02_chain_rule.ipynb", "02_chain.ipynb"),
        (ends_each_claim_with_a_verdict, "*The walk backward*", "*The walk back*"),
        (ends_each_claim_with_a_verdict, "Exercise 2.7", "Exercise 2.70"),
        (ends_each_claim_with_a_verdict, "notation.md", "notation.md#nowhere"),
        (ends_each_claim_with_a_verdict, "notation.md", "notations.md"),
        (has_an_entry_for_each_mistake_and_question, "E17, ", ""),
        (has_an_entry_for_each_mistake_and_question, "E35", "E35, E36"),
        (has_an_entry_for_each_mistake_and_question, "source 3, lines 285–287", "source 3, line 1"),
        (has_an_entry_for_each_mistake_and_question, "### Why?", "### Why"),
        (lists_and_counts_all_claims, "| [Why?](#why) | 3: 277–279", "| Why? | 3: 277–279"),
        (lists_and_counts_all_claims, "| [Why?](#why) | 3: 277–279", "| [Why?](#why) | 3: 277"),
        (lists_and_counts_all_claims, "| Half right |", "| Right |"),
        (
            lists_and_counts_all_claims,
            "| Half right |",
            "| Half right |\n| [X](#x) | 3 | Right |",
        ),
        (lists_and_counts_all_claims, "1 half right", "2 half right"),
        (lists_and_counts_all_claims, "1 claims", "2 claims"),
        (lists_and_counts_all_claims, "## Group", "## Why?"),
        (covers_every_line_once, "| 3 | 1–291", "| 3 | 1–290"),
        (covers_every_line_once, "| 3 | 1–291", "| 3 | 2–291"),
        (covers_every_line_once, "| 3 | 1–291", "| 3 | 1–292"),
        (covers_every_line_once, "| 3 | 1–291 ", "| 3 | 1–90 | x | [Why?](#why) |\n| 3 | 90–291 "),
        (covers_every_line_once, "| 3 | 1–291 ", "| 3 | 1–90 | x | [Why?](#why) |\n| 3 | 92–291 "),
        (covers_every_line_once, "| 3 | 1–291 | all | [Why?](#why) |", "| 3 | 1–291 | all | |"),
        (
            covers_every_line_once,
            "| 3 | 1–291 | all | [Why?](#why) |",
            "| 3 | 1–291 | all | Why? |",
        ),
        (covers_every_line_once, "| 3 | 1–291 | all | [Why?](#why)", "| 3 | 1–291 | all | [W](#w)"),
        (covers_every_line_once, f"## {COVERAGE}", "## Elsewhere"),
    ],
)
def test_what_is_missing_is_told(check, old, new):
    page = small_page()
    assert sum(cell.source.count(old) for cell in page.cells) == 1
    for cell in page.cells:
        cell.source = cell.source.replace(old, new)
    assert check(page) != []


def test_a_claim_without_a_cell_is_told():
    page = small_page()
    page.cells[2].outputs = []
    assert decides_each_claim_by_a_cell(page) == ["Why?: no cell prints anything"]
    del page.cells[2]
    assert decides_each_claim_by_a_cell(page) == ["Why?: no cell prints anything"]


def test_a_verdict_before_its_cell_is_told():
    page = small_page()
    page.cells[2], page.cells[3] = page.cells[3], page.cells[2]
    assert ends_each_claim_with_a_verdict(page) != []
