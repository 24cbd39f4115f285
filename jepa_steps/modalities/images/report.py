"""What the report says of images: counts, the audit for leaks, captions of pictures."""

from typing import Any

from ...data.splits import SPLITS
from ...reporting.grouping import dig
from ...reporting.numbers import between, number
from ..contract import Described, Evaluated, Table
from .shown import spoken

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
    facts += _pixels(manifest)
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


def _pixels(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Type, channels, missing values and false colours of images that are no 8-bit pictures."""
    pixels = manifest.get("pixels", {})
    names = pixels.get("channels")
    if names is None:
        return []
    height, width, channels = manifest["images"]["shape"]
    values = pixels.get("values", {"kind": "standard"})
    facts = [
        ("pixels", f"{height} x {width}, {manifest['images']['dtype']}, {channels} channels"),
        ("normalised", f"{_NORMALISED[values['kind']]}, by channel, from train"),
    ]
    if channels <= _CHANNELS:
        unit = "" if "values" in pixels else " of full scale"
        told = zip(names, pixels["mean"], pixels["std"], strict=True)
        text = ", ".join(f"{name}: {mean:.4g} ± {std:.3g}" for name, mean, std in told)
        facts.append((f"mean ± standard deviation{unit}{_AFTER[values['kind']]}", text))
    missing = pixels.get("missing", [])
    if any(missing):
        worst = max(range(channels), key=missing.__getitem__)
        share = sum(missing) / channels
        most = f"; most in {names[worst]}, {missing[worst]:.2%}" if max(missing) > min(missing) else ""
        facts.append(("missing values", f"{share:.2%} of train{most}"))
    shown = spoken(manifest)
    return [*facts, ("figures show", shown)] if shown else facts


_NORMALISED = {
    "standard": "mean and standard deviation",
    "percentiles": "mean and standard deviation, cut to the 1st to 99th percentile",
    "log": "mean and standard deviation of logarithms",
}
_AFTER = {"standard": "", "percentiles": " (after the cut)", "log": " (of logarithms)"}
_CHANNELS = 20  # more are not listed


def evaluation(found: dict[str, Any]) -> Evaluated:
    """Which channels embeddings need."""
    return {
        "title": "Channels",
        "units": found["held_out"],
        "leaky": found["leaky"],
        "leak": "",
        "verdicts": [],
        "tables": [_channels(name, one, found["channels"]) for name, one in found["targets"].items()],
        "note": "A channel that is taken away is 0 after normalisation, its mean. Probes are fitted "
        "anew on images changed in this way, and choose their regularisation on val. A channel can "
        "matter and still cost nothing when it is taken away: then other channels tell the same.",
        "interval": found["interval"],
        "facts": [
            ("held out", found["held_out"]),
            ("missed when taken away", _missed(found["targets"])),
            ("says most by itself", _alone(found["targets"])),
        ],
        "figure": (
            "Channels",
            "Test accuracy of probes without each channel, and with each alone; 95 % intervals. The "
            "grey lines are the accuracy with all channels and, dotted, that of the majority class.",
        ),
    }


def _channels(target: str, found: dict[str, Any], names: list[str]) -> Table:
    rows = [
        (name, [_share(found[key]), ("–", ""), ("–", "")])
        for name, key in (("all channels", "all"), ("majority class", "majority"))
    ]
    for name in names:
        lost = found["lost"][name]
        ends = between(lost["low"], lost["high"], "+.1f", 100)
        told = f"{ends}; {_SAYS[lost['verdict']]}"
        cells = [
            _share(found["without"][name]),
            (number(100 * lost["difference"], "+.1f"), told),
            _share(found["only"][name]),
        ]
        rows.append((name, cells))
    return {
        "heading": "channel",
        "caption": f"Test accuracy in %, {target}: ridge classifier on embeddings of images without a "
        "channel, points lost without it, and accuracy with it alone",
        "columns": ["without it", "lost", "it alone"],
        "rows": rows,
    }


_SAYS = {
    "beats": "matters",
    "ties": "may be chance",
    "below": "better without it",
    "undecided": "undecided",
}


def _share(score: dict[str, float]) -> tuple[str, str]:
    return number(100 * score["accuracy"], ".1f"), between(score["low"], score["high"], ".1f", 100)


def _alone(targets: dict[str, dict[str, Any]]) -> str:
    """The channel with the highest accuracy alone, by target."""
    said = []
    for target, found in targets.items():
        name = max(found["only"], key=lambda name: found["only"][name]["accuracy"])
        said.append(f"{target}: {name} ({100 * found['only'][name]['accuracy']:.1f} %)")
    return "; ".join(said)


def _missed(targets: dict[str, dict[str, Any]]) -> str:
    """Channels without which accuracy is lower, the largest loss first, by target."""
    said = []
    for target, found in targets.items():
        lost = found["lost"]
        names = sorted(
            (name for name in lost if lost[name]["verdict"] == "beats"),
            key=lambda name: -lost[name]["difference"],
        )
        some = ", ".join(f"{name} ({100 * lost[name]['difference']:+.1f})" for name in names[:6])
        open_ = [name for name, row in lost.items() if row["verdict"] == "undecided"]
        more = f"{some and '; '}{len(open_)} undecided" if open_ else ""
        said.append(f"{target}: {some or ('' if more else 'none')}{more}")
    return "; ".join(said)


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
