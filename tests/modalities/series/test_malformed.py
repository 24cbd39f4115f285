"""Bad recordings: one line that names the file, the place, what was found and what to do."""

import gzip
from importlib import metadata

import numpy as np
import pytest
from support import ROOT

from jepa_steps.config.training import parse_dataset
from jepa_steps.errors import InputError
from jepa_steps.modalities.series.dataset import SeriesDataset
from jepa_steps.modalities.series.sources import packaged
from jepa_steps.modalities.series.sources.read import open_source

CARD = str(ROOT / "README.md")


def refused(source: str, path, **settings) -> str:
    with pytest.raises(InputError) as error:
        list(open_source(SeriesDataset(source=source, path=str(path), **settings)).series)
    line = str(error.value)
    assert "\n" not in line and len(line) < 500, line
    return line


def refused_text(
    tmp_path, source: str, name: str, content: str | bytes, settings: dict, *telling: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    line = refused(source, file, **settings)
    assert line.startswith(str(file)) and line.count(name) >= 1
    for fragment in telling:
        assert fragment in line, line


TS = "@classLabel true a b\n@data\n"
STAMPS = "@timeStamps true\n@classLabel true a\n@data\n"


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        ("", "no line @data"),
        ("@classLabel true a\n1,2:a\n", "line 2: found '1,2:a' before @data"),
        ("@problemName x\n@classLabel true a\n", "no line @data"),
        (TS, "no series after @data"),
        ("@data\n1,2:a\n", "neither @classLabel nor @targetLabel"),
        ("@classLabel true a\n@targetLabel true\n@data\n1:a\n", "expected one of them"),
        ("@equalLength yes\n" + TS, "@equalLength: found 'yes', expected true or false"),
        ("@seriesLength -3\n" + TS, "@seriesLength: found '-3', expected a whole number"),
        ("\x80".encode("latin1"), "line 1: found byte 0x80, which is not UTF-8"),
        (TS + "1,2:3,4:a\n1,2:3:a\n", "line 4: found 2 time steps in channel 1 and 1 in channel 2"),
        (TS + "1,2:3,4:a\n1,2:a\n", "line 4: found 1 channel, expected 2 as in"),
        (TS + "1,2:a\n1,2,3\n", "line 4: found no ':'"),
        (TS + "1,two:a\n", "line 3: channel 1: value 2: found 'two', expected a number"),
        (TS + "1,,3:a\n", "value 2: found ''"),
        (TS + "1,1_000:a\n", "value 2: found '1_000'"),
        (TS + "1,2:inf,2:a\n", "line 3: channel 2: value 1: found an infinite value"),
        (TS + "1,1e39:a\n", "value 2: found 1e+39, expected finite numbers up to 3.4e38"),
        (TS + "1,2\0:a\n", "line 3: found a NUL byte"),
        (TS + "::a\n", "channel 1: value 1: found ''"),
        ("@targetLabel true\n@data\n1,2:tall\n", "target: value 1: found 'tall'"),
        (STAMPS + "1,2:a\n", "expected (time,value),(time,value)"),
        (STAMPS + "(0,1),(1,2),(5,3):a\n", "found time '5' after '1'"),
        (STAMPS + "(1,1),(0,2):a\n", "found time '0' after '1', expected rising times"),
        (STAMPS + "(0,1),(1,2):(0,1),(2,2):a\n", "found other times than in channel 1"),
        (STAMPS + "(noon,1),(1,2):a\n", "found time 'noon'"),
        (STAMPS + "(0,1),(2026-01-01,2):a\n", "expected numbers only, or dates"),
        (STAMPS + "(0,1),(1,2):a\n(0,1),(3,2):a\n", "step 3, expected 1 as in"),
    ],
)
def test_ts(tmp_path, content, telling):
    refused_text(tmp_path, "ts", "bad.ts", content, {}, telling)


