"""Figures of one training run."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, message, new

_NOT_LOSSES = {"step", "epoch", "gradient_norm", "clipped_share", "lr", "ema_momentum"}


def losses(history: dict[str, list[float]]) -> Figure:
    """Loss and its parts over steps."""
    if not history.get("loss"):
        return message("a floor: not trained")
    figure, (axes,) = new()
    names = [n for n in history if n not in _NOT_LOSSES]
    if len(names) == 2:  # one part: the loss itself
        names = ["loss"]
    for name, colour in zip(names, COLOURS, strict=False):
        axes.plot(history["step"], history[name], color=colour, label=name)
    axes.set(xlabel="optimizer step", ylabel="loss", yscale="log")
    axes.legend()
    return figure


def rates(history: dict[str, list[float]]) -> Figure:
    """Learning rate, EMA momentum and gradient norm over steps."""
    if not history.get("loss"):
        return message("a floor: not trained")
    figure, panels = new(3.2, 2.6, 3)
    names = (
        ("lr", "learning rate"),
        ("ema_momentum", "EMA momentum"),
        ("gradient_norm", "gradient norm"),
    )
    for axes, (name, label), colour in zip(panels, names, COLOURS, strict=False):
        axes.plot(history["step"], history[name], color=colour)
        axes.set(xlabel="optimizer step", ylabel=label)
    return figure


def over_training(rows: list[dict[str, Any]]) -> Figure:
    """Effective rank, RankMe and spread of the same samples at every snapshot."""
    if len(rows) < 2:
        return message("a floor: no snapshots")
    figure, panels = new(3.6, 2.8, 2)
    fraction = [row["fraction"] for row in rows]
    for name, colour, marker in zip(("effective_rank", "rankme"), COLOURS, MARKERS, strict=False):
        values = [row[name] for row in rows]
        panels[0].plot(fraction, values, color=colour, marker=marker, label=name.replace("_", " "))
    panels[0].set(xlabel="share of training", ylabel=f"rank (n = {rows[0]['n']})", ylim=(0, None))
    panels[0].legend()
    spread = [row["relative_spread"] for row in rows]
    panels[1].plot(fraction, spread, color=COLOURS[2], marker="^")
    panels[1].set(xlabel="share of training", ylabel="relative spread", ylim=(0, 1.05))
    return figure


def std_histogram(std: np.ndarray) -> Figure:
    """Standard deviations of the pooled embedding's dimensions."""
    figure, (axes,) = new(3.6, 2.6)
    axes.hist(std, bins=min(40, max(5, len(std) // 2)), color=COLOURS[0])
    axes.set(xlabel="standard deviation of a dimension", ylabel="dimensions", xlim=(0, None))
    return figure
