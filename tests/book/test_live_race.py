"""The race of the optimizers in chapter 5, run in a browser, against the package."""

import numpy as np
import pytest
from live_page import is_finite, numbers_of, open_figure

from backprop import gradcheck, optimizers

FAR = 1e6  # where the figure gives up
NAMES = {"mu": "momentum", "start": "initial_accumulator_value", "c": "weight_decay"}


@pytest.fixture(scope="module")
def data():
    return numbers_of("05_optimizers", "race")


@pytest.fixture(scope="module")
def figure(browser, tmp_path_factory, data):
    with open_figure(browser, tmp_path_factory.mktemp("race"), "race", data) as figure:
        yield figure


def height(w, form, H=((1, 0), (0, 1)), c=0, **_):
    a, b = w
    return {
        "valley": w @ np.array(H) @ w / 2,
        "saddle": (a**2 - b**2) / 2 + b**4 / 4 + 1 / 4,
        "bend": (a - 1) ** 2 / 2 + c * (b - a**2) ** 2,
    }[form]


def slopes(w, form, H=((1, 0), (0, 1)), c=0, **_):
    """Return the slopes, added up in the figure's order.

    RMSProp bounces about in the turned valley, and a difference in the last bit becomes 0.5.
    """
    (a, b), ((p, q), (_, r)) = w, H
    return {
        "valley": np.array([p * a + q * b, q * a + r * b]),
        "saddle": np.array([a, b * b * b - b]),
        "bend": np.array([a - 1 - 4 * c * a * (b - a * a), 2 * c * (b - a * a)]),
    }[form]


def put(figure, surface, factor, start, t):
    figure.label("surface").select_option(surface)
    figure.label("all rates ×").select_option(f"{factor:g}")
    for name, value in zip("ab", start, strict=True):
        figure.label(name, exact=True).fill(str(value))
    figure.label("update").fill(str(t))
    return figure.values


def optimizer(data, name, surface, factor):
    more = {NAMES.get(key, key): value for key, value in data["more"][name].items()}
    rate = data["surfaces"][surface]["rates"][name] * factor
    return getattr(optimizers, name)(rate, **more)


def settings(data, count=24):
    rng = np.random.default_rng(5)
    names = list(data["surfaces"])
    for n in range(count):
        surface = names[n % len(names)]
        box = np.array(data["surfaces"][surface]["box"])
        start = rng.uniform(*box.T).round(2)
        yield surface, float(rng.choice(data["factors"])), start.tolist(), int(rng.integers(201))


def test_it_has_all_optimizers_with_the_packages_defaults(data):
    for name, more in data["more"].items():
        usual = vars(getattr(optimizers, name)())
        hyper = {key for key in usual if key not in ("learning_rate", "iterations", "state")}
        given = {NAMES.get(key, key): value for key, value in more.items()}
        assert given == {key: usual[key] for key in hyper}
    kinds = vars(optimizers).values()
    known = {
        k.__name__ for k in kinds if isinstance(k, type) and issubclass(k, optimizers.Optimizer)
    }
    assert set(data["more"]) == known - {"Optimizer"}


@pytest.mark.parametrize("factor", [0.25, 1, 4])
def test_two_hundred_updates_are_the_packages(figure, data, factor):
    for surface, numbers in data["surfaces"].items():
        values = put(figure, surface, factor, numbers["start"], 200)
        for name, path in values["paths"].items():
            rule, w = optimizer(data, name, surface, factor), np.array(numbers["start"])
            for place in path:
                assert np.abs(w - place).max() < 1e-9 * max(1, np.abs(w).max())
                rule.step([w], [slopes(w, **numbers)])
            assert len(path) == 201 or np.hypot(*w) > FAR


def test_every_update_is_the_packages_wherever_it_starts(figure, data):
    """Each from the place before, since runs that swing wildly make a rounding error large."""
    for surface, factor, start, t in settings(data):
        numbers = data["surfaces"][surface]
        values = put(figure, surface, factor, start, t)
        assert values["start"] == start
        for name, path in values["paths"].items():
            assert path[0] == start
            rule = optimizer(data, name, surface, factor)
            for n, place in enumerate(map(np.array, path)):
                w = place.copy()
                rule.step([w], [slopes(place, **numbers)])
                if n + 1 < len(path):
                    assert np.abs(w - path[n + 1]).max() < 1e-9 * max(1, np.abs(w).max())
            assert len(path) == 201 or np.hypot(*w) > FAR
            if t < len(path):
                reached = pytest.approx(height(np.array(path[t]), **numbers), rel=1e-9, abs=1e-12)
                assert values["heights"][name] == reached
            else:
                assert values["heights"][name] is None


