"""Sources of time series: what was written is what is read, in every format."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support import ROOT

from jepa_steps.errors import InputError
from jepa_steps.modalities.series.dataset import SeriesDataset
from jepa_steps.modalities.series.sources import packaged
from jepa_steps.modalities.series.sources.read import open_source
from jepa_steps.modalities.series.sources.source import Series, SeriesSource
from jepa_steps.modalities.series.sources.text import label_text
from jepa_steps.modalities.series.sources.times import commonest

UCR = ROOT.parent / "shared" / "data" / "ucr_devel.zip"
CARD = ROOT / "README.md"  # stands for a data card: only its being there is asked
SEEDS = range(12)


def read(source: str, path: Path, **settings) -> tuple[SeriesSource, list[Series]]:
    found = open_source(SeriesDataset(source=source, path=str(path), **settings))
    return found, list(found.series)


def random_set(seed: int, channels: int | None = None, ends_missing: bool = True) -> list[Series]:
    """Series of unequal lengths, some of their values missing."""
    rng = np.random.default_rng(seed)
    channels = channels or int(rng.integers(1, 4))
    series = []
    for i in range(int(rng.integers(1, 8))):
        values = rng.normal(0, 10.0 ** rng.integers(-8, 8), (int(rng.integers(2, 12)), channels))
        values[rng.random(values.shape) < 0.2] = np.nan
        if not ends_missing:
            values[-1] = 1.5
        series.append(Series(f"s{i}", values.astype(np.float32), label=rng.choice(["a", "b b", "3"])))
    return series


def same(found: list[Series], expected: list[Series]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.values.dtype == np.float32
        np.testing.assert_array_equal(a.values, b.values)
        assert a.label == b.label


def number(value: np.float32, missing: str = "NaN") -> str:
    return missing if np.isnan(value) else str(value)


def ts_text(series: list[Series], header: str = "@classLabel true a b 3", missing: str = "?") -> str:
    lines = ["# made by a test", "%another comment", "@problemName made", header, "", "@data"]
    for one in series:
        channels = [",".join(number(v, missing) for v in channel) for channel in one.values.T]
        lines += [":".join([*channels, one.label]), ""]
    return "\n".join(lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_ts(tmp_path, seed):
    series = random_set(seed)
    file = tmp_path / "made.ts"
    file.write_text(
        ts_text(series, missing=["?", "NaN"][seed % 2]), encoding="utf-8-sig" if seed % 3 else "utf-8"
    )
    source, found = read("ts", file)
    same(found, series)
    assert source.notes == [f"made.ts: {note}" for note in unlisted(series)]
    assert {s.given for s in found} == {-1} and source.channels == () and source.step == ""


def unlisted(series: list[Series]) -> list[str]:
    """Labels with a blank inside are two in the header's list."""
    number = sum(s.label == "b b" for s in series)
    noun = "label" if number == 1 else "labels"
    return [f"{number} {noun} of {len(series)} not listed by @classLabel: 'b b'"] if number else []


def test_ts_pair_compressed_with_windows_line_ends(tmp_path):
    parts = {"TRAIN": random_set(1, 2), "TEST": random_set(2, 2)}
    for part, series in parts.items():
        with gzip.open(tmp_path / f"Made_{part}.ts.gz", "wb") as file:
            file.write(ts_text(series).replace("\n", "\r\n").encode())
    (tmp_path / "Made.txt").write_text("about")
    _, found = read("ts", tmp_path)
    same(found, parts["TRAIN"] + parts["TEST"])
    assert [s.given for s in found] == [0] * len(parts["TRAIN"]) + [2] * len(parts["TEST"])
    assert found[0].name.startswith("Made_TRAIN.ts.gz:")


