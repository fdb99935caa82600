"""The live figure of truncated walks, in a browser: beside the chapter's walk and the package's."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from live_page import numbers_of

from backprop import display, gradcheck, recurrent

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
def page(browser, data):
    """A narrow page with nothing but the figure."""
    page, errors = browser.new_page(viewport={"width": 390, "height": 900}), []
    page.on("pageerror", lambda error: errors.append(error))
    style = "<style>body { margin: 24px; font-family: sans-serif }</style>"
    page.set_content(f"<!DOCTYPE html>{style}{display.show_live('lanes', data).data}")
    yield page
    page.close()
    assert not errors


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
    said = page.locator("backprop-lanes .verdict").text_content()
    wrong = f"relative error {expected['error']:.4f}, angle {expected['angle']:.1f}°"
    assert said.startswith(f"BPTT(4, 3): {wrong}. 9 steps walked. Loss 5 is never heard. ")
    assert said.endswith("Steps that no walk reaches: 1, 5, 9.")
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
    assert re.match(r"BPTT\(3, 4\): relative error 0\.\d+, .*°\. 15 steps walked\.", voice(page))
    page.keyboard.press("ArrowRight")
    page.locator("backprop-lanes rect.column").nth(4).click()
    assert given(page)["loss"] == 5
    assert slider(page, "loss").input_value() == "5"
    reach = r"Loss 5 is heard back to step 5; without the cut, \d+\s% .* would reach step 4\."
    assert re.search(reach, voice(page))
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
    assert max(ends) <= 390 - 24
