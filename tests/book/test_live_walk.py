"""The walk of chapter 2, with any numbers, in a browser, against the package."""

import re

import numpy as np
import pytest
from live_page import is_finite, numbers_of, open_figure
from playwright.sync_api import expect

from backprop import losses
from backprop.activations import sigmoid
from backprop.network import Network

SETTINGS, SEED = 8, 3
LAYERS = [["w12 w13"], ["w24 w25", "w34 w35"], ["w46", "w56"]]
BIASES = ["b2 b3", "b4 b5", "b6"]


@pytest.fixture(scope="module")
def data():
    return numbers_of("02_chain_rule", "walk")


@pytest.fixture(scope="module")
def figure(browser, tmp_path_factory, data):
    with open_figure(browser, tmp_path_factory.mktemp("walk"), "walk", data) as figure:
        figure.page.add_style_tag(content="body { font-family: DejaVu Sans }")  # a wide one
        figure.find("summary").click()
        yield figure


def put(figure, given):
    for name, value in given.items():
        symbol = name.translate(str.maketrans("123456", "₁₂₃₄₅₆"))
        figure.label(symbol, exact=True).fill(str(value))


def steps_in_words(figure):
    """Return the lines beside the drawing, step after step."""
    for step in range(1, 13):
        figure.label("step", exact=True).fill(str(step))
        yield from figure.find(".stage p:visible").all_inner_texts()


def by_the_package(given, activation):
    """Return the outputs, the error, and its slopes in inputs, weights and biases."""
    parameters = []
    for rows, names in zip(LAYERS, BIASES, strict=True):
        parameters.append(np.array([[given[name] for name in row.split()] for row in rows]))
        parameters.append(np.array([given[name] for name in names.split()]))
    network = Network(parameters, [activation] * 3)
    X, T = np.array([[given["y1"]]]), np.array([[given["t"]]])
    loss, gradients = network.loss_and_gradients(losses.half_squared_error, X, T)
    names = []
    for rows, biases in zip(LAYERS, BIASES, strict=True):
        names += [*" ".join(rows).split(), *biases.split()]
    slopes = np.concatenate([gradient.ravel() for gradient in gradients])
    outputs = np.concatenate([A.ravel() for A in network.forward(X)[-3:]])
    expected = {f"d{name}": slope for name, slope in zip(names, slopes, strict=True)}
    return expected | {f"y{n}": y for n, y in zip(range(2, 7), outputs, strict=True)} | {"E": loss}


def test_it_starts_with_the_chapters_numbers(figure, data):
    shown = figure.values
    assert {name: shown[name] for name in data["given"]} == data["given"]
    assert round(shown["E"], 4) == 0.1643
    assert round(shown["dw24"], 4) == 0.0171


def all_in_the_drawing(figure):
    """Tell whether no number is cut at the drawing's edge."""
    edge, *texts = (
        figure.find(part).evaluate_all("all => all.map((e) => e.getBoundingClientRect().toJSON())")
        for part in ("svg", "svg text")
    )
    left, right = edge[0]["left"], edge[0]["right"]
    return all(left <= text["left"] and text["right"] <= right for text in texts[0])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
def test_it_computes_what_the_package_computes(figure, data, activation):
    rng = np.random.default_rng(SEED)
    figure.label("activation").select_option(activation)
    for _ in range(SETTINGS):  # of each activation
        given = {name: round(rng.normal(), 2) for name in data["given"]}
        put(figure, given)
        shown, expected = figure.values, by_the_package(given, activation)
        for name, value in expected.items():
            assert shown[name] == pytest.approx(value, rel=1e-9, abs=1e-12), (name, given)
        assert is_finite(shown)
        assert all_in_the_drawing(figure)


@pytest.mark.parametrize("limit", [100, -100])
def test_the_largest_numbers_fit_into_the_drawing(figure, data, limit):
    figure.label("activation").select_option("identity")
    put(figure, dict.fromkeys(data["given"], limit * 1000))  # more than it takes
    assert figure.values["w24"] == limit
    assert is_finite(figure.values)
    assert all_in_the_drawing(figure)
    figure.find("button", has_text="first numbers").click()


def test_each_slope_stands_beside_a_trial(figure, data):
    put(figure, data["given"])
    slopes = [line.split(" by trial ") for line in steps_in_words(figure) if "trial" in line]
    assert len(slopes) == 19
    for line, trial in slopes:
        shown, trial = (text.split()[-1].replace("−", "-") for text in (line, trial))
        assert f"{float(trial):.4f}" == shown


