"""Which frame is shown at a time, by time stamps."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Frame = TypeVar("Frame")
_LEAST, _MOST = 5e-7, 5e-4  # seconds


def tolerance(tick: float) -> float:
    """Seconds that a frame may be late and still count as shown: half a tick of the clock of its time
    stamps, as these are rounded to it (Matroska has milliseconds: frame 2 of 30 a second is at 0.067,
    not at 2/30). AVI counts time in frames, so half a millisecond at most."""
    return min(max(tick / 2, _LEAST), _MOST)


def at_rate(
    frames: Iterable[tuple[float, float, Frame]], rate: float, late: float
) -> Iterator[tuple[Frame, int]]:
    """For each time k / rate, k = 0, 1, ..., the frame that is shown then: the last that began.

    Args:
        frames: (begin, end, frame) in order, seconds from the beginning of the first.
        late: what ``tolerance`` gives.

    Yields:
        (frame, how often it was yielded before); the last time is before the end of the last frame.
    """
    k, again, shown, end = 0, 0, None, 0.0
    for begin, stop, frame in frames:
        while shown is not None and k / rate < begin - late:
            yield shown, again
            k, again = k + 1, again + 1
        shown, end, again = frame, stop, 0
    while shown is not None and (k / rate < end - late or k == 0):
        yield shown, again
        k, again = k + 1, again + 1
