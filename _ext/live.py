"""Sphinx extension: a live figure of a chapter on another page.

``.. live:: walk chapters/02_chain_rule.ipynb`` shows it with the numbers that the chapter's cell
gave it, and plays it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_directive("live", Live)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
