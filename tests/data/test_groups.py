import csv
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from jepa_steps import prepare
from jepa_steps.data import groups
from jepa_steps.data.splits import SPLITS, across_splits, assign, read_splits
from jepa_steps.errors import InputError
from jepa_steps.modalities.images.store import open_store


def test_what_is_together_is_connected_through_copies():
    copies, named = np.array([0, 1, 1, 2, 3, 4]), np.array([0, 0, 1, 1, 2, 2])
    assert len(np.unique(groups.together(copies, named))) == 2
    assert len(np.unique(groups.together(np.arange(6), named))) == 3
    assert len(np.unique(groups.together(copies, np.arange(6)))) == 5


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, 3), st.integers(0, 14), st.integers(0, 60)), min_size=4, max_size=120
    ),
    st.floats(0.01, 0.45),
    st.floats(0.01, 0.45),
    st.integers(0, 5),
    st.booleans(),
)
def test_no_group_and_no_copy_ever_crosses(rows, val, test, seed, with_given_test):
    labels, named, copies = (np.unique(column, return_inverse=True)[1] for column in np.array(rows).T)
    labels = labels - 1
    parts = groups.together(copies, named)
    given_codes = np.full(len(rows), -1)
    if with_given_test:  # the parts of some groups are given as test, the rest as train
        given_codes = np.where(parts % 3 == 0, 2, 0)
        assume((given_codes == 0).any())
    split = assign(given_codes, labels, parts, val, test, seed)
    assert across_splits(named, split) == [] and across_splits(copies, split) == []
    assert set(split) <= {0, 1, 2}
    assert np.array_equal(split, assign(given_codes, labels, parts, val, test, seed))
    if len(np.unique(parts)) >= 3 and not with_given_test:
        assert set(split) == {0, 1, 2}
    if with_given_test:
        assert np.array_equal(split == 2, given_codes == 2)


def test_donors_of_all_classes_are_shared_out_by_number():
    labels, donors = np.tile(np.arange(10), 200), np.repeat(np.arange(20), 100)
    split = assign(np.full(2000, -1), labels, donors, 0.2, 0.3, 0)
    assert [len(np.unique(donors[split == code])) for code in range(3)] == [10, 4, 6]


def test_scenes_of_one_class_stay_stratified():
    labels = np.repeat([0, 1], 100)
    scenes = np.arange(200) // 5  # 20 of each class
    split = assign(np.full(200, -1), labels, scenes, 0.2, 0.2, 0)
    for label in (0, 1):
        assert [(split[labels == label] == code).sum() for code in range(3)] == [60, 20, 20]


def test_given_splits_that_share_a_group_are_refused_by_name():
    names, given_codes = np.array(["a", "b", "a", "c", "b", "d"]), np.array([0, 0, 2, 0, 1, 2])
    with pytest.raises(InputError, match=r"2 of 4 groups .*group 'a' in train and test"):
        groups.refuse_shared("photos", names, given_codes)
    groups.refuse_shared("photos", names, np.full(6, -1))
    groups.refuse_shared("photos", names, np.array([0, 2, 0, 1, 2, 2]))


def photos(folder, donors, parts=("",)):
    """Images of two classes by the donors of each part; donor 3's picture 0 is a copy of donor 4's."""
    rng = np.random.default_rng(0)
    copied = rng.integers(0, 255, (6, 6, 3), np.uint8)
    for part, names in zip(parts, donors, strict=True):
        for donor in names:
            for k in range(6):
                path = folder / part / "ab"[k % 2] / f"{donor}-{k}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                copy = k == 0 and donor in ("donor3", "donor4")
                pixels = copied if copy else rng.integers(0, 255, (6, 6, 3), np.uint8)
                Image.fromarray(pixels).save(path)
    return folder


SPEC = {"source": "folder", "image_size": 6, "groups": r"(donor\d+)-"}


def test_groups_of_a_folder_are_found_in_file_names(step, tmp_path):
    folder = photos(tmp_path / "p", [[f"donor{i}" for i in range(10)]])
    out = tmp_path / "out"
    code, _, err = step(
        prepare, "images", "--spec", {**SPEC, "path": str(folder)}, "--out", out, "--workers", 1
    )
    assert code == 0, err
    table, audit = read_splits(out / "splits.csv"), open_store(out).manifest["groups"]
    assert table.named_groups and table.group_names == tuple(f"donor{i}" for i in range(10))
    assert across_splits(table.groups, table.split) == []
    assert len(np.unique(table.split[np.isin(table.groups, [3, 4])])) == 1  # tied by the copy
    number = [len(np.unique(table.groups[table.split == code])) for code in range(3)]
    assert audit == {
        "number": 10,
        "per_split": dict(zip(SPLITS, number, strict=True)),
        "across_splits": 0,
    }
    assert sum(number) == 10 and min(number) >= 1
    with (out / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["group"] == row["source"].split("/")[1].split("-")[0] for row in rows)


