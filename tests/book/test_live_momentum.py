"""The map of momentum in chapter 5, moved about in a browser, against the package."""

import itertools

import numpy as np
import pytest
from live_page import is_finite, numbers_of, open_figure

from backprop import optimizers


@pytest.fixture(scope="module")
def data():
    return numbers_of("05_optimizers", "momentum")


@pytest.fixture(scope="module")
def figure(browser, tmp_path_factory, data):
    with open_figure(browser, tmp_path_factory.mktemp("momentum"), "momentum", data) as figure:
        yield figure


def put(figure, x, mu, kappa):
    figure.label("ηλ").fill(str(x))
    figure.label("μ").fill(str(mu))
    figure.label("valley").select_option("one direction" if kappa == 1 else f"κ = {kappa}")
    return figure.values


def walk(x, mu, updates):
    """Return w on the parabola with the curvature x, at the rate 1, by the package."""
    optimizer, w = optimizers.Momentum(1.0, momentum=mu), np.array([1.0])
    path = [1.0]
    for _ in range(updates):
        optimizer.step([w], [x * w])
        path.append(w[0])
    return path


def updates_to_stay(x, mu, below, most=50000):
    """Return after how many updates |w| stays below a bound, or None."""
    w, v, last = 1.0, 0.0, 0
    for t in range(1, most + 1):
        v = mu * v - x * w
        w += v
        if not abs(w) < below:
            last = t
        if abs(w) > 1e6:
            return None
    return last + 1 if last < most else None


def settings(data):
    rng = np.random.default_rng(5)
    for _ in range(30):
        x, mu = rng.integers(0, 421) / 100, rng.integers(0, 100) / 100
        yield float(x), float(mu), int(rng.choice(data["kappas"]))


def test_what_it_shows_is_what_the_package_computes(figure, data):
    for x, mu, kappa in settings(data):
        values = put(figure, x, mu, kappa)
        assert (values["x"], values["mu"], values["kappa"]) == (x, mu, kappa)
        curvatures = [x, x / kappa] if kappa > 1 else [x]
        sizes, counts = [], []
        for end, curvature in zip(values["ends"], curvatures, strict=True):
            r1, r2 = (complex(*root) for root in end["roots"])
            assert abs(r1 + r2 - (1 + mu - curvature)) < 1e-12
            assert abs(r1 * r2 - mu) < 1e-12
            sizes.append(max(abs(r1), abs(r2)))
            path = walk(curvature, mu, data["updates"])
            scale = max(1, *map(abs, path))
            assert np.allclose(end["path"], path, rtol=0, atol=1e-9 * scale)
            counts.append(updates_to_stay(curvature, mu, data["below"]))
        assert values["R"] == pytest.approx(max(sizes), rel=1e-12)
        assert values["count"] == (None if None in counts else max(counts))


def test_it_says_never_exactly_where_it_is_not_stable(figure):
    for x, mu in itertools.product((0.0, 0.01, 1.0, 2.0, 2.01, 3.99, 4.2), (0.0, 0.5, 0.99, 1.0)):
        stable = 0 < x < 2 * (1 + mu) and mu < 1
        assert (put(figure, x, mu, 1)["count"] is not None) == stable


def test_it_starts_at_the_chapters_point(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "momentum", data) as figure:
        assert (figure.values["x"], figure.values["mu"]) == (data["x"], data["mu"])
        assert not figure.voice


def test_extremes_are_numbers(figure, data):
    for x, mu, kappa in itertools.product((0, data["farthest"]), (0, 1), data["kappas"]):
        assert is_finite(put(figure, x, mu, kappa))


def test_keys_move_it_and_the_voice_says_what_follows(figure):
    put(figure, 1.9, 0.1, 1)
    figure.label("μ").focus()
    figure.page.keyboard.press("ArrowRight")
    assert figure.values["mu"] == 0.11
    assert f"R = {figure.values['R']:.3f}" in figure.voice
    assert "jumps" in figure.voice
    for _ in range(4):
        figure.page.keyboard.press("ArrowRight")
    assert "swings" in figure.voice


def test_the_point_can_be_dragged_and_put_by_a_click(figure):
    put(figure, 1.0, 0.5, 1)
    box = figure.find(".handle .mark").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    figure.page.mouse.move(*middle)
    figure.page.mouse.down()
    figure.page.mouse.move(middle[0] + 90, middle[1] - 9000)
    figure.page.mouse.up()
    assert figure.values["x"] == pytest.approx(2, abs=0.05)
    assert figure.values["mu"] == 1
    assert figure.label("ηλ").input_value() == str(figure.values["x"])
    figure.page.mouse.click(middle[0] + 45, middle[1])
    assert figure.values["x"] == pytest.approx(1.5, abs=0.05)
    assert figure.values["mu"] == 0.5


def test_it_fits_a_phone(browser, tmp_path, data):
    with open_figure(browser, tmp_path, "momentum", data, width=390, color_scheme="dark") as figure:
        put(figure, 4.2, 0, 20)
        assert figure.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_finger_drags_the_point_and_not_the_page(browser, tmp_path, data):
    phone = {"width": 390, "has_touch": True, "is_mobile": True}
    with open_figure(browser, tmp_path, "momentum", data, **phone) as figure:
        figure.page.evaluate("document.body.style.paddingBottom = '2000px'")
        box = figure.find(".handle .mark").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = figure.page.context.new_cdp_session(figure.page)
        for n in range(13):
            event = {"type": "touchMove" if n else "touchStart"}
            touch.send(
                "Input.dispatchTouchEvent", event | {"touchPoints": [{"x": x, "y": y - 5 * n}]}
            )
            figure.page.wait_for_timeout(30)
        scale = figure.find("svg").bounding_box()["width"] / 360
        assert figure.values["mu"] == pytest.approx(60 / scale / 222, abs=0.02)
        assert figure.page.evaluate("scrollY") == 0
