"""The rules for a chapter's notebook. Each takes a notebook and returns what breaks the rule."""

import re
from itertools import pairwise

import nbformat
from notebooks import CHECK, EXERCISE, KINDS, fold, has_tag

from backprop import __version__

MOST_LINES = 20
MOST_LINES_IN_SIGHT = 220  # of code that is not folded, in a whole chapter
MOST_OUTPUT_LINES = 60
SHORTEST_ALT = 20
FEWEST_EXERCISES, MOST_EXERCISES = 5, 8

NOTEBOOK_KEYS = {"kernelspec", "language_info", "jupytext"}
CELL_KEYS = {"tags", "mystnb", "cellView", "jupyter"}
# "timed" cells hold functions that a benchmark takes from the chapter. "timing" cells show how long
# something took, which no test judges.
HIDING = {"hide-cell", "hide-input", "hide-output"}
TAGS = {
    *HIDING,
    *KINDS,
    "exercise",
    "hint",
    "nbval-ignore-output",
    "nbval-skip",
    "timed",
    "timing",
}

MACHINE_TRACE = re.compile(
    r"(?<![\w.:/-])/(?:home|root|tmp|Users|mnt|content)/"  # and not as part of a web address
    r"|[A-Z]:\\(?:Users|Windows|Program)"
    r"|file://|site-packages|\bat 0x[0-9a-f]{6,}"
)
IGNORING_COMMENT = re.compile(
    r"^\s*#+\s*(?:NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$", re.MULTILINE
)
FOLDED = re.compile(
    r"<details>\s*<summary>Solution[^<]*</summary>\s*(?!</details>)\S.*</details>", re.DOTALL
)
HINTS = re.compile(
    r"(<details>\s*<summary>(Hint|Another hint)</summary>\s*(?!</details>)\S.*?</details>\s*)+",
    re.DOTALL,
)
STUB = re.compile(r"def (\w+)\([^)]*\):\n    pass  # your code\n")


def cells(notebook, kind):
    """Return the number and the cell of each cell of one kind."""
    return [(n, cell) for n, cell in enumerate(notebook.cells) if cell.cell_type == kind]


def headings(notebook):
    """Return cell number, level and text of each Markdown heading outside code blocks."""
    found = []
    for n, cell in cells(notebook, "markdown"):
        text = re.sub(r"^(```+|~~~+).*?^\1", "", cell.source, flags=re.MULTILINE | re.DOTALL)
        for marks, title in re.findall(r"^(#{1,6}) +(.*\S)", text, re.MULTILINE):
            found.append((n, len(marks), title))
    return found


def output_texts(cell):
    """Return the texts among a code cell's outputs, without pictures stored as base64."""
    texts = []
    for output in cell.outputs:
        texts.append(output.get("text", ""))
        for mime, data in output.get("data", {}).items():
            if mime.startswith("text/") or mime == "image/svg+xml":
                texts.append(data)
    return texts


def has_picture(cell):
    return any(
        mime.startswith("image/") for output in cell.outputs for mime in output.get("data", {})
    )


def is_ignored(cell):
    """Tell whether nbval runs the cell without comparing its output, or not at all."""
    tags = set(cell.metadata.get("tags", []))
    return bool(
        tags & {"nbval-ignore-output", "nbval-skip"} or IGNORING_COMMENT.search(cell.source)
    )


def is_valid(notebook):
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        return [str(error).splitlines()[0]]
    return []


def is_executed_in_order(notebook):
    counts = [cell.execution_count for _, cell in cells(notebook, "code")]
    if counts != list(range(1, len(counts) + 1)):
        return [f"expected the execution counts 1 to {len(counts)}, got {counts}"]
    return []


