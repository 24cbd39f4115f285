"""Figures of cells: what is hidden in them, and how well each method predicts held-out perturbations."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...figures.comparison import FLOOR
from ...figures.style import COLOURS, literal, message, new
from .settings import ExpressionJepa


def pictures(
    train: object, description: dict[str, Any], data: Path, embeddings: np.ndarray
) -> dict[str, Figure]:
    """Why there are none, by name."""
    hidden = message(_hidden(train))
    return {"masks": hidden, "samples": hidden, "neighbours": message("cells have no picture")}


def _hidden(train: object) -> str:
    if not isinstance(train, ExpressionJepa):
        return "not trained: nothing is hidden"
    thinned = train.thinning and f"{train.thinning:.0%} of the counts are context, the rest target"
    if train.task == "thinned counts":
        return thinned
    hidden = "nothing is hidden: the perturbed cell is predicted"
    if train.task == "masked genes":
        hidden = f"{train.hidden} of {train.model.tokens} modules of genes are hidden at random"
    return f"{hidden}; {thinned}" if thinned else hidden


SHOWN = {
    "pearson_delta": "Pearson-Δ",
    "l2": "L2 (lower is better)",
    "discrimination": "discrimination (.5 = chance)",
}

_NAMES = {
    "JEPA": "this experiment",
    "predictor": "its predictor as trained",
    "expression_shifts": "the same shifts without an encoder",
    "pca_shifts": "the same shifts of principal components",
    "untrained_shifts": "the same shifts, untrained encoder",
    "look_up": "look-up of the training mean",
    "ridge": "ridge, one indicator per gene",
    "ridge_features": "ridge on features of genes",
    "batch_only": "batch alone",
    "shuffled_labels": "additive, labels shuffled",
}


def title(method: str) -> str:
    """A method's name as tables and figures have it."""
    return _NAMES.get(method, method.replace("_", " "))


def methods(scores: dict[str, dict[str, np.ndarray]], ceiling: dict[str, np.ndarray]) -> Figure:
    """A panel a metric, a line a method: every perturbation as a dot, the mean as a ring.

    The first method is the model's, in colour; a vertical line is the mean of the ceiling.

    Args:
        scores: method -> metric -> float64 (P,). ceiling: metric -> float64 (P,).
    """
    figure, axes = new(2.7, 0.8 + 0.26 * len(scores), len(SHOWN))
    for ax, (metric, label) in zip(axes, SHOWN.items(), strict=True):
        for y, values in enumerate(scores.values()):
            known = values[metric][~np.isnan(values[metric])]
            colour = COLOURS[0] if y == 0 else FLOOR
            ax.plot(known, np.full(len(known), y), ".", ms=4, alpha=0.35, color=colour, mew=0)
            if len(known):
                ax.plot(known.mean(), y, "o", ms=6, mfc=colour if y == 0 else "white", mec=colour)
        top = ceiling[metric][~np.isnan(ceiling[metric])]
        if len(top):
            ax.axvline(top.mean(), color=COLOURS[2], lw=1.2, ls="--")
        names = [literal(title(name), 40) for name in scores]
        ax.set_yticks(range(len(scores)), names if ax is axes[0] else [])
        ax.set_ylim(len(scores) - 0.4, -0.6)
        ax.set_xlabel(label)
        ax.grid(axis="y", visible=False)
    return figure
