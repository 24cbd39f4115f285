"""What embeddings are asked for, as prepare reads it from texts.

Shapes: R recordings (series, videos).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .targets import Kind


@dataclass(frozen=True)
class Labels:
    """What embeddings are asked for.

    codes: int64 (R,), -1 = no label. classes: their names. targets: R texts by name, "" = unknown;
    kinds: what these are. nuisances: those that embeddings should not tell.
    """

    codes: np.ndarray
    classes: list[str]
    targets: dict[str, list[str]]
    kinds: dict[str, Kind]
    nuisances: tuple[str, ...]


def by_number(text: str) -> tuple[float, str]:
    """By which names are sorted: numbers by their value, before all others."""
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    return math.isfinite(by_number(text)[0])


def check_numbers(names: Iterable[str], texts: list[str], kind: Kind, where: str, path: str) -> None:
    """Whether texts, of recordings with these names, are numbers where the kind says so.

    Args:
        where: the setting that asks for them; path: of the source, for the message.

    Raises:
        InputError: the first that is none.
    """
    for name, text in zip(names, texts, strict=True):
        if kind == "numbers" and text and not is_number(text):
            raise InputError(
                f"{path}: {name}: {where}: found {text!r}, expected a finite number; set classes, or "
                "leave the value out"
            )