@pytest.mark.parametrize(
    ("name", "content", "telling"),
    [
        ("bad.tsv", "", "found no rows"),
        ("bad.tsv", "1\n2\n", "line 1: found one field, '1'"),
        ("bad.csv", "1;2;3\n", "found one field, '1;2;3'"),
        ("bad.csv", "label,t0,t1\n1,2,3\n", "line 1: value 1: found 't0', expected a number"),
        ("bad.tsv", "1\t2\t3\n1\t2\n", "line 2: found 1 value, expected 2 as in line 1"),
        ("bad.tsv", "1\t2\t-inf\n", "line 1: value 2: found an infinite value"),
        ("bad.txt", "1 2 1e400\n", "value 2: found an infinite value"),
        ("bad.csv", b"1,2,3\n\x1f\x8b\xff\n", "line 2: found byte 0x8b, which is not UTF-8"),
        ("bad.txt", b"1 2\0 3\n", "line 1: found a NUL byte"),
        ("bad.csv.gz", b"1,2,3\n", "cannot be read"),
        ("bad.csv.gz", gzip.compress(b"1,2,3\n" * 999, mtime=0)[:-12], "cannot be read"),
        ("bad.arff", "1,2,3\n", "expected a file of these"),
    ],
)
def test_ucr(tmp_path, name, content, telling):
    refused_text(tmp_path, "ucr", name, content, {}, telling)


@pytest.mark.parametrize(
    ("source", "names", "telling"),
    [
        ("ts", ["A_TRAIN.ts", "A_TEST.ts", "B_TRAIN.ts", "B_TEST.ts"], "found 2 sets (A_*.ts, B_*.ts)"),
        ("ucr", ["A_TRAIN.tsv", "A_TEST.tsv", "A_TRAIN.txt"], "found 2 sets (A_*.tsv, A_*.txt)"),
        ("ts", ["A.ts"], "found no file named _TRAIN or _TEST with .ts"),
        ("ucr", [], "found no file named _TRAIN or _TEST"),
        ("ts", ["A_TRAIN.ts"], "found no A_TEST.ts beside A_TRAIN.ts"),
        (
            "ts",
            ["A_TRAIN.ts", "A_Train.ts", "A_TEST.ts"],
            "found A_TRAIN.ts and A_Train.ts, expected one of them",
        ),
        ("ucr", ["A_TEST.csv"], "found no A_TRAIN.csv beside A_TEST.csv"),
    ],
)
def test_folders(tmp_path, source, names, telling):
    for name in names:
        (tmp_path / name).write_text("x")
    line = refused(source, tmp_path)
    assert line.startswith(str(tmp_path)) and telling in line


ROWS = "id,time,x\n"


