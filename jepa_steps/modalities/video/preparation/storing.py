"""All videos of a source, decoded into the store in order, by several processes.

A process writes the frames of a video to a file of its own, which is then appended to frames.npy in
blocks: no process holds a whole video.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from ....arrays import write_npy_header
from ....data.parallel import in_order
from ....errors import InputError
from ..dataset import VideoDataset
from ..sources.source import Item, Video, VideoSource
from .headers import Header
from .look import Look, look_of
from .reading import Told, read_frames

_FEW = 4  # up to so many videos, no process is worth starting
_BLOCK = 1 << 20
DIGEST = 16  # bytes


@dataclass
class Stored:
    """What was found of V videos whose frames are in ``frames.npy``, one after another.

    kept: the videos. frames: int64 (V,). told: of each. digests: of each, S16 (clips,), equal for equal
    clips. constant: whether clips have a single colour, bool (clips,). still: whether all frames are
    equal. skipped, dropped: a sentence per video. repeated: names of videos whose last frame was
    repeated.
    """

    kept: list[Video] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    digests: list[np.ndarray] = field(default_factory=list)
    constant: list[np.ndarray] = field(default_factory=list)
    still: list[bool] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def store_videos(
    source: VideoSource, headers: list[Header], dataset: VideoDataset, path: Path, workers: int
) -> Stored:
    """Decode every video into ``path``.

    Raises:
        InputError: a video that cannot be read or is too short, or more of them than the settings leave
        out.
    """
    found, look, n = Stored(), look_of(dataset), len(headers)
    _leave_out(found, [header.reason for header in headers if header.reason], n, dataset)
    videos = [v for v, header in zip(source.videos, headers, strict=True) if not header.reason]
    done = _decoded(videos, look, path.parent, workers)
    with path.open("wb") as file:
        write_npy_header(file, "|u1", (0, *look.shape))
        bar = tqdm(done, "videos", len(videos), leave=False, disable=None)
        for video, one in zip(videos, bar, strict=True):
            if one.reason:
                _leave_out(found, [one.reason], n, dataset, " so far")
            elif len(one.digests) < dataset.clip_length and dataset.on_short != "repeat":
                _refuse_or_drop(found, video, len(one.digests), dataset)
            else:
                _take(found, video, one, dataset)
                _append(file, one, found.frames[-1], look)
            one.path.unlink(missing_ok=True)
        file.seek(0)
        write_npy_header(file, "|u1", (sum(found.frames), *look.shape))
    if not found.kept:
        reasons = found.skipped + found.dropped
        raise InputError(f"{source.path}: none of {n} videos can be used, e.g. {reasons[0]}")
    return found


def _leave_out(
    found: Stored, reasons: list[str], n: int, dataset: VideoDataset, so_far: str = ""
) -> None:
    """Note why videos are left out: of all headers before hours of decoding, then one by one."""
    if reasons and dataset.on_error == "fail":
        raise InputError(f"{reasons[0]}; set on_error: skip to leave such videos out")
    found.skipped.extend(reasons)
    bad, budget = len(found.skipped), int(dataset.max_skipped * n)
    if bad > budget:
        enough = next(i / 100 for i in range(101) if int(i / 100 * n) >= bad)
        raise InputError(
            f"{dataset.path}: {bad} unreadable videos of {n}{so_far}, expected at most {budget} "
            f"(max_skipped {dataset.max_skipped:g}): raise max_skipped to {enough:g}"
            f"{' or more' if so_far else ''}, or mend them; e.g. {reasons[0]}"
        )


def _refuse_or_drop(found: Stored, video: Video, frames: int, dataset: VideoDataset) -> None:
    length, rate = dataset.clip_length, dataset.frame_rate
    reason = f"{video.name}: {frames} frames{f' at {rate:g} per second' if rate else ''}"
    if dataset.on_short == "fail":
        raise InputError(
            f"{dataset.path}: {reason}, fewer than clip_length {length}; set on_short: drop or repeat, "
            f"or a shorter clip{' or a higher frame_rate' if rate else ''}"
        )
    found.dropped.append(f"{reason}, fewer than {length}")


def _take(found: Stored, video: Video, one: "_Done", dataset: VideoDataset) -> None:
    """Note a video that is kept."""
    length, stride = dataset.clip_length, dataset.clip_stride or dataset.clip_length
    missing = max(0, length - len(one.digests))
    digests, plain = one.digests + one.digests[-1:] * missing, one.plain + one.plain[-1:] * missing
    clips = [slice(a, a + length) for a in range(0, len(digests) - length + 1, stride)]
    constant = [all(plain[clip]) and len(set(digests[clip])) == 1 for clip in clips]
    found.kept.append(video)
    found.frames.append(len(digests))
    found.told.append(one.told)
    found.digests.append(np.array([_digest(b"".join(digests[clip])) for clip in clips], f"S{DIGEST}"))
    found.constant.append(np.array(constant))
    found.still.append(len(set(digests)) == 1)
    if missing:
        found.repeated.append(video.name)


def _append(file: BinaryIO, one: "_Done", frames: int, look: Look) -> None:
    """Append a video's frames to frames.npy, its last one until there are ``frames``."""
    with one.path.open("rb") as part:
        shutil.copyfileobj(part, file, _BLOCK)
        if frames > len(one.digests):
            size = int(np.prod(look.shape))
            part.seek(-size, os.SEEK_END)
            file.write(part.read(size) * (frames - len(one.digests)))


