"""A chapter prints with its solutions or without; the printed book, if there is one, is offered."""

import sys
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).parents[2]

# How many solutions, in words and in code, have a height on paper; and controls that have.
ON_PAPER = """() => {
  const shown = (selector) => [...document.querySelectorAll(selector)]
    .filter((element) => element.getBoundingClientRect().height > 0).length;
  return { words: shown("#exercises details:not([class]) > :not(summary)"),
    code: shown(".tag_solution .cell_input"), set_up: shown(".tag_setup .cell_input"),
    controls: shown(".copybtn, .headerlink, .print-solutions") };
}"""


@pytest.fixture
def printing():
    sys.path.insert(0, str(ROOT / "_ext"))
    import printing

    yield printing
    sys.path.remove(str(ROOT / "_ext"))


@pytest.mark.parametrize("wanted", [True, False])
def test_who_prints_chooses_whether_solutions_are_printed(browser, folder, wanted):
    page = browser.new_page()
    page.goto((folder / "chapters/02_chain_rule.html").as_uri())
    page.get_by_label("print the solutions").set_checked(wanted)
    page.emulate_media(media="print")
    found = page.evaluate(ON_PAPER)
    page.close()
    assert (found["words"] > 8) == (found["code"] > 8) == wanted
    assert wanted or not found["words"] + found["code"]
    assert not found["set_up"]
    assert not found["controls"]


def test_each_chapter_asks(folder, toc):
    for name in toc:
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert page.count('class="print-solutions"') == page.count('id="exercises"'), name


@pytest.mark.parametrize("exists", [True, False])
def test_the_printed_book_is_offered_if_it_exists(printing, tmp_path, exists):
    (tmp_path / "index.rst").write_text("Page\n====\n")
    if exists:
        (tmp_path / "_build" / "pdf").mkdir(parents=True)
        (tmp_path / "_build" / "pdf" / printing.NAME).write_bytes(b"%PDF")
    with docutils_namespace():
        app = Sphinx(
            tmp_path, None, tmp_path / "html", tmp_path / "trees", "html",
            confoverrides={"extensions": ["printing"]}, status=None, warning=None,
        )  # fmt: skip
        app.build()
    assert (tmp_path / "html" / printing.NAME).exists() == exists
    buttons = []
    context = {"header_buttons": [{"label": "download-buttons", "buttons": buttons}]}
    context["pathto"] = lambda name, resource: f"../{name}"
    printing.offer(app, "page", "page.html", context, None)
    assert [button["url"] for button in buttons] == [f"../{printing.NAME}"] * exists
