import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jepa_steps.errors import InputError
from jepa_steps.modalities.images.preparation.pictures import array_image, open_image, to_pixels

LIMIT = 10_000_000


def decoded(path, size=8, channels=3):
    return to_pixels(open_image(path, LIMIT), (size, size), channels)


def test_exif_rotation_is_applied(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4] = 255  # left half white as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # must be turned 90 degrees clockwise to be upright
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(decoded(tmp_path / "a.png"), np.rot90(pixels, -1))


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tiff", "webp", "ppm"])
def test_lossless_formats_keep_grey_pixels(tmp_path, suffix):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(pixels).convert("RGB" if suffix == "webp" else "L").save(
        tmp_path / f"a.{suffix}", **options
    )
    assert np.array_equal(decoded(tmp_path / f"a.{suffix}", channels=1)[..., 0], pixels)


def test_grey_becomes_three_equal_channels(tmp_path):
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / "a.png")
    assert (decoded(tmp_path / "a.png") == 77).all()


def test_transparency_is_composed_over_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    out = decoded(tmp_path / "a.png")
    assert (out[:4] == 0).all() and (out[4:] == 255).all()


def test_palette_transparency_is_composed_over_white(tmp_path):
    image = Image.fromarray(np.zeros((8, 8), np.uint8), "L").convert("P")
    image.save(tmp_path / "a.gif", transparency=0)
    assert (decoded(tmp_path / "a.gif") == 255).all()


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    pixels = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)
    for name in ("a.png", "a.tiff"):
        Image.fromarray(pixels).save(tmp_path / name)
        out = decoded(tmp_path / name, channels=1)[..., 0]
        assert np.array_equal(out, np.round(pixels / 257).astype(np.uint8))


def test_float_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="floating-point"):
        decoded(tmp_path / "a.tiff")


def test_shorter_side_is_resized_and_the_centre_cropped():
    image = Image.fromarray(np.repeat(np.arange(64, dtype=np.uint8)[None] * 4, 16, 0))
    out = to_pixels(image, (16, 16), 1)[..., 0]
    assert abs(float(out.mean()) - 126) < 1  # the centre quarter of the ramp
    assert out[:, 0].max() < out[:, -1].min()


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_unreadable_files_are_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png"):
        decoded(tmp_path / "bad.png")


def test_truncated_file_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded"):
        decoded(tmp_path / "a.jpg")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(InputError, match=r"bomb\.png: 60000x60000 .*max_pixels"):
        open_image(tmp_path / "bomb.png", 89_000_000)


def test_arrays_of_another_type_are_named():
    with pytest.raises(InputError, match=r"x\[3\]: found float64"):
        array_image(np.zeros((4, 4)), "x[3]")