def test_given_folders_that_share_a_donor_stop_prepare(step, tmp_path):
    donors = [["donor1", "donor2", "donor5"], ["donor5", "donor6"]]
    folder = photos(tmp_path / "p", donors, ("train", "test"))
    call = ("--spec", {**SPEC, "path": str(folder)}, "--out", tmp_path / "out", "--workers", 1)
    code, _, err = step(prepare, "images", *call)
    assert code == 2 and err.count("\n") == 1
    assert "1 of 4 groups" in err and "'donor5' in train and test" in err
    assert not (tmp_path / "out").exists()


def test_a_file_without_a_group_is_named(step, tmp_path):
    folder = photos(tmp_path / "p", [["donor1", "donor2", "control", "donor3"]])
    call = ("--spec", {**SPEC, "path": str(folder)}, "--out", tmp_path / "out", "--workers", 1)
    code, _, err = step(prepare, "images", *call)
    assert code == 2 and err.count("\n") == 1
    assert "control-0.png" in err and "finds no group" in err


def npz(path, **arrays):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 6, 6), np.uint8)
    np.savez(path, images=images, labels=np.arange(40) % 2, **arrays)
    return {"source": "npz", "path": str(path), "image_size": 6, "channels": 1}


@pytest.mark.parametrize("kind", [int, str, bytes])
def test_groups_of_an_npz(step, tmp_path, kind):
    names = np.repeat(np.arange(8), 5).astype({int: int, str: "U2", bytes: "S2"}[kind])
    spec = npz(tmp_path / "a.npz", groups=names)
    out = tmp_path / "out"
    assert step(prepare, "images", "--spec", spec, "--out", out, "--workers", 1)[0] == 0
    table = read_splits(out / "splits.csv")
    assert table.group_names == tuple("01234567")
    assert np.array_equal(table.groups, np.repeat(np.arange(8), 5))
    assert across_splits(table.groups, table.split) == []


@pytest.mark.parametrize(
    ("names", "says"),
    [(np.arange(7), "groups: found 7 of type int64, expected 40"), (np.ones(40), "type float64")],
)
def test_bad_groups_of_an_npz(step, tmp_path, names, says):
    spec = npz(tmp_path / "a.npz", groups=names)
    code, _, err = step(prepare, "images", "--spec", spec, "--out", tmp_path / "out", "--workers", 1)
    assert code == 2 and err.count("\n") == 1 and says in err


def test_given_parts_of_an_npz_share_groups(step, tmp_path):
    rng, arrays = np.random.default_rng(0), {}
    for part, n in (("train", 24), ("test", 12)):
        arrays |= {f"x_{part}": rng.integers(0, 255, (n, 6, 6), np.uint8), f"y_{part}": np.arange(n) % 2}
    spec = {"source": "npz", "path": str(tmp_path / "a.npz"), "image_size": 6, "channels": 1}
    for names, code in ((np.arange(36) // 4, 0), (np.arange(36) // 5, 2)):
        np.savez(tmp_path / "a.npz", **arrays, groups=names)
        call = ("--spec", spec, "--out", tmp_path / f"out{code}", "--workers", 1)
        assert step(prepare, "images", *call)[0] == code


def test_without_groups_every_sample_is_its_own(digits):
    table = read_splits(digits / "splits.csv")
    assert not table.named_groups and np.array_equal(table.groups, np.arange(1797))
    assert json.loads((digits / "manifest.json").read_text())["groups"] is None
    assert (digits / "splits.csv").read_text().startswith("index,split,label,source\n")


def test_too_few_groups_are_counted(step, tmp_path):
    spec = npz(tmp_path / "a.npz", groups=np.repeat([0, 1], 20))
    code, _, err = step(prepare, "images", "--spec", spec, "--out", tmp_path / "out", "--workers", 1)
    assert code == 2 and "40 images in 2 parts that stay together" in err
