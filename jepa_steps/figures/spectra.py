"""Figures of spectra and of correlation."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from ..metrics.chance import marchenko_pastur
from .style import COLOURS, message, new

SHOWN = 1e-8  # singular values below this share of the root mean square are rounding


def spectrum(curves: dict[str, tuple[np.ndarray, int]]) -> Figure:
    """Singular values of named centred matrices over their root mean square, log-log.

    Args:
        curves: name -> (singular values (D,) descending, number of rows); one panel each, with the
            curve of white noise of the same size (Marchenko & Pastur).
    """
    figure, panels = new(3.4, 2.8, len(curves))
    for axes, (name, (sigma, n)), colour in zip(panels, curves.items(), COLOURS, strict=False):
        _noise(axes, n, len(sigma))
        _curve(axes, sigma, color=colour, marker=".", lw=1, label=name)
        axes.set(xlabel="index", xscale="log", yscale="log")
        axes.set_title(f"{name}\nn = {n}, D = {len(sigma)}", fontsize=9)
    low = min(0.1, *(axes.get_ylim()[0] for axes in panels))
    for axes in panels:
        axes.set_ylim(low, max(10, *(axes.get_ylim()[1] for axes in panels)))
    panels[0].set_ylabel("singular value / root mean square")
    panels[0].legend()
    return figure


def spectra_over_training(stages: list[tuple[float, np.ndarray, int]]) -> Figure:
    """Centred spectra of the same samples at every snapshot, light (early) to dark (late), log-log.

    Args:
        stages: (share of training, singular values (D,) descending, number of rows), in order.
    """
    if len(stages) < 2:
        return message("not trained: no snapshots")
    figure, (axes,) = new(4.2, 3.0)
    _, last, n = stages[-1]
    _noise(axes, n, len(last))
    colours = colormaps["viridis_r"](np.linspace(0.2, 1, len(stages)))
    for (share, sigma, _), colour in zip(stages, colours, strict=True):
        _curve(axes, sigma, color=colour, lw=1.2, label=f"{share:.0%}")
    axes.set(xlabel="index", ylabel="singular value / root mean square", xscale="log", yscale="log")
    axes.set_title(f"centred, n = {n}, D = {len(last)}", fontsize=9)
    axes.legend(title="of training", fontsize=7, ncols=2)
    return figure


def _curve(axes, sigma: np.ndarray, **style) -> None:
    scale = np.sqrt((sigma**2).mean())
    keep = sigma > SHOWN * scale
    axes.plot(np.arange(1, len(sigma) + 1)[keep], sigma[keep] / (scale or 1), **style)


def _noise(axes, n: int, dim: int) -> None:
    _curve(axes, marchenko_pastur(n, dim), color=COLOURS[7], ls="--", lw=1, label="white noise")


def correlation(r: np.ndarray, shown: int, dim: int) -> Figure:
    """Heat map of correlations (d, d) between dimensions, in the order given."""
    figure, (axes,) = new(3.8, 3.2)
    image = axes.imshow(r, cmap="PuOr", vmin=-1, vmax=1, interpolation="nearest")
    figure.colorbar(image, label="correlation", shrink=0.85)
    which = f"{shown} dimensions" if shown == dim else f"{shown} of {dim} dimensions"
    axes.set(xlabel=f"{which}, similar ones together", xticks=[], yticks=[])
    axes.grid(False)
    return figure