@dataclass(frozen=True)
class _Done:
    """A video whose frames are in a file of their own, or the reason why not.

    digests: of each frame. plain: whether it has a single colour.
    """

    path: Path
    digests: list[bytes]
    plain: list[bool]
    told: Told
    reason: str = ""


def _decoded(videos: list[Video], look: Look, folder: Path, workers: int) -> Iterator[_Done]:
    """Each video in order."""
    # arrays are there already, and would take longer to send than to resize
    here = len(videos) <= _FEW or any(callable(video.item) for video in videos)
    tasks = ((video.name, video.item, look, folder / f"{i}.part") for i, video in enumerate(videos))
    try:
        yield from in_order(_decode, tasks, 1 if here else workers)
    except BrokenProcessPool:
        raise InputError(
            "a process that decodes videos was killed, because memory ran out or a file is damaged; run "
            "with --workers 1 to see at which video"
        ) from None


def _decode(name: str, item: Item, look: Look, path: Path) -> _Done:
    digests, plain, told, reason = [], [], Told(), ""
    try:
        with path.open("wb") as file:
            for frame in read_frames(item, look, told):
                data = frame.tobytes()
                file.write(data)
                digests.append(_digest(data))
                plain.append(_plain(frame))
        if not digests:
            reason = f"{name}: no frames, expected some"
    except InputError as error:
        reason = str(error)
    return _Done(path, digests, plain, told, reason)


def _plain(frame: np.ndarray) -> bool:
    """Whether a frame has a single colour; most show in their first row that they have not."""
    colour = frame[0, 0]
    return bool((frame[0] == colour).all() and (frame == colour).all())


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def keep_videos(found: Stored, chosen: np.ndarray, path: Path) -> Stored:
    """The videos of bool (V,) only, in ``path`` too, whose frames move forward within the file."""
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        (_, *shape), _, _ = np.lib.format.read_array_header_1_0(file)
        size, source = int(np.prod(shape)), file.tell()
        target = source
        for keep, frames in zip(chosen, found.frames, strict=True):
            if keep:
                _move(file, source, target, frames * size)
                target += frames * size
            source += frames * size
        file.truncate(target)
        file.seek(0)
        number = sum(n for keep, n in zip(chosen, found.frames, strict=True) if keep)
        write_npy_header(file, "|u1", (number, *shape))
    rows = np.flatnonzero(chosen).tolist()
    names = {found.kept[i].name for i in rows}
    return replace(
        found,
        **{
            name: [getattr(found, name)[i] for i in rows]
            for name in ("kept", "frames", "told", "still", "digests", "constant")
        },
        repeated=[name for name in found.repeated if name in names],
    )


def _move(file: BinaryIO, source: int, target: int, size: int) -> None:
    """Bytes to an earlier place of a file."""
    for a in range(0, size if source > target else 0, _BLOCK):
        file.seek(source + a)
        block = file.read(min(_BLOCK, size - a))
        file.seek(target + a)
        file.write(block)
