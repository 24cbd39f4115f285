"""Scientific images that cannot be used: one line that says what to do, and nothing left behind."""

import json

import numpy as np
import pytest
import rasterio
import scientific_factory
import tifffile
import zarr
from imagecodecs import png_encode
from PIL import Image

from jepa_steps import embed, prepare, train

RNG = np.random.default_rng(0)


def tif(path, x, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, x, **options)


def numbers(shape=(8, 8), dtype=np.uint16, top=9999):
    return RNG.integers(0, top, shape).astype(dtype)


def bands(folder, n=9, channels=5, size=8):
    for i in range(n):
        tif(folder / f"{i}.tif", numbers((channels, size, size)))


def one_more_band(p):
    bands(p)
    tif(p / "z.tif", numbers((6, 8, 8)))


def another_type(p):
    bands(p)
    tif(p / "z.tif", numbers((5, 8, 8)).astype(np.float32))


def eight_and_sixteen_bit(p):
    p.mkdir()
    Image.fromarray(numbers(top=250, dtype=np.uint8)).save(p / "a.png")
    Image.fromarray(numbers()).save(p / "b.png")


def pages_after_a_picture(p):
    p.mkdir()
    Image.fromarray(numbers(top=250, dtype=np.uint8)).save(p / "a.png")
    tif(p / "b.tif", numbers((5, 8, 8), np.uint8, 250))


def a_volume(p):
    tif(p / "a.ome.tif", numbers((3, 4, 8, 8)), metadata={"axes": "ZCYX"})


def several_images(p):
    p.mkdir()
    tifffile.imwrite(p / "a.tif", numbers((8, 8)))
    tifffile.imwrite(p / "a.tif", numbers((6, 6)), append=True)


def infinite(p):
    p.mkdir()
    np.save(p / "a.npy", np.full((8, 8), np.inf, np.float32))


def complex_numbers(p):
    p.mkdir()
    np.save(p / "a.npy", np.ones((8, 8), np.complex64))


def no_way_to_tell_the_channels(p):
    p.mkdir()
    np.save(p / "a.npy", numbers((8, 8, 13)))


def long_integers(p):
    p.mkdir()
    np.save(p / "a.npy", np.full((8, 8), 2**30, np.int64))


def several_arrays(p):
    p.mkdir()
    np.savez(p / "a.npz", x=numbers(), y=numbers())