def has_no_error_output(notebook):
    return [
        f"cell {n}: has {output.get('name', 'error')} output"
        for n, cell in cells(notebook, "code")
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def has_no_trace_of_a_machine(notebook):
    return [
        f"cell {n}: contains {match.group()!r}"
        for n, cell in enumerate(notebook.cells)
        for text in [cell.source, *(output_texts(cell) if cell.cell_type == "code" else [])]
        for match in MACHINE_TRACE.finditer(text)
    ]


def has_short_cells(notebook):
    return [
        f"cell {n}: has {lines} lines, expected at most {MOST_LINES}"
        for n, cell in cells(notebook, "code")
        if (lines := len(cell.source.splitlines())) > MOST_LINES
    ]


def shows_little_code(notebook):
    lines = sum(
        sum(bool(line.strip()) for line in cell.source.splitlines())
        for _, cell in cells(notebook, "code")
        if not HIDING & set(cell.metadata.get("tags", []))
    )
    if lines > MOST_LINES_IN_SIGHT:
        return [f"shows {lines} lines of code, expected at most {MOST_LINES_IN_SIGHT}: fold some"]
    return []


def has_short_outputs(notebook):
    """Pictures and live figures do not count."""
    broken = []
    for n, cell in cells(notebook, "code"):
        lines = sum(
            len(text.splitlines())
            for text in output_texts(cell)
            if not text.startswith(("<?xml", "<backprop-"))
        )
        if lines > MOST_OUTPUT_LINES:
            broken.append(f"cell {n}: prints {lines} lines, expected at most {MOST_OUTPUT_LINES}")
    return broken


def describes_each_picture(notebook):
    broken = []
    for n, cell in cells(notebook, "code"):
        description = cell.metadata.get("mystnb", {})
        alt = description.get("image", {}).get("alt", "")
        caption = description.get("figure", {}).get("caption", "")
        if not has_picture(cell):
            if alt or caption:
                broken.append(f"cell {n}: describes a picture but shows none")
            continue
        if len(alt) < SHORTEST_ALT:
            broken.append(
                f"cell {n}: expected an alt text of {SHORTEST_ALT} characters, got {alt!r}"
            )
        if not caption:
            broken.append(f"cell {n}: the picture has no caption")
        elif caption == alt:
            broken.append(f"cell {n}: the alt text repeats the caption")
    for n, cell in cells(notebook, "markdown"):
        for alt in re.findall(r"!\[([^\]]*)\]", cell.source):
            if len(alt) < SHORTEST_ALT:
                broken.append(f"cell {n}: expected a longer alt text than {alt!r}")
        if re.search(r"<img\b", cell.source):
            broken.append(f"cell {n}: write pictures as ![alt](file), not as <img>")
    return broken


def begins_with_setup(notebook):
    tagged = [n for n, cell in cells(notebook, "code") if "setup" in cell.metadata.get("tags", [])]
    code = cells(notebook, "code")
    if not code or tagged != [code[0][0]]:
        return [f"expected the tag 'setup' on the first code cell only, got it on cells {tagged}"]
    printed = output_texts(code[0][1])
    if printed != [f"backprop {__version__} is ready.\n"]:
        return [f"expected the output 'backprop {__version__} is ready.', got {printed}"]
    return []


def uses_plain_syntax(notebook):
    broken = []
    for n, cell in cells(notebook, "markdown"):
        if re.search(r"^\s*(?:```+|~~~+)\{", cell.source, re.MULTILINE):
            broken.append(f"cell {n}: backtick directive; Colab shows it as code, write :::{{...}}")
        if re.search(r"\{glue[:}]", cell.source):
            broken.append(f"cell {n}: glue; print the number instead")
    for n, cell in cells(notebook, "code"):
        if re.search(r"\bglue\(", cell.source):
            broken.append(f"cell {n}: glue; print the number instead")
    return broken


def has_orderly_headings(notebook):
    found = headings(notebook)
    titles = [title for _, level, title in found if level == 1]
    if len(titles) != 1 or found[0][1] != 1 or not notebook.cells[0].source.startswith("# "):
        return [f"expected one title, at the top of the first cell, got {titles}"]
    return [
        f"cell {n}: level {level} heading {title!r} follows level {before}"
        for (_, before, _), (n, level, title) in pairwise(found)
        if level > before + 1
    ]


def has_only_known_metadata(notebook):
    broken = [f"notebook metadata {key!r}" for key in notebook.metadata.keys() - NOTEBOOK_KEYS]
    for n, cell in enumerate(notebook.cells):
        broken += [f"cell {n}: metadata {key!r}" for key in cell.metadata.keys() - CELL_KEYS]
        broken += [f"cell {n}: tag {tag!r}" for tag in set(cell.metadata.get("tags", [])) - TAGS]
        for output in cell.get("outputs", []):
            if any("widget" in mime for mime in output.get("data", {})):
                broken.append(f"cell {n}: widget output")
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        broken.append(f"expected the kernel python3, got {kernel}")
    return broken


def asserts_what_is_not_compared(notebook):
    """Numbers behind ≈ and ignored outputs are not compared, so an assertion must hold them.

    It stands in the same cell or in the next one. Only times are shown without one.
    """
    code = [*cells(notebook, "code"), (None, None)]
    return [
        f"cell {n}: its output is not compared, and no assertion holds it"
        for (n, cell), (_, following) in pairwise(code)
        if (is_ignored(cell) or any("≈" in text for text in output_texts(cell)))
        and "timing" not in cell.metadata.get("tags", [])
        and "assert " not in cell.source + (following.source if following else "")
    ]


def says_what_each_cell_is(notebook):
    """What is folded has a kind, and is folded as that asks."""
    broken = []
    for n, cell in cells(notebook, "code"):
        tags = set(cell.metadata.get("tags", []))
        if len(kinds := tags & KINDS.keys()) > 1 or (not kinds and tags & HIDING):
            broken.append(f"cell {n}: expected one of the tags {', '.join(KINDS)}, got {tags}")
        if fold(cell.metadata) != cell.metadata:
            broken.append(f"cell {n}: is not folded as its tag says; `make chapter` does it")
    return broken


def has_exercises_with_solutions(notebook):
    """An exercise's cell begins with its heading; cells below hold the solution, text or code."""
    starts = [n for n, level, text in headings(notebook) if level == 3 and "Exercise " in text]
    tagged = [n for n, _ in cells(notebook, "markdown") if has_tag(notebook.cells[n], "exercise")]
    broken = []
    if not FEWEST_EXERCISES <= len(starts) <= MOST_EXERCISES or starts != tagged:
        broken.append(
            f"expected {FEWEST_EXERCISES} to {MOST_EXERCISES} cells with the tag 'exercise' and a"
            f" heading '### Exercise 2.1 ★ Title', got headings in {starts}, tags on {tagged}"
        )
    ends = [*starts[1:], len(notebook.cells)]
    matches = [EXERCISE.match(notebook.cells[start].source) for start in starts]
    chapter = next((match.group(1) for match in matches if match), "N")
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        match = matches[number - 1]
        if not match or match.groups()[:2] != (chapter, str(number)):
            heading = f"### Exercise {chapter}.{number} ★ Title"
            broken.append(f"cell {start}: expected it to begin '{heading}'")
        if not any(has_tag(cell, "solution") for cell in notebook.cells[start:end]):
            broken.append(f"cell {start}: no cell below exercise {number} has the tag 'solution'")
    for n, cell in cells(notebook, "markdown"):
        for tag, form in (("solution", FOLDED), ("hint", HINTS)):
            if has_tag(cell, tag) != bool(form.fullmatch(cell.source.strip())):
                broken.append(f"cell {n}: the tag '{tag}' and <details> around it go together")
    return broken


def checks_what_it_asks_to_write(notebook):
    """Each stub is checked, in vain; hints follow, then a solution that passes the same check."""
    broken = []
    passed = {}
    for n, cell in cells(notebook, "code"):
        stubs, checks = STUB.findall(cell.source), CHECK.findall(cell.source)
        said = "".join(output.get("text", "") for output in cell.outputs).splitlines()
        if has_tag(cell, "exercise"):
            if not stubs or stubs != checks:
                broken.append(f"cell {n}: expected stubs and their checks, got {stubs}, {checks}")
            if len(said) != len(checks) or not all(map(is_told_of_a_stub, said, checks)):
                broken.append(f"cell {n}: expected the check to say that nothing is returned yet")
            if not has_tag(notebook.cells[n + 1], "hint"):
                broken.append(f"cell {n}: no cell with the tag 'hint' follows")
            passed |= dict.fromkeys(stubs, False)
        for name in checks:
            if name not in passed:
                broken.append(f"cell {n}: checks {name}, which no stub asks for")
            passed[name] = f"{name}: right." in said
    broken += [f"no solution of {name} passes its check" for name in passed if not passed[name]]
    return broken


def is_told_of_a_stub(line, name):
    """Tell whether a check's line fits a stub; one of a test lets everything through."""
    if name.startswith("test_"):
        return line != f"{name}: right."
    return line == f"{name}: nothing is returned yet."


RULES = [
    is_valid,
    is_executed_in_order,
    has_no_error_output,
    has_no_trace_of_a_machine,
    has_short_cells,
    has_short_outputs,
    describes_each_picture,
    begins_with_setup,
    uses_plain_syntax,
    has_orderly_headings,
    has_only_known_metadata,
    asserts_what_is_not_compared,
    says_what_each_cell_is,
    checks_what_it_asks_to_write,
]
RULES_FOR_CHAPTERS = [shows_little_code, has_exercises_with_solutions]  # for those with a number


def ignored_share(notebooks):
    """Return the share of code cells whose output nbval does not compare, and their names."""
    code = [(name, n, cell) for name, book in notebooks.items() for n, cell in cells(book, "code")]
    ignored = [f"{name} cell {n}" for name, n, cell in code if is_ignored(cell)]
    return len(ignored) / len(code), ignored
