"""Principal components of embeddings, coloured by what samples are and by where they come from."""

import numpy as np
from matplotlib.figure import Figure

from .style import COLOURS, MARKERS, message, new

MOST = 20  # values of a variable that get a colour and a marker of their own


def components(rows: np.ndarray, by: dict[str, np.ndarray]) -> Figure:
    """The first two principal components of rows (n, D), one panel a variable (n,) of ``by``.

    A component's sign is that of its largest weight. A variable of over 20 values shows its 20 most
    frequent ones, the rest in grey.
    """
    centred = rows - rows.mean(0)
    _, _, vt = np.linalg.svd(centred, full_matrices=False)
    if len(vt) < 2:
        return message("fewer than two dimensions")
    signs = np.sign(vt[:2][np.arange(2), np.abs(vt[:2]).argmax(1)])
    x = centred @ (vt[:2] * signs[:, None]).T
    figure, panels = new(4.4, 3.4, max(1, len(by)))
    for axes, (name, codes) in zip(panels, (by or {"": np.zeros(len(x))}).items(), strict=True):
        values, count = np.unique(codes, return_counts=True)
        shown = np.sort(values[np.argsort(-count, kind="stable")[:MOST]])
        axes.scatter(*x[~np.isin(codes, shown)].T, s=6, color="#bbbbbb")
        for i, value in enumerate(shown):
            marker = MARKERS[(i + i // 8) % 8]
            points = x[codes == value].T
            axes.scatter(*points, s=9, color=COLOURS[i % 8], marker=marker, label=str(value))
        axes.set(xlabel="component 1", ylabel="component 2", title=name)
        if len(shown) > 1:
            axes.legend(fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"n = {len(rows)}", fontsize=8)
    return figure