@pytest.mark.parametrize(
    ("content", "settings", "telling"),
    [
        ("", {}, "found an empty file"),
        (ROWS, {}, "found no rows below"),
        ("a;b\n1;2\n", {}, "found fields divided by ';', expected ','"),
        ("a,a\n1,2\n", {}, "found 2 columns with the name 'a'"),
        (ROWS + "a,1\n", {}, "line 2: found 2 fields, expected 3"),
        (ROWS + "a,0,1\na,1,2,3\n", {}, "line 3: found 4 fields, expected 3"),
        (ROWS + 'a,1,"2\n', {}, "unexpected end of data"),
        (b"id,time,x\na,1,\xff\n", {}, "line 2: found byte 0xff, which is not UTF-8"),
        (b"id,time,x\na,1,\0\n", {}, "line 2: found a NUL byte"),
        (b"PK\x03\x04\x00\x00", {}, "found a NUL byte"),
        (ROWS + "a,0,1\na,1,two\na,2,3\na,3,4\n", {}, "column 'x': row 2: found 'two', expected a number"),
        (ROWS + "a,0,u\na,1,v\n", {}, "found no column of numbers without another use among 'id', 'time', 'x'"),
        (ROWS + "a,0,u\n", {"keys": {"channels": ["x"]}}, "row 1: found 'u', expected a number"),
        (ROWS + "a,0,\n", {"keys": {"channels": ["x"]}}, "column 'x': found no value in it"),
        (ROWS + "a,0,1\na,1,inf\n", {}, "column 'x': row 2: found an infinite value"),
        (ROWS + "a,0,1\na,1,-4e38\n", {}, "column 'x': row 2: found -4e+38"),
        (ROWS + "a,0,1\n,1,2\n", {}, "column 'id': row 2: found no series"),
        (ROWS + "a,0,1\na,,2\n", {}, "column 'time': row 2: found no time"),
        (ROWS + "a,1,1\na,2,2\na,0,3\n", {}, "row 3: found 0 after 2 (row 2) in series 'a', expected times in order"),
        (ROWS + "a,0,1\na,1,2\na,1,2\n", {}, "row 3: found 1 again (as in row 2) in series 'a'"),
        (ROWS + "a,0,1\na,1,2\na,2,2\na,4,2\n", {}, "row 4: found 4 after 2 (row 3) in series 'a', a gap with step 1"),
        (ROWS + "a,0,1\na,1,2\na,2.5,2\na,3.5,2\n", {}, "row 3: found 2.5 after 1 (row 2), expected a multiple of the step 1"),
        (ROWS + "a,0,1\na,1,2\na,99999,2\n", {"on_gaps": "missing"}, "99997 steps would be missing beside 3 rows"),
        (ROWS + "a,2026-01-01,1\na,2026-02-01,2\na,2026-03-01,3\n", {}, "keys.time: none where rows are even by the calendar"),
        (ROWS + "a,0,1\na,inf,2\n", {}, "row 2: found inf, expected a finite time"),
        (ROWS + "a,0,1\na,1,2\nb,first,2\n", {}, "row 3: found 'first', expected a number as in other rows"),
        (ROWS + "a,2026-01-01,1\na,2026-01-32,2\n", {}, "column 'time': row 2: found '2026-01-32', expected a date"),
        (ROWS + "a,1600-01-01,1\n", {}, "row 1: found '1600-01-01', expected a date"),
        (ROWS + "a,monday,1\n", {}, "row 1: found 'monday', expected a number or a date with a year"),
        (ROWS + "a,in 2026,1\n", {}, "row 1: found 'in 2026', expected a date"),
        (ROWS + "a,03/04/2026,1\na,04/04/2026,2\n", {}, "of which day and month cannot be told apart"),
        (ROWS + "a,2026-01-01T00:00Z,1\na,2026-01-01T01:00+02:00,2\n", {}, "row 2: found '2026-01-01T01:00+02:00', in another time zone"),
        (ROWS + "a,2026-01-01 00:00+00:00,1\na,2026-01-01 01:00,2\n", {}, "row 2: found '2026-01-01 01:00', in another time zone"),
        (ROWS + "a,0,1\na,1,2\n", {"step": "1h"}, "step: found '1h', expected a number above 0"),
        (ROWS + "a,2026-01-01,1\na,2026-01-02,2\n", {"step": "1"}, "step: found '1', expected a time such as 1h"),
        (ROWS + "a,2026-01-01,1\na,2026-01-02,2\n", {"step": "1M"}, "step: found '1M', expected a time such as 1h"),
        ("v\n1\n", {"step": "1"}, "step: found '1' without a column of times"),
        ("id,label,x\na,u,1\na,v,2\n", {}, "series 'a': found 'u' and 'v' (row 2), expected one value per series; set keys.label: none"),
        ("id,x,site\na,1,u\na,2,\n", {"nuisances": ["site"]}, "column 'site': series 'a': found 'u' and ''"),
        ("id,split,x\na,train,1\nb,holdout,2\n", {}, "column 'split': row 2: found split 'holdout', expected train"),
        ("id,fold,x\na,1,1\n", {}, "column 'fold': row 1: found split '1'"),
        ("patient_id,x\na,1\n", {"keys": {"series": "patientid"}}, "keys.series: found no column 'patientid'; did you mean 'patient_id'?"),
        (ROWS + "a,0,1\n", {"keys": {"channels": ["y", "x"]}}, "keys.channels: found no column 'y'"),
        (ROWS + "a,0,1\n", {"keys": {"channels": ["x", "x"]}}, "keys.channels: found 'x' twice"),
        (ROWS + "a,0,1\n", {"keys": {"channels": ["x"], "label": "x"}}, "found 'x', which is the column of label"),
        (ROWS + "a,0,1\n", {"targets": ["agee"]}, "targets: found no column 'agee'; expected one of"),
        ("series,1,3,2\na,0,1,1\n", {"layout": "wide"}, "found the column '2' after '3', expected time steps in rising order"),
        ("series,t1,t10,t2\na,0,1,1\n", {"layout": "wide"}, "found the column 't2' after 't10'"),
        ("series,age,0,1,2\na,60,1,1,1\n", {"layout": "wide"}, "found the columns of numbers 'age' beside time steps such as '0'"),
        ("series,step-1,step-3,step-2\na,0,1,1\n", {"layout": "wide"}, "found the column 'step-2' after 'step-3'"),
        ("series,2026-02,2026-01\na,0,1\n", {"layout": "wide"}, "found the column '2026-01' after '2026-02'"),
        ("series,0,1\na,1,1\na,2,2\n", {"layout": "wide"}, "row 2: found 'a' again"),
        ("series,0,1\na,1,1\nb,2,x\n", {"layout": "wide", "keys": {"channels": ["0", "1"]}}, "column '1': row 2: found 'x'"),
        ("series,0,1\na,1,1\n", {"layout": "wide", "step": "1h"}, "step: found with layout wide"),
    ],
)  # fmt: skip
def test_table(tmp_path, content, settings, telling):
    refused_text(tmp_path, "table", "bad.csv", content, settings, telling)