def test_ts_reads_line_by_line(tmp_path):
    file = tmp_path / "made.ts"
    file.write_text("@classLabel true a\n@data\n1,2:a\n3,4:a\nbroken\n")
    series = open_source(SeriesDataset(source="ts", path=str(file))).series
    assert next(series).values.tolist() == [[1], [2]] and next(series).name == "made.ts:4"
    with pytest.raises(InputError, match="line 5"):
        next(series)


@pytest.mark.parametrize(
    ("header", "note"),
    [
        ("@equalLength true", "header says equalLength true, found lengths 2 to 3"),
        ("@equalLength true\n@seriesLength 3", "header says equalLength true and seriesLength 3, found lengths 2 to 3"),
        ("@equalLength false", ""),
        ("@missing false", "header says missing false, found 1 missing value"),
        ("@missing true\n@univariate true\n@dimensions 7", "header says univariate true and dimensions 7, found 2 channels"),
        ("@dimension 2", ""),
        ("@author me", "line 2: @author is not known and has no effect"),
    ],
)  # fmt: skip
def test_ts_header_is_compared_and_not_believed(tmp_path, header, note):
    file = tmp_path / "made.ts"
    file.write_text(f"@classLabel true x y\n{header}\n@data\n1,2,3:4,5,6:x\n1,?:2,3:y\n")
    source, found = read("ts", file)
    assert [len(s.values) for s in found] == [3, 2]
    assert source.notes == ([f"made.ts: {note}"] if note else [])


def test_ts_labels(tmp_path):
    file = tmp_path / "made.ts"
    file.write_text("@classLabel true x y\n@data\n1:x\n1:z\n1:z\n1:?\n1:y\n")
    source, found = read("ts", file)
    assert [s.label for s in found] == ["x", "z", "z", "", "y"]
    assert source.notes == ["made.ts: 2 labels of 5 not listed by @classLabel: 'z'", "made.ts: 1 of 5 series without a label"]  # fmt: skip
    file.write_text("@classLabel false\n@targetLabel true\n@data\n1,2:0.25\n1,2:-3\n")
    assert [s.label for s in read("ts", file)[1]] == ["0.25", "-3"]
    file.write_text("@classLabel false\n@data\n1,2:3,4\n")
    assert [(s.label, s.values.tolist()) for s in read("ts", file)[1]] == [("", [[1, 3], [2, 4]])]


@pytest.mark.parametrize(
    ("first", "second", "step"),
    [("0", "0.5", "0.5"), ("2026-01-01 00:00:00", "2026-01-01 01:00:00", "3600s")],
)
def test_ts_with_times(tmp_path, first, second, step):
    file = tmp_path / "made.ts"
    channel = f"({first},1),({second}, ?)"
    file.write_text(
        f"@timeStamps true\n@classLabel true a\n@data\n{channel}:{channel.replace('1)', '5)')}:a\n"
    )
    source, (one,) = read("ts", file)
    np.testing.assert_array_equal(one.values, [[1, 5], [np.nan, np.nan]])
    assert source.step == step and one.times == (first, second) and one.label == "a"


@pytest.mark.parametrize("seed", SEEDS)
def test_ucr(tmp_path, seed):
    series = random_set(seed, 1, ends_missing=False)
    width = max(len(s.values) for s in series)
    sign, ending = [("\t", ".tsv"), (",", ".csv"), ("   ", ".txt")][seed % 3]
    for one in series:
        object.__setattr__(one, "label", one.label.replace(" ", ""))
    rows = [
        [s.label, *(number(v) for v in s.values[:, 0]), *["NaN"] * (width - len(s.values))]
        for s in series
    ]
    file = tmp_path / f"made{ending}"
    file.write_text("".join(sign.join(row) + "\n" for row in rows))
    source, found = read("ucr", file)
    same(found, series)
    shorter = sum(len(s.values) < width for s in series)
    assert len(source.notes) == (shorter > 0)
    assert not shorter or f" {shorter} of {len(series)} series" in source.notes[0]


