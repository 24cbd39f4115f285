"""Pictures of series: what is hidden in them, what lies near what.

Shapes: S shown samples, L time steps, C channels.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...draws import evenly
from ...engine.schedules import target_blocks
from ...figures.style import COLOURS, grid, literal, message
from ...metrics.neighbours import nearest
from .masks import TimeMasks
from .normalisation import Normalisation
from .patches import grid as token_grid
from .patches import patch_length
from .store import SeriesStore, open_store
from .training import SeriesJepa

SHOWN, NEAR, POOL = 6, 4, 25_600
_CHANNELS = 4  # of a sample that are drawn
_STEPS = 256  # points of a curve: a figure stays small whatever the data
_BAD = "#a83c00"


def pictures(
    train: object, description: dict[str, Any], data: Path, embeddings: np.ndarray
) -> dict[str, Figure]:
    """masks, samples (what is hidden of training samples) and neighbours, by name."""
    store = open_store(data)
    nearest = _neighbours(store, embeddings, description)
    if not isinstance(train, SeriesJepa):
        return {name: message("not trained: nothing is hidden") for name in ("masks", "samples")} | {
            "neighbours": nearest
        }
    if train.task == "views":
        return {
            "masks": message("nothing is hidden: two variations of a series are compared"),
            "samples": _views(train, store, description),
            "neighbours": nearest,
        }
    return {
        "masks": _masks(train, store),
        "samples": _masked(train, store, description),
        "neighbours": nearest,
    }


def _curves(axes: Axes, x_LC: np.ndarray, **style: Any) -> None:
    """The channels of a sample over time, thinned to few points; gaps where values are missing."""
    step = -(-len(x_LC) // _STEPS)
    time = np.arange(0, len(x_LC), step)
    for channel, colour in zip(range(min(_CHANNELS, x_LC.shape[1])), COLOURS, strict=False):
        axes.plot(time, x_LC[::step, channel], **{"color": colour, "lw": 0.9} | style)
    axes.set(xticks=[], yticks=[])


def _neighbours(store: SeriesStore, rows: np.ndarray, description: dict[str, Any]) -> Figure:
    """Test samples, evenly spaced, and the nearest training samples by cosine."""
    queries, pool = evenly(store.rows("test"), SHOWN), evenly(store.rows("train"), POOL)
    if min(len(queries), len(pool)) == 0:
        return message("no samples to show")
    near = nearest(rows, queries, pool, NEAR)
    names, labels = store.manifest["classes"], store.labels
    figure, panels = grid(len(queries), NEAR + 1, 7.2, 0.3 + 0.75 * len(queries))
    for line, (query, others) in enumerate(zip(queries, near, strict=True)):
        for place, row in enumerate([query, *others]):
            _curves(panels[line, place], normalised(store, description, np.array([row]))[0])
            wrong = place > 0 and labels[row] >= 0 and labels[row] != labels[query]
            text = "" if labels[row] < 0 else ("≠ " if wrong else "") + str(names[labels[row]])
            panels[line, place].set_title(
                literal(text, 14), fontsize=7, color=_BAD if wrong else "black", pad=2
            )
    panels[0, 0].text(0, 1.35, "test", transform=panels[0, 0].transAxes, fontsize=8)
    panels[0, 1].text(
        0, 1.35, "nearest in train, nearest first", transform=panels[0, 1].transAxes, fontsize=8
    )
    return figure


def normalised(store: SeriesStore, description: dict[str, Any], rows: np.ndarray) -> np.ndarray:
    """Samples float32 (B, L, C) as the encoder takes them."""
    import torch

    normalise = Normalisation(
        description["mean"], description["std"], description["normalise"] == "sample", "cpu"
    )
    return normalise(torch.from_numpy(np.array(store.samples(rows)))).numpy()


def _drawn(
    train: SeriesJepa, store: SeriesStore, step: int, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(context, targets) in time tokens of samples at optimizer step ``step``."""
    length = store.windows.longest
    time = token_grid(train.model, *store.shape)[-1]
    masks = TimeMasks(train.masks, train.seed, 1, time, train.task == "future")
    steps = store.windows.places(rows)[1]
    tokens = -(-steps // patch_length(train.model, length))
    now, epoch = target_blocks(step, train.steps, train.masks), np.zeros(len(rows), np.int64)
    scale = (now["mask_scale_low"], now["mask_scale_high"])
    least = int(tokens.min())
    visible, targets = masks.visible(step, epoch, rows, tokens, least, int(now["mask_blocks"]), scale)
    return masks.context(visible, int(visible.sum(1).min()), epoch, rows), targets


def _masks(train: SeriesJepa, store: SeriesStore) -> Figure:
    """Context and target tokens of samples in the first, the middle and the last batch."""
    from matplotlib.colors import ListedColormap

    rows = evenly(store.rows("train"), 8)
    time = token_grid(train.model, *store.shape)[-1]
    colours = ListedColormap(["white", COLOURS[0], COLOURS[1]])
    figure, ((*panels,),) = grid(1, 3, 7.2, 1.9)
    for step, axes in zip((0, train.steps // 2, train.steps - 1), panels, strict=True):
        tokens = np.zeros((len(rows), time), int)
        for line, context, targets in zip(tokens, *_drawn(train, store, step, rows), strict=True):
            line[context] = 1
            line[targets.ravel()] = 2
        axes.imshow(tokens, cmap=colours, vmin=0, vmax=2, aspect="auto")
        axes.set(xticks=[], yticks=[], title=f"step {step + 1}", xlabel="time")
        axes.grid(visible=False)
    panels[0].set_ylabel("samples")
    return figure


def _masked(train: SeriesJepa, store: SeriesStore, description: dict[str, Any]) -> Figure:
    """Training samples with what the context sees and what is predicted, shaded, in the last batch."""
    rows = evenly(store.rows("train"), SHOWN)
    context, targets = _drawn(train, store, train.steps - 1, rows)
    patch = patch_length(train.model, store.windows.longest)
    figure, panels = grid(2, SHOWN // 2, 7.2, 2.8)
    for axes, row, seen, hidden in zip(panels.flat, rows, context, targets, strict=False):
        _curves(axes, normalised(store, description, np.array([row]))[0], color="black")
        for tokens, colour in ((seen, COLOURS[0]), (np.unique(hidden), COLOURS[1])):
            for token in tokens:
                axes.axvspan(token * patch, (token + 1) * patch, color=colour, alpha=0.25, lw=0)
    return figure


def _views(train: SeriesJepa, store: SeriesStore, description: dict[str, Any]) -> Figure:
    """Training samples, and the two variations of each in the first epoch."""
    import torch

    from .augment import Augmentation

    rows = evenly(store.rows("train"), SHOWN)
    x, steps = normalised(store, description, rows), store.windows.places(rows)[1]
    epoch = np.zeros(len(rows), np.int64)
    views = [
        Augmentation(train.augment, train.seed, f"view {i}")(torch.from_numpy(x), epoch, rows, steps)
        for i in (1, 2)
    ]
    figure, panels = grid(3, len(rows), 7.2, 2.6)
    for line, (name, samples) in enumerate(
        zip(("series", "view 1", "view 2"), (x, *views), strict=True)
    ):
        for axes, sample in zip(panels[line], samples, strict=True):
            _curves(axes, sample)
        panels[line, 0].set_ylabel(name, fontsize=8)
    return figure
