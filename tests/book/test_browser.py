"""What only a browser can tell, with pages opened as files."""

import pytest

WIDTHS = (1280, 390)  # a wide screen and a phone

# What a reader of the page sees, or would miss.
LOOK = r"""() => {
  const visible = (selector) => [...document.querySelectorAll(selector)].filter(
    (element) => element.checkVisibility({ visibilityProperty: true }) && element.offsetHeight
  );
  const isTorn = (math) => {
    const text = math.nextSibling;
    if (text?.nodeType !== Node.TEXT_NODE || !/^\S/.test(text.data)) return false;
    const range = document.createRange();
    range.setStart(text, 0);
    range.setEnd(text, 1);
    return range.getBoundingClientRect().left < [...math.getClientRects()].at(-1).right - 1;
  };
  const widthOf = (element) => element.getBoundingClientRect().width;
  const isSmall = (svg) => {
    const shown = widthOf(svg);
    svg.style.maxWidth = "none";
    const natural = widthOf(svg);
    svg.style.maxWidth = "";
    return shown < 0.55 * natural;
  };
  const isCut = (box) => box.scrollWidth > box.clientWidth + 1;
  const root = document.documentElement;
  return {
    searches: visible(".search-button__button, input[type=search]").length,
    bars: visible("#pst-header").length,
    undrawn: [...document.querySelectorAll(".math")]
      .filter((math) => !math.querySelector("svg") || !math.querySelector("math")).length,
    empty: [...document.querySelectorAll(".math use")]
      .filter((use) => !document.querySelector(use.getAttribute("href"))).length,
    small: [...document.querySelectorAll("article .math svg:not(svg svg)")]
      .filter((svg) => svg.checkVisibility() && isSmall(svg)).length,
    cut_formulas: visible("div.math").filter(isCut).length,
    torn: visible("span.math").filter(isTorn).length,
    cut: visible("pre")
      .filter((box) => isCut(box) && !box.closest(".cell_output .highlight-python")).length,
    overflow: root.scrollWidth - root.clientWidth,
  };
}"""


def visit(browser, address, width):
    """Open a page; return what is seen on it, with the errors of scripts and what it asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    errors, foreign = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:")) or foreign.append(request.url)
        ),
    )
    page.goto(address)
    found = page.evaluate(LOOK)
    page.close()
    return found | {"errors": errors, "foreign": foreign}


@pytest.fixture(scope="module")
def seen(browser, folder, toc):
    return {
        (name, width): visit(browser, (folder / f"{name}.html").as_uri(), width)
        for name in [*toc, "search"]
        for width in WIDTHS
    }


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("errors", []),
        ("foreign", []),
        ("searches", 1),
        ("bars", 0),
        ("undrawn", 0),
        ("empty", 0),
        ("small", 0),
        ("cut_formulas", 0),
        ("torn", 0),
        ("overflow", 0),
    ],
)
def test_pages_show(seen, what, expected):
    expected_at = {"searches": {"search": 2}}  # the page's own and the sidebar's
    wrong = {
        (name, width): found[what]
        for (name, width), found in seen.items()
        if found[what] != expected_at.get(what, {}).get(name, expected)
    }
    assert not wrong, f"expected {what} to be {expected}: {wrong}"


def test_a_wide_screen_shows_code_whole(seen):
    """Eighty columns fit; the sources of the package, which are wider, scroll."""
    cut = {name: found["cut"] for (name, width), found in seen.items() if width == 1280}
    assert not any(cut.values()), cut


# A formula that fills the line, and a comma that finds no place behind it.
TORN = '<span class="math"><span style="display: inline-block; width: 390px">x</span></span>, y'
WIDE = f'<pre style="overflow-x: auto">{"long" * 30}</pre>'
DRAWN = (
    '<span class="math"><svg width="20" height="20"><path id="a" d="M0 0"/><use href="#a"/></svg>'
    "<math>x</math></span>"
)
CASES = [
    ("<p>All is well.</p>", "searches", 0),
    ('<input type="search"><input type="search">', "searches", 2),
    ('<input type="search"><input type="search" style="display: none">', "searches", 1),
    ("<p>All is well.</p>", "bars", 0),
    ('<header id="pst-header">Empty</header>', "bars", 1),
    ('<header id="pst-header"></header>', "bars", 0),
    (f"<p>{DRAWN}</p>", "undrawn", 0),
    ('<p class="math">\\(x\\)</p>', "undrawn", 1),
    (f"<p>{DRAWN}</p>", "empty", 0),
    (DRAWN.replace("#a", "#b"), "empty", 1),
    (f"<article>{DRAWN}</article>", "small", 0),
    (f"<style>svg {{ max-width: 9px }}</style><article>{DRAWN}</article>", "small", 1),
    (f'<div class="math" style="overflow: hidden">{"long" * 30}</div>', "cut_formulas", 1),
    ('<div class="math">short</div>', "cut_formulas", 0),
    (f'<p>{"x" * 50} <span class="math">\\(a\\)</span>, b</p>', "torn", 0),
    (TORN, "torn", 1),
    (f'<span style="white-space: nowrap">{TORN}</span>', "torn", 0),
    (WIDE, "cut", 1),
    (WIDE.replace("long", "s"), "cut", 0),
    (f'<div class="cell_output"><div class="highlight-python">{WIDE}</div></div>', "cut", 0),
    ("<p>All is well.</p>", "overflow", 0),
    ('<p style="width: 500px">Wide</p>', "overflow", 110),
    ("<p>All is well.</p>", "foreign", []),
    ('<img src="https://example.invalid/a.png">', "foreign", ["https://example.invalid/a.png"]),
    ("<p>All is well.</p>", "errors", []),
    ("<script>nonsense()</script>", "errors", ["nonsense is not defined"]),
]


@pytest.mark.parametrize(("body", "what", "expected"), CASES)
def test_the_browser_notices(browser, tmp_path, body, what, expected):
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><style>body {{ margin: 0 }}</style>{body}", encoding="utf-8")
    assert visit(browser, page.as_uri(), 390)[what] == expected