def test_ucr_pair_and_labels_in_scientific_notation(tmp_path):
    (tmp_path / "A_TRAIN.txt").write_text("  1.0000000e+00  1.5e+00 -2.0e+00\n -1.0000000e+00 NaN NaN\n")
    (tmp_path / "A_TEST.txt").write_text("  3.0  1 2\n")
    (tmp_path / "README.txt").write_text("about")
    source, found = read("ucr", tmp_path)
    assert [s.label for s in found] == ["1", "-1", "3"] and [s.given for s in found] == [0, 0, 2]
    assert found[1].values.shape == (2, 1) and np.isnan(found[1].values).all()
    assert source.notes == ["left out: README.txt, named neither _TRAIN nor _TEST"]


def test_half_of_a_pair_is_read_alone_and_said(tmp_path):
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"A_{part}.tsv").write_text("1\t2\t3\n")
    source, (one,) = read("ucr", tmp_path / "A_TRAIN.tsv")
    assert one.given == -1
    assert source.notes == [
        "read A_TRAIN.tsv alone, to be divided into train, val, test, without A_TEST.tsv"
    ]


def test_labels_as_text():
    values = [1, 1.0, "1.0", "1", b"1", np.float32(2), "1e3", True, "abc  d", "007", 0.5, "None"]
    assert [label_text(v) for v in values] == ["1", "1", "1", "1", "1", "2", "1000", "True", "abc d", "007", "0.5", "None"]  # fmt: skip
    assert [label_text(v) for v in (np.nan, "NaN", "?", "", None)] == [""] * 5


def long_rows(series: list[Series], rng: np.random.Generator, dates: bool) -> list[str]:
    """Rows of a long table: the series interleave, each in order of time."""
    left = {i: list(range(len(s.values))) for i, s in enumerate(series)}
    rows = []
    while left:
        i = int(rng.choice(list(left)))
        t, one = left[i].pop(0), series[i]
        time = str(np.datetime64("2026-02-27T22:00") + np.timedelta64(15 * t, "m")) if dates else 0.1 * t
        values = (number(v, ["", "NaN"][t % 2]) for v in one.values[t])
        rows.append(",".join([one.name, str(time), one.label, f"g{i % 2}", *values]))
        if not left[i]:
            del left[i]
    return rows


@pytest.mark.parametrize("seed", SEEDS)
def test_long_table(tmp_path, seed):
    rng, dates = np.random.default_rng(seed), seed % 2 == 0
    series = random_set(seed)
    names = [f"c{i}" for i in range(series[0].values.shape[1])]
    for one in series:  # a column without any value is no channel
        one.values[0] = 2
    rows = long_rows(series, rng, dates)
    file = tmp_path / ("made.csv.gz" if seed % 3 else "made.csv")
    text = "\n".join([",".join(["Series_ID", "time", "label", "site", *names]), *rows]) + "\n"
    file.write_bytes(gzip.compress(text.encode()) if seed % 3 else text.encode("utf-8-sig"))
    source, found = read("table", file)
    order = list(dict.fromkeys(row.split(",")[0] for row in rows))
    same(found, sorted(series, key=lambda s: order.index(s.name)))
    assert [s.name for s in found] == order
    assert [s.group for s in found] == [f"g{int(name[1:]) % 2}" for name in order]
    assert source.channels == tuple(names) and source.step == ("15min" if dates else "0.1")
    for key, column in {
        "series": "Series_ID",
        "time": "time",
        "label": "label",
        "group": "site",
    }.items():
        assert f"{file.name}: keys.{key}: took the column {column!r} by its name" in source.notes
    first = found[0]
    assert first.times[0] == ("2026-02-27 22:00:00" if dates else "0")


def table(
    tmp_path: Path, text: str, name: str = "made.csv", **settings
) -> tuple[SeriesSource, list[Series]]:
    file = tmp_path / name
    file.write_text(text)
    return read("table", file, **settings)


