"""How all figures look, and how they are written: the same bytes for the same numbers."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Okabe & Ito's palette: distinguishable with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

_PIXELS = 100  # per inch, of images within a figure

matplotlib.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "jepa-steps",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "sans-serif"],  # the list stands in every label of an SVG
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
    }
)


def new(width: float = 4.6, height: float = 3.0, panels: int = 1) -> tuple[Figure, list]:
    """A figure with ``panels`` axes side by side; sizes in inches of one panel."""
    figure, axes = grid(1, panels, width * panels, height)
    return figure, list(axes[0])


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """A figure of (rows, columns) axes; sizes in inches of the whole. Without pyplot, which would keep
    every figure of a process."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def literal(text: str, most: int = 34) -> str:
    """A name as a figure can show it: cut to ``most`` characters, no mathematics in its dollars."""
    text = "".join(c if c.isprintable() else " " for c in text)
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("$", r"\$")


def message(text: str) -> Figure:
    """A small figure that says why there is nothing to draw."""
    figure, (axes,) = new(3.6, 0.8)
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", color="#666666")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write SVG without a date, so that equal figures are equal files."""
    if layout := figure.get_layout_engine():  # none: saved before, under another name
        figure.dpi = FigureCanvasSVG(figure).fixed_dpi  # text is measured as it will be written
        layout.execute(figure)
        figure.set_layout_engine(None)  # otherwise savefig draws everything twice
    figure.savefig(path, dpi=_PIXELS, metadata={"Date": None})
