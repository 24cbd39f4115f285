"""What the manifest of prepared time series says, and what of it the terminal shows."""

from typing import Any

import numpy as np

from ....config import resolved
from ....data.labels import Labels
from ....data.splits import SPLITS
from ....data.windows import Windows
from ..dataset import SeriesDataset
from .recordings import Recordings

_SHOWN = 5
_DECIDED = 6  # units of test from which on comparisons are decided (metrics.comparison.FEWEST_GROUPS)


def described(
    dataset: SeriesDataset,
    found: Recordings,
    labels: Labels,
    segments: np.ndarray,
    windows: Windows,
    groups: np.ndarray | None,
) -> dict[str, Any]:
    """Kind, settings, counts and the audit."""
    part = segments[windows.segment(np.arange(len(windows))), 3]
    codes = labels.codes[segments[windows.segment(np.arange(len(windows))), 0]]
    return {
        "modality": "series",
        "settings": resolved(dataset),
        "series": {
            "count": len(found.names),
            "steps": int(found.steps.sum()),
            "shortest": int(found.steps.min()),
            "longest": int(found.steps.max()),
            "missing": int(found.missing.sum()),
            "constant": found.constant.tolist(),
            "first": {"name": found.names[0], "times": found.times[0]},
            "unequal": bool(found.steps.min() < found.steps.max()),
        },
        "classes": labels.classes,
        "counts": {
            name: {
                "samples": int((part == code).sum()),
                "series": len(np.unique(segments[segments[:, 3] == code, 0])),
                "per_class": np.bincount(
                    codes[(part == code) & (codes >= 0)], minlength=len(labels.classes)
                ).tolist(),
            }
            for code, name in enumerate(SPLITS)
        },
        "groups": None if groups is None else _group_counts(groups, segments),
        "shared_time_steps": steps_in_several_parts(segments),
        "skipped": found.skipped,
    }


def _group_counts(groups: np.ndarray, segments: np.ndarray) -> dict[str, Any]:
    """How many groups there are, by part, and in more than one."""
    names = {
        part: set(groups[segments[segments[:, 3] == i, 0]].tolist()) for i, part in enumerate(SPLITS)
    }
    everywhere = [name for part in names.values() for name in part]
    return {
        "number": len(set(everywhere)),
        "per_split": {part: len(own) for part, own in names.items()},
        "across_splits": len(everywhere) - len(set(everywhere)),
    }


def steps_in_several_parts(segments: np.ndarray) -> int:
    """Time steps that segments of different parts have in common: 0, or the division is wrong."""
    order = segments[np.argsort(segments[:, 1], kind="stable")]
    end, shared = -1, 0
    for _, begin, steps, _ in order.tolist():
        shared += max(0, min(end, begin + steps) - begin)
        end = max(end, begin + steps)
    return shared


def spoken(manifest: dict[str, Any]) -> list[str]:
    """What was found, for the terminal."""
    s, counts, classes = manifest["series"], manifest["counts"], manifest["classes"]
    names = manifest["channels"]["names"]
    lengths = f"{s['shortest']:,}" + f" to {s['longest']:,}" * s["unequal"]
    share = s["missing"] / (s["steps"] * len(names))
    parts = ", ".join(f"{name} {part['samples']:,}" for name, part in counts.items())
    found = [
        f"series: {s['count']:,} of {lengths} time steps, {len(names)} channels ({_few(names)}), "
        f"{share:.2%} of the values missing",
        f"samples: {parts}; {_sample(manifest)}",
        *_few_units(manifest),
        *_times(manifest),
        f"classes: {len(classes)} ({_few(classes)})" if classes else "classes: none",
        *manifest["notes"],
    ]
    constant = zip(names, s["constant"], strict=True)
    if silent := [f"{name} in {n:,} of {s['count']:,} series" for name, n in constant if n]:
        found.append(f"never changes: {_few(silent)}")
    if manifest["skipped"]:
        found.append(f"left out: {len(manifest['skipped'])} series, e.g. {manifest['skipped'][0]}")
    if shared := manifest["shared"]["series"]:
        found.append(
            f"LEAK: {shared} series of val and test share time steps with an earlier part (on_shared "
            "keep); test scores are too high"
        )
    return found


def _times(manifest: dict[str, Any]) -> list[str]:
    """When the first series begins and ends, so that dates that were read wrongly are seen."""
    first = manifest["series"]["first"]
    if first["times"] is None:
        return []
    step = f", a row every {manifest['step']}" if manifest["step"] else ""
    return [f"time: {first['name']} from {first['times'][0]} to {first['times'][1]}{step}"]


def _few_units(manifest: dict[str, Any]) -> list[str]:
    """How many series or groups test has, where these are too few to compare anything."""
    if manifest["settings"]["split"]["kind"] == "time":
        return []
    groups = manifest["groups"]
    what = "series" if groups is None else "groups"
    n = manifest["counts"]["test"]["series"] if groups is None else groups["per_split"]["test"]
    if n >= _DECIDED:
        return []
    return [f"test has {n} {what}, too few to decide a comparison ({_DECIDED}); raise split.test"]


def _sample(manifest: dict[str, Any]) -> str:
    d = manifest["settings"]
    if d["context_length"] is None:
        return "a sample is a whole series"
    future = f" and the {d['target_length']} after them" if d["target_length"] else ""
    stride = d["stride"] or d["context_length"]
    return f"a sample is a window of {d['context_length']} steps{future}, one every {stride}"


def _few(names: list[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
