"""Sphinx extension: what touches a formula stays on its line, and so does a percent sign.

Browsers may break a line on either side of a drawn formula, so that lines began with a full stop.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class KeepTogether(SphinxPostTransform):
    """Join a formula with the characters that touch it, and a number with its percent sign."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.raw):
                unbreakable = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)
                text.parent.replace(text, nodes.Text(unbreakable))
        for math in list(self.document.findall(nodes.math)):
            parent, place = math.parent, math.parent.index(math)
            before, after = parent[:place], parent[place + 1 :]
            head = tail = ""
            if before and isinstance(before[-1], nodes.Text):
                head = re.split(r"\s", before[-1])[-1]
                before[-1] = nodes.Text(before[-1].removesuffix(head))
            if after and isinstance(after[0], nodes.Text):
                tail = re.split(r"\s", after[0])[0]
                after[0] = nodes.Text(after[0].removeprefix(tail))
            together = nodes.inline("", head, math, nodes.Text(tail), classes=["keep-together"])
            parent[:] = [*before, together, *after]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_post_transform(KeepTogether)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
