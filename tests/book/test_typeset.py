"""Formulas are drawn when the book is built, in parts for a telephone; wrong TeX is a warning."""

import io
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def typeset():
    sys.path.insert(0, str(ROOT / "_ext"))
    import typeset

    yield typeset
    sys.path.remove(str(ROOT / "_ext"))
    with typeset.start() as process:  # else it would end with this one, and Python complain
        process.stdin.close()


def test_a_formula_is_svg_and_mathml(typeset):
    svg, mathml = typeset.typeset(r"\delta_2", False)
    assert svg.startswith("<svg")
    assert mathml == "<math><msub><mi>δ</mi><mn>2</mn></msub></math>"
    names = [use["href"].removeprefix("#") for use in BeautifulSoup(svg, "html.parser")("use")]
    assert len(names) == 2
    assert all(typeset.GLYPHS[name].startswith(f'<path id="{name}"') for name in names)


@pytest.mark.parametrize("tex", [r"\frac{1}", r"\nosuchmacro", r"{a", r"\left( a"])
def test_wrong_tex_is_an_error(typeset, tex):
    with pytest.raises(ValueError, match=r"\w"):
        typeset.typeset(tex, False)


@pytest.mark.parametrize(
    ("tex", "signs", "parts"),
    [
        ("a = b = c", "=", ["a ", "= b ", "= c"]),
        ("{a = b} = c", "=", ["{a = b} ", "= c"]),
        (r"\left(a = b\right) = c", "=", [r"\left(a = b\right) ", "= c"]),
        (r"\begin{pmatrix} a = b \end{pmatrix}", "=", [r"\begin{pmatrix} a = b \end{pmatrix}"]),
        (r"a \quad b \qquad c", r"\\q?quad(?![a-z])", ["a ", r"\quad b ", r"\qquad c"]),
        (r"a \\ b", r"\\\\", ["a ", r"\\ b"]),
        (r"\{a = b\}", "=", [r"\{a ", r"= b\}"]),
    ],
)
def test_split(typeset, tex, signs, parts):
    assert typeset.split(tex, signs) == parts


LONG = "x" * 30


@pytest.mark.parametrize(
    ("tex", "count"),
    [
        ("a = b", 0),
        (f"{LONG} = {LONG} = {LONG}", 3),
        (r"a = xxxxx, \qquad xxxxx = b", 0),
        (rf"a = {LONG[:15]}, \qquad {LONG[:15]} = b", 2),
        (rf"{LONG} + {LONG} = b", 3),
        (rf"{LONG} + {LONG}", 2),
    ],
)
def test_a_long_formula_comes_in_parts(typeset, tex, count):
    drawn = BeautifulSoup(typeset.draw_in_parts(tex, True), "html.parser")
    assert len([part for part in drawn(class_="part") if not part.find(class_="part")]) == count


def test_lines_of_an_aligned_formula_stand_alone_on_a_telephone(typeset):
    tex = rf"\begin{{aligned}} a &= {LONG}{LONG} \\ b &= c \end{{aligned}}"
    drawn = BeautifulSoup(typeset.draw_in_parts(tex, True), "html.parser")
    assert len(drawn.select(".aligned > svg")) == 1
    assert len(drawn.select(".lines > span")) == 2


def build(place, text):
    """Return the page and the warnings of a book of one page."""
    (place / "index.rst").write_text(f"Page\n====\n\n{text}\n", encoding="utf-8")
    warnings = io.StringIO()
    with docutils_namespace():
        app = Sphinx(
            place, None, place / "html", place / "trees", "html",
            confoverrides={"extensions": ["typeset"], "html_math_renderer": "typeset"},
            status=None, warning=warnings,
        )  # fmt: skip
        app.build()
    page = (place / "html" / "index.html").read_text(encoding="utf-8")
    return BeautifulSoup(page, "html.parser"), warnings.getvalue()


def test_a_page_holds_the_glyphs_of_its_formulas(typeset, tmp_path):
    page, warnings = build(
        tmp_path, r":math:`\delta = 1`" + "\n\n.. math:: \\sigma\n   :label: s\n"
    )
    assert not warnings
    used = {use["href"].removeprefix("#") for use in page.select(".math use")}
    assert used == {path["id"] for path in page.select("svg.glyphs path")}
    assert len(used) == 4
    assert page.select_one("div.math .eqno").get_text().startswith("(1)")
    assert "MathJax" not in str(page.head)


def test_wrong_tex_is_a_warning_and_is_shown(typeset, tmp_path):
    page, warnings = build(tmp_path, r":math:`\frac{<1}`")
    assert "Missing argument" in warnings
    assert "index.rst:4" in warnings
    assert page.select_one("code").get_text() == r"\frac{<1}"
