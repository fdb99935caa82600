"""Print the whole book into one PDF; `make pdf` runs it. Needs Chromium.

Sphinx writes all pages into one, in which links stay links; Chromium prints that one, with an
outline of its headings and numbers on its pages. It prints twice: from the first print it is known
on which pages the headings are, for the contents of the second.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chromium import MissingError, chromium
from playwright.sync_api import Page
from pypdf import PdfReader

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "_build" / "singlehtml" / "index.html"
PDF = ROOT / "_build" / "pdf" / "backpropagation.pdf"
FOOT = '<div style="width: 100%; text-align: center; font-size: 8px" class="pageNumber"></div>'
# Put the contents behind the title page: chapters and their sections, each with its page's number.
CONTENTS = """(pages) => {
  document.querySelector("#contents")?.remove();
  const headings = [...document.querySelectorAll("article :is(h1, h2, h3, h4, h5)")];
  const contents = document.createElement("nav");
  contents.id = "contents";
  headings.forEach((heading, i) => {
    if (!heading.matches(".toctree-wrapper :is(h2, h3)")) return;
    const link = heading.querySelector("a.headerlink");
    const line = document.createElement("a");
    line.href = link.hash;
    line.className = heading.matches("h2") ? "chapter" : "section";
    line.append(heading.textContent.replace(link.textContent, ""), "\\u2002", pages[i] ?? "000");
    contents.append(line);
  });
  document.querySelector("article .toctree-wrapper").before(contents);
  return headings.length;
}"""


def print_page(page: Page) -> None:
    """Print what the browser shows."""
    page.pdf(
        path=PDF,
        format="A4",
        margin={"top": "18mm", "bottom": "18mm", "left": "20mm", "right": "20mm"},
        print_background=True,
        scale=0.8,
        tagged=True,
        outline=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOT,
    )


def heading_pages(reader: PdfReader, outline: list[Any]) -> Iterator[int]:
    """Give the number of the page of each heading in an outline, in their order."""
    for entry in outline:
        if isinstance(entry, list):
            yield from heading_pages(reader, entry)
        else:
            number = reader.get_destination_page_number(entry)
            assert number is not None, f"{entry.title} is on no page"
            yield number + 1


def main() -> None:
    """Build the one page, and print it."""
    with chromium() as browser:
        build = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT)]
        subprocess.run(
            [*build, "--builder", "singlehtml", "-q"], check=True, stdout=subprocess.DEVNULL
        )
        PDF.parent.mkdir(exist_ok=True)
        page = browser.new_page()
        page.goto(PAGE.as_uri())
        count = page.evaluate(CONTENTS, [])
        print_page(page)
        reader = PdfReader(PDF)
        pages = list(heading_pages(reader, reader.outline))
        assert len(pages) == count, f"{count} headings, {len(pages)} of them in the outline"
        page.evaluate(CONTENTS, pages)
        print_page(page)
    print(f"The book is printed: {PDF.relative_to(ROOT)}, {PDF.stat().st_size / 1e6:.0f} MB.")


if __name__ == "__main__":
    try:
        main()
    except MissingError as error:
        sys.exit(f"Error: {error}.")
