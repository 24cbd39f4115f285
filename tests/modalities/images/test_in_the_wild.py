"""Folders and arrays as people have them: the right result, or one line that names the file."""

import io
import json
import os
import socket
import struct

import numpy as np
import pytest
from PIL import Image

from jepa_steps import embed, prepare, train

RNG = np.random.default_rng(0)
NUMBERS = iter(range(10**6))


def picture(size=8):
    """RGB of full range, no two alike."""
    image = np.random.default_rng(next(NUMBERS)).integers(0, 256, (size, size, 3)).astype(np.uint8)
    image[0, 0], image[0, 1] = 0, 255
    return Image.fromarray(image)


def fill(folder, classes=("cat", "dog"), n=6, name="{}.png"):
    for each in classes:
        (folder / each).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            picture().save(folder / each / name.format(i))
    return folder


def call(step, path, out, **spec):
    spec = {"source": "folder", "path": str(path), "image_size": 8, **spec}
    return step(prepare, "images", "--spec", spec, "--out", out, "--workers", 1)


def good(step, path, out, **spec):
    code, said, err = call(step, path, out, **spec)
    assert code == 0, err
    return json.loads((out / "manifest.json").read_text()), said


def refused(step, path, out, *says, **spec):
    code, _, err = call(step, path, out, **spec)
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1, err
    for text in says:
        assert text in err, err
    assert not out.exists() or not list(out.iterdir())


def test_a_cameras_own_names_are_images(step, tmp_path):
    fill(tmp_path / "p", n=6)
    fill(tmp_path / "p", n=6, name="_DSC{:04d}.JPG")
    fill(tmp_path / "p", classes=("_unknown_",), n=4)
    manifest, _ = good(step, tmp_path / "p", tmp_path / "out")
    assert manifest["images"]["count"] == 28 and manifest["classes"] == ["_unknown_", "cat", "dog"]


def test_what_is_no_data_is_known_by_name_and_counted(step, tmp_path):
    fill(tmp_path / "p")
    (tmp_path / "p" / "__MACOSX").mkdir()
    for name in (".DS_Store", "cat/._0.png", "dog/Thumbs.db", "README.md"):
        (tmp_path / "p" / name).write_bytes(b"x")
    manifest, said = good(step, tmp_path / "p", tmp_path / "out")
    assert manifest["images"]["count"] == 12
    assert "left out: 3 files (README.md, __MACOSX, Thumbs.db), known to be no data" in said


def test_camera_raw_files_are_left_out_and_counted(step, tmp_path):
    fill(tmp_path / "p", name="DSC_{}.JPG")
    for each in ("cat", "dog"):
        for i in range(6):
            picture().save(tmp_path / "p" / each / f"DSC_{i}.NEF", "TIFF")
    manifest, said = good(step, tmp_path / "p", tmp_path / "out")
    assert manifest["images"]["count"] == 12 and "left out: 12 files (DSC_0.NEF" in said
    for each in ("cat", "dog"):
        for file in (tmp_path / "p" / each).glob("*.JPG"):
            file.unlink()
    refused(step, tmp_path / "p", tmp_path / "none", "no images in this folder")


@pytest.mark.parametrize("link", ["cat/x.png", "owl"])
def test_a_link_to_nothing_is_named(step, tmp_path, link):
    fill(tmp_path / "p")
    (tmp_path / "p" / link).symlink_to("/mnt/gone")
    refused(step, tmp_path / "p", tmp_path / "out", f"{tmp_path / 'p' / link}: a link to /mnt/gone")


def test_a_link_to_a_folder_above_is_named_and_linked_classes_are_read(step, tmp_path):
    fill(tmp_path / "store")
    (tmp_path / "p").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "p" / name).symlink_to(tmp_path / "store" / name)
    assert good(step, tmp_path / "p", tmp_path / "out")[0]["images"]["count"] == 12
    (tmp_path / "store" / "cat" / "self").symlink_to("..", target_is_directory=True)
    refused(step, tmp_path / "store", tmp_path / "none", "cat/self: a link to")


