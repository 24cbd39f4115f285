"""Figures of one training run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, message, new

Columns = dict[str, list[float]]
_FLOOR = "a floor: not trained"


def losses(history: Columns, validation: Columns) -> Figure:
    """Loss and its parts over steps, and the loss on val."""
    if not history.get("loss"):
        return message(_FLOOR)
    figure, (axes,) = new(5.8)
    names = list(history)
    names = names[names.index("loss") : names.index("gradient_norm")]
    if len(names) == 2:  # one part: the loss itself
        names = ["loss"]
    for name, colour in zip(names, COLOURS, strict=False):
        axes.plot(history["step"], history[name], color=colour, label=name)
    axes.plot(
        validation["step"],
        validation["val_loss"],
        color="black",
        ls="--",
        marker="o",
        ms=3,
        label="loss on val",
    )
    axes.set(xlabel="optimizer step", ylabel="loss", yscale="log")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def rates(history: Columns) -> Figure:
    """Learning rate, weight decay and, where there are any, EMA momentum and the size of the masks over
    steps."""
    if not history.get("loss"):
        return message(_FLOOR)
    names = {"lr": "learning rate", "weight_decay": "weight decay"}
    if "prediction" in history:
        names["ema_momentum"] = "EMA momentum"
    figure, panels = new(2.5, 2.4, len(names) + ("mask_blocks" in history))
    _columns(panels, history, names)
    if "mask_blocks" in history:
        low, high = (np.array(history[f"mask_scale_{end}"]) for end in ("low", "high"))
        blocks = np.array(history["mask_blocks"])
        band = (blocks * low, blocks * high)
        panels[-1].fill_between(history["step"], *band, color=COLOURS[4], alpha=0.6)
        panels[-1].set(ylabel="blocks x scale (share masked)", ylim=(0, None))
    panels[-1].set_xlabel("optimizer step")
    return figure


def norms(history: Columns) -> Figure:
    """Gradient norm, share of steps clipped, weight norm and update over weight norm."""
    if not history.get("loss"):
        return message(_FLOOR)
    figure, panels = new(2.5, 2.4, 4)
    names = {
        "gradient_norm": "gradient norm, before clipping",
        "clipped_share": "share of steps clipped",
        "weight_norm": "weight norm",
        "update_to_weight": "update / weight norm",
    }
    _columns(panels, history, names)
    panels[0].set_yscale("log")
    panels[1].set_ylim(-0.05, 1.05)
    panels[3].set_yscale("log")
    return figure


def throughput(timing: Columns) -> Figure:
    """Samples a second, model FLOP utilisation and the share of time spent drawing batches."""
    if not timing.get("samples_per_second"):
        return message(_FLOOR)
    figure, panels = new(2.5, 2.4, 3)
    names = {
        "samples_per_second": "samples / s",
        "mfu": "model FLOP utilisation",
        "data_share": "share of time drawing batches",
    }
    _columns(panels, timing, names)
    for axes in panels:
        axes.set_ylim(0, None)
    return figure


def _columns(panels: list, table: Columns, names: dict[str, str]) -> None:
    for axes, (name, label), colour in zip(panels, names.items(), COLOURS, strict=False):
        if name in table:
            axes.plot(table["step"], table[name], color=colour)
        axes.set(xlabel="optimizer step", ylabel=label)


def over_training(rows: list[dict[str, Any]]) -> Figure:
    """Ranks, spread and probe of the same samples at every snapshot."""
    if len(rows) < 2:
        return message("not trained: no snapshots")
    figure, panels = new(3.2, 2.8, 3)
    names = ("effective_rank", "rankme", "lidar")
    measured = [name for name in names if any(row[name] is not None for row in rows)]
    for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
        label = {"effective_rank": "effective rank", "rankme": "RankMe", "lidar": "LiDAR"}[name]
        few = rows[0]["lidar_trust" if name == "lidar" else "trust"] == "few"
        if name in measured:
            style = {"color": colour, "marker": marker, "label": f"{label} (few rows)" if few else label}
            _stages(panels[0], rows, name, **style)
    panels[0].set(ylabel=f"rank (n = {rows[0]['n']})", ylim=(0, None))
    if rows[0]["trust"] == "refused":
        panels[0].set_title("no ranks: fewer than 4 rows per dimension", fontsize=8)
    if measured:
        panels[0].legend()
    _stages(panels[1], rows, "relative_spread", color=COLOURS[3], marker=MARKERS[3])
    panels[1].set(ylabel="relative spread", ylim=(0, 1.05))
    _stages(panels[2], rows, "probe", color=COLOURS[4], marker=MARKERS[4])
    panels[2].set(ylabel="ridge probe, accuracy on val", ylim=(0, 1.05))
    for axes in panels:
        axes.set_xlabel("share of training")
    return figure


def _stages(axes: Any, rows: list[dict[str, Any]], name: str, **style: Any) -> None:
    known = [(row["fraction"], row[name]) for row in rows if row[name] is not None]
    if known:
        axes.plot(*zip(*known, strict=True), **style)
    else:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes, color="#666666")


def std_histogram(std: Sequence[float]) -> Figure:
    """Standard deviations of the pooled embedding's dimensions."""
    figure, (axes,) = new(3.6, 2.6)
    axes.hist(std, bins=min(40, max(5, len(std) // 2)), color=COLOURS[0])
    axes.set(xlabel="standard deviation of a dimension", ylabel="dimensions", xlim=(0, None))
    return figure
