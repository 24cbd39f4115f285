import gzip
import importlib.util
import struct

import numpy as np
import pytest
from PIL import Image

from jepa_steps import prepare
from jepa_steps.data.splits import SPLITS
from jepa_steps.modalities.images.store import open_store

RNG = np.random.default_rng(0)


def noise(n, size=6, channels=3):
    return RNG.integers(0, 255, (n, size, size, channels), np.uint8)


def save_all(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(folder / f"{i:03}.png")


def prepared(step, tmp_path, **spec):
    out = tmp_path / "out"
    code, _, err = step(
        prepare, "images", "--spec", {"image_size": 6, **spec}, "--out", out, "--workers", 1
    )
    assert code == 0, err
    return open_store(out)


def test_class_folders_in_name_order(step, tmp_path):
    cats, dogs = noise(20), noise(20)
    save_all(tmp_path / "p" / "cat", cats)
    save_all(tmp_path / "p" / "dog" / "nested", dogs)
    store = prepared(step, tmp_path, source="folder", path=str(tmp_path / "p"))
    assert store.manifest["classes"] == ["cat", "dog"]
    assert np.array_equal(store.images, np.concatenate([cats, dogs]))
    assert store.labels.tolist() == [0] * 20 + [1] * 20
    assert {name: len(store.rows(name)) for name in SPLITS} == {"train": 28, "val": 6, "test": 6}


def test_folder_without_labels(step, tmp_path):
    save_all(tmp_path / "p", noise(20))
    (tmp_path / "p" / ".DS_Store").write_text("x")
    store = prepared(step, tmp_path, source="folder", path=str(tmp_path / "p"))
    assert (store.labels == -1).all() and store.manifest["classes"] == []


def test_given_split_folders_win(step, tmp_path):
    for split, n in (("train", 10), ("val", 5), ("test", 7)):
        for name in ("a", "b"):
            save_all(tmp_path / "p" / split / name, noise(n))
    store = prepared(step, tmp_path, source="folder", path=str(tmp_path / "p"))
    assert {name: len(store.rows(name)) for name in SPLITS} == {"train": 20, "val": 10, "test": 14}


def test_copies_across_given_splits_are_counted(step, tmp_path):
    images = noise(12)
    for name in ("a", "b"):
        save_all(tmp_path / "p" / "train" / name, noise(10))
        save_all(tmp_path / "p" / "test" / name, noise(5))
    save_all(tmp_path / "p" / "train" / "c", images)
    save_all(tmp_path / "p" / "test" / "c", images[:3])
    spec = {"source": "folder", "path": str(tmp_path / "p")}
    call = ("--spec", {"image_size": 6, **spec}, "--out", tmp_path / "none", "--workers", 1)
    code, _, err = step(prepare, "images", *call)
    assert code == 2 and err.count("\n") == 1 and not (tmp_path / "none").exists()
    assert (
        "3 images of val and test (3 of test) equal one of an earlier part, e.g. test/c/000.png" in err
    )
    store = prepared(step, tmp_path, on_copies="keep", **spec)
    assert store.manifest["duplicates"]["across_splits"] == 3
    assert store.manifest["duplicates"]["copies"] == 3
    less = prepared(step, tmp_path, on_copies="drop", **spec)
    assert (
        len(less.images) == len(store.images) - 3 and less.manifest["duplicates"]["across_splits"] == 0
    )
    copies = [
        row for row in store.rows("test") if (store.images[row] == images[:3]).all((1, 2, 3)).any()
    ]
    assert np.array_equal(less.images, np.delete(store.images, copies, 0))


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("{}_images", "{}_labels")])
def test_npz_with_given_parts(step, tmp_path, names):
    arrays = {}
    for split, n in (("train", 30), ("test", 9)):
        arrays[names[0].format(split)] = noise(n, channels=1)[..., 0]
        arrays[names[1].format(split)] = np.arange(n)[:, None] % 3 + 5
    np.savez(tmp_path / "a.npz", **arrays)
    store = prepared(step, tmp_path, source="npz", path=str(tmp_path / "a.npz"), channels=1)
    assert store.manifest["classes"] == ["5", "6", "7"]
    assert len(store.rows("test")) == 9 and len(store.rows("val")) > 0
    assert np.array_equal(store.images[:30, ..., 0], arrays[names[0].format("train")])


def write_idx(path, array):
    data = (
        b"\0\0\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}i", *array.shape)
        + array.tobytes()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    (gzip.open if path.suffix == ".gz" else open)(path, "wb").write(data)


def mnist(folder, suffix=""):
    parts = {}
    for prefix, n in (("train", 40), ("t10k", 10)):
        parts[prefix] = noise(n, channels=1)[..., 0]
        write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", parts[prefix])
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", np.arange(n, dtype=np.uint8) % 10)
    return parts


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(step, tmp_path, suffix):
    parts = mnist(tmp_path / "idx", suffix)
    store = prepared(step, tmp_path, source="idx", path=str(tmp_path / "idx"), channels=1)
    assert np.array_equal(store.images[..., 0], np.concatenate([parts["train"], parts["t10k"]]))
    assert store.rows("test").tolist() == list(range(40, 50))


def test_torchvision_by_name_equals_reading_the_files(step, tmp_path):
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    parts = mnist(tmp_path / "tv" / "MNIST" / "raw")
    store = prepared(
        step,
        tmp_path,
        source="torchvision",
        torchvision_class="MNIST",
        path=str(tmp_path / "tv"),
        channels=1,
    )
    assert np.array_equal(store.images[..., 0], np.concatenate([parts["train"], parts["t10k"]]))
    assert len(store.rows("test")) == 10


def test_skip_leaves_out_and_lists_unreadable_files(step, tmp_path):
    save_all(tmp_path / "p" / "a", noise(20))
    save_all(tmp_path / "p" / "b", noise(20))
    (tmp_path / "p" / "a" / "bad.png").write_bytes(b"junk")
    store = prepared(
        step, tmp_path, source="folder", path=str(tmp_path / "p"), on_error="skip", max_skipped=0.05
    )
    assert len(store.images) == 40
    assert len(store.manifest["skipped"]) == 1 and "bad.png" in store.manifest["skipped"][0]


def test_many_workers_write_the_same_bytes(step, tmp_path):
    for name in ("a", "b"):
        save_all(tmp_path / "p" / name, noise(150))
    hashes = []
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 6}
        code, _, err = step(prepare, "images", "--spec", spec, "--out", out, "--workers", workers)
        assert code == 0, err
        hashes.append((out / "manifest.json").read_bytes())
    assert hashes[0] == hashes[1]


def test_statistics_come_from_train_only(step, tmp_path):
    for split, value in (("train", 10), ("val", 200), ("test", 250)):
        for k, name in enumerate(("a", "b")):
            save_all(
                tmp_path / "p" / split / name,
                np.stack([np.full((6, 6, 3), value + k + 2 * i) for i in range(3)]).astype(np.uint8),
            )
    store = prepared(step, tmp_path, source="folder", path=str(tmp_path / "p"))
    assert store.manifest["pixels"]["mean"] == pytest.approx([12.5 / 255] * 3)
