"""Figures: their texts, colours and arrows, and what is refused."""

import io
import os
import subprocess
import sys

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


def test_style_starts_no_shell_in_a_plain_program(tmp_path):
    program = """
import sys
from backprop import plotting
assert "matplotlib" not in sys.modules
plotting.use_style()
assert "matplotlib" in sys.modules
import IPython
plotting.use_style()
assert IPython.get_ipython() is None
"""
    environment = os.environ | {"IPYTHONDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert not list(tmp_path.iterdir())  # no history


def test_the_colours_of_forward_and_backward_mean_nothing_else():
    assert not {plotting.FORWARD, plotting.BACKWARD} & {*plotting.SERIES}


# Labels at the ends of lines


def test_labels_stand_at_the_ends_of_their_lines_in_their_colours():
    _, ax = plt.subplots()
    ax.set_ylim(0, 1)
    for label, height in (("high", 0.8), ("low", 0.2), ("_unnamed", 0.5)):
        ax.plot([0, 1], [0.5, height], label=label)
    plotting.label_lines(ax)
    found = {text.get_text(): (text.xy[1], text.get_color()) for text in ax.texts}
    assert found == {
        line.get_label(): (pytest.approx(line.get_ydata()[1]), line.get_color())
        for line in ax.lines[:2]
    }


@pytest.mark.parametrize("end", [0.0, 0.5, 1.0])
def test_labels_of_lines_that_end_together_stand_apart_in_order(end):
    _, ax = plt.subplots(figsize=(4, 3))
    ax.set_ylim(0, 1)
    for number in range(4):
        ax.plot([0, 1], [0, end + 0.001 * number * (1 - 2 * end)], label=str(number))
    plotting.label_lines(ax)
    places = {text.get_text(): text.xy[1] for text in ax.texts}
    step = 1.25 * 10 / 72 / (3 * ax.get_position().height)  # inches
    order = sorted(places, key=lambda label: ax.lines[int(label)].get_ydata()[1])
    np.testing.assert_allclose(np.diff([places[label] for label in order]), step)
    assert max(places.values()) <= 1 + step
    assert min(places.values()) >= 0


# Layers


def test_layers_stand_below_each_other_with_values_on_the_left_and_gradients_on_the_right():
    figure = plotting.draw_layers(["X", "Z", "L"], ["X (4, 3)", "Z (4, 2)"], ["dX", "dZ"])
    at = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert [at[name] for name in ("X", "Z", "L")] == [(0, 0), (0, -1), (0, -2)]
    assert at["Z (4, 2)"] == (-0.4, -1.5)
    assert at["dZ"] == (0.4, -1.5)
    assert texts(figure)["X (4, 3)"] == plotting.FORWARD
    assert texts(figure)["dX"] == plotting.BACKWARD
    heights = [(tail[1], head[1], to_rgb(colour)) for tail, head, colour in arrows(figure)]
    down, up = to_rgb(plotting.FORWARD), to_rgb(plotting.BACKWARD)
    assert heights == [(-0.2, -0.8, down), (-1.2, -1.8, down), (-0.8, -0.2, up), (-1.8, -1.2, up)]


@pytest.mark.parametrize("counts", [(2, 2, 1), (2, 1, 2), (3, 1, 1)])
def test_layers_without_their_texts_are_refused(counts):
    with pytest.raises(ValueError, match="boxes: expected one more than texts of each kind"):
        plotting.draw_layers(*(["text"] * count for count in counts))


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


@pytest.mark.parametrize(("direction", "share"), [("forward", 0.34), ("backward", 0.66)])
def test_texts_of_an_edge_stand_near_its_tail_the_second_below_the_first(direction, share):
    figure = plotting.draw_graph(
        PLACES, EDGES, {(1, 2): "first"}, {(1, 2): "second", (1, 3): "alone"}, direction=direction
    )
    at = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    np.testing.assert_allclose(at["first"], (2 * share, 1.08))
    np.testing.assert_allclose(at["second"], (2 * share, 0.92))
    np.testing.assert_allclose(at["alone"], (2 * share, 1 - share))


def test_texts_stand_on_the_side_that_was_asked_for():
    forward, backward = {1: "left", 2: "right"}, {1: "far left", 2: "far right"}
    figure = plotting.draw_graph(PLACES, [], forward, backward, left=[1])
    drawn = {text.get_text(): text for text in figure.axes[0].texts}
    x = {name: text.get_position()[0] for name, text in drawn.items()}
    # In the direction of reading values come before slopes; the nearer text is 0.3 inches away, and
    # leaves 0.08 inches for each of its characters.
    np.testing.assert_allclose([x["left"], x["far left"]], [-0.3 - 0.1 - 8 * 0.08, -0.3])
    np.testing.assert_allclose([x["right"], x["far right"]], [2.3, 2.3 + 0.1 + 5 * 0.08])
    assert [drawn[name].get_ha() for name in ("left", "right")] == ["right", "left"]


def test_graph_has_the_size_of_its_positions_and_margins():
    figure = plotting.draw_graph(PLACES, EDGES, margins=(1.0, 0.5))
    np.testing.assert_allclose(figure.get_size_inches(), [2 + 2, 1 + 1])


# Images


@pytest.mark.parametrize("symmetric", [False, True])
def test_images_are_shown_row_by_row_in_order(symmetric):
    images = np.arange(3 * 4.0).reshape(3, 4)
    figure = plotting.show_images(images, ["a", "b", "c"], columns=2, symmetric=symmetric)
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


@pytest.mark.parametrize(("symmetric", "cmap"), [(False, "gray_r"), (True, "PRGn")])
def test_blank_images_are_blank(symmetric, cmap):
    (ax,) = plotting.show_images(np.zeros((1, 4)), columns=1, symmetric=symmetric).axes
    image = ax.images[0]
    assert image.get_cmap().name == cmap
    red, green, blue, _ = image.to_rgba(image.get_array())[0, 0]
    assert min(red, green, blue) > 0.95


def test_rows_of_pixels_that_are_no_square_are_refused():
    with pytest.raises(ValueError, match="images: expected P² pixels in each row, got 5"):
        plotting.show_images(np.ones((2, 5)))


def test_titles_are_one_for_each_image():
    with pytest.raises(ValueError, match="titles: expected one for each image, 2, got 1"):
        plotting.show_images(np.ones((2, 4)), ["one"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, []), "positions: expected at least one node, got none"),
        (({"a": (0, 0)}, [("a", "b")]), "got 'b'"),
        (({"a": (0, 0)}, [], {"c": "text"}), "got 'c'"),
        (({"a": (0, 0)}, [], {}, {"d": "text"}), "got 'd'"),
        (({"a": (0, 0)}, [], {}, {}, ["e"]), "got 'e'"),
    ],
)
def test_bad_graphs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.draw_graph(*arguments)
