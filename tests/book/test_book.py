"""The book builds without a warning, and every page of it keeps every rule of `page_rules`."""

import tomllib
from pathlib import Path

import page_rules
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOME = PYPROJECT["project"]["urls"]["Repository"]


@pytest.fixture(scope="module")
def pages(folder):
    """Every page, the theme's own ones too: its path in the book's folder, and the parsed page."""
    return {
        str(path.relative_to(folder)): BeautifulSoup(
            path.read_text(encoding="utf-8"), "html.parser"
        )
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.parts
    }


def test_it_builds_without_a_warning(build):
    done, _ = build
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_chapter_is_in_the_table_of_contents(toc):
    files = [
        str(path.relative_to(ROOT).with_suffix(""))
        for path in (ROOT / "chapters").rglob("*")
        if path.suffix in (".ipynb", ".md") and ".ipynb_checkpoints" not in path.parts
    ]
    assert sorted([*files, "index"]) == sorted(toc)


@pytest.mark.parametrize("rule", page_rules.RULES, ids=lambda rule: rule.__name__)
def test_pages(rule, toc, pages):
    broken = [f"{name}.html: {what}" for name in toc for what in rule(pages[f"{name}.html"])]
    assert not broken, "\n".join(broken)


def test_links_lead_somewhere(pages, folder):
    # The page for missing ones may be shown at any address, and begins its links at the root.
    rest = {name: page for name, page in pages.items() if name != "404.html"}
    broken = page_rules.broken_links(rest, folder)
    assert not broken, "\n".join(broken)


def test_style_sheets_load_nothing_from_other_hosts(folder):
    foreign = [
        f"{path.relative_to(folder)}: {url}"
        for path in folder.rglob("*.css")
        for url in page_rules.FOREIGN_CSS.findall(path.read_text(encoding="utf-8"))
    ]
    assert not foreign


def test_launch_buttons(toc, pages):
    """None without a home on GitHub; with one, every notebook has those for Colab and Binder."""
    for name in toc:
        leads = " ".join(page_rules.launches_nothing(pages[f"{name}.html"]))
        if not HOME.startswith("https://github.com/"):
            assert not leads, name
        elif (ROOT / f"{name}.ipynb").exists():
            assert "colab.research.google.com" in leads, name
            assert "mybinder.org" in leads, name
