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


def test_the_table_says_who_is_where(figure, data):
    for surface, factor, start, t in settings(data, 8):
        heights = put(figure, surface, factor, start, t)["heights"]
        rows = [row.split() for row in figure.find("tbody tr").all_inner_texts()]
        assert [row[0] for row in rows] == list(data["more"])
        known = sorted(height for height in heights.values() if height is not None)
        places = [known.index(h) + 1 if h is not None else "–" for h in heights.values()]
        assert [row[-1] for row in rows] == list(map(str, places))
        assert [row[-2] == "diverges" for row in rows] == [h is None for h in heights.values()]


def test_who_is_left_out_has_no_place(figure, data):
    put(figure, "straight valley", 1, data["surfaces"]["straight valley"]["start"], 60)
    assert figure.voice.startswith("At update 60, lowest first: Adagrad ")
    figure.label("Adagrad").focus()
    figure.page.keyboard.press("Space")
    assert figure.voice.startswith("At update 60, lowest first: SGD ")
    assert "Adagrad" not in figure.voice + "".join(figure.find("svg text").all_text_contents())
    assert figure.find("tr", has_text="Adagrad").inner_text().endswith("–")
    assert figure.find("tr", has_text="SGD").inner_text().endswith("1")
    figure.page.keyboard.press("Space")
    assert figure.find("svg text").all_text_contents().count("Adagrad") == 1


def test_what_is_marked_is_the_lowest(figure, data):
    for surface, numbers in data["surfaces"].items():
        for place in map(np.array, numbers["lowest"]):
            assert abs(height(place, **numbers)) < 1e-12
            assert not np.any(slopes(place, **numbers))
        figure.label("surface").select_option(surface)
        marks = figure.find(".lowest").get_attribute("d").count("M")
        assert marks == len(numbers["lowest"])
        ends = [
            f"{name} from {low:g} to {high:g}".replace("-", "−")
            for name, (low, high) in zip("ab", numbers["box"], strict=True)
        ]
        assert figure.find("svg text").all_text_contents()[:2] == ends


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
    figure.label("update").focus()
    fields = [float(figure.label(name, exact=True).input_value()) for name in "ab"]
    assert fields == values["start"]
    assert figure.voice.endswith("The start is a 2.25, b −1.75.")


def test_keys_move_it_and_the_voice_says_the_order(figure, data):
    put(figure, "straight valley", 1, data["surfaces"]["straight valley"]["start"], 59)
    figure.label("update").focus()
    figure.page.keyboard.press("ArrowRight")
    assert figure.values["t"] == 60
    assert figure.voice.startswith("At update 60, lowest first: Adagrad ")


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


def test_it_plays_from_stop_to_stop_and_says_where_it_stands(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "race", data) as figure:
        button = figure.find("button")
        figure.page.wait_for_timeout(300)
        assert figure.values["t"] == 0
        button.click()
        figure.page.wait_for_function("document.querySelector('backprop-race').values.t > 2")
        button.click()
        stopped = figure.values["t"]
        figure.page.wait_for_timeout(300)
        assert figure.values["t"] == stopped
        assert figure.voice.startswith(f"At update {stopped},")
        for stop in data["stops"]:
            figure.label("update").fill(str(stop - 2))
            button.click()
            figure.find("button", has_text="play").wait_for()
            assert figure.values["t"] == stop
            assert figure.voice.startswith(f"At update {stop},")
        button.click()
        figure.page.wait_for_function("document.querySelector('backprop-race').values.t < 9")


def test_a_change_in_the_race_starts_it_again(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "race", data) as figure:
        figure.label("update").fill("30")
        figure.label("surface").select_option("saddle")
        assert figure.values["t"] == 30
        figure.find("button").click()
        figure.label("all rates ×").select_option("2")
        assert figure.values["t"] < 9
        figure.find("button", has_text="stop").wait_for()
        figure.label("update").fill("50")
        figure.label("SGD").click()
        assert figure.values["t"] >= 50


def test_it_fits_a_phone_and_jumps_for_those_who_want_no_motion(browser, tmp_path, data):
    quiet = {"width": 390, "color_scheme": "dark", "reduced_motion": "reduce"}
    with open_figure(browser, tmp_path, "race", data, **quiet) as figure:
        for stop in (*data["stops"], data["stops"][0]):
            figure.find("button").click()
            figure.page.wait_for_timeout(50)
            assert figure.values["t"] == stop
            assert figure.voice.startswith(f"At update {stop},")
        assert figure.page.evaluate("document.documentElement.scrollWidth") <= 390
