"""Figures of probes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..metrics.scores import confusion_matrix
from .style import COLOURS, MARKERS, literal, message, new


def confusion(y: np.ndarray, predicted: np.ndarray, names: dict[int, str] | None = None) -> Figure:
    """Confusion matrix of the linear probe, rows normalised; counts and names up to 12 classes.

    Args:
        names: of the classes; their numbers where they have none.
    """
    classes, matrix = confusion_matrix(y, predicted)
    share = matrix / matrix.sum(1, keepdims=True).clip(min=1)
    figure, (axes,) = new(3.8, 3.4)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    axes.set(xlabel="predicted class", ylabel="class")
    if len(matrix) <= 12:
        axes.set(xticks=range(len(matrix)), yticks=range(len(matrix)))
        texts = [literal((names or {}).get(int(c), str(c)), 12) for c in classes]
        axes.set_yticklabels(texts)
        upright = max(map(len, texts)) <= 3
        axes.set_xticklabels(texts, rotation=0 if upright else 45, ha="center" if upright else "right")
        for i, j in np.argwhere(matrix > 0):
            colour = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, matrix[i, j], ha="center", va="center", fontsize=7, color=colour)
    return figure


def components(
    rows: np.ndarray, y: np.ndarray, others: dict[str, np.ndarray] | None = None, most: int = 2000
) -> Figure:
    """The first two principal components of the test embeddings, by class and by ``others``, such as
    the group or batch of each row, by name."""
    rows = rows[:most] - rows[:most].mean(0)
    _, _, vt = np.linalg.svd(rows, full_matrices=False)
    if len(vt) < 2:
        return message("fewer than two dimensions")
    axes_2 = vt[:2] * np.sign(vt[:2][np.arange(2), np.abs(vt[:2]).argmax(1)])[:, None]
    x = rows @ axes_2.T
    colourings = {"class": y} | (others or {})
    figure, panels = new(4.2, 3.4, len(colourings))
    for axes, (name, values) in zip(panels, colourings.items(), strict=True):
        _scatter(axes, x, values[:most])
        axes.set(xlabel="component 1", ylabel="component 2", title=f"by {name}")
    return figure


def _scatter(axes: Axes, x: np.ndarray, values: np.ndarray) -> None:
    """Points (n, 2) in one style a value; a legend for up to 20 values."""
    distinct, codes = np.unique(values, return_inverse=True)
    for i, value in enumerate(distinct):
        style = {"color": COLOURS[i % 8], "marker": MARKERS[(i + i // 8) % 8]}
        axes.scatter(*x[codes == i].T, s=9, label=str(value)[:24], **style)
    if len(distinct) <= 20:
        axes.legend(ncols=2, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
