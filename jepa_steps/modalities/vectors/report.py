"""What the report says of given embeddings: counts, what was guessed, the audit."""

from typing import Any

from ...data.splits import SPLITS
from ..contract import Described

_CLASSES = 30  # more are summed up
PICTURES: dict[str, tuple[str, str]] = {}


def describe(manifest: dict[str, Any], folder: str) -> Described:
    """Counts by part and class, and what was taken for what."""
    counts, classes = manifest["counts"], manifest["classes"]
    tokens, groups = manifest["tokens"], manifest["groups"]
    facts = [
        ("data", f"{folder}, {sum(counts[p]['samples'] for p in SPLITS):,} samples"),
        ("parts", ", ".join(f"{counts[p]['samples']:,} {p}" for p in SPLITS)),
        ("dimensions", f"{manifest['width']:,} ({manifest['type']})"),
        ("label", f"{manifest['label']}, {len(classes)} classes" if classes else "none"),
        ("groups", "none: every sample is its own group"),
    ]
    if groups is not None:
        each = ", ".join(f"{n:,} {part}" for part, n in groups["per_split"].items())
        facts[-1] = ("groups", f"{groups['number']:,} of {groups['column']} ({each})")
    if tokens["number"]:
        facts.append(("tokens", f"{tokens['number']} of {tokens['width']} dimensions"))
    if manifest["raw"]:
        facts.append(("raw input", f"{manifest['raw']:,} values per sample"))
    if manifest["left_out"]:
        facts.append(("left out", "see the notes"))
    table = []
    if 1 < len(classes) <= _CLASSES:
        table = [(c, [counts[p]["per_class"][i] for p in SPLITS]) for i, c in enumerate(classes)]
    copies = manifest["equal_rows"]
    leak = (
        f"{copies:,} embeddings of val and test equal one of training to the last bit: either samples "
        "are copies, and test scores are too high, or embeddings have collapsed"
    )
    return {
        "facts": facts,
        "leaks": [leak] if copies else [],
        "notes": [note for note in manifest["notes"] if "to the last bit" not in note],
        "audited": _audited(manifest),
        "examples": [],
        "classes": table,
    }


def _audited(manifest: dict[str, Any]) -> str:
    found = []
    if manifest["groups"] is not None:
        found.append(f"no {manifest['groups']['column']} is in more than one part")
    if not manifest["equal_rows"]:
        found.append("no embedding of val or test equals one of training")
    what = " and ".join(found) or "nothing was checked besides the notes below"
    return f"{what}; it is not known which samples the encoder was trained on"
