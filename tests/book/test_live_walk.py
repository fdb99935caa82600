"""The walk of chapter 2, with any numbers, in a browser, against the package."""

import numpy as np
import pytest
from live_page import is_finite, numbers_of, open_figure

from backprop import losses
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
        figure.find("summary").click()
        yield figure


def put(figure, given):
    for name, value in given.items():
        figure.find(f"#{name}").fill(str(value))


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


def test_each_slope_stands_beside_a_trial(figure, data):
    figure.label("activation").select_option("tanh")
    put(figure, data["given"])
    figure.label("step", exact=True).fill("12")
    for row in figure.find("tbody tr").all():
        slope, trial = row.locator("td").all_inner_texts()[1:]
        assert slope == trial
        assert slope or row.locator("th").inner_text() == "t"


def test_an_update_goes_downhill(figure, data):
    put(figure, data["given"])
    before = figure.values
    figure.label("learning rate").fill("0.5")
    figure.find("button", has_text="apply").click()
    after = figure.values
    assert after["E"] < before["E"]
    assert after["w24"] == pytest.approx(before["w24"] - 0.5 * before["dw24"], rel=1e-12)
    assert after["t"] == before["t"]
    assert f"{after['E']:.4f}" in figure.voice
    figure.find("button", has_text="start again").click()
    assert figure.values == before


def test_keys_walk_and_the_voice_tells(figure):
    figure.label("step", exact=True).fill("0")
    figure.find("button", has_text="next").press("Enter")
    assert "Step 1: y₁ 1" in figure.voice
    figure.label("step", exact=True).press("ArrowRight")
    assert "Step 2: x₂" in figure.voice
    figure.label("step", exact=True).press("End")
    assert figure.find("button", has_text="next").is_disabled()


def test_a_number_that_is_not_finished_changes_nothing(figure):
    before = figure.values
    figure.find("#w24").fill("")
    assert figure.values == before


def test_it_plays_only_where_it_is_told_to(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "walk", data) as figure:
        figure.page.wait_for_timeout(2000)
        assert figure.page.evaluate("document.querySelector('backprop-walk').step") == 0
        figure.find("button", has_text="play").click()
        figure.page.wait_for_function("document.querySelector('backprop-walk').step > 0")
        figure.find("button", has_text="stop").click()


def test_it_fits_a_phone(browser, tmp_path, data):
    dark = {"width": 390, "color_scheme": "dark"}
    with open_figure(browser, tmp_path, "walk", data, **dark) as figure:
        figure.find("summary").click()
        figure.label("step", exact=True).fill("12")
        page = figure.page
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
