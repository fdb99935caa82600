"""Sphinx extension: pages that need nothing from any other host, also when opened as files."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config


def use_own_mathjax(app: Sphinx, config: Config) -> None:
    """Take MathJax from the book itself, with formulas as SVG.

    The other output form needs web fonts, which Firefox does not load into a page that was
    opened as a file.
    """
    config.mathjax_path = "mathjax/tex-svg.js"


def leave_out_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Drop the scripts for live code, which Jupyter Book always adds and this book never uses.

    They name another host, and one of them, written twice, is an error in every page.
    """
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{script.filename}{script.attributes.get('body')}".lower()
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("config-inited", use_own_mathjax)
    app.connect("html-page-context", leave_out_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