def damaged(p):
    bands(p)
    data = (p / "4.tif").read_bytes()
    (p / "4.tif").write_bytes(data[: len(data) // 3])


def no_tiff(p):
    bands(p)
    (p / "z.tif").write_bytes(b"II*\0garbage")


def a_group_without_an_image(p):
    p.mkdir()
    zarr.open_group(str(p / "a.zarr"), mode="w")


def bands_of_two_types(p):
    p.mkdir()
    (p / "a.vrt").write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"/>'
        '<VRTRasterBand dataType="Float32" band="2"/></VRTDataset>'
    )


def a_channel_less(p):
    scientific_factory.microscope(p)
    (p / "drug" / "r01c02f003-ch4.tiff").unlink()


def no_channel_in_a_name(p):
    scientific_factory.microscope(p)
    tif(p / "drug" / "overview.tiff", numbers())


def a_channel_of_another_size(p):
    scientific_factory.microscope(p)
    tif(p / "dmso" / "r01c02f000-ch2.tiff", numbers((4, 4)))


def a_channel_of_three(p):
    scientific_factory.microscope(p)
    tif(p / "dmso" / "r01c02f000-ch2.tiff", numbers((20, 20, 3)), photometric="rgb")


def smaller_than_a_tile(p):
    bands(p)
    tif(p / "z.tif", numbers((5, 6, 6)))


def of_two_sizes(p):
    bands(p)
    tif(p / "z.tif", numbers((5, 6, 6)))


def an_empty_channel(p):
    for i in range(9):
        x = numbers((5, 8, 8)) + 1
        x[2] = 0
        tif(p / f"{i}.tif", x)


def below_zero(p):
    p.mkdir()
    for i in range(9):
        np.save(p / f"{i}.npy", RNG.normal(size=(8, 8)).astype(np.float32))


def geotiffs(p, no_data, names):
    for i in range(9):
        x, path = numbers((3, 8, 8), np.int16), p / f"{i}.tif"
        p.mkdir(exist_ok=True)
        with rasterio.open(
            path, "w", driver="GTiff", height=8, width=8, count=3, dtype="int16", nodata=no_data(i)
        ) as file:
            file.write(x)
            file.descriptions = names(i)


def a_tag_less(p):
    geotiffs(p, lambda i: None if i == 4 else -9999, lambda i: tuple("BGR"))


def a_tag_more(p):
    geotiffs(p, lambda i: None if i < 4 else -9999, lambda i: tuple("BGR"))


def bands_in_another_order(p):
    geotiffs(p, lambda i: -9999, lambda i: tuple("RGB" if i == 7 else "BGR"))


def signed(p):
    geotiffs(p, lambda i: None, lambda i: tuple("BGR"))


def a_stack_among_channels(p):
    for i in range(9):
        tif(p / f"{i}.ome.tif", numbers((5, 8, 8)), metadata={"axes": "ZYX" if i == 6 else "CYX"})


def two_files_for_a_channel(p):
    scientific_factory.microscope(p)
    tif(p / "dmso" / "r01c02f000-ch1.tif", numbers((20, 20)))


def large_offsets(p):
    p.mkdir()
    for i in range(9):
        np.save(p / f"{i}.npy", 1e9 + RNG.normal(size=(8, 8)))


def sixteen_bit_colours(p):
    p.mkdir()
    for i in range(9):
        (p / f"{i}.png").write_bytes(png_encode(numbers((8, 8, 3), top=65535)))


PATTERN = {"channel_pattern": "-(ch[0-9]+)"}
CASES = [
    (one_more_band, {}, ["z.tif: found uint16 TIFF", "(6, 8, 8)", "expected 5 channels, as", "0.tif"]),
    (one_more_band, {"channels": 6}, ["0.tif: found 5 channels", "expected channels: 6"]),
    (one_more_band, {"channel_names": ["a", "b"]}, ["0.tif: found 5 channels", "expected 2, as channel_names has"]),
    (another_type, {}, ["z.tif: found float32 values, expected uint16, as", "0.tif"]),
    (eight_and_sixteen_bit, {}, ["b.png: found a 16-bit image", "expected an 8-bit picture, as a.png is", "dtype: uint8"]),
    (pages_after_a_picture, {}, ["b.tif: found uint8 TIFF, QYX (5, 8, 8), expected an 8-bit picture"]),
    (a_volume, {}, ["a.ome.tif: found axes ZCYX (3, 4, 8, 8)", "save one slice or a projection"]),
    (several_images, {}, ["a.tif: found 2 images of shapes (8, 8), (6, 6), expected one"]),
    (infinite, {}, ["a.npy: found infinite values", "no_data"]),
    (complex_numbers, {}, ["a.npy: found values of type complex64"]),
    (no_way_to_tell_the_channels, {}, ["a.npy: found shape (8, 8, 13)", "channel_axis: first or last"]),
    (long_integers, {}, ["a.npy: found int64 values up to 1073741824, more than float32 holds exactly"]),
    (several_arrays, {}, ["a.npz: found arrays x, y, expected one, or one called image"]),
    (damaged, {}, ["4.tif: cannot be decoded"]),
    (no_tiff, {}, ["z.tif: found a TIFF without an image"]),
    (a_group_without_an_image, {}, ["a.zarr: found a group without multiscales"]),
    (bands_of_two_types, {}, ["a.vrt: found bands of types", "expected one"]),
    (a_channel_less, PATTERN, ["r01c02f003-*.tiff: found no file for channel ch4", "(1 lack one)", "on_error: skip"]),
    (no_channel_in_a_name, PATTERN, ["overview.tiff: channel_pattern", "finds no channel in the path"]),
    (a_channel_of_another_size, PATTERN, ["ch2.tiff: found shape (4, 4, 1), expected (20, 20, 1)"]),
    (a_channel_of_three, PATTERN, ["ch2.tiff: found 3 channels", "a file per channel"]),
    (smaller_than_a_tile, {"tile": 8}, ["z.tif: found 6 x 6 pixels, expected at least a tile, 8 x 8", "on_error: skip"]),
    (of_two_sizes, {"resize": "none"}, ["z.tif: found 6 x 6 pixels, expected 8 x 8 (image_size, with resize: none)"]),
    (an_empty_channel, {"no_data": 0}, ["channel 3 has no value in any image of the training part"]),
    (bands, {"no_data": -1}, ["no_data: found -1, which no uint16 value", "0.tif"]),
    (bands, {"dtype": "uint8", "channels": 5, "no_data": 0}, ["no_data: found 0 with uint16 values scaled to 8 bit"]),
    (below_zero, {"normalise": "log"}, ["normalise: found log with values below 0", "use percentiles"]),
    (below_zero, {"dtype": "uint16"}, ["0.npy: found float32 values, which dtype uint16 cannot hold; set dtype: float32"]),
    (bands, {"show": [1, 2, 6]}, ["show: found 6, expected 1 to 5"]),
    (a_tag_less, {}, ["4.tif: found the no-data value None, expected -9999", "set no_data for all"]),
    (a_tag_more, {}, ["4.tif: found the no-data value -9999", "expected None, as", "0.tif"]),
    (bands_in_another_order, {}, ["7.tif: found channels R, G, B, expected B, G, R, as"]),
    (signed, {"dtype": "uint8"}, ["0.tif: found int16 values, which dtype uint8 cannot hold; set dtype: float32"]),
    (signed, {"no_data": 70000}, ["no_data: found 70000, which no int16 value"]),
    (a_stack_among_channels, {}, ["6.ome.tif: found the layout axis Z, expected none"]),
    (two_files_for_a_channel, PATTERN, ["found a second file for channel 'ch1'"]),
    (large_offsets, {}, ["0.npy: found float64 values that differ by", "subtract an offset"]),
    (bands, {"tile": 0}, ["tile: found 0, expected a number of pixels from 2 to 4096, or two: [H, W]"]),
    (bands, {"image_size": [8]}, ["image_size: found [8], expected a number of pixels"]),
    (bands, {"show": [1, 2]}, ["show.2: Field required"]),
    (bands, {"stride": 4}, ["stride: found 4 without tile"]),
    (bands, {"max_value": 9, "dtype": "uint16"}, ["max_value: found 9 with dtype uint16"]),
    (bands, {"channel_names": ["a", "a"]}, ["channel_names: found a, a, expected each name once"]),
    (bands, {"source": "npy"}, ["path: ", "found a folder, expected an .npy file"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "spec", "says"), CASES, ids=[f"{i}-{case[0].__name__}" for i, case in enumerate(CASES)]
)
def test_malformed(step, tmp_path, make, spec, says):
    make(tmp_path / "p")
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8, **spec}
    code, _, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1, err
    assert all(part in err for part in says), err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("augment", "says"), [
    ({"brightness": 0.2}, "train.augment.brightness: found 0.2 with 5 channel(s), expected 0; vary gain and noise"),
])  # fmt: skip
def test_colour_jitter_is_for_pictures(step, tmp_path, augment, says):
    bands(tmp_path / "p")
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8}
    step(prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1)
    spec = {
        "encoder": "jepa",
        "steps": 10,
        "batch_size": 4,
        "model": {"patch_size": 4, "dim": 8, "depth": 1, "heads": 1},
        "augment": augment,
    }
    code, _, err = step(
        train,
        "--spec",
        json.dumps(spec),
        "--data",
        tmp_path / "out",
        "--out",
        tmp_path / "run",
        "--checkpoints",
        tmp_path / "runs",
    )
    assert code == 2 and says in err and err.count("\n") == 1, err


