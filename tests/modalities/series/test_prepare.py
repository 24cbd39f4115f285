"""What prepare refuses, leaves out and says of series."""

import csv

import numpy as np
import pytest
from series_factory import stored

from jepa_steps.config.training import parse_dataset
from jepa_steps.data.splits import read_splits
from jepa_steps.errors import InputError
from jepa_steps.modalities.series.prepare import prepare, summary
from jepa_steps.modalities.series.store import open_store

RNG = np.random.default_rng(0)


def arrays(tmp_path, **content):
    np.savez(tmp_path / "x.npz", **content)
    return tmp_path / "x.npz"


def run(path, out, **settings):
    spec = {"source": "arrays", "path": str(path), **settings}
    return prepare(parse_dataset(spec, "test", "series"), out, 1)


def noise(n=40, steps=30, channels=2):
    return RNG.normal(size=(n, steps, channels)).astype(np.float32)


def overlapping() -> dict[str, np.ndarray]:
    """Windows cut from one recording, every second one given as test."""
    recording = RNG.normal(size=(700, 1)).astype(np.float32)
    windows = np.stack([recording[a : a + 60] for a in range(0, 600, 20)])
    labels = np.arange(30) // 2 % 3
    return {
        "x_train": windows[::2],
        "x_test": windows[1::2],
        "y_train": labels[::2],
        "y_test": labels[1::2],
    }


