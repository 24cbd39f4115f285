"""Tables beside images: what they say comes into the store, and what is wrong with them is one line."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from vector_factory import written

from jepa_steps import judge, report
from jepa_steps.config.beside import TableBeside
from jepa_steps.config.training import parse_dataset
from jepa_steps.data.splits import SPLITS, read_splits
from jepa_steps.errors import InputError
from jepa_steps.modalities.images import prepare as images
from jepa_steps.modalities.images.settings import sources
from jepa_steps.modalities.images.store import open_store

N, SIZE = 240, 6
RNG = np.random.default_rng(0)
GREY = RNG.integers(30, 220, N)  # of each image; what the target "grey" tells
SITE = RNG.integers(0, 3, N)  # a bright corner, another one in each scanner
PIXELS = np.clip(GREY[:, None, None] + RNG.integers(-20, 20, (N, SIZE, SIZE)), 0, 255).astype(np.uint8)
PIXELS[SITE == 1, 0, 0] = PIXELS[SITE == 2, -1, -1] = 255
NAMES = [f"{i % 4}/{i:03}.png" for i in range(N)]
COLUMNS = {
    "path": NAMES,
    "kind": ["dark" if grey < 125 else "light" for grey in GREY],
    "grey": (GREY / 10).tolist(),
    "chance": RNG.normal(size=N).round(3).tolist(),
    "scanner": [f"s{i}" for i in SITE],
    "donor": [f"d{i}" for i in RNG.integers(0, 40, N)],
    "part": RNG.permutation(["train"] * 120 + ["val"] * 40 + ["test"] * 80).tolist(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images in four class folders."""
    path = tmp_path_factory.mktemp("photos")
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        (path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path / name)
    return path


def run(path, out, **settings):
    """The store, and what the terminal shows."""
    spec = {"path": str(path), "source": "folder", "image_size": SIZE, "channels": 1, **settings}
    manifest = images.prepare(parse_dataset(spec, "test", "images"), out, workers=1)
    return open_store(out), "\n".join(images.summary(manifest, out))


def test_label_targets_nuisances_groups_and_parts(folder, tmp_path):
    table = written(tmp_path / "t.csv", COLUMNS)
    asked = {"targets": ["grey", "chance"], "nuisances": "scanner"}
    store, said = run(folder, tmp_path / "out", table=str(table), label="kind", group="donor", **asked)
    found = read_splits(tmp_path / "out" / "splits.csv")
    order = np.argsort(NAMES)  # folders are listed by name
    kinds = np.array(COLUMNS["kind"])[order]
    assert [store.manifest["classes"][code] for code in store.labels] == kinds.tolist()
    assert np.array_equal(found.targets["grey"].values, np.array(COLUMNS["grey"])[order])
    assert found.targets["scanner"].nuisance and found.targets["scanner"].kind == "classes"
    donors = np.array(found.group_names)[found.groups]
    assert donors.tolist() == np.array(COLUMNS["donor"])[order].tolist() and found.unit == "donor"
    assert not set(donors[store.split == 0]) & set(donors[store.split > 0])
    assert not set(donors[store.split == 1]) & set(donors[store.split == 2])
    assert "rows matched by path: column 'path' of the table, 240 samples" in said
    assert "scanner: classes, 3 different, which embeddings should not encode" in said
    assert "columns of the table that are not used: 'part'" in said
    assert f"groups: column 'donor', {len(set(donors))} that stay in one part each" in said


def test_given_parts_are_kept(folder, tmp_path):
    table = written(tmp_path / "t.csv", COLUMNS)
    store, said = run(folder, tmp_path / "out", table=str(table), split_column="part")
    parts = [SPLITS[code] for code in store.split]
    assert parts == np.array(COLUMNS["part"])[np.argsort(NAMES)].tolist()
    assert store.manifest["classes"] == ["0", "1", "2", "3"]  # folders stay the default
    assert "given parts: column 'part'" in said


