"""Search folders for what students must not find: runs of words that stand nowhere else."""

import html
import json
import re

from notebooks import has_tag

RUN = 9  # words
TEXTS = {".html", ".ipynb", ".js", ".json", ".md", ".py", ".toml", ".txt", ".csv", ".rst"}
# What ends a run of words: formulas become drawings, and code in a line is set apart.
GAP = "\N{BLACK SQUARE}"
# How every check of a problem set begins its lines, also those that are shown.
CHECKING = ("got = ", "assert got", "expected = (", "for part, ", "np.testing.")


def words(text):
    """Return a text's words, whether it is Markdown, code, HTML or JSON."""
    text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
    text = text.replace("\\n", " ").replace('\\"', " ").replace('"', " ")
    text = re.sub(r"\]\([^)\s]*\)", " ", text)
    text = re.sub(r"\$\$.+?\$\$|\$[^$\n]+\$|`+", f" {GAP} ", text, flags=re.DOTALL)
    return re.findall(rf"\w+|{GAP}", text)


def runs(text):
    """Return all runs of words in a text that have six different ones at least."""
    found = words(text)
    every = {" ".join(found[k : k + RUN]) for k in range(len(found) - RUN + 1)}
    return {
        run for run in every if GAP not in run and len(set(re.findall(r"[^\W\d_]{2,}", run))) >= 6
    }


def text_of(cell):
    """Return what a cell says, with its outputs and what is said of its figure."""
    outputs = [str(output.get("text", "")) for output in cell.get("outputs", [])]
    return "\n".join([cell.source, *outputs, str(cell.metadata.get("mystnb", ""))])


def of_solutions(notebooks):
    """Return the runs of words that stand in solutions of chapters, and in no other cell."""
    hidden, shown = set(), set()
    for notebook in notebooks:
        for cell in notebook.cells:
            (hidden if has_tag(cell, "solution") else shown).update(runs(text_of(cell)))
    return hidden - shown


def of_assignment(assignment):
    """Return the runs that stand in solutions, hidden checks and mark schemes of a problem set."""
    parts = {True: [], False: []}
    for cell in assignment.notebook.cells:
        for is_secret in parts:
            parts[is_secret].append("\n".join(lines(cell.source, is_secret)))
    hidden, shown = (set().union(*map(runs, parts[is_secret])) for is_secret in (True, False))
    return hidden - shown


def lines(source, is_secret):
    """Return a cell's lines between the marks of what is secret, or all others."""
    inside = False
    for line in source.splitlines():
        if "BEGIN " in line or "END " in line:
            inside = "BEGIN " in line
        elif inside == is_secret and not line.lstrip().startswith(CHECKING):
            yield line.strip()


def find(folder, secrets):
    """Return where a folder tells one of the secrets: by file, one of its runs."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in TEXTS:
            told = runs(path.read_text(encoding="utf-8", errors="replace")) & secrets
            if told:
                found[str(path.relative_to(folder))] = min(told)
    return found


def index_of(html_folder):
    """Return the words that a book's search finds."""
    text = (html_folder / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return {*index["terms"], *index["titleterms"]}
