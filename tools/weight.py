"""Weigh the book's pages as a first visit loads them, beside the theme as it comes.

`make weight` builds both books, opens every chapter of both in Chromium, and writes
build/weight.md: kilobytes (compressed as a web server does it) and requests of a first visit,
milliseconds from the first paint until the formulas of the first screen are set, at full and at a
quarter of the speed (medians of five), and the sizes of the books.
"""

from __future__ import annotations

import gzip
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]
from chromium import MissingError, chromium
from editions import BOOK, copy
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "build" / "weight.md"
VISITS = 5
PACKED = {".woff2", ".png", ".ico"}  # compressed as they are
# When all formulas of the first screen are set, in milliseconds after the first paint.
WATCH = """
window.formulasSet = new Promise((resolve) => {
  const look = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const formulas = [...document.querySelectorAll(".math")]
      .filter((math) => math.getBoundingClientRect().top < innerHeight);
    const isSet = formulas.every((math) => math.querySelector("svg, mjx-container"));
    if (paint && document.readyState !== "loading" && isSet)
      resolve(Math.max(performance.now() - paint.startTime, 0));
    else requestAnimationFrame(look);
  };
  look();
});
"""


def build(folder: Path) -> Path:
    """Build the book in a folder; return where its pages are."""
    program = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([program, "build", folder, "-q"], check=True, stdout=subprocess.DEVNULL)
    return folder / "_build" / "html"


def plain_copy(folder: Path) -> Path:
    """Copy what the book is made of, with a configuration that leaves the theme as it comes."""
    for part in BOOK:
        if part not in ("_config.yml", "_static"):
            copy(ROOT / part, folder / part)
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    settings.pop("logo")
    settings["html"].pop("favicon")
    sphinx = settings["sphinx"]
    sphinx["extra_extensions"] = ["sphinx-mathjax-offline"]
    sphinx["local_extensions"] = {"live": "_ext", "reference": "_ext"}
    for name in ("templates_path", "html_math_renderer"):
        sphinx["config"].pop(name)
    (folder / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def visit(browser: Browser, page_path: Path, slower: int) -> tuple[float, int, float]:
    """Return the kilobytes and requests of a first visit, and when the formulas were set."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    loaded: set[Path] = set()
    page.on("request", lambda r: loaded.add(Path(unquote(urlsplit(r.url).path))))
    page.add_init_script(WATCH)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(page_path.as_uri())
    milliseconds = page.evaluate("formulasSet")
    page.wait_for_load_state("networkidle")
    context.close()
    sizes = (
        len(data if path.suffix in PACKED else gzip.compress(data))
        for path in loaded
        if path.is_file() and (data := path.read_bytes())
    )
    return sum(sizes) / 1000, len(loaded), milliseconds


def size(folder: Path) -> float:
    """Return a book's size in megabytes, without the printed one in it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pdf")
    return sum(path.stat().st_size for path in files) / 1e6


def main() -> None:
    """Build, visit, write the table."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        books = {"this book": build(ROOT), "the theme as it comes": build(plain_copy(Path(folder)))}
        lines = [
            "| page | book | kB | requests | formulas set, ms | at a quarter of the speed |",
            "|---|---|---|---|---|---|",
        ]
        for page in sorted((ROOT / "chapters").glob("[0-9]*.ipynb")):
            for name, html in books.items():
                path = html / "chapters" / f"{page.stem}.html"
                visits = {s: [visit(browser, path, s) for _ in range(VISITS)] for s in (1, 4)}
                kilobytes, requests, _ = visits[1][0]
                times = [statistics.median(v[2] for v in visits[s]) for s in (1, 4)]
                numbers = f"{kilobytes:.0f} | {requests} | {times[0]:.0f} | {times[1]:.0f}"
                lines.append(f"| {page.stem} | {name} | {numbers} |")
                print(lines[-1], flush=True)
        lines += ["", *(f"{name}: {size(html):.1f} MB built" for name, html in books.items()), ""]
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text("\n".join(lines), encoding="utf-8")
        print(f"Written: {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    try:
        main()
    except MissingError as error:
        sys.exit(f"Error: {error}.")