def test_tables_of_another_kind(tmp_path):
    refused_text(tmp_path, "table", "bad.xlsx", "x", {}, "expected a name in .csv, .tsv")
    refused_text(tmp_path, "table", "bad.parquet", "garbage", {}, ".parquet")


X = np.zeros((3, 4, 2))


@pytest.mark.parametrize(
    ("arrays", "settings", "telling"),
    [
        ({"X": np.zeros(5)}, {}, "array 'X': found shape (5,), expected (series, time steps)"),
        ({"X": np.zeros((1, 2, 3, 4))}, {}, "found shape (1, 2, 3, 4)"),
        ({"X": np.zeros((0, 4))}, {}, "found shape (0, 4)"),
        ({"X": np.array([["a"]])}, {}, "found values of type <U1, expected numbers"),
        ({"X": np.zeros((2, 2), complex)}, {}, "found values of type complex128"),
        ({"X": np.array([[1], [1, 2]], object)}, {}, "array 'X': found an array of Python objects (a pickle)"),
        ({"X": X, "y": np.array(["a", None, "b"])}, {}, "array 'y': found an array of Python objects"),
        ({"X": X, "y": np.zeros(4)}, {}, "array 'y': found shape (4,), expected 3 values, one per series of X"),
        ({"X": X, "y": np.array([1, np.inf, 0])}, {}, "array 'y': found an infinite value"),
        ({"X": X, "y": np.zeros(3), "labels": np.zeros(3)}, {}, "found arrays 'labels', 'y', expected one of them"),
        ({"X": X, "y": np.array([b"\xff", b"a", b"b"])}, {}, "array 'y': found bytes that are not UTF-8"),
        ({"X": X, "lengths": np.array([4, 4])}, {}, "array 'lengths': found int64 of shape (2,), expected 3 whole"),
        ({"X": X, "lengths": np.array([4, 5, 1])}, {}, "array 'lengths': found 5 for series 1, expected 1 to 4"),
        ({"X": X, "lengths": np.array([4, 0, 1])}, {}, "found 0 for series 1"),
        ({"X": X, "channels": np.array(["a", "b", "c"])}, {}, "array 'channels': found 3 names, expected 2"),
        ({"X": X, "channels": np.array(["a", "b", "c", "d"])}, {}, "use transpose(0, 2, 1)"),
        ({"X": X, "channels": np.array(["a", "a"])}, {}, "expected names that differ"),
        ({"X": X, "split": np.array(["train", "tset", "test"])}, {}, "X: series 1: found split 'tset'"),
        ({"X": X, "split": np.array([0, 1, 2])}, {}, "X: series 0: found split '0'"),
        ({"X": X}, {"targets": ["age"]}, "found no array 'age'"),
        ({"X": X, "x": X}, {}, "found arrays 'X', 'x', expected one of them"),
        ({"x_test": X, "y_test": np.zeros(3)}, {}, "found arrays 'x_test', 'y_test', expected one of X"),
        ({"x_train": X, "x_test": X, "X": X}, {}, "found arrays 'X', 'x_test', 'x_train'"),
        ({"x_train": X, "x_test": np.zeros((3, 4))}, {}, "found channels: 2 in x_train, 1 in x_test"),
        ({"values": X}, {}, "found arrays 'values', expected one of X, x, data, series"),
        ({"X": np.where(np.arange(8).reshape(2, 4) == 6, np.inf, 0)}, {}, "X: series 1, time step 2, channel 0: found an infinite value"),
        ({"X": np.full((2, 4), 1e300)}, {}, "X: series 0, time step 0, channel 0: found 1e+300"),
    ],
)  # fmt: skip
def test_arrays(tmp_path, arrays, settings, telling):
    file = tmp_path / "bad.npz"
    np.savez(file, **arrays)
    line = refused("arrays", file, **settings)
    assert line.startswith(str(file)) and telling in line, line