@pytest.mark.parametrize(
    ("names", "way"),
    [
        ([f"/data/x/{name}" for name in NAMES], "path below the first 3 folders of the row:"),
        ([name.removesuffix(".png") for name in NAMES], "path, without the ending:"),
        ([name.replace("/", "\\") for name in NAMES], "path:"),
        ([name[2:] for name in NAMES], "file name:"),
        ([name[2:5] for name in NAMES], "file name, without the ending:"),
        ([f"x{name}" for name in NAMES], "file name:"),
    ],
)  # fmt: skip
def test_rows_are_matched_by_what_the_table_has_of_names_and_the_way_is_told(
    folder, tmp_path, names, way
):
    table = written(tmp_path / "t.csv", {**COLUMNS, "path": names})
    store, said = run(folder, tmp_path / "out", table=str(table), targets="grey")
    grey = read_splits(tmp_path / "out" / "splits.csv").targets["grey"].values
    assert np.abs(store.images.mean((1, 2, 3)) / 10 - grey).max() < 2
    assert f"rows matched by {way}" in said


def test_images_without_a_row_are_left_out_and_listed_and_unknown_values_counted(folder, tmp_path):
    less = {name: list(column[3:]) for name, column in COLUMNS.items()}
    less["grey"][:5] = [""] * 5
    less["path"][-1] = "4/gone.png"
    table = written(tmp_path / "t.csv", less)
    settings = {"table": str(table), "targets": {"grey": "numbers"}, "on_unmatched": "drop"}
    store, said = run(folder, tmp_path / "out", **settings)
    assert (
        len(store) == N - 4
        and np.isnan(read_splits(tmp_path / "out" / "splits.csv").targets["grey"].values).sum() == 5
    )
    assert "left out: 4 images without a row in the table, '0/000.png'" in said
    assert "1 row of the table has no image and is not used" in said
    assert "grey: numbers, " in said and "unknown of 5" in said
    assert store.manifest["annotations"]["left_out"] == [
        "0/000.png",
        "1/001.png",
        "2/002.png",
        "3/239.png",
    ]


def test_unreadable_images_and_copies_take_their_values_with_them(folder, tmp_path):
    """What is left out after the table was read leaves the rows of all others in place."""
    spoilt = tmp_path / "photos"
    shutil.copytree(folder, spoilt)
    (spoilt / NAMES[0]).write_bytes(b"junk")
    parts = dict(zip(NAMES, COLUMNS["part"], strict=True))
    train, test = (next(n for n in NAMES[1:] if parts[n] == part) for part in ("train", "test"))
    shutil.copy(spoilt / train, spoilt / test)
    table = written(tmp_path / "t.csv", COLUMNS)
    skip = {"on_error": "skip", "max_skipped": 0.1, "on_copies": "drop", "split_column": "part"}
    store, _ = run(spoilt, tmp_path / "out", table=str(table), targets="grey", **skip)
    grey = read_splits(tmp_path / "out" / "splits.csv").targets["grey"].values
    assert len(store) == N - 2 and np.abs(store.images.mean((1, 2, 3)) / 10 - grey).max() < 2
    spec = {"path": str(spoilt), "source": "folder", "image_size": SIZE, "table": str(table)}
    assert sources(parse_dataset(spec, "test", "images"))["table"] == str(table)


def test_the_table_may_lie_among_the_images(tmp_path):
    for i in range(20):
        Image.fromarray(PIXELS[i]).save(tmp_path / f"{i:03}.png")
    table = written(
        tmp_path / "labels.csv", {"file": [f"{i:03}" for i in range(20)], "y": list("ab") * 10}
    )
    store, _ = run(tmp_path, tmp_path.parent / "beside", table=str(table), label="y")
    assert store.labels.tolist() == [0, 1] * 10


