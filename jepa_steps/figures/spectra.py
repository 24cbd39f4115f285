"""Figures of spectra."""

import numpy as np
from matplotlib.figure import Figure

from .style import COLOURS, new


def spectrum(sigma: np.ndarray, n: int) -> Figure:
    """Centred singular values over the largest one, log-log."""
    figure, (axes,) = new(3.8, 2.8)
    keep = sigma > sigma[0] * 1e-9
    rank = np.arange(1, len(sigma) + 1)
    axes.plot(rank[keep], sigma[keep] / sigma[0], color=COLOURS[0], marker=".", lw=1)
    axes.set(xlabel="index", ylabel="singular value / largest", xscale="log", yscale="log")
    axes.set_title(f"centred, n = {n}, D = {len(sigma)}", fontsize=9)
    return figure