def test_given_names_are_printed_beside_those_of_the_files_and_later_files_must_have_them(
    step, tmp_path
):
    scientific_factory.microscope(tmp_path / "p")
    names = {"channel_names": ["DNA", "ER", "RNA", "AGP", "Mito"]}
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 20, **PATTERN, **names}
    code, said, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 0, err
    assert "channel_names: ch1 = DNA, ch2 = ER, ch3 = RNA, ch4 = AGP, ch5 = Mito" in said
    spec = {"encoder": "untrained", "model": {"patch_size": 4, "dim": 8, "depth": 1, "heads": 1}}
    code, _, err = step(
        train, "--spec", json.dumps(spec), "--data", tmp_path / "out", "--out", tmp_path / "run"
    )
    assert code == 0, err
    for i in range(3):
        for c in (0, 1, 2, 3, 4):
            tif(tmp_path / "new" / f"r01c02f{i:03}-ch{c}.tiff", numbers((20, 20)))
    code, _, err = step(
        embed, "--encoder", tmp_path / "run", "--images", tmp_path / "new", "--out", tmp_path / "new.npy"
    )
    assert (
        code == 2
        and "found channels ch0, ch1, ch2, ch3, ch4, the encoder was trained on ch1, ch2" in err
    ), err


@pytest.mark.parametrize("make", [a_tag_less, a_tag_more])
def test_no_data_of_the_settings_is_that_of_all_files(step, tmp_path, make):
    make(tmp_path / "p")
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8, "no_data": -9999}
    code, said, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 0 and "missing values: -9999 (no_data)" in said, err


