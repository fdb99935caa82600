"""Slides refer to what the book has; each fits its screen, and asks the network for nothing."""

import shutil
from pathlib import Path

import pytest
import slides
from axe_playwright_python.sync_playwright import Axe
from test_accessibility import RULES

ROOT = Path(__file__).parents[2]
LECTURES = sorted(path.stem for path in (ROOT / "slides").glob("lecture_*.md"))
SCREENS = [(1280, 720), (1920, 1080)]

# What is wrong with the slide that is shown, all its answers included.
LOOK = r"""() => {
  const slide = Reveal.getCurrentSlide();
  const edge = slide.getBoundingClientRect();
  const shown = [...slide.querySelectorAll("*")].filter((element) =>
    element.checkVisibility({ visibilityProperty: true })
    && !element.matches(".slide") && !element.closest("math, aside"));
  const name = (element) => `${slide.querySelector("h1, h2").textContent}: ${element.outerHTML}`;
  const out = (element) => {
    const box = element.getBoundingClientRect();
    return box.right > edge.right + 1 || box.bottom > edge.bottom - 20 * Reveal.getScale()
      || box.left < edge.left - 1 || box.top < edge.top - 1
      || (element.matches(".body, pre, figure")
        && (element.scrollWidth > element.clientWidth + 1
          || element.scrollHeight > element.clientHeight + 1));
  };
  const small = (image) => Math.min(image.offsetWidth,
    image.offsetHeight * image.naturalWidth / image.naturalHeight) < 480;
  const some = (elements) => elements.slice(0, 2).map((element) => name(element).slice(0, 200));
  const images = [...slide.querySelectorAll("img")];
  const formulas = [...slide.querySelectorAll(".slide .math")];
  return {
    overflow: some(shown.filter(out)),
    small: some(images.filter(small)),
    unspoken: some(images.filter((image) => image.alt.length < 20)),
    undrawn: some(formulas.filter((math) => {
      const uses = [...math.querySelectorAll("use")].map((use) => use.getAttribute("href"));
      return !math.querySelector("svg") || !math.querySelector("math")
        || !uses.every((glyph) => document.querySelector(glyph));
    })),
  };
}"""


@pytest.fixture(scope="module")
def made(build, folder, tmp_path_factory):
    """The slides beside the book, as `make slides` lays them, and what was counted."""
    target = tmp_path_factory.mktemp("made") / "slides"
    return target, slides.make(folder, target)


def show(browser, address, **options):
    """Open slides; return the page, with the errors of scripts and what it asked others for."""
    page = browser.new_page(**options)
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:", "about:"))
            or troubles.append(request.url)
        ),
    )
    page.goto(address)
    page.wait_for_function("Reveal.isReady()")
    return page, troubles


def walk(browser, address, size):
    """Look at each slide; return what is wrong."""
    page, troubles = show(
        browser, address, viewport=dict(zip(("width", "height"), size, strict=True))
    )
    found = {"troubles": troubles}
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number}, 0, 99)")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        for what, wrong in page.evaluate(LOOK).items():
            found.setdefault(what, []).extend(wrong)
    page.close()
    return found


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("name", LECTURES)
def test_each_slide_fits(browser, made, name, size):
    found = walk(browser, (made[0] / f"{name}.html").as_uri(), size)
    assert not any(found.values()), found


SVG = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'/>"
BAD = [
    ("overflow", '<p style="flex: none; height: 700px">Long</p>'),
    ("overflow", f"<pre>{'long' * 40}</pre>"),
    ("small", f'<img src="{SVG}" style="width: 90px" alt="A figure in the size of a stamp">'),
    ("unspoken", '<img alt="">'),
    ("undrawn", '<span class="math">x</span>'),
    ("undrawn", '<span class="math"><svg><use href="#none"/></svg><math>x</math></span>'),
    ("troubles", '<img src="https://example.invalid/a.png" alt="Nothing that could be loaded">'),
    ("troubles", "<script>nonsense()</script>"),
]


@pytest.mark.parametrize(("what", "body"), [("", "<p>All is well.</p>"), *BAD])
def test_the_browser_notices(browser, made, tmp_path, what, body):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    text = (made[0] / "lecture_1.html").read_text(encoding="utf-8")
    start, end = text.index("<section>"), text.rindex("</section>")
    slide = f'<section><div class="slide"><h2>A</h2><div class="body">{body}</div></div>'
    page = tmp_path / "page.html"
    page.write_text(text[:start] + slide + text[end:], encoding="utf-8")
    found = walk(browser, page.as_uri(), SCREENS[0])
    assert bool(found.get(what)) == bool(what), found
    assert what or not any(found.values()), found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", LECTURES)
def test_axe_finds_nothing(browser, made, name, scheme):
    address = (made[0] / f"{name}.html").as_uri()
    page, _ = show(browser, f"{address}?print-pdf")  # all slides below each other
    page.wait_for_selector(".pdf-page")
    page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
    page.evaluate("document.querySelectorAll('.math svg').forEach((svg) => svg.replaceChildren())")
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    page.close()
    assert not found, [(rule["id"], rule["nodes"][0]["html"]) for rule in found]


