"""Take a snapshot of the book's prose, on which a chapter trains a character model.

    python tools/book_text.py

Writes code/backprop/data/book.txt and prints its SHA-256, which `datasets.book_text` checks. It
holds the prose of the chapters before that one, but no solution, for the package goes to students,
too, and no text that stands for a figure. The snapshot is frozen: the stored outputs of the chapter
belong to it. Take a new one only to execute that chapter anew.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from notebooks import has_tag

ROOT = Path(__file__).parents[1]
READER = "07_character_model"  # the chapter that reads it
TARGET = ROOT / "code" / "backprop" / "data" / "book.txt"
SPELLED = {"’": "'", "“": '"', "”": '"', "–": "-", "−": "-", "×": "x", "…": "...", "ü": "u"}


def plain(text: str) -> Iterator[str]:
    """Return the sentences of a Markdown text that can be read without its formulas."""
    text = re.sub(r"^\$\$.*?^\$\$[^\n]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"</?(details|summary)>", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\$([A-Za-z0-9 .,=+]+)\$", r"\1", text)  # formulas that read like words
    text = re.sub(r"(?m)^(\s*[#>\-*:]+ |\s*\d+\. )", "", text)
    text = re.sub(r"[*`]", "", text)
    for letter, spelling in SPELLED.items():
        text = text.replace(letter, spelling)
    for paragraph in text.split("\n"):
        sentences = re.split(r"(?<=[.:?!)]) (?=[A-Z(])", paragraph.strip())
        kept = [s for s in sentences if not re.search(r"[^ -~]|[$\\|{}_^<>~@\[\]]", s)]
        if len(line := " ".join(kept)) > 20:
            yield line


def prose(notebook: Any) -> Iterator[str]:
    """Return the text of a chapter's cells and the captions of its figures."""
    for cell in notebook.cells:
        if not has_tag(cell, "solution"):
            if cell.cell_type == "markdown":
                yield from plain(cell.source)
            yield from plain(cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", ""))


def main() -> None:
    """Write the snapshot."""
    lines: list[str] = []
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        if path.stem < READER:
            notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
            lines += prose(notebook)
    data = ("\n".join(lines) + "\n").encode("ascii")
    TARGET.write_bytes(data)
    print(f"{TARGET.relative_to(ROOT)}: {len(data):,} characters, {len(set(data))} different")
    print(hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
