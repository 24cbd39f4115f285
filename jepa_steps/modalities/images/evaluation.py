"""Which channels an encoder's embeddings need: the probe on images without a channel, and with it alone.

Channels that are taken away are 0 after normalisation, their mean. A probe is fitted anew on images
changed in the same way, so that it tells what the other channels say, too. Nothing is predicted of
images.

Shapes: n images, C channels.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits
from torch import Tensor

from ...config import ModuleEncoder, PcaEncoder
from ...data.probed import resampled_by
from ...data.splits import Splits, read_splits
from ...device import judging_device
from ...draws import evenly
from ...errors import InputError
from ...figures.style import COLOURS, literal, new
from ...metrics.changed import accuracies, adjust, class_targets, less, probed
from ...metrics.comparison import FEWEST_GROUPS, how_many
from ...model.export import Encoder, batches, load_encoder
from ..contract import Evaluation
from .settings import Evaluate, ImageJepa, UntrainedImageEncoder
from .store import ImageStore, open_store

MOST = 32  # channels
_BATCH = 256
_PARTS = ("train", "val", "test")


def predicts(train: object) -> bool:
    """Whether channels may be taken away from an encoder. Raw values of whole images are too many for as
    many probes; their components stand for them."""
    return isinstance(train, ImageJepa | UntrainedImageEncoder | ModuleEncoder | PcaEncoder)


def evaluate(
    train: object, description: dict[str, Any], folder: Path, data: Path, settings: Evaluate
) -> Evaluation | str:
    """Accuracies of probes without each channel, and with each alone; or why there are none.

    Raises:
        InputError: the encoder was trained on other data.
    """
    store = open_store(data)
    channels = store.images.shape[3]
    names = store.manifest["pixels"].get("channels")
    if names is None:
        return "nothing is predicted of images"
    if not 1 < channels <= MOST:
        return f"channels are taken away one by one from 2 to {MOST} of them, found {channels}"
    if store.manifest["sha256"] != description["data_sha256"]:
        raise InputError(f"{folder}: trained on other data than {data} holds now; train it again")
    table = resampled_by(read_splits(data / "splits.csv"), FEWEST_GROUPS)
    torch.set_num_threads(settings.threads)
    with threadpool_limits(settings.threads):
        found = ablation(load_encoder(folder, judging_device()), store, table, names, settings)
    if isinstance(found, str):
        return found
    most = max(one["n"]["test"] for one in found.values())
    units = len(np.unique(table.groups[store.rows("test")]))
    result = {
        "task": "channels",
        "leaky": False,
        "held_out": how_many(most, "image"),
        "channels": names,
        "targets": found,
        "methods": _methods(found),
        "verdicts": [],
        "interval": f"95 % bootstrap over {how_many(units, f'test {table.unit}')}; "
        f"{settings.bootstrap} resamples; verdicts corrected for their number by Holm",
    }
    nothing = np.empty((0, 0), np.float32)
    header = ["target", "channel", "images", "accuracy", "low", "high"]
    return Evaluation(result, header, _rows(found), nothing, _figure(found, names))


def _methods(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracies by what is left of the images and by target."""
    methods: dict[str, dict[str, dict[str, Any]]] = {}
    for target, one in found.items():
        scores = {"all channels": one["all"], "majority class": one["majority"]}
        scores |= {f"without {name}": score for name, score in one["without"].items()}
        scores |= {f"{name} alone": score for name, score in one["only"].items()}
        for method, score in scores.items():
            ends = {end: score[end] for end in ("low", "high")}
            line = {"mean": score["accuracy"], **ends, "n": one["n"]["test"]}
            methods.setdefault(method, {})[target] = line
    return methods


