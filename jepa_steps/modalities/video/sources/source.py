"""What a source gives: videos one by one, none of them decoded yet."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Item = Path | tuple[Path, ...] | Callable[[], np.ndarray]
"""Where the frames of a video are: in a file, in image files in order, or in what a function returns,
uint8 (T, H, W) or (T, H, W, C)."""


@dataclass(frozen=True)
class Video:
    """One video.

    name: where it comes from, for messages and the split table.
    frames: how many it has; None = its file tells.
    label: its class as text; "" = none.
    group: the unit that never crosses splits; "" = none.
    given: 0 train, 1 val, 2 test, -1 = to be decided.
    columns: further annotations by name, as text; "" = unknown.
    """

    name: str
    item: Item
    frames: int | None = None
    label: str = ""
    group: str = ""
    given: int = -1
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoSource:
    """A set of videos.

    path: for messages. notes: what was guessed or left out, a sentence each. grouped: where groups come
    from, for the terminal; "" = there are none. left_out: names of videos that a table does not name.
    """

    path: Path
    videos: list[Video]
    notes: list[str] = field(default_factory=list)
    grouped: str = ""
    left_out: list[str] = field(default_factory=list)
