"""What motion adds: the same probe on whole clips, on one frame, on shuffled frames, and backwards.

A probe that is fitted anew on clips of one repeated frame tells what needs no motion; one fitted anew on
shuffled frames, what needs no order. The probe of whole clips on clips played backwards tells what turns
around with time: a direction of motion should become its opposite.

Shapes: n clips, T frames, D width.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ... import draws
from ...data.splits import Splits
from ...draws import evenly
from ...metrics.changed import accuracies, adjust, class_targets, less, probed
from ...model.export import Encoder, batches
from .settings import Evaluate
from .store import VideoStore

CLIP, FRAME, SHUFFLED, BACKWARDS, MAJORITY = "clip", "one_frame", "shuffled", "backwards", "majority"
_BATCH = 256


def one_frame(clips: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The middle frame of each clip uint8 (n, T, H, W, C), repeated."""
    middle = clips[:, clips.shape[1] // 2]
    return np.broadcast_to(middle[:, None], clips.shape)


def shuffled(clips: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Frames in a random order of their own for each clip, by its sample number."""
    order = np.argsort(draws.uniform(draws.key(0, "shuffled frames"), 0, rows, clips.shape[1]), 1)
    return np.take_along_axis(clips, order[:, :, None, None, None], 1)


def backwards(clips: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Clips played backwards."""
    return clips[:, ::-1]


CHANGES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    FRAME: one_frame,
    SHUFFLED: shuffled,
    BACKWARDS: backwards,
}


def motion(
    encoder: Encoder, store: VideoStore, table: Splits, settings: Evaluate
) -> dict[str, dict[str, Any]] | str:
    """By target of classes, the label first: accuracies with intervals, the classes of clips played
    backwards, and how far the whole clip is above its single frame; or why there is nothing to say."""
    if store.shape[0] < 2:
        return "clips of one frame have no motion"
    targets = class_targets(table, store.manifest["classes"])
    if not targets:
        return "no labels or targets of classes"
    parts = [evenly(store.rows(name), settings.clips) for name in ("train", "val", "test")]
    rows = np.concatenate(parts)
    whole = embedded(encoder, store, rows, settings.pooling)
    changed = {
        name: embedded(encoder, store, rows, settings.pooling, change)
        for name, change in CHANGES.items()
    }
    ends = np.cumsum([0, *map(len, parts)])
    places = [np.arange(a, b) for a, b in pairwise(ends)]
    found = {}
    for name, (values, classes) in targets.items():
        known = [place[values[rows[place]] >= 0] for place in places]
        if min(map(len, known)) < 2 or len(np.unique(values[rows[known[0]]])) < 2:
            found[name] = {"reason": "fewer than two classes or samples in a part"}
            continue
        units = table.groups[rows[known[2]]]
        found[name] = _judged(whole, changed, values[rows], classes, known, units, settings)
    adjust([row["clip_less_frame"] for row in found.values() if "clip_less_frame" in row])
    return found


def embedded(
    encoder: Encoder,
    store: VideoStore,
    rows: np.ndarray,
    pooling: str,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda clips, rows: clips,
) -> np.ndarray:
    """Embeddings float32 (n, D) of the samples ``rows``, their clips changed first."""
    parts = (
        encoder.embed(np.ascontiguousarray(change(store.samples(some), some)), pooling)
        for some in batches(rows, _BATCH)
    )
    return np.concatenate([part.cpu().numpy() for part in parts])


def _judged(
    whole: np.ndarray, changed: dict[str, np.ndarray], y: np.ndarray, classes: tuple[str, ...],
    known: list[np.ndarray], units: np.ndarray, settings: Evaluate,
) -> dict[str, Any]:  # fmt: skip
    test, labels = known[2], [y[part] for part in known]
    forwards_and_back = probed(whole, known, labels, changed[BACKWARDS][test])
    predicted = {CLIP: forwards_and_back[: len(test)]}
    predicted |= {name: probed(changed[name], known, labels) for name in (FRAME, SHUFFLED)}
    predicted[BACKWARDS] = forwards_and_back[len(test) :]
    most = np.bincount(np.concatenate(labels[:2])).argmax()
    predicted[MAJORITY] = np.full(len(test), most)
    right = {name: (guess == labels[2]).astype(float) for name, guess in predicted.items()}
    scores = accuracies(right, units, settings)
    return {
        "n": {name: len(part) for name, part in zip(("train", "val", "test"), known, strict=True)},
        "classes": len(np.unique(labels[0])),
        "scores": scores,
        "backwards_says": _most_often(labels[2], predicted[BACKWARDS], classes),
        "clip_less_frame": less(right[CLIP], right[FRAME], units, settings),
    }


def _most_often(
    true: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]
) -> dict[str, tuple[str, float]]:
    """Of each class: what its clips are taken for most often, and in which share."""
    found = {}
    for code in np.unique(true):
        guesses, counts = np.unique(predicted[true == code], return_counts=True)
        found[classes[code]] = (classes[guesses[counts.argmax()]], float(counts.max() / counts.sum()))
    return found
