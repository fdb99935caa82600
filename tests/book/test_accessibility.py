"""axe finds nothing on any page, and whoever uses the keyboard sees where they are."""

import pytest
from axe_playwright_python.sync_playwright import Axe

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
# What differs in the dark, and on a telephone, where things to tap are 24 pixels wide and high.
IN_THE_DARK = {"type": "rule", "values": ["color-contrast", "target-size"]}

# Folds open, since they have colours, too. And thousands of equal things once: axe would look at
# each path of each formula, and at each word of code.
SIMPLER = """() => {
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  document.querySelectorAll(".math svg").forEach((svg) => svg.replaceChildren());
  const seen = new Set();
  for (const word of document.querySelectorAll(".highlight span")) {
    if (seen.has(word.className)) word.replaceWith(word.textContent);
    seen.add(word.className);
  }
}"""


def findings(browser, address, scheme):
    """Return what axe has to say about a page in the light, or on a telephone in the dark."""
    screen = {"width": 1280 if scheme == "light" else 390, "height": 800}
    page = browser.new_page(color_scheme=scheme, viewport=screen)
    page.goto(address)
    page.add_style_tag(content="* { animation: none !important; transition: none !important; }")
    page.evaluate(SIMPLER)
    rules = IN_THE_DARK if scheme == "dark" else RULES
    result = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
    page.close()
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in result.response["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, folder, toc, scheme):
    found = {
        name: findings(browser, (folder / f"{name}.html").as_uri(), scheme)
        for name in [*toc, "search"]
    }
    assert not any(found.values()), "\n".join(
        f"{name}: {len(texts)}\n  " + "\n  ".join(texts[:5])
        for name, texts in found.items()
        if texts
    )


@pytest.mark.parametrize(
    ("scheme", "rule", "body"),
    [
        ("light", "image-alt", '<img src="a.png">'),
        ("dark", "color-contrast", '<p style="color: #777; background: #888">Pale</p>'),
        ("dark", "target-size", "<a href='#a' style='display: block; height: 9px'>a</a>" * 2),
    ],
)
def test_axe_notices(browser, tmp_path, scheme, rule, body):
    page = tmp_path / "page.html"
    page.write_text(f'<html lang="en"><title>A</title><main><h1>A</h1>{body}</main>')
    assert any(text.startswith(rule) for text in findings(browser, page.as_uri(), scheme))


# Press Tab through the page; return the stops at which nothing can be done, and those that a
# reader can't tell from their look without focus.
TAB = r"""() => {
  const parts = ["outline", "boxShadow", "backgroundColor", "borderColor", "color"];
  const look = (element) => parts.map((part) => getComputedStyle(element)[part]).join();
  let element = document.activeElement;
  while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  if (element === document.body) return null;
  const focused = look(element);
  const box = element.getBoundingClientRect();
  const control = element.matches(
    "a[href], button, input, select, textarea, summary, [role=button], [contenteditable]");
  const scrolls = element.scrollWidth > element.clientWidth
    || element.scrollHeight > element.clientHeight;
  element.blur();
  const plain = look(element);
  element.focus();
  return { what: element.outerHTML.slice(0, 120), needless: !control && !scrolls,
    unseen: focused === plain, visible: box.width * box.height > 0 };
}"""


def stops(browser, address, most=400):
    """Return the places where the Tab key stops, in order."""
    page = browser.new_page()
    page.goto(address)
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        if (stop := page.evaluate(TAB)) is None:
            break
        found.append(stop)
    page.close()
    return found


@pytest.mark.parametrize("kind", ["needless", "unseen"])
def test_tab_stops(browser, folder, kind):
    found = stops(browser, (folder / "chapters/02_chain_rule.html").as_uri())
    assert len(found) > 20
    assert not [stop["what"] for stop in found if stop[kind]]
