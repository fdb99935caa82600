"""A page with one live figure of a chapter."""

import json
import math
import re
from contextlib import contextmanager
from pathlib import Path

import nbformat

from backprop import display

CHAPTERS = Path(__file__).parents[2] / "chapters"


def numbers_of(chapter, name):
    """Return what a chapter hands to a live figure, from its stored output."""
    notebook = nbformat.read(CHAPTERS / f"{chapter}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    (page,) = (page for page in pages if page.startswith(f"<backprop-{name}>"))
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])


class Figure:
    """A live figure, seen from outside."""

    def __init__(self, page, name):
        self.page, self.name = page, f"backprop-{name}"
        self.all = page.locator(self.name)

    def find(self, selector, **options):
        return self.all.locator(selector, **options)

    def label(self, text, exact=False):
        return self.all.get_by_label(text, exact=exact)

    @property
    def values(self):
        return self.page.evaluate(f"document.querySelector('{self.name}').values")

    @property
    def voice(self):
        return self.find(".voice").text_content()


@contextmanager
def open_figure(browser, folder, name, data, width=1280, **options):
    """Open a page with the figure alone; a script's error fails the test."""
    head = '<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    file = folder / f"{name}.html"
    file.write_text(head + display.show_live(name, data).data, encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 1000}, **options)
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(file.as_uri())
    yield Figure(page, name)
    page.close()
    assert not errors


def is_finite(values):
    """Tell whether no number within lists and objects is infinite, or none at all."""
    if isinstance(values, dict | list):
        return all(map(is_finite, values.values() if isinstance(values, dict) else values))
    return not isinstance(values, int | float) or math.isfinite(values)
