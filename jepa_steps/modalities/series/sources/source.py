"""What a source gives: recordings one by one, so that a set may be larger than memory.

Shapes: T time steps of a series, C channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Series:
    """One recording.

    name: where it comes from, for messages and the split table: a file and a line, or its id.
    values: float32 (T, C); NaN = missing, infinite never.
    label: its class or number as text; "" = none.
    group: the unit that never crosses splits; "" = none.
    given: 0 train, 1 val, 2 test, -1 = to be decided.
    columns: further annotations by name, as text; "" = unknown.
    times: of the first and the last step as text; empty where the source has none.
    """

    name: str
    values: np.ndarray
    label: str = ""
    group: str = ""
    given: int = -1
    columns: dict[str, str] = field(default_factory=dict)
    times: tuple[str, str] | None = None


@dataclass(frozen=True)
class SeriesSource:
    """A set of recordings, read once.

    path: for messages.
    series: in order; raises InputError where something in the source is wrong.
    channels: names; empty = they have none, and are numbered.
    step: time between two steps as text; "" = unknown.
    notes: what was guessed or left out, a sentence each; complete when ``series`` is exhausted.
    """

    path: Path
    series: Iterator[Series]
    channels: tuple[str, ...] = ()
    step: str = ""
    notes: list[str] = field(default_factory=list)