def test_gaps_become_missing_values_by_brute_force(tmp_path):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        kept = np.sort(rng.permutation(np.arange(1, 40))[:30])
        times = np.concatenate([[0], kept]) * 5 + 1_700_000_000
        rows = "".join(f"{t},{i}\n" for i, t in enumerate(times))
        source, (one,) = table(tmp_path, "t,v\n" + rows, on_gaps="missing", step="5")
        expected = np.full(int(times[-1] - times[0]) // 5 + 1, np.nan, np.float32)
        expected[(times - times[0]) // 5] = np.arange(31)
        np.testing.assert_array_equal(one.values[:, 0], expected)
        missing = int(np.isnan(expected).sum())
        assert not missing or any(f"{missing} missing time step" in note for note in source.notes)


def test_repeated_times_keep_the_first(tmp_path):
    rows = "id,t,v\na,0,1\na,1,2\nb,0,7\na,1,3\na,1,4\na,2,5\nb,1,8\n"
    source, found = table(tmp_path, rows, on_duplicates="first")
    assert [s.values[:, 0].tolist() for s in found] == [[1, 2, 5], [7, 8]]
    assert (
        "made.csv: column 't': 2 rows left out that repeat a time, the first being row 4" in source.notes
    )


def test_types_and_unused_columns_of_a_table(tmp_path):
    text = "\n".join([
        ",id,when,flag,n,x,empty,note,cohort",
        "0,7,2026-01-01,True,1,,,a b,north",
        "1,7,2026-01-02,False,2,0.5,,c,north",
        "2,8,2026-01-01,True,3,NA,,d,south",
    ]) + "\n"  # fmt: skip
    source, found = table(tmp_path, text, keys={"time": "when"}, nuisances=["cohort"])
    assert source.channels == ("flag", "n", "x") and source.step == "1d"
    np.testing.assert_array_equal(found[0].values, np.float32([[1, 1, np.nan], [0, 2, 0.5]]))
    assert [s.columns for s in found] == [{"cohort": "north"}, {"cohort": "south"}]
    assert [s.name for s in found] == ["7", "8"]
    for note in (
        "left out: '', a count of the rows",
        "'empty', without any value",
        "'note', not of numbers",
    ):
        assert any(note in found for found in source.notes)


def test_given_keys_and_parts(tmp_path):
    text = (
        "who;y;z;part\n".replace(";", "\t")
        + "a\t1\t2\tTrain\na\t2\t3\tTrain\nb\t3\t4\tvalidation\nc\t1\t1\ttest\n"
    )
    keys = {"series": "who", "time": "none", "label": "none", "channels": ["z", "y"]}
    source, found = table(tmp_path, text, "made.tsv", keys=keys)
    assert source.channels == ("z", "y") and [s.given for s in found] == [0, 1, 2]
    assert found[0].values.tolist() == [[2, 1], [3, 2]] and found[0].times is None


def test_one_zone_counts_in_utc(tmp_path):
    text = "time,v\n2026-01-01T00:00:00+02:00,1\n2026-01-01T00:30:00+02:00,2\n"
    source, (one,) = table(tmp_path, text)
    assert one.times == ("2025-12-31 22:00:00+00:00", "2025-12-31 22:30:00+00:00")
    assert any("zone +0200" in note for note in source.notes) and source.step == "30min"


def test_days_that_can_be_told_from_months(tmp_path):
    source, (one,) = table(tmp_path, "date,v\n11/01/2026,1\n12/01/2026,1\n13/01/2026,2\n")
    assert one.times[0] == "2026-01-11 00:00:00"
    assert any("dates are read as %d/%m/%Y" in note for note in source.notes)


@pytest.mark.parametrize(
    "dates",
    [
        ("2026/01/01", "2026/01/02"),
        ("2026-1-1", "2026-1-2"),
        ("Jan 1 2026", "Jan 2 2026"),
        ("20260101T00", "20260102T00"),
    ],
)
def test_dates_in_other_words(tmp_path, dates):
    source, (one,) = table(tmp_path, f"date,v\n{dates[0]}, 1\n{dates[1]}, \n")
    assert one.times == ("2026-01-01 00:00:00", "2026-01-02 00:00:00") and source.step == "1d"
    np.testing.assert_array_equal(one.values[:, 0], [1, np.nan])


def test_commonest_difference():
    assert commonest(np.array([60, 60, 120, 60, 30])) == 60
    assert commonest(np.array([2, 1, 2, 1])) == 1
    assert commonest(np.diff(np.arange(1000) * 0.1 + 1.7e9)) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_wide_table(tmp_path, seed):
    series = random_set(seed, 1, ends_missing=False)
    width = max(len(s.values) for s in series)
    header = [
        "series",
        *([str(850 + 2 * i) for i in range(width)] if seed % 2 else [f"t{i}" for i in range(width)]),
    ]
    lines = [",".join([*header, "label", "split"])]
    for one in series:
        values = [number(v, "") for v in one.values[:, 0]] + [""] * (width - len(one.values))
        lines.append(",".join([one.name, *values, one.label, "test"]))
    source, found = table(tmp_path, "\n".join(lines) + "\n", layout="wide")
    same(found, series)
    assert [s.name for s in found] == [s.name for s in series] and {s.given for s in found} == {2}
    assert any(f"took {width} columns as time steps" in note for note in source.notes)


def test_parquet_equals_csv(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: no .parquet")
    import pandas as pd

    frame = pd.DataFrame({
        "id": ["a", "a", "b"], "time": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-01"]),
        "label": [1.0, 1.0, np.nan], "v": [1, 2, 3], "w": np.float32([np.nan, 1.5, 2]),
    })  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    (left, a), (right, b) = read("table", tmp_path / "a.parquet"), read("table", tmp_path / "a.csv")
    same(a, b)
    assert left.channels == right.channels and [s.times for s in a] == [s.times for s in b]


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int16, bool])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_npy(tmp_path, dtype, shape):
    x = (np.random.default_rng(0).normal(0, 50, shape)).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    source, found = read("arrays", tmp_path / "x.npy")
    np.testing.assert_array_equal(
        np.stack([s.values for s in found]), x.reshape(5, 7, -1).astype(np.float32)
    )
    assert not source.notes and found[4].name == "x.npy[4]"


def test_shapes_that_may_mean_something_else_are_said(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 1742)))
    assert read("arrays", tmp_path / "x.npy")[0].notes == [
        "x.npy: took shape (3, 1742) for 3 series of one channel"
    ]
    np.save(tmp_path / "x.npy", np.zeros((4, 3, 30)))
    assert "transpose(0, 2, 1)" in read("arrays", tmp_path / "x.npy")[0].notes[0]


