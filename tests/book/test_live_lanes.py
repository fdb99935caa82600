"""The live figure of truncated walks, in a browser: beside the chapter's walk and the package's."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from live_page import numbers_of, open_figure

from backprop import gradcheck, recurrent

CHAPTER = Path(__file__).parents[2] / "chapters" / "06_backpropagation_through_time.ipynb"
LABELS = {"T": "T, steps", "k1": "k₁", "k2": "k₂", "loss": "look at loss", "factor": "recurrent"}
PRINTED = ("def rnn_step", "def run(", "def walk_back", "def weight_gradients")
TOLERANCE = 1e-9


def chapter_code():
    return [c for c in nbformat.read(CHAPTER, as_version=4).cells if c.cell_type == "code"]


@pytest.fixture(scope="module")
def data():
    """The numbers that the chapter gives to the figure."""
    return numbers_of("06_backpropagation_through_time", "lanes")


@pytest.fixture(scope="module")
def printed():
    """The functions of the walk as the chapter prints them.

    For one change: where k2 is less than k1 some steps are reached by no walk, and theirs would be
    the number 0 among arrays.
    """
    names = {"np": np}
    sources = [c.source for c in chapter_code() if c.source.startswith(PRINTED)]
    assert len(sources) == len(PRINTED)
    assert "\n".join(sources).count("delta = [0] * T") == 1
    for source in sources:
        exec(source.replace("delta = [0] * T", "delta = list(0 * d_outputs)"), names)
    return names


@pytest.fixture
def page(browser, tmp_path, data):
    """A narrow page with nothing but the figure."""
    with open_figure(browser, tmp_path, "lanes", data, 390) as figure:
        yield figure.page


def slider(page, name):
    return page.get_by_label(LABELS[name])


def values(page):
    return page.evaluate("document.querySelector('backprop-lanes').values")


def given(page):
    return page.evaluate("document.querySelector('backprop-lanes').given")


def voice(page):
    return page.locator("backprop-lanes .voice").text_content()


def setting(rng):
    T = int(rng.integers(2, 17))
    k1, k2, loss = (int(n) for n in rng.integers(1, T + 1, 3))
    return {"T": T, "k1": k1, "k2": k2, "loss": loss, "factor": int(rng.integers(0, 21)) / 10}


def numpy_values(data, printed, T, k1, k2, loss, factor):
    """Return what the figure should show, by the chapter's printed functions."""
    arrays = {name: np.array(data[name], float) for name in data if name != "given"}
    X, slopes, h0 = arrays["X"][:T], arrays["slopes"][:T], arrays["h0"]
    parameters = arrays["Wx"], factor * arrays["Wh"], arrays["b"]
    mask = np.ones((T, len(h0), 1), bool)
    states, gates = printed["run"](printed["rnn_step"], parameters, X, h0[np.newaxis], mask)

    def delta(direct, k1, k2, back=printed["rnn_back"]):
        walk = states, gates, direct, 0 * h0[np.newaxis], mask, k1, k2
        return printed["walk_back"](back, parameters[1], *walk)[0]

    def gradient(*k):
        h = np.array(states)[:-1, 0]
        parts = printed["weight_gradients"](X, h, delta(slopes, *k))
        return np.concatenate([part.ravel() for part in parts])

    cut, full = gradient(k1, k2), gradient(T, T)
    along = cut @ full / np.linalg.norm(full)
    across = np.linalg.norm(cut - along * full / np.linalg.norm(full))
    alone = np.zeros_like(slopes)
    alone[loss - 1] = slopes[loss - 1]
    lengths = np.linalg.norm(delta(alone, T, T).reshape(T, -1), axis=1)
    # Slopes that no step changes count the losses.
    counts = delta(np.ones_like(slopes), k1, k2, lambda Wh, before, after, gates, d: (d[0], d))
    walks = list(recurrent.windows(T, k1, k2))
    return {
        "walks": walks,
        "counts": counts[:, 0, 0],
        "cut": cut,
        "full": full,
        "norms": [np.linalg.norm(cut), np.linalg.norm(full)],
        "walked": sum(end - begin for begin, end, _ in walks),
        "left": lengths / lengths[loss - 1],
        "error": gradcheck.relative_error(cut, full),
        "angle": np.degrees(np.arctan2(across, along)),
    }


def package_gradient(data, T, factor, **k):
    arrays = {name: np.array(data[name], float) for name in data if name != "given"}
    layer = recurrent.SimpleRNN([arrays["Wx"], factor * arrays["Wh"], arrays["b"]])
    trace = layer.forward(arrays["X"][:T], [arrays["h0"]])
    gradients, _, _ = layer.backward(trace, arrays["slopes"][:T], **k)
    return np.concatenate([g.ravel() for g in gradients])


def test_it_computes_what_the_chapter_and_the_package_compute(page, data, printed):
    rng, in_package = np.random.default_rng(0), 0
    cases = [data["given"], *(setting(rng) for _ in range(40))]
    for case in cases:
        for name in LABELS:  # T first, as it bounds the others
            slider(page, name).fill(str(case[name]))
        assert given(page) == case
        shown = values(page)
        expected = numpy_values(data, printed, **case)
        assert shown.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(
                shown[name], value, TOLERANCE, TOLERANCE, err_msg=f"{name} in {case}"
            )
        T, k1, k2, factor = (case[name] for name in ("T", "k1", "k2", "factor"))
        whole = package_gradient(data, T, factor)
        np.testing.assert_allclose(shown["full"], whole, TOLERANCE, TOLERANCE)
        if k2 >= k1:  # the package refuses the others
            in_package += 1
            truncated = package_gradient(data, T, factor, k1=k1, k2=k2)
            np.testing.assert_allclose(shown["cut"], truncated, TOLERANCE, TOLERANCE)
    assert 20 <= in_package < len(cases)


