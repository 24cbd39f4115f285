"""What the report says of images: counts, the audit for leaks, captions of pictures."""

from typing import Any

from ...data.splits import SPLITS
from ...reporting.grouping import dig
from ..contract import Described

_CLASSES = 30  # more are summed up


PICTURES = {
    "masks": (
        "Masks",
        "Context (blue), targets (orange) and tokens in neither, in the first, the middle and the last "
        "batch. Labels: blocks x share of the tokens.",
    ),
    "samples": (
        "Masks on images",
        "Six training images of the last batch: what the encoder sees, and which tokens are predicted.",
    ),
    "neighbours": (
        "Nearest neighbours",
        "Evenly spaced test images and, for each, the five nearest training images by cosine "
        "similarity; ≠ marks another class.",
    ),
}


def describe(manifest: dict[str, Any], folder: str) -> Described:
    """Counts by split and class, and the audit: copies of one sample in several splits."""
    counts, copies = manifest["counts"], manifest["duplicates"]
    splits = [(name, counts[name]["samples"], counts[name]["per_class"]) for name in SPLITS]
    classes, groups = manifest.get("classes") or [], manifest.get("groups")
    facts = [
        ("data", f"{folder}, {sum(n for _, n, _ in splits):,} samples"),
        ("parts", ", ".join(f"{n:,} {name}" for name, n, _ in splits)),
        ("classes", _class_sizes(classes, splits[0][2])),
        ("exact copies", f"{copies['copies']:,}"),
        ("groups", _groups(groups, (manifest.get("columns") or {}).get("unit", "group"))),
    ]
    if manifest["skipped"]:
        facts.append(("left out", f"{len(manifest['skipped']):,} unreadable files"))
    table = []
    if 1 < len(classes) <= _CLASSES:
        table = [(str(c), [per[i] for _, _, per in splits]) for i, c in enumerate(classes)]
    return {
        "facts": facts,
        "leaks": _leaks(copies["across_splits"], dig(groups, "across_splits") or 0),
        "examples": copies["examples"][:5],
        "notes": [
            *(note for note in manifest.get("notes", []) if " lacks " in note),
            *manifest.get("annotations", {"notes": []})["notes"],
        ],
        "audited": "no sample and no group is in more than one part",
        "classes": table,
    }


def _leaks(copies: int, torn: int) -> list[str]:
    found = []
    if copies:
        some = "groups of equal samples are" if copies > 1 else "group of equal samples is"
        found.append(f"{copies} {some} in more than one part, so test scores are too high")
    if torn:
        found.append(
            f"{torn} of the groups {_are(torn)} in more than one part, so test scores are too high"
        )
    return found


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _groups(groups: dict[str, Any] | None, unit: str) -> str:
    if groups is None:
        return "none: every sample is its own group"
    each = ", ".join(f"{n:,} {part}" for part, n in groups["per_split"].items())
    of = "" if unit == "group" else f" of {unit}"
    return f"{groups['number']:,}{of} ({each})"


def _class_sizes(classes: list, train: list[int]) -> str:
    if not classes:
        return "no labels"
    most = f" to {max(train):,}" if max(train) > min(train) else ""
    return f"{len(classes)}, {min(train):,}{most} training samples each"
