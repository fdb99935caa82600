"""Print the whole book into one PDF; `make pdf` runs it. Needs Chromium.

Sphinx writes all pages into one, in which links stay links; Chromium prints that one, with an
outline of its headings and numbers on its pages.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chromium import MissingError, chromium

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "_build" / "singlehtml" / "index.html"
PDF = ROOT / "_build" / "pdf" / "backpropagation.pdf"
FOOT = '<div style="width: 100%; text-align: center; font-size: 8px" class="pageNumber"></div>'


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
    print(f"The book is printed: {PDF.relative_to(ROOT)}, {PDF.stat().st_size / 1e6:.0f} MB.")


if __name__ == "__main__":
    try:
        main()
    except MissingError as error:
        sys.exit(f"Error: {error}.")
