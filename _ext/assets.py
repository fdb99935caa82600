"""Sphinx extension: what the book's pages load, as little as they use, and from no other host."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

# What Jupyter Book adds to every page, and what a page that uses it has in its text. Thebe's
# scripts, for live code, name another host, and one of them, written twice, is an error.
USED_IF = {
    "thebe": r"(?!)",  # never
    "toggle": r'class="[^"]*\b(toggle|dropdown)\b',
    "sphinx-design": r'class="[^"]*\bsd-',
    "design-tabs": r'class="[^"]*\bsd-tab',
}
# What the theme copies and no page loads.
UNUSED = ("**/*.map", "**/*.ttf", "locales", "scripts/fontawesome.js", "*webpack-macros.html")
# Words of code in the colour of all code: names, punctuation, space. They are most of them.
PLAIN = re.compile(r'<span class="(?:n|nn|p|w)">([^<]*)</span>')


def is_used(asset: Any, body: str) -> bool:
    """Tell whether a page with this text uses a script or a style sheet."""
    name = f"{asset.filename} {asset.attributes.get('body', '')}".lower()
    return all(re.search(sign, body) for part, sign in USED_IF.items() if part in name)


def leave_out(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Drop what a page does not use, and let no script hold up the page."""
    body = context["body"] = PLAIN.sub(r"\1", context.get("body", ""))
    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context[kind] if is_used(asset, body)]
    for script in filter(lambda script: script.filename, context["script_files"]):
        script.attributes.pop("defer", None)
        if page != "search":  # its template has scripts that need these at once
            script.attributes["defer"] = "defer"


class KeepPlace(SphinxPostTransform):
    """Give figures their size, so that a page does not jump when they arrive."""

    default_priority = 950  # after the notebooks' outputs have become images
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the tree of one page."""
        for image in self.document.findall(nodes.image):
            path = Path(self.app.srcdir, image["uri"])
            if path.suffix == ".svg" and "width" not in image:
                svg = ElementTree.parse(path).getroot()
                for side in ("width", "height"):
                    points = float(svg.attrib[side].removesuffix("pt"))
                    image[side] = f"{points * 96 / 72:.0f}"


def read_first(app: Sphinx, *_: Any) -> list[str]:
    """Read the first page anew: where no page is read, Sphinx copies no changed style sheet."""
    return [app.config.root_doc]


def clear(app: Sphinx, error: Exception | None) -> None:
    """Remove from the built book what no page loads."""
    if error is None and app.builder.format == "html":
        static = Path(app.outdir, "_static")
        for pattern in UNUSED:
            for path in static.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_post_transform(KeepPlace)
    app.connect("env-get-outdated", read_first)
    app.connect("html-page-context", leave_out)
    app.connect("build-finished", clear)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
