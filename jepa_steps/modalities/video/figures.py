"""Pictures of clips, of what is hidden in them, and of what lies near them.

Shapes: S clips, T frames of H x W pixels and C channels, N tokens.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ...draws import evenly
from ...figures.mosaic import mosaic, thumbnail
from ...figures.style import COLOURS, literal, message
from ...figures.style import grid as axes_grid
from ...metrics.neighbours import nearest
from .masks import ClipMasks
from .store import VideoStore, open_store
from .training import VideoJepa

SHOWN, TIMES = 3, 8  # clips and frames of a clip in a figure
QUERIES, NEAR, POOL = 6, 4, 25_600
_SEEN, _HIDDEN, _NEITHER = 1, 2, 0
_BAD = "#a83c00"


def pictures(
    train: object, description: dict[str, Any], data: Path, embeddings: np.ndarray
) -> dict[str, Figure]:
    """masks, samples (masks on clips) and neighbours, by name."""
    store = open_store(data)
    near = _neighbours(store, embeddings)
    if not isinstance(train, VideoJepa):
        return {name: message("not trained: nothing is hidden") for name in ("masks", "samples")} | {
            "neighbours": near
        }
    grid = grid_of(train, store)
    return {"masks": _masks(train, grid), "samples": _samples(train, grid, store), "neighbours": near}


def grid_of(train: VideoJepa, store: VideoStore) -> tuple[int, int, int]:
    """Tokens of a clip along time, height and width."""
    frames, height, width, _ = store.shape
    patch = train.model.patch_size
    return frames // train.model.tubelet_length, height // patch, width // patch


def _states(train: VideoJepa, grid: tuple[int, int, int], step: int, rows: np.ndarray) -> np.ndarray:
    """Which tokens of clips are seen, hidden or neither at a step, int64 (S, time, height, width)."""
    masks = ClipMasks(train, grid)
    context, targets = masks(step, step, np.zeros(len(rows), np.int64), rows)
    states = np.full((len(rows), int(np.prod(grid))), _NEITHER)
    np.put_along_axis(states, context, _SEEN, 1)
    np.put_along_axis(states, targets.reshape(len(rows), -1), _HIDDEN, 1)
    return states.reshape(len(rows), *grid)


def _masks(train: VideoJepa, grid: tuple[int, int, int]) -> Figure:
    """Seen and hidden tokens of three clips, in two batches each at the beginning, in the middle and at
    the end."""
    colours = ListedColormap(["#dcdcdc", COLOURS[0], COLOURS[1]])  # white parts the times
    steps = [0, 1, train.steps // 2, train.steps // 2 + 1, train.steps - 2, train.steps - 1]
    figure, panels = axes_grid(len(steps), SHOWN, 7.2, 0.75 * len(steps))
    times = evenly(np.arange(grid[0]), TIMES)
    for step, line in zip(steps, panels, strict=True):
        for axes, state in zip(line, _states(train, grid, step, np.arange(SHOWN)), strict=True):
            gap = np.full((grid[1], 1), np.nan)
            strip = np.hstack([part for t in times for part in (state[t].astype(float), gap)][:-1])
            axes.imshow(strip, cmap=colours, vmin=0, vmax=2, aspect="auto")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
        line[0].set_ylabel(f"step {step + 1}", rotation=0, ha="right", va="center", fontsize=8)
    return figure


def _samples(train: VideoJepa, grid: tuple[int, int, int], store: VideoStore) -> Figure:
    """Strips of training clips: frames, what the encoder sees, what it predicts."""
    rows = evenly(store.rows("train"), SHOWN)
    states, clips = _states(train, grid, train.steps - 1, rows), store.samples(rows)
    times, length = evenly(np.arange(grid[0]), TIMES), train.model.tubelet_length
    lines, names = [], []
    for clip, state in zip(clips, states, strict=True):
        frames = [clip[t * length + length // 2] for t in times]
        for name, shown in (("frames", None), ("seen", _SEEN), ("predicted", _HIDDEN)):
            parts = zip(frames, state[times], strict=True)
            lines.append([thumbnail(f if shown is None else _faded(f, s == shown)) for f, s in parts])
            names.append(name)
    figure, ((axes,),) = axes_grid(1, 1, max(4.5, 0.7 * len(times) + 0.8), 0.62 * len(lines))
    places, unit = mosaic(axes, np.array(lines), above=0.0)
    for (x, y), name in zip(places[:, 0], names, strict=True):
        axes.text(x - 0.1 * unit, y + 0.5 * unit, name, ha="right", va="center", fontsize=8)
    return figure


def _faded(frame: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """A frame where tokens bool (height, width) are kept, nearly white elsewhere."""
    high, wide = frame.shape[0] // keep.shape[0], frame.shape[1] // keep.shape[1]
    pixels = keep.repeat(high, 0).repeat(wide, 1)[..., None]
    pale = 255 - (255 - frame.astype(np.float64)) * 0.08
    return np.where(pixels, frame, pale.round().astype(np.uint8))


def _neighbours(store: VideoStore, embeddings: np.ndarray) -> Figure:
    """Test clips and the nearest training clips, each by its first, middle and last frame."""
    queries, pool = evenly(store.rows("test"), QUERIES), evenly(store.rows("train"), POOL)
    if min(len(queries), len(pool)) == 0:
        return message("no clips to show")
    shown = np.column_stack([queries, nearest(embeddings, queries, pool, NEAR)])
    tiles = np.array([[_strip(clip) for clip in store.samples(line)] for line in shown])
    figure, ((axes,),) = axes_grid(1, 1, 1.5 * shown.shape[1], 0.72 * len(shown) + 0.3)
    places, unit = mosaic(axes, tiles, above=0.35)
    labels, names = store.labels, store.manifest["classes"] or ()
    for line, samples in zip(places, shown, strict=True):
        for rank, ((x, y), sample) in enumerate(zip(line, samples, strict=True)):
            label = labels[sample]
            wrong = rank > 0 and label >= 0 and label != labels[samples[0]]
            mark = {"color": _BAD, "fontweight": "bold"} if wrong else {"color": "black"}
            text = literal(("≠ " if wrong else "") + (str(names[label]) if label >= 0 else ""), 20)
            axes.text(x, y - 0.06 * unit, text, fontsize=7, va="bottom", **mark)
    return figure


def _strip(clip: np.ndarray) -> np.ndarray:
    return np.hstack([thumbnail(clip[t]) for t in (0, len(clip) // 2, len(clip) - 1)])
