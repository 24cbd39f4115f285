"""Forecasts beside their floors, drawn.

Shapes: H time steps of the future.
"""

import numpy as np
from matplotlib.figure import Figure

from ....figures.comparison import FLOOR
from ....figures.style import COLOURS, literal, new
from ..store import SeriesStore
from .methods import MODEL, RAW, Forecasts
from .names import title
from .windows import ForecastWindows


def forecast_figure(found: Forecasts, store: SeriesStore, windows: ForecastWindows) -> Figure:
    """Error by steps ahead, one line per method, and three test windows with their forecasts."""
    figure, (*panels, legend) = new(2.2, 2.5, 5)
    ahead = np.arange(1, len(next(iter(found.by_step.values()))) + 1)
    for (name, values), colour in zip(
        found.by_step.items(), (COLOURS[0], *COLOURS[4:6], FLOOR, *COLOURS[1:4]), strict=False
    ):
        panels[0].plot(ahead, values, color=colour, lw=1.8 if name == MODEL else 0.9, label=title(name))
    panels[0].set(xlabel="steps ahead", ylabel="mean squared error", ylim=(0, None))
    panels[0].plot([], [], color="black", lw=0.8, label="measured")
    legend.axis("off")
    legend.legend(*panels[0].get_legend_handles_labels(), fontsize=7, loc="center left")
    shown = np.linspace(0, len(found.kept) - 1, 3).round().astype(int)
    for axes, place in zip(panels[1:], shown, strict=True):
        row = found.kept[place : place + 1]
        block, future = next(iter(windows.pasts(row))), windows.futures(row)[0, :, 0]
        past = block.past[0, -2 * len(future) :, 0]
        axes.plot(np.arange(-len(past), 0), past, color="black", lw=0.8)
        axes.axvspan(0, len(future), color=COLOURS[1], alpha=0.12, lw=0)
        axes.plot(np.arange(len(future)), future, color="black", lw=0.8)
        for name, colour in ((MODEL, COLOURS[0]), (RAW, COLOURS[1]), ("last_season", COLOURS[5])):
            axes.plot(np.arange(len(future)), found.forecasts[name][place, :, 0], color=colour, lw=1)
        axes.set(xlabel="steps", yticks=[])
    panels[1].set_title(
        literal(f"{store.manifest['channels']['names'][0]}, three test windows"), fontsize=8
    )
    return figure
