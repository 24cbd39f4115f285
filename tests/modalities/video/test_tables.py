"""A table beside folders of videos, here of frames."""

import numpy as np
import pytest
from modalities.video.clips import noise, prepared, settings
from PIL import Image
from vector_factory import written

from jepa_steps.data.splits import SPLITS, read_splits
from jepa_steps.errors import InputError
from jepa_steps.modalities.video.prepare import prepare
from jepa_steps.modalities.video.settings import sources

N = 24
NAMES = [f"{i % 3}/clip{i:02}" for i in range(N)]
COLUMNS = {
    "video": NAMES,
    "speed": np.linspace(0, 1, N).round(3).tolist(),
    "gait": ["walk", "run"] * (N // 2),
    "camera": ["c1", "c1", "c2", "c3"] * (N // 4),
    "animal": [f"a{i // 2}" for i in range(N)],
    "part": ["train"] * 12 + ["val"] * 6 + ["test"] * 6,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames")
    for i, name in enumerate(NAMES):
        (path / name).mkdir(parents=True)
        for t, frame in enumerate(noise(i, 4)):
            Image.fromarray(frame).save(path / name / f"{t}.png")
    return path


def test_columns_become_labels_targets_groups_and_parts(folder, tmp_path):
    asked = {"targets": "speed", "nuisances": "camera", "label": "gait"}
    table = str(written(tmp_path / "t.csv", COLUMNS))
    store = prepared("frames", folder, tmp_path / "out", table=table, group="animal", **asked)
    found, order = read_splits(tmp_path / "out" / "splits.csv"), np.argsort(NAMES)
    assert [store.manifest["classes"][code] for code in store.labels] == np.array(COLUMNS["gait"])[
        order
    ].tolist()
    assert found.targets["speed"].values.tolist() == np.array(COLUMNS["speed"])[order].tolist()
    assert found.targets["camera"].nuisance and found.unit == "animal"
    animals = np.array(found.group_names)[found.groups]
    assert animals.tolist() == np.array(COLUMNS["animal"])[order].tolist()
    for part in range(3):
        assert not set(animals[found.split == part]) & set(animals[found.split != part])
    assert "rows matched by path: column 'video' of the table, 24 samples" in store.manifest["notes"]
    assert sources(settings("frames", folder, table=table)) == {"path": str(folder), "table": table}


def test_given_parts_are_kept_and_videos_without_a_row_left_out(folder, tmp_path):
    less = {name: column[1:] for name, column in COLUMNS.items()}
    table = {"table": str(written(tmp_path / "t.csv", less)), "on_unmatched": "drop"}
    store = prepared("frames", folder, tmp_path / "out", split_column="part", **table)
    parts = dict(zip(NAMES, COLUMNS["part"], strict=True))
    kept = sorted(NAMES[1:])
    assert [SPLITS[code] for code in store.split] == [parts[name] for name in kept]
    assert store.manifest["left_out"] == [NAMES[0]] and store.manifest["classes"] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("columns", "changes", "says"),
    [
        ({"video": ["x", *NAMES[1:]]}, {}, "found no row for 1 of 24 videos, the first '0/clip00'"),
        ({"speed": ["fast", *COLUMNS["speed"][1:]]}, {"targets": {"speed": "numbers"}}, "row 1: found 'fast'"),
        ({"animal": ["", *COLUMNS["animal"][1:]]}, {"group": "animal"}, "row 1: found no value (1 of 24 videos have none)"),
        ({"animal": ["a"] * N}, {"group": "animal", "split_column": "part"}, "1 of 1 groups are in more than one given part"),
    ],
)  # fmt: skip
def test_malformed_tables_are_one_line(folder, tmp_path, columns, changes, says):
    table = written(tmp_path / "t.csv", {**COLUMNS, **columns})
    with pytest.raises(InputError) as error:
        prepare(settings("frames", folder, table=str(table), **changes), tmp_path / "out", 1)
    line = str(error.value)
    assert line.startswith(str(table)) and says in line and "\n" not in line
    assert not any((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("source", ["table", "arrays"])
def test_sources_with_columns_of_their_own_take_no_table(source):
    with pytest.raises(ValueError, match=f"with source {source}, which brings its own columns"):
        settings(source, "x", table="t.csv")