def test_a_name_that_is_not_utf8_stops_before_anything_is_decoded(step, tmp_path):
    fill(tmp_path / "p")
    picture().save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(os.fsdecode(os.fsencode(tmp_path / "p" / "cat") + b"/caf\xe9.png"))
    refused(
        step,
        tmp_path / "p",
        tmp_path / "out",
        "cat: found a file name that is not UTF-8",
        "caf\\xe9.png",
    )


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("Training", "Testing"), {"train": 0, "test": 12}),
        (("train", "dev", "test"), {"val": 12, "test": 12}),
        (("TRAIN", "Valid"), {"val": 12}),
    ],
)
def test_the_usual_names_of_parts_in_any_case(step, tmp_path, names, parts):
    for name in names:
        fill(tmp_path / "p" / name)
    (tmp_path / "p" / "boxes.csv").write_text("file,box\n")
    manifest, said = good(step, tmp_path / "p", tmp_path / "out")
    assert manifest["classes"] == ["cat", "dog"] and f"parts given: {sorted(names)[0]} = " in said
    assert "left out: 1 file (boxes.csv), beside the parts" in said
    for part, n in parts.items():
        assert n == 0 or manifest["counts"][part]["samples"] == n


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("train", "test", "extra"), "names of parts, beside extra"),
        (("train", "val", "validation"), "found val and validation, which both mean val"),
        (("test", "val"), "without a train folder"),
    ],
)
def test_a_layout_that_can_be_read_in_two_ways_stops(step, tmp_path, names, says):
    for name in names:
        fill(tmp_path / "p" / name)
    refused(step, tmp_path / "p", tmp_path / "out", says)


def test_a_folder_in_a_folder_is_read_and_said(step, tmp_path):
    fill(tmp_path / "p" / "mydata" / "train", n=8)
    fill(tmp_path / "p" / "mydata" / "test")
    manifest, said = good(step, tmp_path / "p", tmp_path / "out")
    assert manifest["classes"] == ["cat", "dog"] and f"read below {tmp_path / 'p' / 'mydata'}" in said


def test_classes_that_a_part_lacks_are_told(step, tmp_path):
    fill(tmp_path / "p" / "train", ("cat", "dog"), 8)
    fill(tmp_path / "p" / "test", ("cat", "owl"))
    manifest, said = good(step, tmp_path / "p", tmp_path / "out")
    assert "train lacks 1 of 3 classes: owl" in said and "test lacks 1 of 3 classes: dog" in said
    assert "train lacks 1 of 3 classes: owl" in manifest["notes"]


def test_classes_equal_but_for_case_stop(step, tmp_path):
    fill(tmp_path / "p" / "train", ("cat", "dog"))
    fill(tmp_path / "p" / "test", ("Cat", "dog"))
    refused(step, tmp_path / "p", tmp_path / "out", "'Cat' and 'cat', equal but for case")


def test_a_class_of_unreadable_files_only_stops(step, tmp_path):
    fill(tmp_path / "p")
    fill(tmp_path / "p", ("owl",))
    for file in (tmp_path / "p" / "owl").iterdir():
        file.write_bytes(b"\xff\xd8 broken")
    skip = {"on_error": "skip", "max_skipped": 0.5}
    refused(
        step, tmp_path / "p", tmp_path / "out", "class 'owl': all of its images were left out", **skip
    )


def grey(kind, top):
    """Images with values up to ``top`` in files of a type."""
    values = np.random.default_rng(next(NUMBERS)).integers(0, top + 1, (8, 8))
    values[0, 0] = top
    return Image.fromarray(values.astype(kind))


