r"""Make the slides of the lectures out of the built book; `make slides` runs it.

Nothing is copied into slides/lecture_*.md. A line that begins with @ names what the book shows:

    @figure 2 "Steps 1 to 5."      the figure of chapter 2 whose caption begins so
    @formula sum-rule              the formula with this label
    @formula 1 "y \leftarrow y"    the one of chapter 1 that has no label, and this in it
    @code 3 gradients_of           a function
    @output 2 "paths" 2            a printed line with these words, and how many lines from there
    @exercise 2.1 "The walk, with your own pencil"
    @live 2 walk                   a link to a live figure
    @problems losses               a problem set

[[2: 0.1643]] is a number that stands in chapter 2. Numbers of three digits, with a point, or of
percent need this, and what is between $ must stand so in a chapter. `#` begins a section, `##` a
slide, `###` is a question, and `>` an answer, which the next key shows. After `Note: 3 minutes.`
stands what only the speaker sees.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TypeVar

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from markdown_it import MarkdownIt
from notebooks import EQUATION, EXERCISE
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "_ext"))
import typeset  # noqa: E402

SOURCES = ROOT / "slides"
REVEAL = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE")
MEASURED = re.compile(r"(?<![\w.])(\d{3,}|\d+[.,]\d+|\d+\s?%)")
SYMBOL = re.compile(r"\$(.+?)\$([.,:;?!)]*)")
WIDE = 1.6  # a figure that is less wide than this, in heights, has its words at its side
KINDS = ("figure", "formula", "code", "output", "exercise", "live", "problems")
MARK = "\N{OBJECT REPLACEMENT CHARACTER}"  # where something of the book comes in
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
T = TypeVar("T")


class SlidesError(Exception):
    """A slide that refers to something that is not there; the message says where and what."""


def only(found: Sequence[T], what: str) -> T:
    """Return what was found, if it is one."""
    if len(found) != 1:
        raise SlidesError(f"the book has {len(found) or 'no'} {what}")
    return found[0]


def squeeze(text: str) -> str:
    """Return a text with one space in place of many, and plain apostrophes."""
    return " ".join(text.replace("’", "'").split())


def columns(text: str) -> int:
    """Return the length of the longest line."""
    return max(map(len, text.splitlines()))


@cache
def parse(path: Path) -> BeautifulSoup:
    """Return a page of the built book."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def prose() -> dict[str, str]:
    """Return the Markdown of each chapter, by its number."""
    texts = {}
    for path in sorted((ROOT / "chapters").glob("[0-9]*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
        texts[str(int(path.name[:2]))] = "\n\n".join(sources)
    return texts


def drawn(tex: str, kind: type[nodes.math | nodes.math_block]) -> str:
    """Return a formula as the book draws it."""
    return f'<span class="drawn">{typeset.draw(kind(tex, tex))}</span>'


class Book:
    """The built book, as slides show it in their folder, `target`."""

    def __init__(self, html: Path, target: Path) -> None:
        self.html, self.target = html, target
        self.captions: list[str] = []  # of a slide's figures, for its speaker

    def page(self, chapter: str) -> tuple[str, BeautifulSoup]:
        """Return the address of a chapter, from the slides, and its page."""
        paths = sorted((self.html / "chapters").glob(f"{int(chapter):02}_*.html"))
        path = only(paths, f"chapters {chapter}; `make book` builds it")
        return f"../html/chapters/{path.name}", parse(path)

    def figure(self, chapter: str, words: str) -> str:
        """Show a figure, as large as it gets."""
        address, page = self.page(chapter)
        captions = {squeeze(c.text): c for c in page.select("figure .caption-text")}
        kind = f"figures in chapter {chapter} whose caption begins with {words!r}"
        caption = only([text for text in captions if text.startswith(words)], kind)
        figure = captions[caption].find_parent("figure")
        assert isinstance(figure, Tag)
        image, number = figure.select("img")[0], squeeze(figure.select(".caption-number")[0].text)
        source = self.html / "chapters" / str(image["src"])
        shutil.copy(source, self.target / "figures")
        size = re.findall(r'(?:width|height)="([\d.]+)', source.read_text(encoding="utf-8")[:400])
        kind = "wide" if float(size[0]) > WIDE * float(size[1]) else "tall"
        self.captions.append(f"<p>{number} {escape(caption)}</p>")
        return (
            f'<figure class="{kind}">'
            f'<img src="figures/{source.name}" alt="{escape(str(image["alt"]))}">'
            f'<figcaption><a href="{address}#{figure["id"]}">{number}</a></figcaption></figure>'
        )

    def formula(self, where: str, words: str = "") -> str:
        """Show a formula in a line of its own."""
        found = [
            (chapter, tex, label)
            for chapter, text in prose().items()
            for tex, label in EQUATION.findall(text)
            if (chapter == where and words in tex and not label if words else label == where)
        ]
        kind = f"formulas without label in chapter {where} with {words!r}"
        chapter, tex, label = only(found, kind if words else f"formulas {where!r}")
        number = ""
        if label:
            address, page = self.page(chapter)
            shown = page.select(f"#equation-{label} .eqno")[0].text.strip("#")
            number = f'<a class="eqno" href="{address}#equation-{label}">{shown}</a>'
        return f'<div class="math">{drawn(tex, nodes.math_block)}{number}</div>'

    def code(self, chapter: str, name: str) -> str:
        """Show a function."""
        texts = [code.text for code in self.page(chapter)[1].select(".cell_input pre")]
        found = {
            "\n".join(text.splitlines()[part.lineno - 1 : part.end_lineno])
            for text in texts
            if f"def {name}(" in text
            for part in ast.parse(text).body
            if isinstance(part, ast.FunctionDef) and part.name == name
        }
        code = only(sorted(found), f"functions {name} in chapter {chapter}")
        html = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()
        return f'<pre style="--columns: {columns(code)}">{html}</pre>'

    def output(self, chapter: str, words: str, count: str = "1") -> str:
        """Show lines that a chapter printed."""
        texts = [o.text.splitlines() for o in self.page(chapter)[1].select(".cell_output pre")]
        found = {
            "\n".join(lines[start : start + int(count)])
            for lines in texts
            for start, line in enumerate(lines)
            if squeeze(words) in squeeze(line)
        }
        lines = only(sorted(found), f"printed lines in chapter {chapter} with {words!r}")
        text = textwrap.dedent(lines)
        return f'<pre class="output" style="--columns: {columns(text)}">{escape(text)}</pre>'

    def exercise(self, number: str, title: str) -> str:
        """Name an exercise."""
        found = EXERCISE.findall(prose()[number.split(".")[0]])
        kind = f"exercises {number} with the title {title!r}"
        stars = [star for *parts, star, name in found if (".".join(parts), name) == (number, title)]
        star = only(stars, kind)
        name = SYMBOL.sub(lambda m: self.symbol(m[1], m[2]), title)
        return f'<p class="exercise">{self.mention(number)} {star} {name}</p>'

    def mention(self, number: str) -> str:
        """Link to an exercise."""
        address, page = self.page(number.split(".")[0])
        place = f"exercise-{number.replace('.', '-')}"
        only(page.select(f"section#{place}"), f"exercises {number}")
        return f'<a href="{address}#{place}">Exercise {number}</a>'

    def live(self, chapter: str, name: str) -> str:
        """Link to a live figure."""
        address, page = self.page(chapter)
        found = page.select(f"figure:has(backprop-{name})")
        figure = only(found, f"live figures {name!r} in chapter {chapter}")
        number = squeeze(figure.select(".caption-number")[0].text)
        return f'<p class="live"><a href="{address}#{figure["id"]}">{number}, live ▸</a></p>'

    def problems(self, *names: str) -> str:
        """Name problem sets."""
        found = {path.stem: path for path in (ROOT / "assignments").glob("*.md")}
        paths = [only([found[n]] if n in found else [], f"problem sets {n!r}") for n in names]
        titles = [
            path.read_text(encoding="utf-8").split("\n# ")[1].split("\n")[0] for path in paths
        ]
        return f"<p>{' · '.join(titles)}</p>"

    def quote(self, chapter: str, number: str) -> str:
        """Return a number that stands in a chapter."""
        text = squeeze(self.page(chapter)[1].select("article")[0].text).replace("−", "-")
        if not re.search(rf"(?<![\d.,]){re.escape(number)}(?!\d|[.,]\d)", text):
            raise SlidesError(f"chapter {chapter} does not say {number!r}")
        return number.replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")

    def symbol(self, tex: str, after: str) -> str:
        """Return a formula in a sentence, with the mark that follows it."""
        if not any(tex in text for text in prose().values()):
            raise SlidesError(f"no chapter has the formula ${tex}$")
        return f'<span class="math keep-together">{drawn(tex, nodes.math)}{after}</span>'

    def shown(self, reference: str) -> str:
        """Return what a line that begins with @ refers to."""
        kind, *words = shlex.split(reference.replace("\\", "\\\\"))
        if kind not in KINDS:
            raise SlidesError(f"no reference is called @{kind}")
        return str(getattr(self, kind)(*words))

    def markdown(self, text: str) -> str:
        """Return a part of a slide as HTML."""
        parts: list[str] = []

        def keep(html: str) -> str:
            parts.append(html)
            return f"{MARK}{len(parts) - 1};"

        def refer(found: re.Match[str]) -> str:
            return f"{found[1]}<div>{keep(self.shown(found[2]))}</div>"

        text = re.sub(r"^((?:> )?)@(.*)$", refer, text, flags=re.MULTILINE)
        text = re.sub(r"\[\[(\d+): (.*?)\]\]", lambda m: keep(self.quote(m[1], m[2])), text)
        text = re.sub(r"Exercise (\d+\.\d+)", lambda m: keep(self.mention(m[1])), text)
        text = SYMBOL.sub(lambda m: keep(self.symbol(m[1], m[2])), text)
        if found := MEASURED.search(re.sub(f"{MARK}\\d+;", "", text)):
            raise SlidesError(f"{found[0]!r} is typed; [[2: {found[0]}]] would name its chapter")
        html = MARKDOWN.render(text).replace("<blockquote>", '<blockquote class="fragment">')
        return re.sub(f"{MARK}(\\d+);", lambda m: parts[int(m[1])], html)

    def slide(self, source: str, section: str) -> tuple[str, int]:
        """Return a slide as HTML, and its minutes."""
        text, _, notes = source.partition("\nNote: ")
        minutes = re.match(r"(\d+) minutes?\.", notes)
        if not minutes:
            raise SlidesError("its note does not begin with its minutes")
        self.captions.clear()
        heading, _, body = self.markdown(text).partition("\n")
        # The speaker's window has no glyphs; it shows the MathML.
        notes = re.sub("<svg.*?</svg>", "", self.markdown(notes)) + "".join(self.captions)
        return (
            f'<section><div class="slide"><p class="section">{section}</p>{heading}\n'
            f'<div class="body">{body}</div></div><aside class="notes">{notes}</aside></section>'
        ), int(minutes[1])


def lecture(path: Path, html: Path, target: Path) -> tuple[int, int]:
    """Write the slides of one lecture; return how many they are, and their minutes."""
    slides: list[str] = []
    book, section, minutes = Book(html, target), "", 0
    for source in re.split(r"^(?=##? )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title = source.partition("\n")[0].lstrip("# ")
        if source.startswith("# ") and slides:
            section = title
            continue
        try:
            slide, more = book.slide(source, section)
        except SlidesError as error:
            raise SlidesError(f"{path.name}, {title!r}: {error}") from None
        slides.append(slide)
        minutes += more
    body = "\n".join(slides)
    used = sorted(set(re.findall('href="#(MJX-.*?)"', body)))
    glyphs = "".join(typeset.GLYPHS[name] for name in used)
    page = Template((SOURCES / "page.html").read_text(encoding="utf-8"))
    name = BeautifulSoup(slides[0], "html.parser").select("h1")[0].text
    text = page.substitute(title=escape(name), glyphs=glyphs, slides=body)
    (target / f"{path.stem}.html").write_text(text, encoding="utf-8")
    return len(slides), minutes


def make(html: Path, target: Path, sources: Path = SOURCES) -> dict[str, tuple[int, int]]:
    """Write the slides of all lectures; return how many there are in each, and their minutes."""
    spec = find_spec("sphinx_revealjs")  # the package that brings reveal.js along
    assert spec
    assert spec.submodule_search_locations
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("figures", "reveal"):
        (target / folder).mkdir(parents=True)
    for name in REVEAL:
        source = Path(spec.submodule_search_locations[0], "_static", "revealjs", name)
        shutil.copy(source, target / "reveal")
    shutil.copy(SOURCES / "slides.css", target)
    paths = sorted(sources.glob("lecture_*.md"))
    return {path.stem: lecture(path, html, target) for path in paths}


def main() -> None:
    """Make the slides, and say where they are."""
    target = ROOT / "_build" / "slides"
    try:
        made = make(ROOT / "_build" / "html", target)
    except SlidesError as error:
        sys.exit(f"Error: {error}.")
    print("The slides are made. Open one with a browser; S shows the speaker's notes:")
    for name, (slides, minutes) in made.items():
        print(f"  {(target / name).as_uri()}.html  {slides} slides, {minutes} minutes")


if __name__ == "__main__":
    main()
