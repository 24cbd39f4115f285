"""Files of any channels and type: their values are those that another library wrote."""

import sys

import numpy as np
import pytest
import rasterio
import tifffile
import zarr
from imagecodecs import png_encode
from PIL import Image, ImageOps
from rasterio.transform import from_origin

from jepa_steps.errors import InputError
from jepa_steps.modalities.images.dataset import ImageDataset
from jepa_steps.modalities.images.preparation.fit import fitted
from jepa_steps.modalities.images.preparation.rasters.opening import open_raster
from jepa_steps.modalities.images.preparation.rasters.raster import WHOLE, channels_last, typed

RNG = np.random.default_rng(0)
WINDOW = (slice(2, 9), slice(5, 11))


def settings(**more):
    return ImageDataset(source="folder", path="p", image_size=8, **more)


def values(dtype, shape=(12, 16, 5)):
    x = (RNG.normal(size=shape) * 3000 + 9000).clip(0, 20000)
    return (x / (80 if dtype == "u1" else 1)).astype(dtype)


def geotiff(path, x, **profile):
    h, w, n = x.shape
    kind = {"driver": "GTiff", "height": h, "width": w, "count": n, "dtype": x.dtype, **profile}
    with rasterio.open(path, "w", transform=from_origin(0, 0, 1, 1), **kind) as file:
        file.write(np.moveaxis(x, -1, 0))


def ome_zarr(path, x, axes="cyx"):
    group = zarr.open_group(path, mode="w")
    group.create_array("0", data=x)
    group.attrs["ome"] = {
        "multiscales": [{"axes": [{"name": a} for a in axes], "datasets": [{"path": "0"}]}]
    }


WRITERS = {
    "pages.tif": lambda p, x: [tifffile.imwrite(p, plane, append=i > 0) for i, plane in enumerate(np.moveaxis(x, -1, 0))],
    "planes.tif": lambda p, x: tifffile.imwrite(p, np.moveaxis(x, -1, 0), planarconfig="separate", photometric="minisblack"),
    "samples.tiff": lambda p, x: tifffile.imwrite(p, x, planarconfig="contig", photometric="minisblack"),
    "big.tif": lambda p, x: tifffile.imwrite(p, np.moveaxis(x, -1, 0), bigtiff=True),
    "deflate.tif": lambda p, x: tifffile.imwrite(p, np.moveaxis(x, -1, 0), compression="zlib"),
    "lzw.tif": lambda p, x: tifffile.imwrite(p, np.moveaxis(x, -1, 0), compression="lzw"),
    "ome.ome.tif": lambda p, x: tifffile.imwrite(p, np.moveaxis(x, -1, 0), metadata={"axes": "CYX"}),
    "imagej.tif": lambda p, x: tifffile.imwrite(p, np.moveaxis(x, -1, 0), imagej=True, metadata={"axes": "CYX"}),
    "geo.tif": geotiff,
    "last.npy": lambda p, x: np.save(p, x),
    "first.npy": lambda p, x: np.save(p, np.moveaxis(x, -1, 0)),
    "one.npz": lambda p, x: np.savez(p, image=x, label=3),
    "plain.zarr": lambda p, x: zarr.save(str(p), np.moveaxis(x, -1, 0)),
    "ome.zarr": lambda p, x: ome_zarr(str(p), np.moveaxis(x, -1, 0)),
    "ome5d.zarr": lambda p, x: ome_zarr(str(p), np.moveaxis(x, -1, 0)[None, :, None], "tczyx"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("name", WRITERS)
def test_values_are_those_that_were_written(tmp_path, name, dtype):
    x = values(dtype)
    WRITERS[name](tmp_path / name, x)
    found = open_raster(tmp_path / name, settings(channels=5))
    assert (
        found.shape == x.shape and found.dtype == {"u1": "uint8", "u2": "uint16", "f4": "float32"}[dtype]
    )
    assert np.array_equal(found.read(WHOLE), x)
    assert np.array_equal(found.read(WINDOW), x[WINDOW])


@pytest.mark.parametrize(("mode", "dtype", "shape"), [
    ("L", "u1", (12, 16)), ("I;16", "u2", (12, 16)), ("F", "f4", (12, 16)), ("RGB", "u1", (12, 16, 3)), ("RGBA", "u1", (12, 16, 4)),
])  # fmt: skip
def test_pictures_of_one_page_need_no_further_library(tmp_path, monkeypatch, mode, dtype, shape):
    for library in ("tifffile", "rasterio", "imagecodecs"):
        monkeypatch.setitem(sys.modules, library, None)
    x = values(dtype, shape)
    Image.fromarray(x).save(tmp_path / "a.tif")
    found = open_raster(tmp_path / "a.tif", settings())
    assert np.array_equal(found.read(WHOLE).squeeze(), x) and found.source == np.dtype(dtype)


def test_sixteen_bit_colour_keeps_its_bits(tmp_path):
    x = values("u2", (12, 16, 3))
    (tmp_path / "a.png").write_bytes(png_encode(x))
    tifffile.imwrite(tmp_path / "b.tif", x, photometric="rgb")
    for name in ("a.png", "b.tif"):
        found = open_raster(tmp_path / name, settings())
        assert found.dtype == "uint16" and np.array_equal(found.read(WHOLE), x)


def test_geotiffs_tell_no_data_and_band_names(tmp_path):
    x = values("f4")
    x[3:6, 2:4, 1] = -9999
    geotiff(tmp_path / "a.tif", x, nodata=-9999)
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.descriptions = tuple("BGRNS")
    found = open_raster(tmp_path / "a.tif", settings())
    assert found.no_data == -9999 and found.names == tuple("BGRNS") and found.windowed
    kept = typed(found.read(WHOLE), "float32", found.no_data)
    assert np.array_equal(np.isnan(kept), x == -9999)


@pytest.mark.parametrize(("library", "name", "extra"), [
    ("tifffile", "pages.tif", "tiff"), ("rasterio", "geo.tif", "geotiff"), ("zarr", "plain.zarr", "zarr"),
])  # fmt: skip
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, library, name, extra):
    WRITERS[name](tmp_path / name, values("u2"))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        InputError, match=rf"{library}, which is not installed; pip install 'jepa-steps\[{extra}\]'"
    ):
        open_raster(tmp_path / name, settings())