@pytest.mark.parametrize(("kind", "top"), [(np.uint16, 4095), (np.int32, 255), (np.uint8, 1)])
def test_values_far_below_full_scale_stop_and_max_value_mends_it(step, tmp_path, kind, top):
    for name in ("a", "b"):
        (tmp_path / "p" / name).mkdir(parents=True)
        for i in range(6):
            grey(kind, top).save(tmp_path / "p" / name / f"{i}.tif")
    eight = {"channels": 1, "dtype": "uint8"}
    refused(step, tmp_path / "p", tmp_path / "out", f"reach {top} of", f"such as {top}", **eight)
    good(step, tmp_path / "p", tmp_path / "out", channels=1, max_value=top)
    images = np.load(tmp_path / "out" / "images.npy")
    assert images.max() == 255 and len(np.unique(images)) > (2 if top == 1 else 100) - 1
    if top > 1:
        half = {"channels": 1, "max_value": top // 2}
        refused(step, tmp_path / "p", tmp_path / "no", "expected 0 to", **half)


def exif(entries):
    """An EXIF block of one directory; payloads after it."""
    body, extra, offset = b"", b"", 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        if len(value) > 4:
            value, extra = struct.pack("<I", offset + len(extra)), extra + value
        body += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + b"\0\0\0\0" + extra


def test_a_damaged_file_is_one_line_or_left_out_whatever_its_decoder_raises(step, tmp_path):
    orientation = (0x112, 3, 1, struct.pack("<H", 6))
    zero = exif([orientation, (0x11A, 10, 1, struct.pack("<ii", -1, 0))])  # a rational -1/0
    fill(tmp_path / "p")
    picture().save(tmp_path / "p" / "cat" / "zero.jpg", exif=zero)
    refused(step, tmp_path / "p", tmp_path / "out", "cat/zero.jpg: cannot be decoded", "on_error: skip")
    skip = {"on_error": "skip", "max_skipped": 0.5}
    manifest, said = good(step, tmp_path / "p", tmp_path / "out", **skip)
    assert len(manifest["skipped"]) == 1 and "left out: 1 unreadable images, e.g. " in said


def npz(path, **arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def test_damaged_archives_are_one_line(step, tmp_path):
    x = np.stack([np.asarray(picture()) for _ in range(30)])
    data = npz(tmp_path / "a.npz", images=x, labels=np.arange(30) % 3)
    rng = np.random.default_rng(0)
    for number in range(60):
        damaged = bytearray(data[: rng.integers(1, len(data))] if number % 2 else data)
        for place in rng.integers(0, len(damaged), 3 * (number % 2 == 0)):
            damaged[place] ^= 0xFF
        (tmp_path / "b.npz").write_bytes(damaged)
        code, _, err = call(step, tmp_path / "b.npz", tmp_path / "out", source="npz")
        assert code in (0, 2) and err.count("\n") == (code == 2), err
        assert code == 0 or "b.npz" in err


def test_labels_of_arrays(step, tmp_path):
    x, y = np.stack([np.asarray(picture()) for _ in range(30)]), np.arange(30) % 3
    npz(tmp_path / "a.npz", images=x, labels=y - 1)
    _, said = good(step, tmp_path / "a.npz", tmp_path / "out", source="npz")
    assert "10 of 30 samples have label -1 and count as unlabelled" in said
    npz(tmp_path / "b.npz", images=x, labels=np.array([b"caf\xe9", b"tea", b"milk"])[y])
    refused(step, tmp_path / "b.npz", tmp_path / "none", "a label that is not UTF-8", source="npz")


def test_new_images_need_no_layout(step, tmp_path, digits):
    raw = tmp_path / "raw"
    assert step(train, "--spec", {"encoder": "raw"}, "--data", digits, "--out", raw)[0] == 0
    fill(tmp_path / "p", ("one", "two", "three"), n=1)
    call = ("--encoder", raw, "--images", tmp_path / "p")
    code, _, err = step(embed, *call, "--out", tmp_path / "new.npy")
    assert code == 0, err
    assert np.load(tmp_path / "new.npy").shape == (3, 64)
    code, _, err = step(embed, *call, "--out", tmp_path / "not" / "there" / "new.npy")
    assert code == 2 and err.count("\n") == 1 and "not/there" in err


def test_what_a_killed_prepare_left_goes_with_the_next(step, tmp_path):
    fill(tmp_path / "p")
    dead = tmp_path / f".out.{socket.gethostname()}.4194305.partial"  # above any process number
    other = tmp_path / ".out.elsewhere.4194305.partial"
    for folder in (dead, other):
        folder.mkdir()
    good(step, tmp_path / "p", tmp_path / "out")
    assert not dead.exists() and other.exists()