def test_npz_with_everything(tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    np.savez(
        tmp_path / "x.npz", data=x, y=np.array([1.0, np.nan, 2]), groups=np.array(["p", "p", "q"]),
        split=np.array(["train", "val", "test"]), channels=np.array(["u", "v"]), lengths=np.array([4, 2, 1]),
        age=np.array([30, 40, 50]), site=np.array([b"x", b"y", b"x"]), extra=np.zeros(2),
    )  # fmt: skip
    source, found = read("arrays", tmp_path / "x.npz", targets={"age": "numbers"}, nuisances=["site"])
    assert source.channels == ("u", "v") and source.notes == [
        "x.npz: left out: arrays 'extra', not used"
    ]
    for one, values, steps in zip(found, x, (4, 2, 1), strict=True):
        np.testing.assert_array_equal(one.values, values[:steps].astype(np.float32))
    assert [(s.label, s.group, s.given) for s in found] == [("1", "p", 0), ("", "p", 1), ("2", "q", 2)]
    assert found[1].columns == {"age": "40", "site": "y"}


@pytest.mark.parametrize(
    ("x", "y"), [("x_{}", "y_{}"), ("X_{}", "labels_{}"), ("{}_x", "{}_y"), ("{}_X", "{}_labels")]
)
def test_npz_with_parts(tmp_path, x, y):
    arrays = {
        x.format("train"): np.ones((3, 5)),
        x.format("test"): np.zeros((2, 4)),
        y.format("train"): [0, 1, 0],
    }
    np.savez(tmp_path / "x.npz", groups_train=["a", "b", "c"], **arrays)
    _, found = read("arrays", tmp_path / "x.npz")
    assert [(s.given, s.label, s.group) for s in found] == [(0, "0", "a"), (0, "1", "b"), (0, "0", "c"), (2, "", ""), (2, "", "")]  # fmt: skip
    assert [s.values.shape for s in found] == [(5, 1)] * 3 + [(4, 1)] * 2


def test_padding_without_lengths_is_said(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1, 2, np.nan], [1, 2, 3]]))
    source, found = read("arrays", tmp_path / "x.npy")
    assert found[0].values.shape == (3, 1) and "1 of 2 series end in missing values" in source.notes[0]


