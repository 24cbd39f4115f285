"""Decoded frames as RGB. Most videos hold luma and chroma in planes, and few of their pixels are kept:
such frames are made small plane by plane, and colours are converted last."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .look import Look

if TYPE_CHECKING:
    import av

# (columns, rows) of luma per sample of chroma, of planes of 8 bit; "yuvj…" are the same at full range.
_PLANAR = {"yuv420p": (2, 2), "yuv422p": (2, 1), "yuv444p": (1, 1)}


class Colours:
    """From decoded frames to RGB uint8 (h, w, 3). Only frames that are taken come here, as this takes
    longer than to decode one."""

    def __init__(self) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        # One for all frames: its tables take time to set up.
        self._reformat = VideoReformatter().reformat
        # Colour at full width, and rounding that no processor changes: the same bytes on every machine.
        self._exactly = (
            Interpolation.BILINEAR
            | Interpolation.FULL_CHR_H_INT
            | Interpolation.ACCURATE_RND
            | Interpolation.BITEXACT
        )

    def of(self, frame: "av.VideoFrame") -> np.ndarray:
        """RGB uint8 (h, w, 3) of a frame, in its own size."""
        return self._reformat(frame, format="rgb24", interpolation=self._exactly, threads=1).to_ndarray()

    def small(self, frame: "av.VideoFrame", look: Look) -> np.ndarray | None:
        """RGB uint8 (H, W, 3) in the size of the store; None where colours are better converted first,
        as planes are packed or have more than 8 bit, or no fewer pixels are kept.

        Resizing and converting are linear: their order matters for rounding, for what would leave 0 to
        255, and at sharp edges of colour, as chroma is resized once and not doubled before. A sample of
        chroma is taken for the middle of its pixels, as ``of`` takes it.
        """
        import av

        name, (height, width) = frame.format.name, look.size
        chroma = _PLANAR.get(name.replace("yuvj", "yuv"))
        if chroma is None or height * width >= frame.height * frame.width:
            return None
        box = look.box(frame.width, frame.height)
        planes = [
            _resized(plane, look.size, np.divide(box, (columns, rows, columns, rows)))
            for plane, (columns, rows) in zip(frame.planes, ((1, 1), chroma, chroma), strict=True)
        ]
        # Names with a j tell the range; others are told it.
        made = av.VideoFrame.from_ndarray(np.stack(planes), format=f"{name.rstrip('0123456789p')}444p")
        made.colorspace, made.color_range = frame.colorspace, frame.color_range
        return self.of(made)


def _resized(plane: "av.video.plane.VideoPlane", size: tuple[int, int], box: np.ndarray) -> np.ndarray:
    """uint8 (H, W) of the part of a plane within a box (left, upper, right, lower)."""
    image = Image.frombuffer("L", (plane.width, plane.height), plane, "raw", "L", plane.line_size, 1)
    return np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC, tuple(box)))
