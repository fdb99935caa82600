"""Sphinx extension: a search that knows Greek letters by their names, and chapters come first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sphinx.search
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

LETTERS = "αβγδεζηθικλμνξοπρστυφχψωϵϑϕ"  # the last three as TeX writes them
NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
    "tau upsilon phi chi psi omega epsilon theta phi"
).split()
GREEK = dict(zip(LETTERS, NAMES, strict=True))
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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    sphinx.search.languages["en"] = SearchWithGreek
    app.config.html_search_scorer = str(Path(__file__).with_name("scorer.js"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
