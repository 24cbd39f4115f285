"""Figures that compare experiments."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, grid, literal, message, new

FLOOR = "#6e6e6e"
_MOST = 8  # curves with a colour of their own

Score = dict[str, float | None] | None
Curve = tuple[str, bool, dict[int, Score]]  # name, trained, score by labels per class


def comparison(rows: list[tuple[str, bool, Score, Score]]) -> Figure:
    """Accuracies with intervals: (name, trained, with all labels, with 10 a class), top to bottom.

    Trained experiments are filled and coloured, floors hollow and grey.
    """
    panels = [i for i in (2, 3) if any(row[i] for row in rows)]
    if not panels:
        return message("no labels, so nothing to compare")
    height = 0.75 + 0.3 * len(rows)
    figure, axes = new(3.55, height, len(panels))
    for ax, column in zip(axes, panels, strict=True):
        for y, row in enumerate(rows):
            if row[column]:
                _whisker(ax, y, row[1], row[column])
        ax.set_yticks(range(len(rows)), [literal(row[0]) for row in rows] if ax is axes[0] else [])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.margins(x=0.14)
        ax.set_xlabel(f"test accuracy, %, {'all labels' if column == 2 else '10 labels per class'}")
        ax.grid(axis="y", visible=False)
    return figure


def _whisker(ax, y: int, trained: bool, score: dict[str, float]) -> None:
    value, low, high = (100 * end for end in _ends(score))
    colour = COLOURS[0] if trained else FLOOR
    ax.plot([low, high], [y, y], color=colour, lw=2, solid_capstyle="round")
    face = colour if trained else "white"
    ax.plot(value, y, marker="o", ms=6, mfc=face, mec=colour, mew=1.5)
    ax.annotate(f"{value:.1f}", (high, y), (5, 0), textcoords="offset points", va="center", fontsize=8)


def _ends(score: Score) -> tuple[float, float, float]:
    """(value, low, high); an interval of no width where there is none."""
    value, low, high = (score[key] for key in ("value", "low", "high"))
    return (value, value, value) if low is None else (value, low, high)


def few_labels(panels: list[list[Curve]]) -> Figure:
    """Accuracy over labels per class, a panel a data set; floors grey and dashed.

    From the ninth trained experiment of a panel on, curves are thin and share one entry of the legend.
    """
    panels = [shown for curves in panels if (shown := [curve for curve in curves if curve[2]])]
    if not panels:
        return message("no few-label probes")
    figure, axes = grid(len(panels), 1, 5.7, 3.2 * len(panels))
    for ax, curves in zip(axes[:, 0], panels, strict=True):
        _few_labels(ax, curves)
    return figure


def _few_labels(ax: Axes, curves: list[Curve]) -> None:
    counts = {True: 0, False: 0}
    for name, trained, points in curves:
        i = counts[trained]
        counts[trained] += 1
        k = sorted(points)
        value, low, high = 100 * np.array([_ends(points[n]) for n in k]).T
        if i >= _MOST:
            ax.plot(k, value, color="#b5b5b5", lw=0.7, zorder=0, label="others" if i == _MOST else None)
            continue
        style = {"color": COLOURS[i], "marker": MARKERS[i], "lw": 1.4, "ms": 5}
        if not trained:
            style |= {"color": FLOOR, "ls": "--", "lw": 1, "mfc": "white"}
        error = [(value - low).clip(0), (high - value).clip(0)]
        ax.errorbar(k, value, error, capsize=2, elinewidth=0.8, label=literal(name), **style)
    ax.set(xlabel="labels per class", ylabel="test accuracy, %", xscale="log")
    ticks = sorted({n for _, _, points in curves for n in points})
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.minorticks_off()
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
