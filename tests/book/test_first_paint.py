"""A page is as it will be from the first moment: dark if the reader wants it dark, and in place."""

import pytest

# Notes the colour behind the text before each paint, and how far what was painted moved later.
WATCH = """
window.colours = [];
window.shift = 0;
const note = () => {
  const colours = [document.body, document.documentElement]
    .map((element) => element && getComputedStyle(element).backgroundColor)
    .filter((colour) => colour && colour !== "rgba(0, 0, 0, 0)");
  if (document.body?.childElementCount) window.colours.push(colours[0] ?? "none");
  requestAnimationFrame(note);
};
requestAnimationFrame(note);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1  # what Web Vitals calls good


def watch(browser, address, scheme):
    """Open a page for the first time; return the colours it had, and how much it moved."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_timeout(500)
    seen = page.evaluate("[colours, shift]")
    context.close()
    return seen


def is_light(colour):
    """Tell whether a colour such as rgb(18, 18, 18) is light; none is the browser's white."""
    return colour == "none" or sum(map(float, colour[colour.index("(") + 1 : -1].split(","))) > 380


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_neither_flash_nor_jump(browser, folder, toc, scheme):
    wrong = {}
    for name in [*toc, "search"]:
        colours, shift = watch(browser, (folder / f"{name}.html").as_uri(), scheme)
        assert colours, f"{name}: no paint was seen"
        if any(is_light(colour) == (scheme == "dark") for colour in colours) or shift > MOST_SHIFT:
            wrong[name] = sorted(set(colours)), shift
    assert not wrong


def test_a_flash_and_a_jump_are_noticed(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><style>body { background: #fff }</style><p>Words.</p><script>"
        "setTimeout(() => { document.body.style.background = '#111';"
        " const box = document.createElement('div'); box.style.height = '500px';"
        " document.body.prepend(box); }, 200)</script>" + "<p>More words.</p>" * 40
    )
    colours, shift = watch(browser, page.as_uri(), "dark")
    assert {is_light(colour) for colour in colours} == {True, False}
    assert shift > MOST_SHIFT
