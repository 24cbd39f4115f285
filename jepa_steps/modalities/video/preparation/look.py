"""How frames are to look: size, channels, and which of a video's are taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from ..dataset import VideoDataset


@dataclass(frozen=True)
class Look:
    """size: (H, W). resize: "crop" or "stretch". rate: frames per second; None = every frame. most:
    frames taken of a video; None = all."""

    size: tuple[int, int]
    channels: int
    resize: str
    rate: float | None = None
    most: int | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a frame."""
        return (*self.size, self.channels)

    def of_array(self, pixels: np.ndarray) -> np.ndarray:
        """A frame uint8 (H, W, C) of pixels uint8 (h, w) or (h, w, 1|3)."""
        flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
        if self.size == flat.shape[:2] and (flat.ndim == 3) == (self.channels == 3):
            return flat.reshape(self.shape)
        height, width = flat.shape[:2]
        mode, pixels = "RGB" if flat.ndim == 3 else "L", np.ascontiguousarray(flat)
        return self.of_image(Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1))

    def of_image(self, image: Image.Image) -> np.ndarray:
        """A frame uint8 (H, W, C) of an image, RGB or grey: bicubic, antialiased.

        Grey is made of RGB by Pillow (ITU-R 601) and never taken from the brightness of a video, which
        is 16 to 235 in most files and 0 to 255 in others.
        """
        mode = "L" if self.channels == 1 else "RGB"
        image = image if image.mode == mode else image.convert(mode)
        height, width = self.size
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC, self.box(*image.size))
        return np.asarray(image, np.uint8).reshape(self.shape)

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """What is kept of a frame of width x height: (left, upper, right, lower), in its pixels."""
        if self.resize == "stretch":
            return 0.0, 0.0, float(width), float(height)
        shape = self.size[1] / self.size[0]
        w, h = min(width, shape * height), min(height, width / shape)
        left, upper = (width - w) / 2, (height - h) / 2
        return left, upper, min(left + w, width), min(upper + h, height)

    def first(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The frames that are taken of some, from the beginning."""
        return frames if self.most is None else islice(frames, self.most)


def look_of(dataset: VideoDataset) -> Look:
    """What the settings say of frames."""
    d = dataset
    return Look(tuple(d.image_size), d.channels, d.resize, d.frame_rate, d.max_frames)
