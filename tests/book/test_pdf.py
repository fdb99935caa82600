"""The printed book has contents that name the right pages, an outline, and links."""

import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from pypdf import PdfReader

ROOT = Path(__file__).parents[2]
MOST_MEGABYTES = 20


@pytest.mark.weekly
def test_the_printed_book():
    subprocess.run([sys.executable, "tools/pdf.py"], cwd=ROOT, check=True)
    pdf = ROOT / "_build" / "pdf" / "backpropagation.pdf"
    assert pdf.stat().st_size <= MOST_MEGABYTES * 1e6
    reader = PdfReader(pdf)
    texts = [unicodedata.normalize("NFKC", page.extract_text()) for page in reader.pages]
    words = [re.sub(r"\s+", " ", text) for text in texts]
    contents = " ".join(words[1:6])
    chapters = [entry for entry in reader.outline[1] if not isinstance(entry, list)]
    numbered = [entry for entry in chapters if re.match(r"\d+\. ", entry.title)]
    assert len(numbered) == 10
    for entry in numbered:
        number = reader.get_destination_page_number(entry) + 1
        assert f"{entry.title} {number}" in contents
        assert f"{number}" in words[number - 1].split()[-1:], "the foot of its first page"
    links = [link for page in reader.pages for link in page.get("/Annots", [])]
    assert len(links) > 500
