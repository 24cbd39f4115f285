"""What embeddings are asked for beside the label: columns of classes or of numbers.

Shapes: n samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["classes", "numbers"]
PREFIX = "target:"  # of their columns in splits.csv, which may be called like columns of its own
_MOST_CLASSES = 20  # different whole numbers up to which they are taken for names of classes


@dataclass(frozen=True)
class Target:
    """One target of every sample.

    kind: what values are: int64 (n,) places in classes, -1 = unknown; or float64 (n,) numbers, NaN =
        unknown.
    classes: names; empty of numbers.
    nuisance: whether embeddings should not tell it.
    """

    kind: Kind
    values: np.ndarray
    classes: tuple[str, ...]
    nuisance: bool


def kind_of(texts: Sequence[str]) -> Kind:
    """Numbers where all texts but empty ones are numbers, and some have fractions or more than 20
    differ; else classes."""
    different = {text for text in texts if text}
    try:
        values = {float(text) for text in different}
    except ValueError:
        return "classes"
    fractions = any(not np.isfinite(value) or value % 1 for value in values)
    return "numbers" if fractions or len(values) > _MOST_CLASSES else "classes"


def read_target(texts: Sequence[str], kind: Kind, nuisance: bool) -> Target:
    """A target from its column of ``splits.csv``, empty texts for unknown.

    Raises:
        ValueError: a text that is no number where numbers are expected.
    """
    if kind == "numbers":
        values = np.array([float(text) if text else np.nan for text in texts])
        return Target(kind, values, (), nuisance)
    names, codes = np.unique(np.array(texts, dtype=str), return_inverse=True)
    if len(names) and not names[0]:
        names, codes = names[1:], codes - 1
    return Target(kind, codes.astype(np.int64), tuple(names.tolist()), nuisance)
