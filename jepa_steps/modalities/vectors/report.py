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
        ("groups", "none: every sample on its own"),
    ]
    if groups is not None:
        each = ", ".join(f"{n:,} {part}" for part, n in groups["per_split"].items())
        facts[-1] = ("groups", f"{groups['number']:,} of {groups['column']} ({each})")
    if tokens["number"]:
        facts.append(("tokens", f"{tokens['number']} of {tokens['width']} dimensions"))
    if manifest["raw"]:
        facts.append(("raw input", f"{manifest['raw']:,} values a sample"))
    if manifest["left_out"]:
        facts.append(("left out", "see the notes"))
    table = []
    if 1 < len(classes) <= _CLASSES:
        table = [(c, [counts[p]["per_class"][i] for p in SPLITS]) for i, c in enumerate(classes)]
    copies = manifest["equal_rows"]
    leak = (
        f"{copies:,} embeddings of val and test equal one of training to the last bit: copies of "
        "samples, so that test scores are too good, or a collapse"
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
        found.append(f"no {manifest['groups']['column']} stands in more than one part")
    if not manifest["equal_rows"]:
        found.append("no embedding of val or test equals one of training")
    what = " and ".join(found) or "nothing beside the notes below was looked at"
    return f"{what}; what the encoder was trained on is not known here"