def test_it_shows_what_it_computes(page, printed, data):
    for name, value in {"k1": 4, "k2": 3, "loss": 5, "factor": 2}.items():
        slider(page, name).fill(str(value))
    expected = numpy_values(data, printed, T=12, k1=4, k2=3, loss=5, factor=2)
    wrong = f"relative error {expected['error']:.4f}, angle {expected['angle']:.1f}°"
    said = f"BPTT(4, 3), against the full gradient: {wrong}. 9 steps walked."
    assert page.locator("backprop-lanes .cost").text_content() == said
    reach = "Loss 5 is never heard. Steps that no walk reaches: 1, 5, 9."
    assert page.locator("backprop-lanes .reach").text_content() == reach
    texts = page.locator("backprop-lanes svg text").all_text_contents()
    assert " 0 12 3 11 2 10 1 9 0 8 3 7 2 6 1 5 0 4 3 3 2 2 1 1 " in f" {' '.join(texts)} "
    assert page.locator("backprop-lanes circle.unheard").count() == 3
    assert page.locator("backprop-lanes rect.missed").count() == 5
    assert page.locator("backprop-lanes line.mine").count() == 1  # the gradient; no walk is marked


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("end", ["min", "max"])
def test_the_ends_of_each_slider_give_finite_numbers(page, name, end):
    for other in LABELS:
        for value in {"1", slider(page, other).get_attribute("max")}:
            slider(page, name).fill(slider(page, name).get_attribute(end))
            slider(page, other).fill(value)
            shown = values(page)
            numbers = np.concatenate([np.ravel(value) for value in shown.values()]).astype(float)
            assert np.isfinite(numbers).all(), given(page)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"factor": 0.5, "k2": 12}, "relative error 0.0000, angle 0.0°."),  # rounding errors
        ({"factor": 0.1, "k2": 8}, "relative error < 0.0001, angle < 0.1°."),
        ({"factor": 0.1}, "without the cut, < 1\xa0% of it would reach step 4."),
        ({"factor": 0}, "without the cut, 0\xa0% of it would reach step 4."),
        ({"T": 2, "k2": 1}, " 1 step walked."),
    ],
)
def test_only_nothing_is_said_to_be_zero(page, setting, said):
    for name, value in setting.items():
        slider(page, name).fill(str(value))
    assert said in voice(page)


def test_what_is_cut_off_can_be_seen(page):
    slider(page, "loss").fill("8")
    heights = page.locator("backprop-lanes rect.missed").evaluate_all(
        "bars => bars.map((bar) => bar.height.baseVal.value)"
    )
    assert heights == [4] * 4
    slider(page, "factor").fill("0")
    assert page.locator("backprop-lanes rect[height='0']").count() == 7


def test_more_steps_bring_back_what_was_set(page, data):
    slider(page, "T").fill("2")
    slider(page, "k2").fill("1")
    slider(page, "T").fill("12")
    assert given(page) == data["given"] | {"k2": 1}


def test_nothing_is_beyond_the_last_step(page):
    slider(page, "T").fill("3")
    assert given(page) == {"T": 3, "k1": 3, "k2": 3, "factor": 1, "loss": 3}
    for name in ("k1", "k2", "loss"):
        assert slider(page, name).get_attribute("max") == slider(page, name).input_value() == "3"


def test_keys_and_fingers_work_and_the_voice_tells(page):
    assert voice(page) == ""
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert given(page)["k1"] == 3
    cost = r"BPTT\(3, 4\), .* relative error 0\.\d+, .*°\. 15 steps walked\. Loss 6 is heard .*"
    assert re.fullmatch(cost, voice(page))
    page.keyboard.press("ArrowRight")
    page.locator("backprop-lanes rect.column").nth(4).click(
        position={"x": 9, "y": 12}
    )  # the circle
    assert given(page)["loss"] == 5
    assert slider(page, "loss").input_value() == "5"
    reach = r"Loss 5 is heard back to step 5; without the cut, \d+\s% of it would reach step 4\."
    assert re.fullmatch(reach, voice(page))  # the cost is what it was
    title = page.locator("backprop-lanes svg title").text_content()
    assert "from step 8 to 5" in title
    assert title.endswith("Losses that reach steps 1 to 12: 4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1.")


def test_it_fits_a_narrow_page_with_readable_letters(page):
    slider(page, "T").fill("16")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    letters = page.locator("backprop-lanes svg text").evaluate_all(
        "texts => texts.map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"
    )
    assert min(letters) >= 11
    ends = page.locator("backprop-lanes svg text").evaluate_all(
        "texts => texts.map(t => t.getBoundingClientRect().right)"
    )
    assert max(ends) <= 390 - 8


def test_the_drawing_stays_where_it_is(page):
    drawing = page.locator("backprop-lanes svg").last
    places = set()
    for k2, loss in [(4, 4), (4, 8), (3, 5), (12, 12)]:
        slider(page, "k2").fill(str(k2))
        slider(page, "loss").fill(str(loss))
        places.add(drawing.bounding_box()["y"])
    assert len(places) == 1


def test_keys_bring_the_drawing_into_view(page):
    page.add_style_tag(content="body { padding-top: 1200px }")
    page.set_viewport_size({"width": 390, "height": 800})
    page.keyboard.press("Tab")
    assert 0 < page.locator("backprop-lanes svg").last.bounding_box()["y"] < 600
