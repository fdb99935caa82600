"""Figures: their texts, colours and arrows, and what is refused."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from backprop import plotting

PLACES = {1: (0, 1), 2: (2, 1), 3: (2, 0)}
EDGES = [(1, 2), (1, 3)]


@pytest.fixture(autouse=True)
def own_settings():
    """Leave matplotlib as it was, with no figure open."""
    with plt.rc_context():
        yield
    plt.close("all")


def luminance(colour):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def texts(figure):
    """Return text -> colour of everything that is written in a figure."""
    return {text.get_text(): text.get_color() for text in figure.axes[0].texts if text.get_text()}


def arrows(figure):
    """Return (tail, head, colour) of every arrow."""
    return [
        (tuple(a.xyann), tuple(a.xy), a.arrow_patch.get_edgecolor())
        for a in figure.axes[0].texts
        if getattr(a, "arrow_patch", None)
    ]


# Style


@pytest.mark.parametrize("colour", [*plotting.SERIES, plotting.INK, plotting.MUTED])
def test_colours_are_readable_on_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_series_differ_in_colour_and_in_line_style():
    assert len(set(plotting.SERIES)) == len(set(plotting.LINE_STYLES)) == len(plotting.SERIES)


def test_style_is_set_for_the_figures_that_follow():
    plotting.use_style()
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0] for _ in plotting.SERIES]
    assert [line.get_color() for line in lines] == list(plotting.SERIES)
    assert len({str(line.get_linestyle()) for line in lines[:4]}) == 4
    assert not ax.spines["top"].get_visible()


def test_same_figure_is_the_same_svg():
    plotting.use_style()

    def drawn():
        file = io.BytesIO()
        plotting.draw_graph(PLACES, EDGES, new=[2]).savefig(
            file, format="svg", metadata={"Date": None}
        )
        return file.getvalue()

    assert drawn() == drawn()


# Graphs


def test_graph_writes_each_text_in_its_colour():
    figure = plotting.draw_graph(
        PLACES,
        EDGES,
        forward={1: "y 1.0", (1, 2): "0.5"},
        backward={2: "slope\n-0.1", (1, 2): "0.25"},
        left=[1],
    )
    written = texts(figure)
    assert written["y 1.0"] == written["0.5"] == plotting.FORWARD
    assert written["slope\n-0.1"] == written["0.25"] == plotting.BACKWARD
    assert {"1", "2", "3"} <= written.keys()


@pytest.mark.parametrize(
    ("direction", "tail", "head", "colour"),
    [("forward", 1, 2, plotting.FORWARD), ("backward", 2, 1, plotting.BACKWARD)],
)
def test_new_edge_is_an_arrow_in_the_direction_of_the_walk(direction, tail, head, colour):
    figure = plotting.draw_graph(PLACES, EDGES, new=[(1, 2)], direction=direction)
    ((start, end, edge_colour),) = arrows(figure)
    assert (start, end) == (PLACES[tail], PLACES[head])
    assert to_rgb(edge_colour) == to_rgb(colour)


def test_new_node_is_filled():
    figure = plotting.draw_graph(PLACES, EDGES, new=[2])
    nodes = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markerfacecolor()
        for line in figure.axes[0].lines
        if line.get_marker() == "o"
    }
    assert {place: colour for place, colour in nodes.items() if colour != "white"} == {
        PLACES[2]: plotting.FORWARD
    }


def test_texts_stand_on_the_side_that_was_asked_for():
    figure = plotting.draw_graph(PLACES, [], forward={1: "left", 2: "right"}, left=[1])
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts}
    assert x["left"] < PLACES[1][0]
    assert x["right"] > PLACES[2][0]


def test_graph_has_the_size_of_its_positions_and_margins():
    figure = plotting.draw_graph(PLACES, EDGES, margins=(1.0, 0.5))
    np.testing.assert_allclose(figure.get_size_inches(), [2 + 2, 1 + 1])


@pytest.mark.parametrize("direction", ["up", "", None, "Forward"])
def test_unknown_direction_is_refused(direction):
    with pytest.raises(ValueError, match="direction: expected 'forward' or 'backward', got"):
        plotting.draw_graph(PLACES, EDGES, direction=direction)


# Images


def test_images_are_shown_row_by_row_in_order():
    images = np.arange(3 * 4.0).reshape(3, 4)
    figure = plotting.show_images(images, titles=["a", "b", "c"], columns=2)
    assert len(figure.axes) == 4
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 0]
    for ax, image in zip(figure.axes, images, strict=False):
        np.testing.assert_array_equal(ax.images[0].get_array(), image.reshape(2, 2))


@pytest.mark.parametrize(("symmetric", "limits"), [(False, (0, 3)), (True, (-3, 3))])
def test_all_images_share_one_scale(symmetric, limits):
    images = np.array([[0, 1, 2, -3.0], [0, 0.5, 0, 0]])
    figure = plotting.show_images(images, columns=2, symmetric=symmetric)
    assert [ax.images[0].get_clim() for ax in figure.axes] == [limits, limits]


@pytest.mark.parametrize(("symmetric", "cmap"), [(False, "gray_r"), (True, "PuOr")])
def test_blank_images_are_blank(symmetric, cmap):
    (ax,) = plotting.show_images(np.zeros((1, 4)), columns=1, symmetric=symmetric).axes
    image = ax.images[0]
    assert image.get_cmap().name == cmap
    red, green, blue, _ = image.to_rgba(image.get_array())[0, 0]
    assert min(red, green, blue) > 0.95


def test_one_image_of_one_pixel():
    assert len(plotting.show_images([[1.0]], columns=1).axes) == 1


@pytest.mark.parametrize("shape", [(4,), (2, 5), (2, 784 - 1), (2, 28, 28), (1, 1, 4)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"images: expected shape \(M, P²\), got \("):
        plotting.show_images(np.ones(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titles": ["one"]}, "titles: expected one for each image, 2, got 1"),
        ({"columns": 0}, "columns: expected a whole number of at least 1, got 0"),
        ({"images": np.full((2, 4), np.nan)}, "images: expected finite numbers"),
        ({"images": np.zeros((0, 4))}, r"images: expected shape \(M, P²\), got \(0, 4\)"),
        ({"images": 1.0}, r"images: expected shape \(M, P²\), got \(\)"),
    ],
)
def test_bad_images_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plotting.show_images(**({"images": np.ones((2, 4))} | changes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, []), "positions: expected at least one node, got none"),
        (({"a": (0, 0)}, [("a", "b")]), "got 'b'"),
        (({"a": (0, 0)}, [], {"c": "text"}), "got 'c'"),
    ],
)
def test_bad_graphs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.draw_graph(*arguments)


# Source


def test_source_is_shown_as_code():
    shown = plotting.show_source(luminance, "x = 1\n")
    assert shown.data.startswith("```python\ndef luminance(colour):\n")
    assert shown.data.endswith(")\n\n\nx = 1\n```")
    assert plotting.show_source("x = 1").data == "```python\nx = 1\n```"