REFUSED = [
    ("one class", lambda: {"X": noise(), "y": np.zeros(40, int)}, {}, "found one class ('0')"),
    ("a rare class", lambda: {"X": noise(), "y": np.r_[np.zeros(38, int), 1, 1]}, {},
     "class '1' has 2 series, expected at least 3"),
    ("all missing", lambda: {"X": np.where(np.arange(40)[:, None, None] == 7, np.nan, noise())}, {},
     "all values are missing; mend it, or set on_error: skip"),
    ("many missing", lambda: {"X": np.where(RNG.random((40, 30, 2)) < 0.8, np.nan, noise())}, {},
     "of its values are missing, more than max_missing 0.5"),
    ("shorter than a window", lambda: {"X": noise()}, {"context_length": 28, "target_length": 4},
     "30 time steps, fewer than context_length + target_length = 32"),
    ("text for numbers", lambda: {"X": noise(), "y": np.array(["a", "b"] * 20)}, {"labels": "numbers"},
     "labels: found 'a', expected a finite number"),
    ("a leak", overlapping, {}, "share time steps with one of an earlier part"),
    ("one series", lambda: {"X": noise(1, 900)}, {}, "cut a long series in time with split.kind: time"),
    ("no group of some", lambda: {"X": noise(), "groups": np.array(["a", "b", "", "c"] * 10)}, {},
     "x.npz[X:2]: found no group (10 of 40 series have none), expected one for every series"),
    ("no groups of a part", lambda: {"x_train": noise(), "x_test": noise(), "groups_train": np.arange(40)}, {},
     "x.npz[x_test:0]: found no group (40 of 80 series have none)"),
    ("too many windows", lambda: {"X": noise(4, 2_000_000, 1)}, {"context_length": 2, "stride": 1},
     "expected at most 5,000,000; set a larger stride"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "settings", "told"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_one_line_and_nothing_left_behind(tmp_path, content, settings, told):
    path = arrays(tmp_path, **content())
    with pytest.raises(InputError) as error:
        run(path, tmp_path / "data", **settings)
    assert told in str(error.value) and "\n" not in str(error.value) and "x.npz" in str(error.value)
    assert not list((tmp_path / "data").glob("*"))


def test_leaks_are_left_out_or_told(tmp_path):
    path = arrays(tmp_path, **overlapping())
    kept = run(path, tmp_path / "kept", on_shared="keep")
    assert any("LEAK" in line for line in summary(kept, tmp_path)) and kept["shared"]["series"] > 0
    with pytest.raises(InputError, match=r"every series of .* shares time steps"):
        run(path, tmp_path / "dropped", on_shared="drop")


def test_skipped_series_are_listed_up_to_a_budget(tmp_path):
    x = noise()
    x[[3, 8]] = np.nan
    path = arrays(tmp_path, X=x)
    with pytest.raises(InputError, match=r"2 of 40 series cannot be used, more than max_skipped 0.01"):
        run(path, tmp_path / "few", on_error="skip")
    found = run(path, tmp_path / "data", on_error="skip", max_skipped=0.1)
    assert len(found["skipped"]) == 2 and found["series"]["count"] == 38


def test_statistics_are_of_training_alone_and_unknown_labels_are_counted(tmp_path):
    x, y = noise(60), np.array(["a", "b", ""] * 20)
    path = arrays(tmp_path, X=x, y=y)
    manifest = run(path, tmp_path / "data")
    assert any("20 of 60 series have none" in note for note in manifest["notes"])
    store = open_store(tmp_path / "data")
    train = store.samples(store.rows("train")).reshape(-1, 2)
    assert manifest["channels"]["mean"] == pytest.approx(train.mean(0), abs=1e-6)
    assert manifest["channels"]["std"] == pytest.approx(train.std(0), rel=1e-5)
    other = x.copy()
    other[store.split == 2] *= 50  # of test: no byte that training reads may move
    again = run(arrays(tmp_path, X=other, y=y), tmp_path / "again")
    assert again["channels"] == manifest["channels"]


@pytest.mark.parametrize(("source", "kind"), [("ucr", "classes"), ("arrays", "numbers")])
def test_many_numbered_classes_are_classes_where_the_format_is_for_classes(tmp_path, source, kind):
    x, y = noise(90, 12, 1), np.arange(90) % 30
    path = arrays(tmp_path, X=x, y=y)
    if source == "ucr":
        path = tmp_path / "x.tsv"
        np.savetxt(path, np.column_stack([y, x[..., 0]]), fmt="%.6g", delimiter="\t")
    manifest = run(path, tmp_path / "data", source=source)
    assert len(manifest["classes"]) == (30 if kind == "classes" else 0)
    assert ("label" in manifest["columns"]["targets"]) == (kind == "numbers")
    assert any("taken as numbers" in note for note in manifest["notes"]) == (kind == "numbers")


def test_windows_of_groups_are_resampled_by_group_and_offsets_are_nuisance(tmp_path):
    x = noise(20, 100, 1) + np.arange(20)[:, None, None]
    path = arrays(tmp_path, X=x, groups=np.array([f"g{i % 10}" for i in range(20)]))
    run(path, tmp_path / "data", context_length=20, target_length=5, stride=10)
    table, store = read_splits(tmp_path / "data" / "splits.csv"), open_store(tmp_path / "data")
    assert len(store) == 20 * 8 and table.unit == "group" and len(table.group_names) == 10
    offset = table.targets["offset"]
    assert (
        offset.nuisance
        and np.corrcoef(offset.values, store.samples(np.arange(160)).mean((1, 2)))[0, 1] > 0.999
    )


def test_times_of_a_table_are_told(tmp_path):
    rows = "".join(f"2026-03-0{1 + i // 24} {i % 24:02}:00,{i * 7 % 5}\n" for i in range(200))
    (tmp_path / "x.csv").write_text(f"date,load\n{rows}")
    split = {"kind": "time", "val": 0.3, "test": 0.3}
    found = run(tmp_path / "x.csv", tmp_path / "data", source="table", context_length=4, split=split)
    told = [line for line in summary(found, tmp_path) if line.startswith("time: ")]
    assert len(told) == 1 and "from 2026-03-01 00:00" in told[0] and "every 1h" in told[0], told


def test_a_long_series_is_cut_in_stretches_of_time(tmp_path):
    split = {"kind": "time", "val": 0.2, "test": 0.2}
    store = stored(noise(1, 900), tmp_path, context_length=20, target_length=5, stride=5, split=split)
    table = read_splits(tmp_path / "data" / "splits.csv")
    assert table.unit == "stretch of time" and len(table.group_names) > 20
    assert (np.diff(store.split) >= 0).all() and store.manifest["shared_time_steps"] == 0


def test_each_target_has_a_column_of_its_own(tmp_path):
    n = 12
    first, second = np.arange(n) + 0.5, np.arange(n) * -2.0
    np.savez(tmp_path / "x.npz", X=np.random.default_rng(0).normal(size=(n, 8)), a=first, b=second)
    spec = {"source": "arrays", "path": str(tmp_path / "x.npz"), "targets": ["a", "b"]}
    prepare(parse_dataset(spec, "test", "series"), tmp_path / "data", 1)
    with (tmp_path / "data" / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["target:a"]) for row in rows] == first.tolist()
    assert [float(row["target:b"]) for row in rows] == second.tolist()


@pytest.mark.parametrize("groups", [["a", "b", "", "c"], [""] * 4])
def test_a_row_without_a_group_is_refused(tmp_path, groups):
    rows = [f"{s},{groups[s]},{RNG.normal()}" for s in range(4) for _ in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["series,machine,value", *rows]))
    spec = {"source": "table", "context_length": 10}
    row = 20 * groups.index("") + 1
    with pytest.raises(
        InputError, match=rf"column 'machine': row {row}: found no group.*keys.group: none"
    ):
        run(tmp_path / "t.csv", tmp_path / "out", **spec)
    assert run(tmp_path / "t.csv", tmp_path / "out", keys={"group": "none"}, **spec)["groups"] is None


def test_a_code_for_missing_values_is_pointed_out_by_channel(tmp_path, monkeypatch):
    x = noise()
    x[::8, 4, 1] = -9999
    content = {"x": x, "y": np.arange(40) % 4}
    manifest = run(arrays(tmp_path, **content), tmp_path / "out")
    (note,) = (note for note in manifest["notes"] if note.startswith("CHECK"))
    assert note.startswith("CHECK channel 2: 5 values are -9999, far from all others"), note
    x[:, 6, 1] = -9999  # step 6 of every second series is one of those that are looked at
    monkeypatch.setattr("jepa_steps.modalities.series.prepare._LOOKED_AT", 200)
    notes = run(arrays(tmp_path, x=x, y=content["y"]), tmp_path / "few")["notes"]
    (note,) = (note for note in notes if note.startswith("CHECK"))
    assert note.startswith("CHECK channel 2 (of 100 looked at): 20 values are -9999"), note