@pytest.mark.parametrize("named", [True, False])
def test_arrays_are_matched_by_names_or_by_order_and_bring_targets(tmp_path, named):
    backwards = {name: column[::-1] for name, column in COLUMNS.items()} if named else COLUMNS
    table = written(tmp_path / "t.csv", backwards)
    names = {"names": np.array(NAMES)} if named else {}
    np.savez(tmp_path / "a.npz", images=PIXELS, grey=np.array(COLUMNS["grey"]), **names)
    asked = {"path": tmp_path / "a.npz", "source": "npz", "targets": "grey"}
    store, said = run(out=tmp_path / "out", table=str(table), label="kind", **asked)
    assert [store.manifest["classes"][code] for code in store.labels] == COLUMNS["kind"]
    assert ("rows matched by name" if named else "rows matched by order (images have no names)") in said
    run(out=tmp_path / "own", **asked)
    found = [read_splits(tmp_path / out / "splits.csv").targets["grey"].values for out in ("out", "own")]
    assert np.array_equal(*found) and found[0].tolist() == COLUMNS["grey"]
    assert "annotations" not in run(out=tmp_path / "none", **asked | {"targets": []})[0].manifest


def with_row(name, value, row=7):
    """The columns with another value in one row."""
    return {**COLUMNS, name: [*COLUMNS[name][:row], value, *COLUMNS[name][row + 1 :]]}


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        (with_row("grey", "pale"), {"targets": {"grey": "numbers"}}, "targets: column 'grey': row 8: found 'pale', expected a finite number"),
        (with_row("grey", "unknown"), {"targets": "grey"}, "targets: column 'grey': row 8: found 'unknown' among 239 numbers (1 in all)"),
        (with_row("path", NAMES[3]), {}, "column 'path': found '3/003.png' 2 times, expected each name once"),
        (with_row("path", "3/gone.png"), {}, "column 'path': found no row for 1 of 240 images, the first '3/007.png' (the table's first: '0/000.png'), compared by path"),
        ({**COLUMNS, "path": [f"p{i}" for i in range(N)]}, {"on_unmatched": "drop"}, "found no row for 240 of 240 images"),
        ({"photo": NAMES, "grey": COLUMNS["grey"]}, {"targets": "grey"}, "found no column that names the images among 'photo', 'grey'; name it in ids"),
        ({"grey": COLUMNS["grey"][1:]}, {"ids": "none", "targets": "grey"}, "found 239 rows for 240 images"),
        (COLUMNS, {"targets": "grys"}, "targets: found no column 'grys', expected one of 'path', 'kind'"),
        (COLUMNS, {"nuisances": "site"}, "nuisances: found no column 'site'"),
        (COLUMNS, {"label": "class"}, "label: found no column 'class'"),
        (COLUMNS, {"group": "patient"}, "group: found no column 'patient'"),
        (COLUMNS, {"ids": "key"}, "ids: found no column 'key'"),
        (COLUMNS, {"split_column": "kind"}, "split_column: column 'kind': found 'dark', 'light', expected train, val and test"),
        (with_row("donor", ""), {"group": "donor"}, "group: column 'donor': row 8: found no value (1 of 240 images have none)"),
        (COLUMNS, {"group": "donor", "split_column": "part"}, "groups are in more than one given part"),
        ({**COLUMNS, "grey": [""] * N}, {"targets": "grey"}, "targets: column 'grey': found no value in 240 rows"),
        ({**COLUMNS, "kind": ["dark"] * N}, {"label": "kind"}, "label: column 'kind': found one value, 'dark', in 240 rows"),
        ({**COLUMNS, "kind": NAMES}, {"label": "kind"}, "found 240 different texts in 240 rows, expected classes"),
    ],
)  # fmt: skip
def test_malformed_tables_are_one_line_and_leave_nothing(folder, tmp_path, columns, settings, says):
    table = written(tmp_path / "t.csv", columns)
    line = refused(tmp_path, path=str(folder), source="folder", table=str(table), **settings)
    assert says in line and line.startswith(str(table))