@pytest.mark.parametrize(("shape", "channels", "asked", "expected"), [
    ((8, 9), None, None, (8, 9, 1)), ((13, 64, 64), None, None, (64, 64, 13)), ((64, 64, 13), None, None, (64, 64, 13)),
    ((5, 5, 6), 6, None, (5, 5, 6)), ((6, 5, 5), 6, None, (5, 5, 6)), ((4, 4, 3), None, None, (4, 4, 3)),
    ((64, 5, 5), None, "first", (5, 5, 64)), ((3, 64, 64), None, None, (64, 64, 3)), ((2, 2, 3), None, None, (2, 2, 3)),
])  # fmt: skip
def test_which_axis_holds_channels(shape, channels, asked, expected):
    assert channels_last(shape, channels, asked)[0] == expected


@pytest.mark.parametrize("shape", [(64, 5, 64), (8, 8, 13), (7, 64, 7), (2, 3, 4, 5)])
def test_where_any_axis_may_hold_channels_nothing_is_guessed(shape):
    with pytest.raises(ValueError, match=r"channel_axis|expected \(H, W\)"):
        channels_last(shape, None, None)


@pytest.mark.parametrize(("x", "says"), [
    (np.array([1.0, np.inf]), "infinite"), (np.array([1e300]), "infinite"), (np.array([2**24 + 1], np.int32), "holds exactly"),
])  # fmt: skip
def test_numbers_that_float32_does_not_hold_are_refused(x, says):
    with pytest.raises(ValueError, match=says):
        typed(x, "float32", None)


def test_signed_integers_and_no_data_are_exact_in_float32():
    x = np.array([-32768, -5, 0, 32767], np.int16)
    found = typed(x, "float32", -5)
    assert np.isnan(found[1]) and found[[0, 2, 3]].tolist() == [-32768, 0, 32767]
    assert np.isnan(typed(np.array([-1.7976931348623157e308]), "float32", -1.7976931348623157e308)).all()


@pytest.mark.parametrize("size", [(24, 24), (10, 30), (40, 17)])
@pytest.mark.parametrize("resize", ["crop", "stretch", "pad"])
def test_resizing_follows_pillow(size, resize):
    """8-bit channels one by one give what Pillow gives for a picture, up to its own rounding."""
    x = np.asarray(Image.fromarray(values("u1", (9, 13, 3))).resize((52, 36), Image.Resampling.BICUBIC))
    how = {"crop": ImageOps.fit, "pad": ImageOps.pad, "stretch": Image.Image.resize}[resize]
    reference = np.asarray(how(Image.fromarray(x), size[::-1], Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(fitted(x, size, resize, None).astype(int) - reference).max() <= 1


def test_missing_values_do_not_bleed_and_ranges_are_kept():
    x = values("u2", (64, 64, 2))
    x[:, :32, 0] = 0
    found = fitted(x, (16, 16), "crop", 0)
    assert (found[:, :8, 0] == 0).all() and found[:, 8:, 0].min() >= x[:, 32:, 0].min()
    assert x[..., 1].min() <= found[..., 1].min() and found[..., 1].max() <= x[..., 1].max()
    y = x.astype(np.float32)
    y[y == 0] = np.nan
    assert np.array_equal(np.isnan(fitted(y, (16, 16), "crop", None)), found == 0)
    padded = fitted(y[:, :32], (32, 32), "pad", None)
    assert np.isnan(padded[:, :8]).all() and np.isnan(padded[:, -8:]).all()