def test_array_files(tmp_path):
    file = tmp_path / "bad.npy"
    np.save(file, np.array([[1], [1, 2]], object))
    assert "found an array of Python objects" in refused("arrays", file)
    np.save(file, np.zeros((9, 99)))
    file.write_bytes(file.read_bytes()[:-100])
    assert f"{file}: not a readable array file" in refused("arrays", file)
    np.save(file, np.zeros((2, 3)))
    assert "write an .npz" in refused("arrays", file, targets=["age"])
    file.rename(tmp_path / "bad.npz")
    assert "an .npy file under the name .npz" in refused("arrays", tmp_path / "bad.npz")
    for name in ("bad.npz", "bad.npy", "bad.mat"):
        refused_text(tmp_path, "arrays", name, b"\x93NUMPY garbage", {}, "")


def test_channels_of_train_and_test_must_be_equal(tmp_path):
    (tmp_path / "A_TRAIN.ts").write_text(TS + "1,2:3,4:a\n")
    (tmp_path / "A_TEST.ts").write_text(TS + "1,2:a\n")
    line = refused("ts", tmp_path)
    assert line.startswith(f"{tmp_path / 'A_TEST.ts'}: line 3: found 1 channel, expected 2 as in {tmp_path / 'A_TRAIN.ts'}: line 3")  # fmt: skip


def test_paths_and_settings_that_do_not_fit(tmp_path):
    file = tmp_path / "a.ts"
    assert f"path: {file} does not exist; expected a .ts file" in refused("ts", file)
    assert "is a folder; source table expects" in refused("table", tmp_path)
    file.write_text(TS + "1:a\n")
    for change, told in (
        ({"nuisances": ["site"]}, "targets and nuisances: found 'site' with source ts"),
        ({"keys": {"label": "none"}}, "keys: belongs to source table, found with source ts"),
        ({"on_gaps": "missing"}, "on_gaps: belongs to source table, found with source ts"),
    ):
        with pytest.raises(InputError) as error:
            parse_dataset({"source": "ts", "path": str(file), **change}, "x.yaml", "series")
        assert told in str(error.value) and "\n" not in str(error.value)


