"""Figures in one style: diagrams, labelled lines, rows of images. Matplotlib is loaded to draw."""

from __future__ import annotations

import sys
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from backprop.contracts import Array, Count, as_array, checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The two colours of every formula and diagram, which mean nothing else. All colours keep a contrast
# of 4.5 on white.
FORWARD = "#0072B2"
BACKWARD = "#B84F00"
INK = "#333333"
MUTED = "#6B6B6B"
# For what is compared. Told apart without colour by their line styles.
SERIES = ("#00795A", "#A3457C", "#555555", "#6A3D9A", "#7A5C00", "#8C2D2D")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))


def use_style() -> None:
    """Set the course's look for all figures that follow, and SVG as the notebook's format."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcParams.update(
        {
            "figure.figsize": (5.4, 3.2),  # readable on a telephone, too
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.prop_cycle": cycler(color=SERIES) + cycler(linestyle=LINE_STYLES),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "image.interpolation": "none",  # an SVG then holds an image's own pixels, no more
            "legend.frameon": False,
            "lines.linewidth": 2,
            "svg.hashsalt": "backprop",  # else every run would name the parts of an SVG anew
            "text.color": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
        }
    )
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        # Only where a shell is running: this would start one.
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)  # type: ignore[no-untyped-call]


@checked
def draw_graph(
    positions: Mapping[Hashable, tuple[float, float]],
    edges: Collection[tuple[Hashable, Hashable]],
    forward: Mapping[Hashable, str] | None = None,
    backward: Mapping[Hashable, str] | None = None,
    new: Collection[Hashable] = (),
    direction: Literal["forward", "backward"] = "forward",
    left: Collection[Hashable] = (),
    margins: tuple[float, float] = (1.75, 0.35),
) -> Figure:
    """Return a figure of a graph, with two texts at each node and edge, one in each colour.

    Parameters
    ----------
    positions : mapping
        From a node's name, which is written into it, to its place in inches.
    edges : collection of (from, to)
    forward, backward : mapping, optional
        From a node or an edge to its text in the forward or backward colour. At a node both may
        have several lines and stand side by side; on an edge the second stands below the first.
    new : collection of nodes and edges
        What this picture adds to the one before: drawn strong, in the colour of `direction`.
    direction : {"forward", "backward"}
        Which way the arrows of the new edges point.
    left : collection of nodes
        Those whose text stands on their left; the others have it on their right.
    margins : pair of float
        Room beside and above the outermost nodes, in inches.
    """
    import matplotlib.pyplot as plt

    corners = as_array("positions", np.array(list(positions.values()), float), "N 2")
    drawn = {*positions, *edges}
    for name in (*(n for edge in edges for n in edge), *new, *(forward or ()), *(backward or ())):
        if name not in drawn:
            raise ValueError(f"expected nodes in positions and edges in edges, got {name!r}")
    strong = FORWARD if direction == "forward" else BACKWARD
    texts = [(forward or {}, FORWARD), (backward or {}, BACKWARD)]
    font: dict[str, Any] = {"family": "monospace", "fontsize": 9.5, "zorder": 4, "va": "center"}
    low, high = corners.min(axis=0) - margins, corners.max(axis=0) + margins
    figure = plt.figure(figsize=tuple(high - low), layout="none")
    ax = figure.add_axes((0, 0, 1, 1), xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_axis_off()

    for edge in edges:
        (x0, y0), (x1, y1) = start, end = positions[edge[0]], positions[edge[1]]
        if edge in new:
            tail, head = (start, end) if direction == "forward" else (end, start)
            arrow = {"arrowstyle": "-|>", "color": strong, "lw": 2.5, "shrinkA": 13, "shrinkB": 13}
            ax.annotate("", head, tail, arrowprops=arrow, zorder=1)
        else:
            ax.plot((x0, x1), (y0, y1), "-", color="#B5B5B5", lw=1.2, zorder=0)
        t = 0.34 if direction == "forward" else 0.66  # near the tail: edges cross halfway
        x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
        lines = [(text[edge], colour) for text, colour in texts if edge in text]
        for number, (line, colour) in enumerate(lines):
            lower = y - 0.16 * (number - (len(lines) - 1) / 2)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            where: dict[str, Any] = {"ha": "center", "bbox": box}
            ax.text(x, lower, line, color=colour, **where, **font)

    for name, (x, y) in positions.items():
        face, ink, rim = (strong, "white", strong) if name in new else ("white", INK, MUTED)
        ax.plot(x, y, "o", ms=22, mfc=face, mec=rim, mew=1.5, zorder=2)
        ax.text(x, y, str(name), ha="center", va="center", color=ink, weight="bold", zorder=4)
        side = -1 if name in left else 1
        offset = 0.3
        for text, colour in texts[::side]:
            if name in text:
                where = {"ha": "right" if name in left else "left", "linespacing": 1.35}
                ax.text(x + side * offset, y, text[name], color=colour, **where, **font)
                offset += 0.08 * max(map(len, text[name].split("\n"))) + 0.1
    return figure


@checked
def show_images(
    images: Annotated[Array, "M P"],
    titles: Annotated[npt.NDArray[np.str_], "M"] | None = None,
    columns: Count = 5,
    symmetric: bool = False,
) -> Figure:
    """Return a figure of square grey images, ink on paper, or of signed ones in two colours.

    Parameters
    ----------
    images : array_like, shape (M, P²)
        One image in each row, its P × P pixels row by row.
    titles : array_like of str, shape (M,), optional
    columns : int
    symmetric : bool
        If true, the colours of positive and negative values meet at zero.
    """
    import matplotlib.pyplot as plt

    count, pixels = images.shape
    side = int(np.sqrt(pixels))
    if side * side != pixels:
        raise ValueError(f"images: expected P² pixels in each row, got {pixels}")
    rows = -(-count // columns)
    size = (5.4, 5.4 * rows / columns * 1.12)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    largest = float(np.abs(images).max()) or 1.0  # blank images are blank
    for ax in axes.flat:
        ax.set_axis_off()
    for number, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(
            image.reshape(side, side),
            cmap="PRGn" if symmetric else "gray_r",
            vmin=-largest if symmetric else 0,
            vmax=largest,
        )
        if titles is not None:
            ax.set_title(titles[number], fontsize=9, loc="center")
    return figure


def label_lines(ax: Any, space: float = 1.25) -> None:
    """Write each line's label beside its right end, in its colour, in place of a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its limits and scales must not change afterwards.
    space : float
        Least distance between two labels, in heights of their letters.
    """
    ax.autoscale_view()  # else its limits would be those before the last lines were drawn
    lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    ends = ax.transData.transform([line.get_xydata()[-1] for line in lines])
    heights = ax.transAxes.inverted().transform(ends)[:, 1].clip(0, 1)
    size = 10.0  # of the letters, in points
    step = space * size * ax.figure.dpi / 72 / ax.bbox.height
    order = np.argsort(ends[:, 1])
    ranks = np.arange(len(order))
    # Each as low as it can be above those below it; then all as near to their ends as they fit.
    places = np.maximum.accumulate(heights[order] - step * ranks) + step * ranks
    places -= max(0.0, places[-1] - 1 - step / 2)
    for place, line in zip(places, (lines[i] for i in order), strict=True):
        where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(
            str(line.get_label()), (1, place), (6, 0), va="center",
            color=line.get_color(), fontsize=size, annotation_clip=False, **where,
        )  # fmt: skip


@checked
def draw_layers(boxes: Sequence[str], forward: Sequence[str], backward: Sequence[str]) -> Figure:
    """Return a figure of boxes, one below the other, with what goes down and what comes back up.

    Parameters
    ----------
    boxes : sequence of str
        What is computed, from the input to the loss.
    forward, backward : sequence of str
        For each box but the last, what it hands to the next one, and the gradient that comes back:
        names and shapes.
    """
    import matplotlib.pyplot as plt

    if not len(boxes) - 1 == len(forward) == len(backward):
        counts = f"{len(boxes)}, {len(forward)} and {len(backward)}"
        raise ValueError(f"boxes: expected one more than texts of each kind, got {counts}")
    figure = plt.figure(figsize=(5.4, 0.85 * len(boxes)), layout="none")
    ax = figure.add_axes((0, 0, 1, 1), xlim=(-2.7, 2.7), ylim=(0.5 - len(boxes), 0.5))
    ax.set_axis_off()
    rim = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": MUTED}
    for row, text in enumerate(boxes):
        ax.text(0, -row, text, ha="center", va="center", bbox=rim, zorder=3)
    sides = (forward, FORWARD, -1, "right"), (backward, BACKWARD, 1, "left")
    for texts, colour, side, edge in sides:
        for row, text in enumerate(texts):
            x, (tail, head) = 0.25 * side, (-row - 0.2, -row - 0.8)[::-side]
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2}
            ax.annotate("", (x, head), (x, tail), arrowprops=arrow)
            place: dict[str, Any] = {"ha": edge, "va": "center", "fontsize": 10}
            ax.text(x + 0.15 * side, -row - 0.5, text, color=colour, **place)
    return figure
