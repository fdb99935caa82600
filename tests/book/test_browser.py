"""What only a browser can tell, in Chromium if the machine has one, with pages opened as files."""

import json
import re
import shutil
import subprocess

import pytest
from bs4 import BeautifulSoup

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
WIDTHS = (1280, 390)  # a wide screen and a phone

# A page that opens the pages of the book one after the other in a frame and looks into them.
HARNESS = """<!DOCTYPE html>
<pre id="result"></pre>
<script>
async function look(page, width) {
  const frame = document.createElement("iframe");
  const loaded = new Promise((done) => { frame.onload = done; });
  Object.assign(frame, { width, height: 900, src: page });
  document.body.append(frame);
  await loaded;
  const inside = frame.contentDocument;
  await frame.contentWindow.MathJax?.startup.promise;
  const visible = (selector) => [...inside.querySelectorAll(selector)].filter(
    (element) => element.checkVisibility({ visibilityProperty: true }) && element.offsetHeight
  );
  const root = inside.documentElement;
  const isTorn = (math) => {
    const text = math.nextSibling;
    if (text?.nodeType !== Node.TEXT_NODE || !/^\\S/.test(text.data)) return false;
    const range = inside.createRange();
    range.setStart(text, 0);
    range.setEnd(text, 1);
    return range.getBoundingClientRect().left < math.getBoundingClientRect().right - 1;
  };
  const found = {
    page, width,
    searches: visible(".search-button__button, input[type=search]").length,
    bars: visible("#pst-header").length,
    formulas: inside.querySelectorAll(".math").length,
    drawn: inside.querySelectorAll("mjx-container").length,
    wrong: inside.querySelectorAll("mjx-container:has([data-mjx-error], [fill=red])").length,
    torn: visible("span.math").filter(isTorn).length,
    cut: visible("div.math, pre").filter(
      (box) => box.scrollWidth > box.clientWidth + 1
        && !box.closest(".cell_output .highlight-python")
    ).length,
    overflow: root.scrollWidth - root.clientWidth,
    foreign: frame.contentWindow.performance.getEntriesByType("resource")
      .map((entry) => entry.name).filter((name) => !/^(file|data|blob):/.test(name)),
  };
  frame.remove();
  return found;
}
(async () => {
  const found = [];
  for (const [page, width] of VISITS) found.push(await look(page, width));
  document.querySelector("#result").textContent = JSON.stringify(found);
})();
</script>
"""

# A formula that fills the line, and a comma that finds no place behind it.
TORN = '<span class="math"><span style="display: inline-block; width: 390px">x</span></span>, y'

WIDE = f'<pre style="overflow-x: auto">{"long" * 30}</pre>'


def visit(folder, pages):
    """Open pages at each width; return what was seen, and the errors of their scripts."""
    visits = json.dumps([(page, width) for page in pages for width in WIDTHS])
    harness = folder / "harness.html"
    harness.write_text(HARNESS.replace("VISITS", visits), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += ["--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=300000"]
    done = subprocess.run(
        [*command, "--dump-dom", harness.as_uri()], capture_output=True, text=True, timeout=300
    )
    result = BeautifulSoup(done.stdout, "html.parser").select_one("#result").get_text()
    assert result, f"the browser did not get through: {done.stderr[-2000:]}"
    errors = re.findall(r'CONSOLE.*?"(Uncaught .*)', done.stderr)
    return json.loads(result), errors


needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def seen(folder, toc, tmp_path_factory):
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("browser") / "book")
    return visit(copy, [f"{name}.html" for name in toc])


@needs_browser
def test_no_script_fails(seen):
    _, errors = seen
    assert not errors, "\n".join(sorted(set(errors)))


@needs_browser
@pytest.mark.parametrize(
    ("what", "expected"),
    [("searches", 1), ("bars", 0), ("wrong", 0), ("torn", 0), ("overflow", 0), ("foreign", [])],
)
def test_pages_show(seen, what, expected):
    found, _ = seen
    wrong = [(page["page"], page["width"], page[what]) for page in found if page[what] != expected]
    assert not wrong, f"expected {what} to be {expected}: {wrong}"


@needs_browser
def test_every_formula_is_drawn(seen):
    found, _ = seen
    undrawn = [page for page in found if page["drawn"] != page["formulas"]]
    assert not undrawn
    assert any(page["formulas"] for page in found)


@needs_browser
def test_a_wide_screen_shows_code_and_formulas_whole(seen):
    """Eighty columns fit; the sources of the package, which are wider, scroll."""
    found, _ = seen
    cut = [(page["page"], page["cut"]) for page in found if page["width"] == 1280 and page["cut"]]
    assert not cut


CASES = [
    ("<p>All is well.</p>", "searches", 0),
    ('<input type="search"><input type="search">', "searches", 2),
    ('<input type="search"><input type="search" style="display: none">', "searches", 1),
    ("<p>All is well.</p>", "bars", 0),
    ('<header id="pst-header">Empty</header>', "bars", 1),
    ('<header id="pst-header"></header>', "bars", 0),
    ('<p class="math">\\(x\\) and \\(y\\)</p>', "drawn", 2),
    ('<p class="math">x</p>', "drawn", 0),
    ('<p class="math">\\(x\\)</p>', "wrong", 0),
    ('<p class="math">\\(\\frac{1}\\)</p>', "wrong", 1),
    ('<p class="math">\\(\\nosuchmacro\\)</p>', "wrong", 1),
    (f'<p>{"x" * 50} <span class="math">\\(a\\)</span>, b</p>', "torn", 0),
    (TORN, "torn", 1),
    (f'<span style="white-space: nowrap">{TORN}</span>', "torn", 0),
    (WIDE, "cut", 1),
    (WIDE.replace("long", "s"), "cut", 0),
    (f'<div class="cell_output"><div class="highlight-python">{WIDE}</div></div>', "cut", 0),
    ("<p>All is well.</p>", "overflow", 0),
    ('<p style="width: 500px">Wide</p>', "overflow", 110),
    ("<p>All is well.</p>", "foreign", []),
    ('<img src="https://example.org/a.png">', "foreign", ["https://example.org/a.png"]),
]


@pytest.fixture(scope="module")
def noticed(folder, tmp_path_factory):
    """What the browser sees on a narrow page of each case, all in one visit."""
    place = tmp_path_factory.mktemp("cases")
    names = [made(folder, place, f"{n}.html", body) for n, (body, _, _) in enumerate(CASES)]
    found, errors = visit(place, names)
    assert not errors
    return [page for page in found if page["width"] == 390]


@needs_browser
@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n][1]}")
def test_the_browser_notices(noticed, case):
    _, what, expected = CASES[case]
    assert noticed[case][what] == expected


@needs_browser
def test_the_browser_notices_script_errors(folder, tmp_path):
    page = made(folder, tmp_path, "page.html", "<script>nonsense()</script>")
    _, errors = visit(tmp_path, [page])
    assert "nonsense is not defined" in " ".join(errors)


def made(folder, place, name, body):
    """Write a page with the book's MathJax and `body` into `place`; return its name."""
    mathjax = (folder / "_static" / "mathjax" / "tex-svg.js").as_uri()
    head = f'<script defer src="{mathjax}"></script><style>body {{ margin: 0 }}</style>'
    (place / name).write_text(f"<!DOCTYPE html>{head}{body}", encoding="utf-8")
    return name
