"""What the time stamps of a file's frames say."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

_JITTER = 1.5e-3  # seconds; time stamps in whole milliseconds differ by one


@dataclass
class Clock:
    """What the time stamps of the frames so far say, in seconds: their number, the first and the last,
    the gaps between them, and when the last one ends."""

    tick: float
    number: int = 0
    first: int | None = None
    last: int | None = None
    shortest: float = np.inf
    longest: float = 0.0
    end: float = 0.0

    def see(self, frame: "av.VideoFrame") -> None:
        """Take note of the next frame."""
        self.number += 1
        if frame.pts is None:
            return
        if self.first is None or self.last is None:
            self.first = self.last = frame.pts
        else:
            gap = (frame.pts - self.last) * self.tick
            self.shortest, self.longest = min(self.shortest, gap), max(self.longest, gap)
            self.last = frame.pts
        self.end = (self.last - self.first + (frame.duration or 0)) * self.tick

    @property
    def rate(self) -> float | None:
        """Frames per second; None where there are no times."""
        if self.first is None or self.last is None or self.last <= self.first:
            return None
        return (self.number - 1) / ((self.last - self.first) * self.tick)

    @property
    def variable(self) -> bool:
        """Whether frames are unevenly far apart."""
        return self.longest - self.shortest > max(_JITTER, 1.5 * self.tick)
