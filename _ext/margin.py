"""Sphinx extension: on wide screens, a figure's caption stands in the margin."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class CaptionsInMargin(SphinxPostTransform):
    """Give each figure with a caption the class that the theme has for this."""

    default_priority = 950
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for caption in self.document.findall(nodes.caption):
            if isinstance(caption.parent, nodes.figure):
                caption.parent["classes"].append("margin-caption")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_post_transform(CaptionsInMargin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