def ablation(
    encoder: Encoder, store: ImageStore, table: Splits, names: Sequence[str], settings: Evaluate
) -> dict[str, dict[str, Any]] | str:
    """By target of classes, the label first: accuracy with all channels, and for each channel without it
    and with it alone, and what is lost without it; or why there is nothing to say."""
    parts = [evenly(store.rows(name), settings.images) for name in _PARTS]
    rows, places = np.concatenate(parts), []
    places = [np.arange(a, b) for a, b in pairwise(np.cumsum([0, *map(len, parts)]))]
    targets = {}
    for name, (values, _) in class_targets(table, store.manifest["classes"]).items():
        known = [place[values[rows[place]] >= 0] for place in places]
        if min(map(len, known)) >= 2 and len(np.unique(values[rows[known[0]]])) >= 2:
            targets[name] = (values[rows], known)
    if not targets:
        return "no labels or targets of classes"
    every = np.arange(len(names))
    changes = {"all": np.array([], np.int64)}
    changes |= {f"without {c}": every[every == c] for c in every}
    changes |= {f"only {c}": every[every != c] for c in every}
    right: dict[str, dict[str, np.ndarray]] = {name: {} for name in targets}
    for name, (y, known) in targets.items():
        most = np.bincount(np.concatenate([y[part] for part in known[:2]])).argmax()
        right[name]["majority"] = (y[known[2]] == most).astype(float)
    for change, absent in changes.items():
        x = _embedded(encoder, store, rows, absent, settings)
        for name, (y, known) in targets.items():
            labels = [y[part] for part in known]
            right[name][change] = (probed(x, known, labels) == labels[2]).astype(float)
    found = {
        name: _scored(right[name], known, table.groups[rows[known[2]]], names, settings)
        for name, (_, known) in targets.items()
    }
    adjust([lost for one in found.values() for lost in one["lost"].values()])
    return found


def _scored(
    right: dict[str, np.ndarray], known: list[np.ndarray], units: np.ndarray, names: Sequence[str],
    settings: Evaluate,
) -> dict[str, Any]:  # fmt: skip
    scores = accuracies(right, units, settings)
    return {
        "n": {name: len(part) for name, part in zip(_PARTS, known, strict=True)},
        "all": scores["all"],
        "majority": scores["majority"],
        "without": {name: scores[f"without {c}"] for c, name in enumerate(names)},
        "only": {name: scores[f"only {c}"] for c, name in enumerate(names)},
        "lost": {
            name: less(right["all"], right[f"without {c}"], units, settings)
            for c, name in enumerate(names)
        },
    }


def _embedded(
    encoder: Encoder, store: ImageStore, rows: np.ndarray, absent: np.ndarray, settings: Evaluate
) -> np.ndarray:
    """Embeddings float32 (n, D) of images whose channels ``absent`` are 0 after normalisation."""
    changed = copy(encoder)
    changed.preprocess = _without(encoder.preprocess, torch.from_numpy(absent))
    parts = (changed.embed(store.samples(some), settings.pooling) for some in batches(rows, _BATCH))
    return np.concatenate([part.cpu().numpy() for part in parts])


def _without(preprocess: Callable[[Any], Tensor], absent: Tensor) -> Callable[[Any], Tensor]:
    def changed(images: Any) -> Tensor:
        return preprocess(images).index_fill(1, absent.to(preprocess.device), 0.0)

    return changed


def _rows(found: dict[str, dict[str, Any]]) -> Iterator[list[object]]:
    for target, one in found.items():
        yield [target, "", "all channels", *one["all"].values()]
        yield [target, "", "majority class", *one["majority"].values()]
        for kind in ("without", "only"):
            for channel, score in one[kind].items():
                yield [target, channel, kind, *score.values()]


def _figure(found: dict[str, dict[str, Any]], names: Sequence[str]) -> Figure:
    """Accuracies by channel, a panel per target."""
    figure, axes = new(3.6, 2.6, len(found))
    x = np.arange(len(names))
    for panel, (target, one) in zip(np.atleast_1d(axes), found.items(), strict=True):
        panel.axhline(100 * one["all"]["accuracy"], color="grey", lw=1, label="all channels")
        panel.axhline(100 * one["majority"]["accuracy"], color="grey", lw=1, ls=":", label="majority")
        kinds = (("without", "without it", -0.2), ("only", "it alone", 0.2))
        for (kind, label, shift), colour in zip(kinds, COLOURS, strict=False):
            scores = [one[kind][name] for name in names]
            panel.bar(x + shift, [100 * s["accuracy"] for s in scores], 0.38, color=colour, label=label)
            ends = [[np.nan if s[e] is None else 100 * s[e] for s in scores] for e in ("low", "high")]
            panel.vlines(x + shift, *ends, color="black", lw=0.8)
        panel.set(ylabel="test accuracy, %", ylim=(0, 100), title=literal(target, 30))
        tilt = 90 if len(names) > 6 else 0
        panel.set_xticks(x, [literal(name, 12) for name in names], rotation=tilt, fontsize=7)
        panel.legend(fontsize=6, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.12))
    return figure
