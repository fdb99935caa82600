"""Sphinx extension: live figures, in their chapters and on other pages.

A cell shows a still picture, for those who have no scripts, and then its live figure: the two are
one figure, with one number and caption. ``.. live:: walk chapters/02_chain_rule.ipynb`` shows that
chapter's figure with its numbers, and plays it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective


class Live(SphinxDirective):
    """The output of the cell that shows a live figure."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Return the figure."""
        name, notebook = self.arguments
        path = Path(self.env.srcdir, notebook)
        self.env.note_dependency(str(path))
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                html = "".join(output.get("data", {}).get("text/html", ""))
                if f"<backprop-{name}>" in html:
                    return [nodes.raw("", html.replace(">", " play>", 1), format="html")]
        raise self.error(f"{notebook} shows no live figure of the name {name}")


class OneFigure(SphinxTransform):
    """Put a live figure below the still picture before it, above the caption."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Change the tree of one page, before its figures are numbered."""
        for live in list(self.document.findall(nodes.figure)):
            if any("<backprop-" in raw.astext() for raw in live.findall(nodes.raw)):
                place = live.parent.index(live)
                live.parent[place - 1].insert(1, live[0])
                live.parent.remove(live)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_directive("live", Live)
    app.add_transform(OneFigure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