def whole_files(tmp_path) -> dict[str, tuple[str, bytes, dict]]:
    np.savez(tmp_path / "x.npz", X=X, y=np.arange(3), channels=np.array(["a", "b"]))
    np.save(tmp_path / "x.npy", X)
    times = "".join(f"a,2026-01-01 0{i}:00:00,{i}.5,u\n" for i in range(9))
    return {
        "ts": ("x.ts", (TS + "1,2:3,4:a\n1,?:2,3:b\n").encode(), {}),
        "stamps": ("x.ts", (STAMPS + "(0,1),(1,2):a\n").encode(), {}),
        "ucr": ("x.tsv", b"1\t0.5\t2\n2\t7\tNaN\n", {}),
        "long": ("x.csv", f"id,time,x,label\n{times}".encode(), {}),
        "numbers": ("x.csv", b"id,t,x,y\na,0,1,1\na,1,2,1\n", {"on_gaps": "missing"}),
        "wide": ("x.csv", b"series,t1,t2,split\na,1,2,train\nb,1,,test\n", {"layout": "wide"}),
        "npz": ("x.npz", (tmp_path / "x.npz").read_bytes(), {}),
        "npy": ("x.npy", (tmp_path / "x.npy").read_bytes(), {}),
    }


@pytest.mark.parametrize("kind", ["ts", "stamps", "ucr", "long", "numbers", "wide", "npz", "npy"])
def test_damage_is_one_line_or_harmless(tmp_path, kind):
    """Bytes that are changed, cut off or put in: never another error than InputError, never infinite."""
    rng = np.random.default_rng(0)
    name, content, settings = whole_files(tmp_path)[kind]
    source = {"ts": "ts", "stamps": "ts", "ucr": "ucr", "npz": "arrays", "npy": "arrays"}.get(
        kind, "table"
    )
    signs = np.frombuffer(b"0159-+.eE,:;?\t\n\r\"' @#()aN_\x00\xff", np.uint8)
    for _ in range(25 if source == "table" else 40):
        data = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            at, sign = int(rng.integers(max(len(data), 1))), int(rng.choice(signs))
            match rng.integers(4):
                case 0:
                    data[at : at + 1] = bytes([sign])
                case 1:
                    data.insert(at, sign)
                case 2:
                    del data[at : at + 1]
                case 3:
                    data = data[: max(at, 1)]
        (tmp_path / name).write_bytes(data)
        try:
            found = list(
                open_source(SeriesDataset(source=source, path=str(tmp_path / name), **settings)).series
            )
        except InputError as error:
            assert "\n" not in str(error) and name in str(error)
            continue
        assert found and not any(np.isinf(one.values).any() for one in found)


def test_sktime_is_not_there(tmp_path, monkeypatch):
    def no_package(name: str):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", no_package)
    line = refused("sktime", CARD, name="GunPoint")
    assert line == f"source sktime: the package sktime is not installed; {packaged.INSTALL}"


def rows_of_machines(extra: str = "", series: str = "machine") -> str:
    """Two machines one after the other, three steps each; ``extra`` is a column that never changes within."""
    rows = [
        f"{m},{t},{t * 1.5 + i}" + (f",{i}" if extra else "")
        for i, m in enumerate("ab")
        for t in range(3)
    ]
    return f"{series},time,x{',' + extra if extra else ''}\n" + "\n".join(rows) + "\n"


def test_guesses_that_would_merge_recordings_or_feed_a_label_are_refused(tmp_path):
    refused_text(
        tmp_path,
        "table",
        "m.csv",
        rows_of_machines(),
        {},
        "found no column of series, but groups in column 'machine'; set keys.series: machine",
    )
    refused_text(
        tmp_path,
        "table",
        "s.csv",
        rows_of_machines("state", "id"),
        {},
        "column 'state': found one value within each series and several between them",
    )
    each = "id,x\n" + "".join(f"{i},{i * 2}\n" for i in range(6))
    refused_text(tmp_path, "table", "id.csv", each, {}, "found another value in every row")
    (tmp_path / "ok.csv").write_text(rows_of_machines("state", "id"))
    keys = {"keys": {"channels": ["x", "state"]}}
    dataset = SeriesDataset(source="table", path=str(tmp_path / "ok.csv"), **keys)
    assert [s.values.shape for s in open_source(dataset).series] == [(3, 2)] * 2
