"""From videos to the prepared store: all of it, or nothing."""

from pathlib import Path
from typing import Any

import numpy as np

from ...data import groups
from ...data.folders import few
from ...data.labels import Labels
from ...data.splits import FIELDS, RECORDING, SPLITS
from ...data.targets import PREFIX
from ...files import sha256, staged, write_csv, write_json
from .dataset import VideoDataset, plain
from .preparation.containers import need_pyav
from .preparation.division import all_clips, copies, divide, named_groups, without
from .preparation.headers import check_disk, read_headers
from .preparation.labels import check_classes, read_labels
from .preparation.look import look_of
from .preparation.manifest import described, duplicates, pixel_statistics, spoken
from .preparation.notes import drawn_parts, equals, lacking_classes, notes_on
from .preparation.storing import Stored, keep_videos, store_videos
from .sources.read import open_source
from .sources.source import VideoSource
from .store import clips_of


def prepare(dataset: VideoDataset, out: Path, workers: int) -> dict[str, Any]:
    """Run the step; returns the manifest.

    Raises:
        InputError: a source that cannot be used; nothing is left behind then.
    """
    if dataset.source in ("folder", "table"):
        need_pyav()
    source = open_source(dataset)
    check_classes(source.videos, dataset.path)
    _refuse_shared_groups(source, dataset)
    with staged(out) as folder:
        headers = read_headers(source.videos, dataset.source == "folder", workers)
        print(check_disk(headers, look_of(dataset), out, folder), flush=True)
        frames = folder / "frames.npy"
        found = store_videos(source, headers, dataset, frames, workers)
        labels, _ = read_labels(source.videos, found.kept, dataset)
        split = divide(found, all_clips(found), labels.codes, named_groups(found), dataset)
        pairs, copied, left_out = copies(all_clips(found), split), [], []
        if pairs and dataset.on_copies != "keep":
            chosen = without(pairs, split, found, dataset)
            names = [[found.kept[i].name for i in pair] for pair in pairs]
            copied = [f"{a}: a clip equal to one of {b}, of an earlier part" for a, b in names]
            left_out = [
                f"left out: {len(pairs)} videos with a clip of an earlier part (on_copies drop): "
                f"{few([a for a, _ in names], 3)}"
            ]
            found, split, pairs = keep_videos(found, chosen, frames), split[chosen], []
        labels, notes = read_labels(source.videos, found.kept, dataset)
        clips, named = all_clips(found), named_groups(found)
        places = np.stack([np.cumsum(found.frames) - found.frames, found.frames, split], 1)
        np.save(folder / "videos.npy", places)
        manifest = {
            **described(dataset, found, labels, split, clips, named, source.grouped),
            "dropped": [*found.dropped, *copied],
            "pixels": pixel_statistics(frames, places, look_of(dataset).shape),
            "duplicates": duplicates(clips, pairs, found),
            "left_out": source.left_out,
            "columns": _write_splits(folder, places, found, labels, named, dataset),
            "notes": [
                *source.notes,
                *notes,
                *notes_on(found, headers, clips),
                *drawn_parts(found),
                *lacking_classes(labels, split),
                *equals(clips, split, labels, found, dataset),
                *left_out,
            ],
            "sha256": {
                name: sha256(folder / name) for name in ("frames.npy", "videos.npy", "splits.csv")
            },
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


def _refuse_shared_groups(source: VideoSource, dataset: VideoDataset) -> None:
    if any(video.group for video in source.videos):
        named = np.array([video.group for video in source.videos])
        given = np.array([video.given for video in source.videos], np.int64)
        groups.refuse_shared(dataset.table if dataset.group else dataset.path, named, given)


def _write_splits(
    folder: Path,
    places: np.ndarray,
    found: Stored,
    labels: Labels,
    named: np.ndarray | None,
    dataset: VideoDataset,
) -> dict[str, Any]:
    """Write splits.csv, a row per clip; returns what its columns are (``data.splits.Columns``)."""
    clips = clips_of(places, plain(dataset))
    rows = np.arange(len(clips))
    video = clips.segment(rows)
    start = clips.places(rows)[0] - places[video, 0]
    names = [one.name for one in found.kept]
    columns = [
        rows,
        (SPLITS[code] for code in places[video, 2]),
        labels.codes[video],
        (f"{names[v]}@{t}" for v, t in zip(video, start, strict=True)),
        (names[v] if named is None else str(named[v]) for v in video),
        *([names[v] for v in video] for _ in [named] if named is not None),
        *([texts[v] for v in video] for texts in labels.targets.values()),
    ]
    header = [*FIELDS, "group", *[RECORDING] * (named is not None)]
    header += [PREFIX + name for name in labels.targets]
    write_csv(folder / "splits.csv", header, zip(*columns, strict=True))
    return {
        "unit": "video" if named is None else dataset.group or "group",
        "recordings": None if named is None else "video",
        "targets": labels.kinds,
        "nuisance_targets": list(labels.nuisances),
    }


def summary(manifest: dict[str, Any], folder: Path) -> list[str]:
    """What was found, for the terminal."""
    return spoken(manifest)