def test_each_line_comes_out_on_a_calculator(figure, data):
    put(figure, data["given"])
    signs = {"−": "-", "·": "*", "²": "**2", "½": "0.5 *", "σ": "sigmoid"}
    for line in list(steps_in_words(figure))[1:]:  # the first is the input
        _, _, sum_, result = re.sub("[−·²½σ]", lambda sign: signs[sign[0]], line).split(" = ")
        assert f"{eval(sum_, {'sigmoid': sigmoid}):.4f}" == result.split()[0], line


def test_a_change_is_answered_beside_the_fields_and_said(figure, data):
    put(figure, data["given"] | {"t": 0})
    figure.label("step", exact=True).fill("12")
    put(figure, {"t": 1})
    assert figure.find("details p").inner_text() == "t 1: E 0.1643 → 0.0910"
    assert figure.voice.startswith("t 1: E 0.1643 → 0.0910. Step 12: ∂E/∂x₂ −0.0036, ")
    figure.label("activation").select_option("tanh")
    assert figure.find("details p").inner_text().startswith("tanh: E 0.0910 → ")
    figure.find("button", has_text="first numbers").click()


def test_an_update_goes_downhill(figure, data):
    before = figure.values
    figure.label("learning rate").fill("0.5")
    figure.find("button", has_text="apply").click()
    after = figure.values
    assert after["E"] < before["E"]
    assert after["w24"] == pytest.approx(before["w24"] - 0.5 * before["dw24"], rel=1e-12)
    assert after["t"] == before["t"]
    assert figure.voice.startswith(f"updated: E {before['E']:.4f} → {after['E']:.4f}")


def test_the_first_numbers_come_back(figure, data):
    figure.label("activation").select_option("relu")
    figure.label("learning rate").fill("1000")
    put(figure, {"w24": 7})
    figure.find("button", has_text="first numbers").click()
    assert {name: figure.values[name] for name in data["given"]} == data["given"]
    assert figure.label("activation").input_value() == "sigmoid"
    assert float(figure.label("learning rate").input_value()) == data["rate"]


def test_keys_walk_and_the_voice_tells(figure):
    figure.label("step", exact=True).fill("0")
    button = figure.find("button", has_text="next")
    for _ in range(13):  # one more than there are
        button.press("Enter")
    assert "Step 12: ∂E/∂x₂" in figure.voice
    assert button.get_attribute("aria-disabled") == "true"
    assert button.evaluate("button => button.getRootNode().activeElement === button")
    figure.label("step", exact=True).press("ArrowLeft")
    assert "Step 11: ∂E/∂y₂" in figure.voice


def test_a_number_that_is_not_finished_changes_nothing(figure):
    before = figure.values
    figure.label("w₂₄").fill("")
    assert figure.values == before
    figure.label("w₂₅").focus()
    assert float(figure.label("w₂₄").input_value()) == before["w24"]


@pytest.mark.parametrize("width", [1280, 390])
def test_it_plays_only_where_it_is_told_to_and_to_the_end(browser, tmp_path, data, width):
    with open_figure(browser, tmp_path, "walk", data, width) as figure:
        figure.page.clock.install()
        figure.page.reload()
        figure.page.clock.run_for(5000)
        step = figure.label("step", exact=True)
        assert step.input_value() == "0"
        play = figure.find("button", has_text="play")
        below, seen = figure.all.bounding_box(), []
        play.click()
        for _ in range(60):
            figure.page.clock.run_for(500)
            seen.append(step.input_value())
            assert figure.all.bounding_box() == below  # nothing below it jumps
        assert list(dict.fromkeys(seen)) == [str(n) for n in range(13)]
        assert seen[-5:] == ["12"] * 5
        assert seen.count("10") > 2 * seen.count("1")  # six lines to read
        assert "Step 12" in figure.voice
        play.click()
        figure.page.clock.run_for(1)
        assert step.input_value() == "0"
        figure.find("summary").click()
        expect(step).to_have_value("12")  # there is something to change
        play.click()
        figure.page.clock.run_for(1)
        put(figure, {"t": 1})
        figure.page.clock.run_for(5000)
        assert step.input_value() == "0"  # who types wants to see what it does


def test_whoever_wants_no_motion_gets_the_end(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "walk", data, reduced_motion="reduce") as figure:
        figure.find("button", has_text="play").click()
        figure.page.wait_for_timeout(200)
        assert figure.label("step", exact=True).input_value() == "12"
        assert "Step 12" in figure.voice


def test_it_fits_a_phone(browser, tmp_path, data):
    dark = {"width": 390, "color_scheme": "dark"}
    with open_figure(browser, tmp_path, "walk", data, **dark) as figure:
        figure.find("summary").click()
        assert figure.page.evaluate("document.documentElement.scrollWidth") <= 390