def refused(tmp_path, **settings):
    spec = {"image_size": SIZE, "channels": 1, **settings}
    with pytest.raises(InputError) as error:
        images.prepare(parse_dataset(spec, "test", "images"), tmp_path / "out", workers=1)
    line = str(error.value)
    assert "\n" not in line and not any((tmp_path / "out").glob("*")) and not list(tmp_path.glob(".*"))
    return line


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"targets": "age"}, "targets and nuisances: found 'age' with source folder and no table; set table"),
        ({"group": "donor"}, "group: found 'donor' without a table, expected both or neither"),
        ({"on_unmatched": "drop"}, "on_unmatched: found drop without a table"),
        ({"table": "t.csv", "group": "donor", "groups": "(d)_"}, "groups: found '(d)_' beside group"),
        ({"table": "t.csv", "label": "a", "nuisances": "a"}, "label: found 'a' among nuisances too"),
        ({"table": "t.csv", "targets": "a", "nuisances": "a"}, "found 'a' in both, expected one"),
        ({"table": "gone.csv"}, "gone.csv: no such file, expected a table with a row per sample"),
        ({"table": "t.xlsx"}, "t.xlsx: "),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_one_line(folder, tmp_path, settings, says):
    assert says in refused(tmp_path, path=str(folder), source="folder", **settings)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({}, "targets and nuisances: found no array 'grey', expected one of 'images'"),
        ({"grey": GREY[1:]}, "array 'grey': found 239 of type int64, expected 240 numbers or texts, one per image"),
        ({"grey": GREY.astype(complex)}, "array 'grey': found 240 of type complex128"),
        ({"grey": np.where(GREY > 100, "pale", "5")}, "array 'grey': row "),
        ({"grey": GREY, "names": np.array(["a"] * N)}, "names: found 'a' 240 times"),
    ],
)  # fmt: skip
def test_malformed_arrays_beside_images_are_one_line(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", images=PIXELS, **arrays)
    table = {"table": str(written(tmp_path / "t.csv", COLUMNS))} if "names" in arrays else {}
    path = {"path": str(tmp_path / "a.npz"), "source": "npz", "targets": {"grey": "numbers"}}
    line = refused(tmp_path, **path, **table)
    assert says in line and line.startswith(str(tmp_path / "a.npz"))


def test_a_run_without_a_table_keeps_its_bytes(digits):
    """Taken before tables could stand beside images."""
    manifest = json.loads((digits / "manifest.json").read_text())
    assert manifest["sha256"] == {
        "images.npy": "12fce391191d81182046255ad6a516afb95e3c862d2b9fa977af169ef4f36cbe",
        "splits.csv": "42fe97c67377133423d8785855ed7eebfdc801cfcf7222d809824ba99a40d10d",
    }
    assert not {"columns", "annotations"} & set(manifest)
    assert not set(TableBeside.model_fields) & set(manifest["settings"])


def test_probes_monitor_and_report_take_what_the_table_says(folder, step, tmp_path):
    table = written(tmp_path / "t.csv", COLUMNS)
    asked = {"targets": ["grey", "chance"], "nuisances": "scanner", "group": "donor"}
    run(folder, tmp_path / "data", table=str(table), label="kind", **asked)
    judge._experiment("pixels", {"encoder": "raw"}, tmp_path)
    results = tmp_path / "results"
    found = json.loads((results / "probe" / "pixels" / "probe.json").read_text())
    targets = found["of_targets"]
    assert targets["grey"]["r2"] > 0.9 and targets["chance"]["r2"] < 0.1
    assert found["logistic"]["accuracy"] > 0.9 and targets["scanner"]["nuisance"]
    assert targets["scanner"]["logistic"]["accuracy"] > 0.8
    judged = json.loads((results / "monitor" / "pixels" / "monitor.json").read_text())
    assert judged["nuisance"]["name"] in ("scanner", "donor")
    files = ("--results", results, "--data", tmp_path / "data", "--experiments", "pixels")
    code, _, err = step(report, *files, "--out", tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert code == 0, err
    assert "of donor (" in page and "rows matched by path" in page and "chance" in page
