"""The live figure of chapter 4: eight mistakes, what training shows of them, what checks say."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from live_page import numbers_of, open_figure

from backprop import gradcheck, losses
from backprop.activations import softmax
from backprop.network import Network

CHAPTER = Path(__file__).parents[2] / "chapters" / "04_automatic_differentiation.ipynb"
CELLS = [c for c in nbformat.read(CHAPTER, as_version=4).cells if c.cell_type == "code"]
SETTINGS, SEED = 30, 7

DATA = numbers_of("04_automatic_differentiation", "bug")
RIGHT, *BUGS = DATA["programs"]
RASH = "float32, short step"
NUMBERS = range(1, len(BUGS) + 1)


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "phone"])
def page(browser, tmp_path, request):
    width, scheme = request.param
    with open_figure(browser, tmp_path, "bug", DATA, width, color_scheme=scheme) as figure:
        yield figure.page


def shown(page):
    """Return the figure's values, and what its parts show, read back from the page."""
    return page.evaluate(
        """() => {
          const figure = document.querySelector("backprop-bug"), root = figure.shadowRoot;
          const all = (selector, f) => [...root.querySelectorAll(selector)].map(f);
          const points = (path) => (path.getAttribute("d").match(/-?[\\d.]+ -?[\\d.]+/g) ?? [])
            .map((pair) => pair.split(" ").map(Number));
          return {
            values: figure.values,
            curves: all(".curve", points),
            rows: all("tbody tr:not(:has([colspan]))", (row) =>
              [...row.children].map((cell) => [cell.textContent, cell.className])),
            code: all("code", (line) => line.textContent),
            heading: root.querySelector(".heading").textContent,
            links: all("a", (link) => link.href),
            verdict: root.querySelector(".verdict").textContent,
            legend: root.querySelector(".legend").textContent,
            voice: root.querySelector(".voice").textContent,
            done: all(".done", (pick) => Number(pick.textContent)),
          };
        }"""
    )


def losses_of(points):
    """Return the losses of a curve, from its places: 0 and 3 are at 190 and 14."""
    return [3 * (190 - y) / (190 - 14) for _, y in points]


def without(mark, lines):
    return [line for own, line in lines if own != mark]


def is_visible(program):
    return program["alarms"][1] or program["alarms"][2]


def check(page, at, guesses):
    """Compare all that the figure shows with the stored runs."""
    found, program = shown(page), BUGS[at - 1]
    values, known = found["values"], at in guesses
    assert (values["at"], values["known"]) == (at, known)
    assert values["right"] == RIGHT["losses"]
    assert values["bug"] == (program["losses"] if known else [])
    assert values["results"] == (program["results"] if known else [])
    assert values["alarms"] == (program["alarms"] if known else [])
    assert values["share"] == (program["share"] if known else None)
    assert found["done"] == sorted(guesses)
    foreseen = sum(guess == is_visible(BUGS[n - 1]) for n, guess in guesses.items())
    assert values["hits"] == foreseen
    assert found["code"] == [line for mark in "+-" for line in without(mark, program["lines"])]
    assert found["legend"] == f"alarm; {RASH} rings for the right program too"
    assert found["heading"] == f"Mistake {at}: {program['name']}, seen in {program['seen']}"
    repository, _, number = program["seen"].partition("#")
    address = f"https://github.com/{repository}" + (f"/issues/{number}" if number else "")
    assert found["links"] == ([address] if "/" in repository else [])
    for points, stored_losses in zip(
        found["curves"], (RIGHT["losses"], program["losses"] if known else []), strict=True
    ):
        drawn = np.minimum(stored_losses, 3 * (190 + 9999) / (190 - 14))  # no line is longer
        np.testing.assert_allclose(losses_of(points), drawn, atol=1e-4)
        assert [x for x, _ in points] == sorted(x for x, _ in points)
    for i, (name, *cells, caught) in enumerate(found["rows"]):
        assert name[0] == DATA["checks"][i]
        for (text, look), of in zip(cells, (RIGHT, program if known else None), strict=True):
            assert look == ("alarm" if of and of["alarms"][i] else "")
            assert text.startswith(result(i, of["results"][i]) if of else "?")
        count = sum(BUGS[n - 1]["alarms"][i] for n in guesses)
        assert values["caught"][i] == count
        assert caught[0] == (f"{count} of {len(guesses)}" if guesses else "")
    if known:
        right = guesses[at] == is_visible(program)
        loss, share, off = (program["results"][i] for i in (1, 2, -1))
        alone = f"a loss of {loss:.2f} with {100 * share:.0f} % of new images right"
        fine = f"alone, {alone} looks fine. The gradient is off by {100 * off:.0f} %."
        told = f"{alone} shows it." if is_visible(program) else fine
        foresaw = f"You foresaw {foreseen} of {len(guesses)}."
        assert found["verdict"] == f"{'Yes' if right else 'No'}: {told} {foresaw}"
    return found


def result(i, value):
    """Return a check's result as the figure writes it."""
    if i == 0:
        return "yes" if value else "no"
    if i == 2:
        return f"{100 * value:.0f} %"
    if i > 2 and value < 1e-7:
        return "< 10⁻¹²" if value < 1e-12 else "< 10⁻⁷"
    return f"{value:.2f}"


def press(page, name):
    words = re.compile(f"^{name}(, judged)?$")
    page.locator("backprop-bug").get_by_role("button", name=words).click()


