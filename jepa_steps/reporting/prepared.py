"""What an experiment was trained and judged on: counts, and the audit for leaks."""

from typing import Any

from ..data.splits import SPLITS
from .grouping import dig

_CLASSES = 30  # more are summed up


def describe(e: dict[str, Any]) -> dict[str, Any] | None:
    """Counts by split and class, and the audit: copies of one sample in several splits."""
    manifest = e["manifest"]
    if manifest is None:
        return None
    if manifest["modality"] == "expression":
        return _cells(e["data_folder"], manifest)
    counts, copies = manifest["counts"], manifest["duplicates"]
    splits = [(name, counts[name]["samples"], counts[name]["per_class"]) for name in SPLITS]
    classes, groups = manifest.get("classes") or [], manifest.get("groups")
    facts = [
        ("data", f"{e['data_folder']}, {sum(n for _, n, _ in splits):,} samples"),
        ("parts", ", ".join(f"{n:,} {name}" for name, n, _ in splits)),
        ("classes", _class_sizes(classes, splits[0][2])),
        ("exact copies", f"{copies['copies']:,}"),
        ("groups", _groups(groups)),
    ]
    if manifest["skipped"]:
        facts.append(("left out", f"{len(manifest['skipped']):,} unreadable files"))
    table = []
    if 1 < len(classes) <= _CLASSES:
        table = [(str(c), [per[i] for _, _, per in splits]) for i, c in enumerate(classes)]
    return {
        "facts": facts,
        "leaky": False,
        "leaks": copies["across_splits"],
        "examples": copies["examples"][:5],
        "torn_groups": dig(groups, "across_splits") or 0,
        "audited": "no sample and no group stands in more than one part",
        "classes": table,
    }


def _cells(folder: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """The same of a screen; its audit stopped prepare unless the settings allow a leak."""
    counts, genes, found = manifest["counts"], manifest["genes"], manifest["detected"]
    parts = [f"{counts[p]['cells']:,} {p} ({counts[p]['perturbations']} perturbed)" for p in SPLITS]
    return {
        "facts": [
            ("data", f"{folder}, {sum(counts[p]['cells'] for p in SPLITS):,} cells"),
            ("parts", ", ".join(parts)),
            ("genes", f"{genes['kept']:,} of {genes['measured']:,}, {genes['perturbed']} perturbed"),
            ("values", manifest["input"]["kind"]),
            ("split by", manifest["settings"]["split"]["kind"]),
            ("left out", f"{sum(found['dropped_cells'].values()):,} cells"),
            *[("labels", text) for text in [manifest["note"]] if text],
        ],
        "leaky": manifest["leaky"],
        "leaks": 0,
        "examples": [],
        "torn_groups": 0,
        "audited": "no cell, no control and no unit of the split stands in more than one part",
        "classes": [],
    }


def _groups(groups: dict[str, Any] | None) -> str:
    if groups is None:
        return "none: every sample on its own"
    each = ", ".join(f"{n:,} {part}" for part, n in groups["per_split"].items())
    return f"{groups['number']:,} ({each})"


def _class_sizes(classes: list, train: list[int]) -> str:
    if not classes:
        return "no labels"
    most = f" to {max(train):,}" if max(train) > min(train) else ""
    return f"{len(classes)}, {min(train):,}{most} training samples each"
