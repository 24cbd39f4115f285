"""What headers tell of videos before any is decoded: how many frames, and how much disk they take."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....data.parallel import in_order
from ....errors import InputError
from ..sources.source import Video
from .containers import check_name, opened
from .look import Look

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_TASK, _FEW = 16, 64  # headers read per task; up to so many, no process is worth starting


@dataclass(frozen=True)
class Header:
    """seconds, frames, rate (average, per second): None where the header does not tell. square: whether
    pixels are. reason: why the file cannot be opened; "" = it can."""

    seconds: float | None = None
    frames: int | None = None
    rate: float | None = None
    square: bool = True
    reason: str = ""

    def taken(self, look: Look) -> int | None:
        """How many frames will be taken; None where that is not known."""
        number = self.frames
        if look.rate is not None:
            number = None if self.seconds is None else max(1, round(self.seconds * look.rate))
        elif not number and self.seconds and self.rate:
            number = max(1, round(self.seconds * self.rate))
        if not number or look.most is None:
            return number or None
        return min(number, look.most)


def read_headers(videos: list[Video], named: bool, workers: int) -> list[Header]:
    """The header of every video, in order.

    Args:
        named: whether a file must have the name of a video.
    """
    items = [(video.item if isinstance(video.item, Path) else None, video.frames) for video in videos]
    tasks = ((items[a : a + _TASK], named) for a in range(0, len(items), _TASK))
    workers = workers if len(items) > _FEW else 1
    return [header for found in in_order(_read_some, tasks, workers) for header in found]


def _read_some(items: list[tuple[Path | None, int | None]], named: bool) -> list[Header]:
    return [Header(frames=frames) if path is None else _read(path, named) for path, frames in items]


def _read(path: Path, named: bool) -> Header:
    try:
        if named:
            check_name(path)
        with opened(path) as (container, stream):
            seconds = duration(container, stream)
            aspect = stream.sample_aspect_ratio
            return Header(
                seconds,
                stream.frames or None,
                float(stream.average_rate) if stream.average_rate else None,
                not aspect or aspect == 1,
            )
    except InputError as error:
        return Header(reason=str(error))


def duration(container: "InputContainer", stream: "VideoStream") -> float | None:
    """Seconds of a stream from its first frame, or of its file where the stream does not tell."""
    own = own_duration(container, stream)
    if own or not container.duration:
        return own
    return _from_start(container.duration / 1e6, container, stream)


def own_duration(container: "InputContainer", stream: "VideoStream") -> float | None:
    """Seconds of a stream itself, from its first frame; Matroska has them as text."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return _from_start(3600 * hours + 60 * minutes + seconds, container, stream) or None


def _from_start(seconds: float, container: "InputContainer", stream: "VideoStream") -> float:
    """Seconds from the first frame on. Matroska tells the time at which the last frame ends, but where
    mkvmerge wrote it, which leaves its statistics and tells lengths."""
    lengths = any(key.startswith("_STATISTICS") for key in stream.metadata)
    if lengths or not container.format.name.startswith("matroska") or not stream.start_time:
        return seconds
    begin = float(stream.start_time * stream.time_base)
    return seconds - begin if seconds > begin else seconds


def check_disk(headers: list[Header], look: Look, out: Path, folder: Path) -> str:
    """How much disk the frames will take, for the terminal.

    Raises:
        InputError: the disk of ``folder`` has less.
    """
    taken = [header.taken(look) for header in headers if not header.reason]
    known = [number for number in taken if number is not None]
    h, w, c = look.shape
    size, free = sum(known) * h * w * c, shutil.disk_usage(folder).free
    unknown = len(taken) - len(known)
    about = "at least" if unknown else "about"
    if size > free:
        raise InputError(
            f"{out}: frames.npy would take {about} {_bytes(size)} ({sum(known):,} frames of {h} x {w} x "
            f"{c} bytes), but the disk has {_bytes(free)} free; free some, or set a smaller image_size, "
            "frame_rate or max_frames"
        )
    more = f"; {unknown} files do not tell how long they are" if unknown else ""
    return (
        f"frames.npy will take {about} {_bytes(size)}: {len(taken):,} videos, {sum(known):,} frames of "
        f"{h} x {w} x {c} bytes; the disk has {_bytes(free)} free{more}"
    )


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"
