"""Sphinx extension: exercises and their solutions have addresses, and each mention is a link.

Notebooks say "Exercise 2.3" in plain text, which reads well everywhere. In the book its heading is
`#exercise-2-3`, its solution `#solution-2-3`, and a mention of one that does not exist a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

HEADING = re.compile(r"Exercise (\d+\.\d+) ★")
MENTION = re.compile(r"Exercises? \d+\.\d+(?:(?:, | and | to )\d+\.\d+)*")
NUMBER = re.compile(r"(\d+\.\d+)")
SOLUTION = "<summary>Solution</summary>"


class LinkExercises(SphinxTransform):
    """Name exercises and solutions, and turn what mentions an exercise into a link."""

    default_priority = 600

    def apply(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for section in self.document.findall(nodes.section):
            if found := HEADING.match(section[0].astext()):
                self._name(section, found.group(1))
        for text in list(self.document.findall(nodes.Text)):
            if MENTION.search(text) and not _stands_apart(text):
                text.parent.replace(text, list(self._linked(str(text))))

    def _name(self, section: nodes.section, number: str) -> None:
        name = number.replace(".", "-")
        section["ids"].insert(0, f"exercise-{name}")
        std: Any = self.env.get_domain("std")
        std.note_hyperlink_target(number, self.env.docname, f"exercise-{name}", section[0].astext())
        for raw in section.findall(nodes.raw):
            if SOLUTION in raw.rawsource:
                # Inside, so that a browser opens what is folded when it is led there.
                place = f'<summary>Solution {number}</summary><span id="solution-{name}"></span>'
                raw[0] = nodes.Text(raw.rawsource.replace(SOLUTION, place))

    def _linked(self, text: str) -> Iterator[nodes.Node]:
        end = 0
        for mention in MENTION.finditer(text):
            yield nodes.Text(text[end : mention.start()])
            for part in NUMBER.split(mention.group()):
                yield self._link(part) if NUMBER.fullmatch(part) else nodes.Text(part)
            end = mention.end()
        yield nodes.Text(text[end:])

    def _link(self, number: str) -> nodes.Node:
        return addnodes.pending_xref(
            "",
            nodes.inline("", number),
            refdomain="std",
            reftype="ref",
            reftarget=number,
            refdoc=self.env.docname,
            refexplicit=True,
            refwarn=True,
        )


def _stands_apart(text: nodes.Text) -> bool:
    """Tell whether a text is a heading, a link already, or code."""
    apart = nodes.title | nodes.reference | addnodes.pending_xref | nodes.literal | nodes.raw
    node = text.parent
    while node is not None:
        if isinstance(node, apart | nodes.literal_block):
            return True
        node = node.parent
    return False


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_transform(LinkExercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
