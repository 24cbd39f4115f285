"""Predicted frames and motion controls, drawn."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...figures.style import COLOURS, literal, message, new
from .future import Future
from .names import title


def evaluation_figure(future: Future | None, controls: dict[str, Any] | str) -> Figure:
    """Error of predicted embeddings by horizon, and accuracies of the motion controls by target."""
    judged = {} if isinstance(controls, str) else {n: f for n, f in controls.items() if "scores" in f}
    panels = (future is not None) + bool(judged)
    if not panels:
        return message("nothing to draw")
    figure, axes = new(3.6, 2.6, panels)
    if future is not None:
        _errors(axes[0], future)
    if judged:
        _controls(axes[-1], judged)
    return figure


def _errors(axes, future: Future) -> None:
    for (name, columns), colour in zip(future.errors.items(), COLOURS, strict=False):
        means = [columns[f"error {h}"].mean() for h in future.horizons]
        axes.plot(future.horizons, means, color=colour, marker="o", label=title(name))
    axes.set(xlabel="times ahead", ylabel="error (1 = a constant)", ylim=(0, None))
    axes.set_xticks(future.horizons)
    axes.legend(fontsize=7)


def _controls(axes, judged: dict[str, Any]) -> None:
    names = list(next(iter(judged.values()))["scores"])
    wide = 0.8 / len(names)
    for i, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        scores = [found["scores"][name] for found in judged.values()]
        x = np.arange(len(judged)) + (i - (len(names) - 1) / 2) * wide
        heights = [100 * s["accuracy"] for s in scores]
        axes.bar(x, heights, wide, color=colour, label=title(name))
        ends = [[np.nan if s[end] is None else 100 * s[end] for s in scores] for end in ("low", "high")]
        axes.vlines(x, *np.clip(ends, 0, 100), color="black", lw=0.8)
    axes.set(ylabel="test accuracy, %", ylim=(0, 100))
    axes.set_xticks(range(len(judged)), [literal(name, 14) for name in judged])
    axes.legend(fontsize=6, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
