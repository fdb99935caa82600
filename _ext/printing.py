"""Sphinx extension: the book on paper.

Whoever prints a chapter chooses whether its solutions are printed, in a box above its exercises.
If `make pdf` has printed the whole book, the built one holds it, and each page's menu of downloads
offers it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

NAME = "backpropagation.pdf"
CHOICE = (
    '<label class="print-solutions"><input type="checkbox" checked> '
    "When I print this page, print the solutions</label>"
)


def printed(app: Sphinx) -> Path:
    """Return where `make pdf` puts the printed book."""
    return Path(app.srcdir, "_build", "pdf", NAME)


class AskForSolutions(SphinxPostTransform):
    """Put the choice above the exercises of a chapter; a student's edition has no solutions."""

    default_priority = 950
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for section in self.document.findall(nodes.section):
            if "exercises" in section["ids"] and any(map(_is_solution, section.findall())):
                section.insert(1, nodes.raw("", CHOICE, format="html"))


def _is_solution(node: nodes.Node) -> bool:
    if isinstance(node, nodes.raw):
        return "<summary>Solution" in node.astext()
    return isinstance(node, nodes.container) and "tag_solution" in node["classes"]


def offer(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Add the printed book to a page's menu of downloads."""
    for group in context.get("header_buttons", []):
        if group["label"] == "download-buttons" and printed(app).exists():
            group["buttons"].append(
                {
                    "type": "link",
                    "url": context["pathto"](NAME, 1),
                    "text": "The whole book, .pdf",
                    "tooltip": "Download the whole book for print",
                    "icon": "fas fa-book",
                    "label": "download-book-button",
                }
            )


def add(app: Sphinx, error: Exception | None) -> None:
    """Copy the printed book into the built one."""
    if error is None and app.builder.name == "html" and printed(app).exists():
        shutil.copy(printed(app), app.outdir)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_post_transform(AskForSolutions)
    app.connect("html-page-context", offer, priority=900)  # after the theme's own
    app.connect("build-finished", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
