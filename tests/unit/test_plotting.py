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

PLACES = {1: (1, 5), 2: (3, 5), 3: (3, 4)}
EDGES = [(1, 2), (1, 3)]


@pytest.fixture(autouse=True)
def style():
    """Set the style, and leave matplotlib as it was, with no figure open."""
    with plt.rc_context():
        plotting.use_style()
        yield
    plt.close("all")


# Style


def test_colours_are_readable_on_white():
    rgb = np.array([to_rgb(c) for c in (*plotting.SERIES, plotting.INK, plotting.MUTED)])
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert min(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)) >= 4.5


def test_style_is_set_for_the_figures_that_follow():
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0] for _ in plotting.SERIES]
    assert [line.get_color() for line in lines] == list(plotting.SERIES)
    assert plotting.LINE_STYLES[4:] == ((0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
    assert len(set(plotting.SERIES)) == len(set(plotting.LINE_STYLES)) == len(plotting.SERIES)
    assert len({str(line.get_linestyle()) for line in lines[:4]}) == 4
    assert [ax.spines[side].get_visible() for side in ("top", "right", "left")] == [0, 0, 1]
    same = io.BytesIO(), io.BytesIO()
    for file in same:
        figure = plotting.draw_graph(PLACES, EDGES, new=[2])
        figure.savefig(file, format="svg", metadata={"Date": None})
    assert same[0].getvalue() == same[1].getvalue()


def test_style_starts_no_shell_in_a_plain_program(tmp_path):
    program = "import sys; from backprop import plotting; assert 'matplotlib' not in sys.modules"
    program += "; plotting.use_style(); import IPython"
    program += "; plotting.use_style(); assert IPython.get_ipython() is None"
    environment = os.environ | {"IPYTHONDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert not list(tmp_path.iterdir())  # no history


def test_style_in_a_notebook_is_svg_without_a_date(monkeypatch):
    formats = []
    monkeypatch.setattr("IPython.get_ipython", lambda: "a shell")
    monkeypatch.setattr(
        "matplotlib_inline.backend_inline.set_matplotlib_formats",
        lambda *names, **options: formats.append((names, options)),
    )
    plotting.use_style()
    assert formats == [(("svg",), {"metadata": {"Date": None}, "bbox_inches": None})]


def test_the_colours_of_forward_and_backward_mean_nothing_else():
    assert not {plotting.FORWARD, plotting.BACKWARD} & {*plotting.SERIES}


# Labels at the ends of lines


def test_labels_stand_at_the_ends_of_their_lines_in_their_colours():
    _, ax = plt.subplots()
    ax.margins(y=0)
    for label, height in (("high", 90), ("low", 0), ("middle", 45), ("_unnamed", 40)):
        ax.plot([0, 1, 2], [10, 20, height], label=label)
    plotting.label_lines(ax)
    found = {text.get_text(): (*text.xy, text.get_color()) for text in ax.texts}
    high, low, middle, _ = (line.get_color() for line in ax.lines)
    assert found == {
        "high": (1, pytest.approx(1), high),
        "low": (1, pytest.approx(0, abs=1e-9), low),
        "middle": (1, pytest.approx(0.5), middle),
    }
    for text in ax.texts:
        assert (text.xycoords, text.anncoords) == ("axes fraction", "offset points")
        assert (text.xyann, text.get_va(), text.get_size()) == ((6, 0), "center", 10)
        assert text.get_annotation_clip() is False


@pytest.mark.parametrize(("options", "space"), [({}, 1.25), ({"space": 2.0}, 2.0)])
@pytest.mark.parametrize("end", [-7.0, 0.0, 0.5, 1.0, 7.0])
def test_labels_of_lines_that_end_together_stand_apart_in_order(end, options, space):
    _, ax = plt.subplots(figsize=(4, 3))
    ax.set_ylim(0, 1)
    for number in range(4):
        ax.plot([0, 1], [0, end + 0.001 * number * (1 - 2 * end)], label=str(number))
    plotting.label_lines(ax, **options)
    places = {text.get_text(): text.xy[1] for text in ax.texts}
    step = space * 10 / 72 / (3 * ax.get_position().height)  # inches
    order = sorted(places, key=lambda label: ax.lines[int(label)].get_ydata()[1])
    np.testing.assert_allclose(np.diff([places[label] for label in order]), step)
    # From the lowest end upward, at most half a label above the axes, and no lower than that asks.
    assert min(places.values()) == pytest.approx(min(max(end, 0), 1 + step / 2 - 3 * step))


def test_a_label_of_a_line_that_leaves_the_axes_pushes_no_other_one():
    _, ax = plt.subplots()
    ax.set_ylim(0, 1)
    for end in (0.25, 7, -7):
        ax.plot([0, 1], [0, end], label=str(end))
    plotting.label_lines(ax)
    assert {text.get_text(): text.xy[1] for text in ax.texts} == {
        "0.25": pytest.approx(0.25), "7": pytest.approx(1), "-7": pytest.approx(0, abs=1e-9)
    }  # fmt: skip


def assert_canvas(figure, size, limits):
    """Hold a figure to its size in inches, and to one axis-free area that fills it."""
    (ax,) = figure.axes
    np.testing.assert_allclose(figure.get_size_inches(), size)
    np.testing.assert_allclose([*ax.get_xlim(), *ax.get_ylim()], limits)
    assert ax.get_position().bounds == (0, 0, 1, 1)
    assert not ax.axison
    assert figure.get_layout_engine() is None


# Layers


def test_layers_stand_below_each_other_with_values_on_the_left_and_gradients_on_the_right():
    figure = plotting.draw_layers(["X", "Z", "L"], ["X (4, 3)", "Z (4, 2)"], ["dX", "dZ"])
    at = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert [at[name] for name in ("X", "Z", "L")] == [(0, 0), (0, -1), (0, -2)]
    assert at["Z (4, 2)"] == (-0.4, -1.5)
    assert at["dZ"] == (0.4, -1.5)
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert (colours["X (4, 3)"], colours["dX"]) == (plotting.FORWARD, plotting.BACKWARD)
    arrows = [text for text in figure.axes[0].texts if hasattr(text, "arrow_patch")]
    assert [(*a.xyann, *a.xy) for a in arrows] == [
        (-0.25, -0.2, -0.25, -0.8), (-0.25, -1.2, -0.25, -1.8),
        (0.25, -0.8, 0.25, -0.2), (0.25, -1.8, 0.25, -1.2),
    ]  # fmt: skip
    assert [to_rgb(a.arrow_patch.get_edgecolor()) for a in arrows] == [
        to_rgb(colour) for colour in 2 * [plotting.FORWARD] + 2 * [plotting.BACKWARD]
    ]
    assert {a.arrow_patch.get_arrowstyle().__class__.__name__ for a in arrows} == {"CurveFilledB"}
    sides = {text.get_text(): (text.get_ha(), text.get_va()) for text in figure.axes[0].texts}
    assert sides["X"] == ("center", "center")
    assert (sides["X (4, 3)"], sides["dX"]) == (("right", "center"), ("left", "center"))
    assert {text.get_color() for text in figure.axes[0].texts if text.get_bbox_patch()} == {
        plotting.INK
    }


def test_layers_have_the_size_of_their_number():
    figure = plotting.draw_layers(["X", "Z", "L"], ["x", "z"], ["dX", "dZ"])
    assert_canvas(figure, [5.4, 3 * 0.85], [-2.7, 2.7, -2.5, 0.5])


@pytest.mark.parametrize("counts", [(2, 2, 1), (2, 1, 2), (3, 1, 1)])
def test_layers_without_their_texts_are_refused(counts):
    with pytest.raises(ValueError, match="boxes: expected one more than texts of each kind"):
        plotting.draw_layers(*(["text"] * count for count in counts))
    with pytest.raises(ValueError, match="boxes: expected a sequence, got 'XZ'"):
        plotting.draw_layers("XZ", ["x"], ["dX"])


# Graphs


def drawn(figure):
    """Return what is written in a graph: from each text to its place, side and colour."""
    found = {text.get_text(): text for text in figure.axes[0].texts if text.get_text()}
    assert {text.get_va() for text in found.values()} == {"center"}
    for name, text in found.items():  # names of nodes are told from what stands beside them
        assert text.get_family() == (["sans-serif"] if name in "123" else ["monospace"])
        assert text.get_weight() == ("bold" if name in "123" else "normal")
    return {
        name: (*np.round(text.get_position(), 12), text.get_ha(), text.get_color())
        for name, text in found.items()
    }


def test_texts_of_nodes():
    forward, backward = {1: "left", 2: "right"}, {1: "far left", 2: "two\nlines"}
    figure = plotting.draw_graph(PLACES, [], forward, backward, new=[2], left=[1])
    # In the direction of reading values come before slopes; the nearer text is 0.3 inches away, and
    # the farther one leaves 0.08 inches for each character of the longest line, and 0.1 more.
    assert drawn(figure) == {
        "1": (1, 5, "center", plotting.INK),
        "2": (3, 5, "center", "white"),
        "3": (3, 4, "center", plotting.INK),
        "left": (round(0.7 - 8 * 0.08 - 0.1, 12), 5, "right", plotting.FORWARD),
        "far left": (0.7, 5, "right", plotting.BACKWARD),
        "right": (3.3, 5, "left", plotting.FORWARD),
        "two\nlines": (3.3 + 5 * 0.08 + 0.1, 5, "left", plotting.BACKWARD),
    }


@pytest.mark.parametrize(
    ("direction", "x", "y", "tail", "head", "colour"),
    [
        ("forward", 1.68, 4.66, 1, 2, plotting.FORWARD),
        ("backward", 2.32, 4.34, 2, 1, plotting.BACKWARD),
    ],
)
def test_edges_and_what_is_new(direction, x, y, tail, head, colour):
    texts = {(1, 2): "first"}, {(1, 2): "second", (1, 3): "alone"}
    figure = plotting.draw_graph(PLACES, EDGES, *texts, new=[2, (1, 2)], direction=direction)
    written = drawn(figure)  # near the edge's tail, the second text below the first
    assert written["first"] == (x, 5.08, "center", plotting.FORWARD)
    assert written["second"] == (x, 4.92, "center", plotting.BACKWARD)
    assert written["alone"] == (x, y, "center", plotting.BACKWARD)
    edge, *nodes = figure.axes[0].lines
    assert (edge.get_xydata().tolist(), edge.get_color()) == ([[1, 5], [3, 4]], "#B5B5B5")
    assert [tuple(*node.get_xydata()) for node in nodes] == list(PLACES.values())
    assert [node.get_markerfacecolor() for node in nodes] == ["white", colour, "white"]
    rims = [plotting.MUTED, colour, plotting.MUTED]
    assert [node.get_markeredgecolor() for node in nodes] == rims
    (arrow,) = (a for a in figure.axes[0].texts if hasattr(a, "arrow_patch"))
    assert (tuple(arrow.xyann), tuple(arrow.xy)) == (PLACES[tail], PLACES[head])
    assert to_rgb(arrow.arrow_patch.get_edgecolor()) == to_rgb(colour)


def test_graph_has_the_size_of_its_positions_and_margins():
    figure = plotting.draw_graph(PLACES, EDGES, margins=(1.0, 0.25))
    assert_canvas(figure, [4, 1.5], [0, 4, 3.75, 5.25])
    np.testing.assert_allclose(plotting.draw_graph(PLACES, []).get_size_inches(), [5.5, 1.7])


@pytest.mark.parametrize(
    "bad",
    [{"edges": [(1, "x")]}, {"forward": {"x": ""}}, {"backward": {"x": ""}}, {"new": ["x"]}],
)
def test_bad_graphs_are_refused(bad):
    with pytest.raises(ValueError, match=r"expected nodes in positions and edges in .*, got 'x'"):
        plotting.draw_graph(PLACES, **{"edges": EDGES} | bad)
    with pytest.raises(ValueError, match=r"positions: expected shape \(N, 2\), got \(0,\)"):
        plotting.draw_graph({}, **{"edges": EDGES} | bad)
    with pytest.raises(ValueError, match=r"direction: expected one of forward, backward, got 'up'"):
        plotting.draw_graph(PLACES, EDGES, direction="up")


# Images


@pytest.mark.parametrize(
    ("symmetric", "lowest", "colours"), [(False, 0, "gray_r"), (True, -11, "PRGn")]
)
def test_images_are_shown_row_by_row_in_order_on_one_scale(symmetric, lowest, colours):
    images = -np.arange(3 * 4.0).reshape(3, 4)
    figure = plotting.show_images(images, ["a", "b", "c"], columns=2, symmetric=symmetric)
    np.testing.assert_allclose(figure.get_size_inches(), [5.4, 5.4 * 1.12])
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 0]
    assert not any(ax.axison for ax in figure.axes)
    for ax, image in zip(figure.axes, images, strict=False):
        (shown,) = ax.images
        np.testing.assert_array_equal(shown.get_array(), image.reshape(2, 2))
        assert (shown.get_clim(), shown.get_cmap().name) == ((lowest, 11), colours)


@pytest.mark.parametrize("symmetric", [False, True])
def test_blank_images_are_blank_and_five_in_a_row(symmetric):
    figure = plotting.show_images(np.zeros((6, 4)), symmetric=symmetric)
    assert figure.axes[0].get_gridspec().get_geometry() == (2, 5)
    image = figure.axes[5].images[0]
    assert image.to_rgba(image.get_array())[..., :3].min() > 0.95
    assert image.get_clim()[1] == 1
    (ax,) = plotting.show_images(np.zeros((1, 4)), columns=1).axes
    assert ax.images[0].get_cmap().name == "gray_r"
    with pytest.raises(ValueError, match="images: expected P² pixels in each row, got 5"):
        plotting.show_images(np.zeros((2, 5)), symmetric=symmetric)
    with pytest.raises(ValueError, match=r"titles: expected shape \(2,\), got \(1,\)"):
        plotting.show_images(np.zeros((2, 4)), ["a"], symmetric=symmetric)