def test_axe_sees_colours(browser, made):
    page, _ = show(browser, f"{(made[0] / 'lecture_1.html').as_uri()}?print-pdf")
    page.wait_for_selector(".pdf-page")
    page.add_style_tag(content=".reveal h3 { color: #aaa }")
    found = Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
    page.close()
    assert len(found) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_key_turns_light_into_dark(browser, made, scheme):
    address = (made[0] / "lecture_1.html").as_uri()
    page, _ = show(browser, address, color_scheme=scheme)
    seen = [page.evaluate("getComputedStyle(document.body).backgroundColor")]
    page.keyboard.press("d")
    seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    page.close()
    assert seen == ["rgb(255, 255, 255)", "rgb(20, 24, 30)"][:: 1 if scheme == "light" else -1]


@pytest.mark.parametrize("name", LECTURES)
def test_the_keyboard_goes_on_to_the_end(browser, made, name):
    page, _ = show(browser, (made[0] / f"{name}.html").as_uri())
    answers = page.locator(".fragment").count()
    number = made[1][name][0]
    for _ in range(number + answers - 1):
        assert not page.evaluate("Reveal.isLastSlide() && !Reveal.availableFragments().next")
        page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.isLastSlide() && !Reveal.availableFragments().next")
    page.close()


def test_the_speaker_sees_notes(browser, made):
    page, troubles = show(browser, (made[0] / "lecture_1.html").as_uri())
    page.keyboard.press("ArrowRight")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.filter(has_text="The network is random").wait_for()
    assert not troubles
    page.close()


def test_slides_print_one_to_a_page(browser, made, tmp_path):
    reader = pytest.importorskip("pypdf").PdfReader
    page, _ = show(browser, f"{(made[0] / 'lecture_1.html').as_uri()}?print-pdf")
    page.wait_for_selector(".pdf-page")
    page.pdf(path=tmp_path / "a.pdf", prefer_css_page_size=True, print_background=True)
    page.close()
    texts = [sheet.extract_text() for sheet in reader(tmp_path / "a.pdf").pages]
    assert len(texts) == made[1]["lecture_1"][0]
    assert "Move the weight a little up" in texts[2], "answers are printed"


def test_lectures_last_as_long_as_a_lecture(made):
    assert set(made[1]) == set(LECTURES)
    for number, minutes in made[1].values():
        assert 20 <= number <= 30
        assert 75 <= minutes <= 90


def test_links_lead_somewhere(made, folder):
    for name in LECTURES:
        page = slides.parse(made[0] / f"{name}.html")
        links = {a["href"].removeprefix("../html/").partition("#")[::2] for a in page.select("a")}
        assert len(links) > 10
        for file, place in links:
            assert slides.parse(folder / file).find(id=place), (file, place)


LINES = [
    ('@figure 2 "Steps 1 to 50"', "no figures in chapter 2 whose caption begins with"),
    ('@figure 2 "Steps"', "3 figures"),
    ('@figure 99 "Steps"', "no chapters 99"),
    ("@formula sum-rules", "no formulas 'sum-rules'"),
    ('@formula 1 "x^{17}"', "no formulas without label in chapter 1"),
    ("@code 3 gradients_from", "no functions gradients_from in chapter 3"),
    ('@output 2 "by magic"', "no printed lines in chapter 2"),
    ('@exercise 2.1 "The run, with your own pencil"', "no exercises 2.1"),
    ('@exercise 2.2 "The walk, with your own pencil"', "no exercises 2.2"),
    ("@problems chain_rules", "no problem sets 'chain_rules'"),
    ("See Exercise 2.9.", "no exercises 2.9"),
    ("@live 2 run", "no live figures 'run' in chapter 2"),
    ("@film 2 walk", "no reference is called @film"),
    ("> @formula sum-rules", "no formulas"),
    ("It is [[2: 0.1644]].", "chapter 2 does not say '0.1644'"),
    ("It is [[2: 0.164]].", "chapter 2 does not say"),
    ("It is 0.1643.", "'0.1643' is typed"),
    ("Right are 93 %.", "'93 %' is typed"),
    ("With $q_{17}$ in it.", "no chapter has the formula"),
]


@pytest.mark.parametrize(("line", "error"), LINES)
def test_what_is_gone_is_named(made, folder, tmp_path, line, error):
    (tmp_path / "lecture_1.md").write_text(
        f"# One\n\nNote: 1 minute.\n\n## Two\n\n{line}\n\nNote: 1 minute.\n"
    )
    with pytest.raises(slides.SlidesError, match=r"lecture_1\.md, 'Two': ") as raised:
        slides.make(folder, tmp_path / "made", tmp_path)
    assert error in str(raised.value)


def test_a_slide_needs_its_minutes(folder, tmp_path):
    (tmp_path / "lecture_1.md").write_text("# One\n\nNote: Some minutes.\n")
    with pytest.raises(slides.SlidesError, match="minutes"):
        slides.make(folder, tmp_path / "made", tmp_path)