def test_what_it_shows_is_what_was_stored(page):
    rng = np.random.default_rng(SEED)
    at, guesses = 1, {}
    check(page, at, guesses)
    for _ in range(SETTINGS):
        at = int(rng.integers(1, len(BUGS) + 1))
        press(page, f"mistake {at}")
        lines = BUGS[at - 1]["lines"]
        sides = (
            f"right: {', '.join(without('+', lines))}. mistake: {', '.join(without('-', lines))}."
        )
        told = f"Mistake {at}, {BUGS[at - 1]['name']}. {sides}"
        assert check(page, at, guesses)["voice"] == told
        if at not in guesses and rng.random() < 0.7:
            guesses[at] = bool(rng.random() < 0.5)
            press(page, "it will show" if guesses[at] else "it will look fine")
            found = check(page, at, guesses)
            alarms = [c for c, on in zip(DATA["checks"], BUGS[at - 1]["alarms"], strict=True) if on]
            told = ", ".join(alarms).replace(RASH, f"{RASH} (the right program too)")
            assert found["voice"] == f"{found['verdict']} Alarm: {told}."
    assert len(guesses) > 5


def test_the_keyboard_goes_through_all_of_it(page):
    page.locator("backprop-bug").get_by_role("button", name="next").focus()
    page.keyboard.press("Enter")  # there is no next yet
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    guesses = {}
    for at in NUMBERS:
        check(page, at, guesses)
        page.keyboard.press("Enter")  # the first answer has the focus
        guesses[at] = True
        check(page, at, guesses)
        page.keyboard.press("Enter")  # and now "next", or after the last "start again"
    check(page, 1, {})
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")  # what is judged stays
    check(page, 1, {1: False})


def test_keys_bring_the_whole_figure_into_view_and_a_click_moves_nothing(page):
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 800})
    page.add_style_tag(content="body { padding: 1000px 0 }")
    answer = page.locator("backprop-bug").get_by_role("button", name="it will show")
    page.evaluate("scrollTo(0, 500)")
    place = answer.bounding_box()
    page.mouse.click(place["x"] + 9, place["y"] + 9)
    assert check(page, 1, {1: True})
    assert page.evaluate("scrollY") == 500
    page.locator("backprop-bug a").focus()
    page.evaluate("scrollTo(0, 500)")
    page.keyboard.press("Tab")
    table = page.locator("backprop-bug table").bounding_box()
    assert table["y"] + table["height"] <= 800
    assert page.locator("backprop-bug .heading").bounding_box()["y"] >= 0


def test_it_fits_and_can_be_read(page):
    for at in NUMBERS:
        press(page, f"mistake {at}")
        press(page, "it will look fine")
        overflow, smallest = page.evaluate(
            """() => {
              const root = document.querySelector("backprop-bug").shadowRoot;
              const svg = root.querySelector("svg"), scale = svg.clientWidth / 380;
              const sizes = [...root.querySelectorAll("p, td, th, code, button, svg text")].map(
                (e) => parseFloat(getComputedStyle(e).fontSize) * (svg.contains(e) ? scale : 1));
              const page = document.documentElement;
              return [page.scrollWidth - page.clientWidth, Math.min(...sizes)];
            }"""
        )
        assert overflow <= 0
        assert smallest >= 11


@pytest.fixture(scope="module")
def chapter():
    """Return what the chapter's cells define: a random network, and the right program's source."""
    sources = {
        word: next(cell.source for cell in CELLS if f"def {word}(" in cell.source)
        for word in ("case", "train_step")
    }
    names = {"np": np}
    exec(sources["case"], names)
    return {"case": names["case"], "source": sources["train_step"] + "\n"}


def program_of(source, lines):
    """Return the step of a program whose lines stand in the place of the right ones."""
    if any(mark != " " for mark, _ in lines):
        old, new = (
            "".join(f"    {line}\n" for mark, line in lines if mark != other) for other in "+-"
        )
        assert source.count(old) == 1
        source = source.replace(old, new)
    names = {"np": np, "softmax": softmax}
    exec(source, names)
    return names["train_step"]


@pytest.mark.parametrize("number", [0, *NUMBERS])
def test_each_verdict_is_what_a_check_says(chapter, number):
    of = DATA["programs"][number]
    step = program_of(chapter["source"], of["lines"])
    parameters, X, T = chapter["case"](0)
    names = ["W1", "b1", "W2", "b2", "W3", "b3"]
    for point, results in (([0 * p for p in parameters], [3]), (parameters, [5, 6])):
        network = Network(point, ["relu", "tanh", "identity"])

        def loss(*moved, network=network):
            outputs = network.with_parameters(moved).forward(X)
            return losses.softmax_cross_entropy(outputs[-1], T)[0]

        after = [p.copy() for p in point]
        step(after, X, T, 0.2)
        hand = [(p - q) / 0.2 for p, q in zip(point, after, strict=True)]
        exact = network.loss_and_gradients(losses.softmax_cross_entropy, X, T)[1]
        numerical = gradcheck.numerical_gradients(loss, *point)
        error = gradcheck.relative_error(flat(hand), flat(numerical))
        for i in results:
            assert of["alarms"][i] is (error > 1e-7)
            assert of["results"][i] == pytest.approx(error, rel=1e-6, abs=1e-7)
    if number == 0:
        gradcheck.assert_gradients_agree(names, hand, exact, numerical)
    else:
        with pytest.raises(AssertionError, match="disagrees"):
            gradcheck.assert_gradients_agree(names, hand, exact, numerical)
    assert of["alarms"][4]  # in float32 with a short step, whatever it judges
    half = RIGHT["losses"][0] / 2
    runs = bool(np.isfinite(of["losses"]).all())
    assert of["alarms"][:3] == [not runs, of["losses"][-1] > half, of["share"] < 0.75]


def flat(arrays):
    return np.concatenate([a.ravel() for a in arrays])
