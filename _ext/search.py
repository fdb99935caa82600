"""Sphinx extension: a search that knows Greek letters, and which chapter is about a word."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from sphinx import search as sphinx_search
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

FREQUENT = 5  # uses of a word, from which on a page is about it
LETTERS = "αβγδεζηθικλμνξοπρστυφχψωϵϑϕ"  # the last three as TeX writes them
NAMES = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho
sigma tau upsilon phi chi psi omega epsilon theta phi"""
GREEK = dict(zip(LETTERS, NAMES.split(), strict=True))
GREEK |= {letter.upper(): name for letter, name in GREEK.items()}


class SearchWithGreek(SearchEnglish):
    """English, with a word for each Greek letter, in the pages and in what people type."""

    names = str.maketrans({letter: f" {name} " for letter, name in GREEK.items()})
    js_splitter_code = f"""
const GREEK = {json.dumps(GREEK)};
var splitQuery = (query) => query
  .replace(/\\p{{Script=Greek}}/gu, (letter) => ` ${{GREEK[letter] ?? letter}} `)
  .split(/[^\\p{{Letter}}\\p{{Number}}_]+/gu)
  .filter((term) => term);
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text."""
        return super().split(input.translate(self.names))


def lead_home(app: Sphinx) -> list[Any]:
    """Let each word lead first to the chapter that uses it most, as if it stood in its title."""
    indexer = getattr(app.builder, "indexer", None)
    if indexer is not None:
        chapters = [page for page in app.env.found_docs if re.match(r"chapters/\d", page)]
        counts = {
            page: Counter(
                indexer.lang.stem(word.lower())
                for word in indexer.lang.split(app.env.get_doctree(page).astext())
            )
            for page in chapters
        }
        for word in set().union(*counts.values()):
            home = max(chapters, key=lambda page: counts[page][word])
            if counts[home][word] >= FREQUENT:
                indexer._title_mapping.setdefault(word, set()).add(home)
    return []  # no pages of its own


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    sphinx_search.languages["en"] = SearchWithGreek
    app.config.html_search_scorer = str(Path(__file__).with_name("scorer.js"))
    app.connect("html-collect-pages", lead_home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
