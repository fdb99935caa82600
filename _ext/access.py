"""Sphinx extension: what screen readers need, where theme and writer leave it open."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class NameColumns(SphinxPostTransform):
    """Leave out the head of a table that has no words in it; name an empty cell of others."""

    default_priority = 950
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for head in list(self.document.findall(nodes.thead)):
            if not head.astext().strip():
                head.parent.remove(head)
                continue
            for cell in head.findall(nodes.entry):
                if not cell.astext().strip():
                    cell += nodes.inline("", "what", classes=["visually-hidden"])


def name_folds(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give the folds of the table of contents a name."""
    toctree = context.get("generate_toctree_html")
    if toctree:
        context["generate_toctree_html"] = lambda *args, **kwargs: str(
            toctree(*args, **kwargs)
        ).replace("<summary>", '<summary aria-label="Its pages">')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_post_transform(NameColumns)
    app.connect("html-page-context", name_folds, priority=900)  # after the theme's own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
