"""Frames that are made small plane by plane, against colours that are converted first."""

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from jepa_steps.modalities.video.preparation.colours import Colours
from jepa_steps.modalities.video.preparation.look import Look

PLANAR = ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"]


def decoded(height: int, width: int, pixels: str, seed: int = 0) -> av.VideoFrame:
    """A frame of smooth colours, as a decoder gives it."""
    coarse = np.random.default_rng(seed).integers(64, 192, (4, 5, 3)).astype(np.uint8)
    rgb = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return frame.reformat(format=pixels)


def both(frame: av.VideoFrame, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """(made small first, converted first), int64 (H, W, 3)."""
    colours = Colours()
    small = colours.small(frame, look)
    assert small is not None
    return small.astype(int), look.of_array(colours.of(frame)).astype(int)


@pytest.mark.parametrize("pixels", PLANAR)
@pytest.mark.parametrize("size", [(240, 320), (241, 333)], ids=["even", "odd"])
@pytest.mark.parametrize("resize", ["crop", "stretch"])
def test_smooth_frames_are_those_of_the_other_order_up_to_rounding(pixels, size, resize):
    small, first = both(decoded(*size, pixels), Look((48, 56), 3, resize))
    assert np.abs(small - first).max() <= 4 and np.abs(small - first).mean() < 0.8


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p"])
@pytest.mark.parametrize("seed", range(6))
def test_sharp_edges_of_colour_come_out_nearer_to_what_was_encoded(pixels, seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (15, 20, 3)).astype(np.uint8)
    rgb = np.roll(coarse.repeat(16, 0).repeat(16, 1), (seed, seed), (0, 1))
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixels)
    look = Look((112, 112), 3, "crop")
    small, first = both(frame, look)
    wanted = look.of_array(rgb).astype(int)
    assert np.abs(small - wanted).mean() < np.abs(first - wanted).mean()


@pytest.mark.parametrize("space", [1, 5, 9], ids=["BT.709", "BT.601", "BT.2020"])
@pytest.mark.parametrize("full", [False, True], ids=["16 to 235", "0 to 255"])
def test_colours_are_converted_as_the_file_says(space, full):
    frame = decoded(120, 160, "yuv444p")
    frame.colorspace, frame.color_range = space, 2 if full else 1
    small, first = both(frame, Look((30, 40), 3, "stretch"))
    assert np.abs(small - first).max() <= 3
    frame.colorspace, frame.color_range = 5 if space == 1 else 1, 1 if full else 2
    assert np.abs(both(frame, Look((30, 40), 3, "stretch"))[0] - small).max() > 8


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p"])
def test_a_colour_stays_in_its_place(pixels):
    """A ramp of colour along the columns: a quarter of a sample of chroma aside would be .3 levels."""
    ramp = np.zeros((64, 128, 3), np.uint8)
    ramp[..., 0], ramp[..., 2] = np.arange(128) * 1.3 + 40, 210 - np.arange(128) * 1.3
    frame = av.VideoFrame.from_ndarray(ramp, format="rgb24").reformat(format=pixels)
    small, first = both(frame, Look((16, 32), 3, "stretch"))
    assert abs((small - first)[4:-4, 4:-4, 0].mean()) < 0.2


def test_other_frames_are_converted_first():
    look = Look((24, 32), 3, "crop")
    for pixels, size in (
        ("yuv420p10le", (48, 64)),
        ("gray", (48, 64)),
        ("rgb24", (48, 64)),
        ("yuv420p", (24, 32)),
    ):
        assert Colours().small(decoded(*size, pixels), look) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_box_is_that_of_pillow_s_fit(seed):
    """Pixels of an image cut by the box are those of ImageOps.fit, to the byte."""
    random = np.random.default_rng(seed)
    height, width, h, w = random.integers(5, 60, 4).tolist()
    image = Image.fromarray(random.integers(0, 256, (height, width, 3)).astype(np.uint8))
    if (height, width) != (h, w):
        expected = np.asarray(ImageOps.fit(image, (w, h), Image.Resampling.BICUBIC))
        assert (Look((h, w), 3, "crop").of_image(image) == expected).all()
