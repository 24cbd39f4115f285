"""Figures of one training run."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, message, new


def losses(history: dict[str, list[float]]) -> Figure:
    """Loss and its parts over steps."""
    if not history.get("loss"):
        return message("a floor: not trained")
    figure, (axes,) = new()
    names = list(history)
    names = names[names.index("loss") : names.index("gradient_norm")]
    if len(names) == 2:  # one part: the loss itself
        names = ["loss"]
    for name, colour in zip(names, COLOURS, strict=False):
        axes.plot(history["step"], history[name], color=colour, label=name)
    axes.set(xlabel="optimizer step", ylabel="loss", yscale="log")
    axes.legend()
    return figure


def rates(history: dict[str, list[float]]) -> Figure:
    """Learning rate, EMA momentum, norms and the size of the masks over steps."""
    if not history.get("loss"):
        return message("a floor: not trained")
    figure, panels = new(2.5, 2.4, 5)
    names = (
        ("lr", "learning rate"),
        ("ema_momentum", "EMA momentum"),
        ("gradient_norm", "gradient norm"),
        ("update_to_weight", "update / weight norm"),
    )
    for axes, (name, label), colour in zip(panels, names, COLOURS, strict=False):
        axes.plot(history["step"], history[name], color=colour)
        axes.set(xlabel="optimizer step", ylabel=label)
    low, high = (np.array(history[f"mask_scale_{end}"]) for end in ("low", "high"))
    blocks = np.array(history["mask_blocks"])
    panels[-1].fill_between(history["step"], blocks * low, blocks * high, color=COLOURS[4], alpha=0.6)
    panels[-1].set(xlabel="optimizer step", ylabel="blocks x scale (share masked)", ylim=(0, None))
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