@pytest.mark.parametrize(("no_data", "names", "says"), [
    (-1, "BGR", "found the no-data value -1"), (-9999, "RGB", "found channels R, G, B, the encoder was trained on B, G, R"),
])  # fmt: skip
def test_later_files_mean_what_those_of_the_data_set_meant(step, tmp_path, no_data, names, says):
    geotiffs(tmp_path / "p", lambda i: -9999, lambda i: tuple("BGR"))
    geotiffs(tmp_path / "new", lambda i: no_data, lambda i: tuple(names))
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8}
    code, _, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 0, err
    spec = {"encoder": "untrained", "model": {"patch_size": 4, "dim": 8, "depth": 1, "heads": 1}}
    step(train, "--spec", json.dumps(spec), "--data", tmp_path / "out", "--out", tmp_path / "run")
    for folder, expected in (("p", 0), ("new", 2)):
        arguments = ("--images", tmp_path / folder, "--out", tmp_path / f"{folder}.npy")
        code, _, err = step(embed, "--encoder", tmp_path / "run", *arguments)
        assert code == expected and (code == 0 or says in err), err


def test_a_constant_channel_and_a_no_data_value_that_is_none_are_told(step, tmp_path):
    for i in range(9):
        x = numbers((5, 8, 8))
        x[2] = 7
        tif(tmp_path / "p" / f"{i}.tif", x)
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8, "no_data": 65535}
    code, said, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 0, err
    assert "constant in train: channel 3" in said and "no_data: no value of train is 65535" in said


def test_what_is_left_out_is_counted(step, tmp_path):
    a_channel_less(tmp_path / "p")
    spec = {
        "source": "folder",
        "path": str(tmp_path / "p"),
        "image_size": 20,
        **PATTERN,
        "on_error": "skip",
        "max_skipped": 0.1,
    }
    code, said, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 0, err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (
        len(manifest["skipped"]) == 1
        and "left out: 1 unreadable images" in said
        and "lacks a channel" in said
    )


def test_a_geotiff_that_names_no_data_is_no_picture(step, tmp_path):
    for i in range(9):
        x = numbers((3, 8, 8), np.uint8, 250)
        (tmp_path / "p").mkdir(exist_ok=True)
        with rasterio.open(
            tmp_path / "p" / f"{i}.tif",
            "w",
            driver="GTiff",
            height=8,
            width=8,
            count=3,
            dtype="uint8",
            nodata=0,
        ) as file:
            file.write(x)
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8}
    code, said, err = step(
        prepare, "images", "--spec", json.dumps(spec), "--out", tmp_path / "out", "--workers", 1
    )
    assert code == 0, err
    assert "missing values: 0 (as the files say)" in said
