"""`tools/book_text.py`: the snapshot holds the prose of the book, and no solution."""

import book_text
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebooks import has_tag

from backprop import datasets

CHAPTERS = sorted((book_text.ROOT / "chapters").glob("*.ipynb"))
FIGURE = {
    "image": {"alt": "A line rises from left."},
    "figure": {"caption": "Here the loss rises again."},
}


def test_prose_leaves_out_solutions_code_and_what_stands_for_a_figure():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("A slope of $x$ and *words*, in a sentence."),
            new_markdown_cell("The answer to it all is 42.", metadata={"tags": ["solution"]}),
            new_code_cell("print('no code in it')", metadata={"mystnb": FIGURE}),
            new_code_cell("", metadata={"mystnb": FIGURE, "tags": ["solution"]}),
        ]
    )
    assert list(book_text.prose(notebook)) == [
        "A slope of x and words, in a sentence.",
        "Here the loss rises again.",
    ]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_snapshot_holds_no_solution(path):
    snapshot, notebook = datasets.book_text(), nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if has_tag(cell, "solution"):
            cell.metadata["tags"] = []
            for line in book_text.prose(new_notebook(cells=[cell])):
                assert line not in snapshot