@pytest.mark.parametrize(
    ("name", "train", "test", "lengths", "channels"),
    [
        ("GunPoint", 50, 150, (150, 150), 1),
        ("ArrowHead", 36, 175, (251, 251), 1),
        ("ItalyPowerDemand", 67, 1029, (24, 24), 1),
        ("OSULeaf", 200, 242, (427, 427), 1),
        ("BasicMotions", 40, 40, (100, 100), 6),
        ("JapaneseVowels", 270, 370, (7, 29), 12),
    ],
)
def test_packaged_sets(name, train, test, lengths, channels):
    try:
        packaged.located()
    except InputError as missing:
        pytest.skip(str(missing))
    source, found = read("sktime", CARD, name=name)
    assert [sum(s.given == part for s in found) for part in (0, 1, 2)] == [train, 0, test]
    sizes = {len(s.values) for s in found}
    assert (min(sizes), max(sizes)) == lengths and {s.values.shape[1] for s in found} == {channels}
    assert all(s.label for s in found) and source.notes == []


def test_packaged_sets_are_found_by_name(tmp_path, monkeypatch):
    for part in ("TRAIN", "TEST"):
        (tmp_path / "Made").mkdir(exist_ok=True)
        (tmp_path / "Made" / f"Made_{part}.ts").write_text("@classLabel true a\n@data\n1,2:a\n")
    (tmp_path / "Other").mkdir()
    monkeypatch.setattr(packaged, "located", lambda: tmp_path)
    assert [s.given for s in read("sktime", CARD, name="Made")[1]] == [0, 2]
    with pytest.raises(InputError, match=r"no set 'Mode' .* did you mean 'Made'\? expected one of Made"):
        read("sktime", CARD, name="Mode")


@pytest.mark.skipif(not UCR.is_file(), reason="no ../shared/data/ucr_devel.zip")
def test_ucr_archive(tmp_path):
    """FordA, first rows of both parts: values as numpy reads them."""
    with zipfile.ZipFile(UCR) as archive:
        for part in ("TRAIN", "TEST"):
            with archive.open(f"FordA_{part}.tsv") as file:
                (tmp_path / f"FordA_{part}.tsv").write_bytes(
                    b"".join(file.readline() for _ in range(60))
                )
    source, found = read("ucr", tmp_path)
    assert [s.given for s in found] == [0] * 60 + [2] * 60 and not source.notes
    assert {s.values.shape for s in found} == {(500, 1)} and {s.label for s in found} == {"-1", "1"}
    lines = io.StringIO((tmp_path / "FordA_TEST.tsv").read_text())
    expected = np.loadtxt(lines, np.float64)[:, 1:].astype(np.float32)
    np.testing.assert_array_equal(np.stack([s.values[:, 0] for s in found[60:]]), expected)
