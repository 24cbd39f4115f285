"""The frames of one video, one after another, as they will be stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from ....errors import InputError
from ..sources.source import Item
from .clock import Clock
from .colours import Colours
from .containers import opened
from .headers import duration, own_duration
from .look import Look
from .rotation import display_matrix, turned
from .times import at_rate, tolerance

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

_LEAST = 0.9  # of what the header tells; a little is missing of many files that play well


@dataclass
class Told:
    """What became known of a video while it was read.

    rate: frames per second, by the time stamps of what was read, or else by the header. variable:
    whether frames are unevenly far apart. part: whether reading stopped before the end of the file.
    again: frames that were taken more than once. lacks: frames that the header tells and the file does
    not have. damaged: packets and frames that are marked as damaged. endless: whether nothing tells
    where it should end.
    """

    rate: float | None = None
    variable: bool = False
    part: bool = False
    again: int = 0
    lacks: int = 0
    damaged: int = 0
    endless: bool = False


def read_frames(item: Item, look: Look, told: Told) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, C).

    Raises:
        InputError: a file that cannot be read to its end; one line that names it.
    """
    if isinstance(item, Path):
        frames = _of_file(item, look, told)
    elif isinstance(item, tuple):
        frames = _of_images(item, look)
    else:
        frames = (look.of_array(pixels) for pixels in item())
    yield from look.first(frames)


def _of_images(files: tuple[Path, ...], look: Look) -> Iterator[np.ndarray]:
    size = None
    for file in files:
        image = _upright(file)
        size = size or image.size
        if image.size != size:
            raise InputError(
                f"{file}: found {image.size[0]} x {image.size[1]} pixels, expected {size[0]} x "
                f"{size[1]} as in {files[0].name}, the first frame of this video"
            )
        yield look.of_image(image)


def _upright(file: Path) -> Image.Image:
    """An image of 8 bit, turned upright by its EXIF orientation, over white where it is transparent."""
    try:
        with Image.open(file) as image:
            image.load()
            found = ImageOps.exif_transpose(image)
    except Exception as error:  # a damaged file raises what its decoder raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file}: cannot be decoded as an image: {reason}") from None
    if found.mode == "F" or found.mode.startswith("I"):
        raise InputError(
            f"{file}: found pixels of mode {found.mode}, expected 8 bit; convert the frames"
        )
    if found.mode in ("RGBA", "LA", "PA") or "transparency" in found.info:
        found = found.convert("RGBA")
        found = Image.alpha_composite(Image.new("RGBA", found.size, "white"), found)
    return found


def _of_file(path: Path, look: Look, told: Told) -> Iterator[np.ndarray]:
    with opened(path) as (container, stream):
        told.rate = float(stream.average_rate) if stream.average_rate else None
        decoded, pixels = _decoded(container, stream, path, told), _pixels(look, path)
        if look.rate is None:
            yield from map(pixels, decoded)
            return
        late = tolerance(float(stream.time_base))
        for frame, again in at_rate(_timed(decoded, stream, path), look.rate, late):
            if not again:
                shown = pixels(frame)
            told.again += again > 0
            yield shown


def _pixels(look: Look, path: Path) -> "Callable[[av.VideoFrame], np.ndarray]":
    """A function from decoded frames to those that are stored."""
    colours = Colours()

    def stored(frame: "av.VideoFrame") -> np.ndarray:
        """uint8 (H, W, C), upright. Raises InputError where a frame is turned by other than quarters."""
        matrix = display_matrix(frame)
        if matrix is None:
            small = colours.small(frame, look)
            return look.of_array(colours.of(frame) if small is None else small)
        try:
            return look.of_array(np.ascontiguousarray(turned(colours.of(frame), matrix)))
        except ValueError as error:
            raise InputError(f"{path}: found {error}") from None

    return stored


def _timed(
    frames: Iterator["av.VideoFrame"], stream: "VideoStream", path: Path
) -> Iterator[tuple[float, float, "av.VideoFrame"]]:
    """(begin, end, frame), seconds from the beginning of the first.

    Raises:
        InputError: a frame without a time stamp, or one before the last.
    """
    tick, first, last = float(stream.time_base), None, 0
    usual = 1 / float(stream.average_rate) if stream.average_rate else 0.0
    for number, frame in enumerate(frames):
        if frame.pts is None or (first is not None and frame.pts < last):
            found = "no time stamp" if frame.pts is None else "a time stamp before the last one"
            raise InputError(
                f"{path}: frame {number} has {found}; expected rising ones, as frame_rate chooses "
                "frames by them: convert the file, or set frame_rate: null"
            )
        first = frame.pts if first is None else first
        last, begin = frame.pts, (frame.pts - first) * tick
        yield begin, begin + (frame.duration * tick if frame.duration else usual), frame


def _decoded(
    container: "InputContainer", stream: "VideoStream", path: Path, told: Told
) -> Iterator["av.VideoFrame"]:
    """Every frame of a file; what was found goes to ``told`` in the end.

    Raises:
        InputError: no frames, or fewer than the header tells by more than a tenth.
    """
    clock = Clock(float(stream.time_base))
    told.part = True
    try:
        for packet in container.demux(stream):
            told.damaged += packet.is_corrupt
            for frame in packet.decode():
                told.damaged += frame.is_corrupt
                clock.see(frame)
                yield frame
    finally:  # also where no more frames are taken
        told.rate, told.variable = clock.rate or told.rate, clock.variable
    told.part = False
    told.endless = container.format.name.startswith("mpeg")  # its length is guessed by the last bytes
    frames, seconds = _expected(container, stream)
    counts = [count for count in (frames, round((seconds or 0) * (clock.rate or 0))) if count]
    told.lacks = max(0, min(counts, default=0) - clock.number)
    _check_whole(clock, frames, seconds, path)
    if container.format.name == "gif" and not _ends_as_gif(path):
        raise InputError(
            f"{path}: ends after {clock.number} frames without the end of a GIF; truncated: copy it "
            "again"
        )


def _expected(container: "InputContainer", stream: "VideoStream") -> tuple[int | None, float | None]:
    """(frames, seconds) that a header tells, where it does.

    Either may be too many: frames that an editor cut away are still counted, and sound may be longer
    than the pictures. Of AVI, seconds are guessed by the size of the file; its frames are ticks of its
    clock, with empty ones where none is shown.
    """
    frames, own = stream.frames or None, own_duration(container, stream)
    if container.format.name == "avi":
        return frames, frames * float(stream.time_base) if frames else None
    alone = len(container.streams) == 1 and not frames
    return frames, duration(container, stream) if alone else own


def _check_whole(clock: Clock, frames: int | None, seconds: float | None, path: Path) -> None:
    if not clock.number:
        raise InputError(f"{path}: no frames in this file, expected a video")
    shares = [found / count for found, count in ((clock.number, frames), (clock.end, seconds)) if count]
    if shares and max(shares) < _LEAST:
        header = f"{frames} frames" if frames else f"{seconds:.2f} s"
        raise InputError(
            f"{path}: ends after {clock.number} frames ({clock.end:.2f} s), but its header tells "
            f"{header}; truncated or damaged: copy it again"
        )


def _ends_as_gif(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-min(64, path.stat().st_size), 2)
        return file.read().rstrip(b"\0").endswith(b";")
