"""Video files for tests, written by PyAV, whose frames tell their numbers."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from jepa_steps.modalities.video.dataset import VideoDataset
from jepa_steps.modalities.video.prepare import prepare
from jepa_steps.modalities.video.store import VideoStore, open_store

STEP = 8  # grey levels from one numbered frame to the next


def noise(seed: int, frames: int = 8, height: int = 32, width: int = 32) -> np.ndarray:
    """Smooth random RGB frames uint8 (T, H, W, 3), no two alike, that survive compression."""
    coarse = np.random.default_rng(seed).integers(0, 256, (frames, height // 8, width // 8, 3))
    return coarse.repeat(8, 1).repeat(8, 2).astype(np.uint8)


def numbered(frames: int, height: int = 32, width: int = 32) -> np.ndarray:
    """Grey frames uint8 (T, H, W, 3), frame i at level i * STEP."""
    level = (np.arange(frames) * STEP).astype(np.uint8)
    return np.broadcast_to(level[:, None, None, None], (frames, height, width, 3))


def numbers(frames: np.ndarray) -> list[int]:
    """The numbers of such frames, from what was stored of them."""
    levels = frames.reshape(len(frames), -1).mean(1)
    return np.round(levels / STEP).astype(int).tolist()


def write(
    path: Path,
    frames: np.ndarray,
    rate: float = 25,
    times: list[int] | None = None,
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    **display,
) -> Path:
    """A video file.

    Args:
        frames: uint8 (T, H, W, 3).
        times: of the frames in milliseconds; None = evenly at ``rate``.
        options: of the container.
        display: of ``set_display_rotation``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        if codec == "mpeg4":
            stream.codec_context.options = {"qscale": "2", "flags": "+qscale"}
            stream.codec_context.qmin = 1
            stream.codec_context.qmax = 2
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        if display:
            stream.set_display_rotation(**display)
        for i, pixels_of in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_of), format="rgb24")
            if times:
                frame.pts, frame.time_base = times[i], Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def fill(folder: Path, classes: tuple[str, ...] = ("a", "b"), number: int = 5, frames: int = 8) -> Path:
    """Class folders of videos, no two alike."""
    for c, name in enumerate(classes):
        for i in range(number):
            write(folder / name / f"{i}.mp4", noise(100 * c + i, frames))
    return folder


def settings(source: str, path: Path, **changes) -> VideoDataset:
    """Settings of a small data set."""
    spec = {"image_size": 16, "clip_length": 4, **changes}
    return VideoDataset(source=source, path=str(path), **spec)


def prepared(source: str, path: Path, out: Path, workers: int = 1, **changes) -> VideoStore:
    """The prepared store of a data set."""
    prepare(settings(source, path, **changes), out, workers)
    return open_store(out)