def test_the_table_is_sorted_and_says_what_is_reached(figure, data):
    for surface, factor, start, t in settings(data, 8):
        values = put(figure, surface, factor, start, t)
        heights = [values["heights"][name] for name in values["order"]]
        known = [value for value in heights if value is not None]
        assert known == sorted(known)
        assert all(value is None for value in heights[len(known) :])
        rows = figure.find("tbody tr").all_inner_texts()
        assert [row.split()[0] for row in rows] == values["order"]
        assert [row.split()[-1] == "gone" for row in rows] == [h is None for h in heights]


def test_slopes_belong_to_heights(data):
    rng = np.random.default_rng(0)
    for numbers in data["surfaces"].values():
        w = rng.normal(size=2)
        (by_trial,) = gradcheck.numerical_gradients(lambda w, of=numbers: height(w, **of), w)
        assert np.allclose(by_trial, slopes(w, **numbers), atol=1e-6)


def test_extremes_are_numbers(figure, data):
    for surface, numbers in data["surfaces"].items():
        for factor in (data["factors"][0], data["factors"][-1]):
            for start in zip(*numbers["box"], strict=True):
                assert is_finite(put(figure, surface, factor, start, 200))
    values = put(figure, surface, 1, (1e9, -1e9), 0)
    assert values["start"] == [numbers["box"][0][1], numbers["box"][1][0]]


def test_keys_move_it_and_the_voice_says_the_order(figure, data):
    put(figure, "straight valley", 1, data["surfaces"]["straight valley"]["start"], 59)
    figure.label("update").focus()
    figure.page.keyboard.press("ArrowRight")
    assert figure.values["t"] == 60
    assert figure.voice.startswith("After 60 updates, lowest first: Adagrad ")
    figure.label("Adam", exact=True).focus()
    figure.page.keyboard.press("Space")
    assert figure.find("svg text").all_text_contents().count("Adam") == 0
    figure.page.keyboard.press("Space")
    assert figure.find("svg text").all_text_contents().count("Adam") == 1


def test_the_start_can_be_dragged(figure, data):
    put(figure, "saddle", 1, (1, 0.5), 10)
    box = figure.find(".handle .start").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    figure.page.mouse.move(*middle)
    figure.page.mouse.down()
    figure.page.mouse.move(middle[0] - 20, middle[1] - 9000)
    figure.page.mouse.up()
    a, b = figure.values["start"]
    assert b == data["surfaces"]["saddle"]["box"][1][1]
    assert 0 < a < 1
    assert figure.label("a", exact=True).input_value() == str(a)


def test_nothing_moves_until_play_is_pressed(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "race", data) as figure:
        figure.page.wait_for_timeout(300)
        assert figure.values["t"] == 0
        figure.page.get_by_role("button", name="play").click()
        figure.page.wait_for_function("document.querySelector('backprop-race').values.t > 2")
        figure.page.get_by_role("button", name="pause").click()
        stopped = figure.values["t"]
        figure.page.wait_for_timeout(300)
        assert figure.values["t"] == stopped
        assert figure.voice.startswith(f"After {stopped} updates")
        figure.label("update").fill(str(data["updates"] - 2))
        figure.page.get_by_role("button", name="play").click()
        figure.page.get_by_role("button", name="pause").wait_for(state="detached")
        assert figure.values["t"] == data["updates"]
        figure.page.get_by_role("button", name="play").click()
        assert figure.values["t"] < data["updates"]


def test_it_fits_a_phone_and_jumps_for_those_who_want_no_motion(browser, tmp_path, data):
    quiet = {"width": 390, "color_scheme": "dark", "reduced_motion": "reduce"}
    with open_figure(browser, tmp_path, "race", data, **quiet) as figure:
        figure.page.get_by_role("button", name="play").click()
        assert figure.values["t"] == data["updates"]
        assert figure.page.evaluate("document.documentElement.scrollWidth") <= 390
