"""The reference says what the package's source says; what it can't show or find is a warning."""

import ast
import io
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).parents[2]
SAMPLE = {
    "shapes.py": '''
"""Shapes. See `Other.method`."""
from typing import Annotated
Array = list
Rate = Annotated[float, "[0, 1)"]
Matrix = Annotated[Array, "N D", sorted]
''',
    "sample.py": '''
"""A module. See `Base`, and `rate`."""
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, NamedTuple
from backprop.shapes import Array, Matrix, Rate
# Half (eq: known).
HALF = 0.5
_HIDDEN = 1
@checked
def function(X: Matrix, b: Annotated[Array, "D"], *, rate: Rate = HALF) -> tuple[float, Array]:
    """Do it (eq: known)."""
def nothing(z: Annotated[Array, "..."], n: Annotated[int, "[1, inf)"] | None = None) -> None:
    """Do nothing."""
def _hidden(): pass
@dataclass
class Base:
    """A base.

    Attributes
    ----------
    count : int
        How many.
    """
    rate: Rate
    kept: int = 1
    count: int = field(default=0, init=False)
    slots: ClassVar[tuple] = ()
@dataclass
class Other(Base):
    """A kind."""
    rate: Rate = 0.1
    beta: float = 0.9
    def method(self, *args, **options) -> None:
        """Go."""
    @property
    def size(self) -> int:
        """How large."""
    def __len__(self): pass
class Pair(NamedTuple):
    """Two."""
    first: Array
''',
}
EXPECTED = {
    "HALF": "HALF = 0.5",
    "function": "function(X: Array (N, D), b: Array (D,), *, rate: float in [0, 1) = HALF)"
    " → tuple[float, Array]",
    "nothing": "nothing(z: Array of any shape, n: int in [1, ∞) | None = None)",
    "Base": "class Base(rate: float in [0, 1), kept: int = 1)",
    "Other": "class Other(rate: float in [0, 1) = 0.1, kept: int = 1, beta: float = 0.9)",
    "Other.method": "method(*args, **options)",
    "Other.size": "property size → int",
    "Pair": "class Pair(first: Array)",
}


@pytest.fixture
def show(tmp_path, monkeypatch):
    """Return a function that builds a page from a package; it returns the page and the warnings."""
    monkeypatch.syspath_prepend(str(ROOT / "_ext"))
    monkeypatch.delitem(sys.modules, "reference", raising=False)
    import reference

    monkeypatch.setattr(reference, "PACKAGE", tmp_path)
    monkeypatch.setattr(reference, "WIDTH", 200)

    def build(files, modules="shapes sample"):
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        page = f"Page\n====\n\n.. math:: x\n   :label: known\n\n.. reference:: {modules}\n"
        (tmp_path / "index.rst").write_text(page, encoding="utf-8")
        warnings, out = io.StringIO(), tmp_path / "out"
        settings = {"extensions": ["reference"], "nitpicky": True}
        with docutils_namespace():
            Sphinx(tmp_path, None, out, out, "html", settings, None, warnings).build()
        text = (out / "index.html").read_text(encoding="utf-8")
        return BeautifulSoup(text, "html.parser"), warnings.getvalue()

    return build


def signature(entry):
    return " ".join(entry.get_text().removesuffix("¶").split()).replace("¶", "")


def test_signatures_say_shapes_ranges_and_fields(show):
    page, warnings = show(SAMPLE)
    assert not warnings
    prefix = "backprop.sample."
    found = {
        entry["id"].removeprefix(prefix): signature(entry)
        for entry in page.select("dt.sig")
        if entry["id"].startswith(prefix)
    }
    assert found == EXPECTED


def test_names_and_equations_are_links(show):
    page, _ = show(SAMPLE)
    links = {(a.get_text(), a["href"]) for a in page.select("section section a.reference")}
    assert ("known", "#equation-known") in links
    assert ("Base", "#backprop.sample.Base") in links
    assert ("Other.method", "#backprop.sample.Other.method") in links
    assert ("Array", "#backprop.shapes.Array") in links
    assert "rate" not in {text for text, _ in links}
    assert "A kind of Base" in page.get_text()


@pytest.mark.parametrize(
    ("change", "modules", "warning"),
    [
        (("Do it (eq: known)", "Do it (eq: unknown)"), "shapes sample", "not found: unknown"),
        (("", ""), "sample", "no page of the reference shows shapes"),
        (("Do it (eq", "Do *it (eq"), "shapes sample", "docstring of backprop.sample.function"),
    ],
)
def test_what_is_wrong_is_a_warning(show, change, modules, warning):
    files = SAMPLE | {"sample.py": SAMPLE["sample.py"].replace(*change)}
    assert warning in show(files, modules)[1]


def test_every_public_name_has_an_entry_in_the_book(folder):
    pages = (folder / "chapters" / "reference").glob("*.html")
    ids = {
        tag["id"]
        for page in pages
        for tag in BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find_all(id=True)
    }
    names = {
        f"backprop.{path.stem}.{node.name}"
        for path in (ROOT / "code" / "backprop").glob("[!_]*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    assert names
    assert names <= ids
