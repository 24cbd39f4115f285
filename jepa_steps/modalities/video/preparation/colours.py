"""Decoded frames as RGB. Most videos hold luma and chroma in planes, and few of their pixels are kept:
such frames are made small plane by plane, and colours are converted last."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .look import Look

if TYPE_CHECKING:
    import av

# (columns, rows) of luma per sample of chroma, of planes of 8 bit.
_PLANAR = {
    "yuv420p": (2, 2),
    "yuv422p": (2, 1),
    "yuv444p": (1, 1),
    "yuvj420p": (2, 2),
    "yuvj422p": (2, 1),
    "yuvj444p": (1, 1),
}


class Colours:
    """From decoded frames to RGB uint8 (h, w, 3). Only frames that are taken come here, as this takes
    longer than to decode one."""

    def __init__(self) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._reformat = (
            VideoReformatter().reformat
        )  # one for all frames: its tables take time to set up
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

        Resizing and converting are linear: only rounding and what would leave 0 to 255 differ.
        """
        import av

        chroma, (height, width) = _PLANAR.get(frame.format.name), look.size
        if chroma is None or height * width >= frame.height * frame.width:
            return None
        left, upper, right, lower = look.box(frame.width, frame.height)
        columns, rows = chroma
        # H.264 and its successors put chroma on the first of two columns, not between them.
        aside = 0.25 if columns == 2 else 0.0
        box = (left / columns + aside, upper / rows, right / columns + aside, lower / rows)
        luma, *others = frame.planes
        planes = [_resized(luma, look.size, (left, upper, right, lower))]
        planes += [_resized(plane, look.size, box) for plane in others]
        full = "j" in frame.format.name  # such names tell the range, others are told it
        made = av.VideoFrame.from_ndarray(np.stack(planes), format=f"yuv{'j' * full}444p")
        made.colorspace, made.color_range = frame.colorspace, frame.color_range
        return self.of(made)


def _resized(
    plane: "av.video.plane.VideoPlane", size: tuple[int, int], box: tuple[float, float, float, float]
) -> np.ndarray:
    """uint8 (H, W) of the part of a plane within a box, which may end a quarter of a sample outside."""
    image = Image.frombuffer("L", (plane.width, plane.height), plane, "raw", "L", plane.line_size, 1)
    left, upper, right, lower = box
    inside = (left, upper, min(right, plane.width), min(lower, plane.height))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC, box=inside))
