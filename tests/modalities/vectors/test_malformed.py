"""Bad embeddings and tables: one line that names the file, what was found and what to do."""

from pathlib import Path

import numpy as np
import pytest
from vector_factory import embeddings, table, written

from jepa_steps.config.training import check_fit, parse_dataset, parse_training
from jepa_steps.errors import InputError
from jepa_steps.modalities.vectors.encoder import inputs
from jepa_steps.modalities.vectors.prepare import prepare

N = 60
COLUMNS = table(N)
X = embeddings(COLUMNS, 8)


def refused(folder: Path, **settings) -> str:
    with pytest.raises(InputError) as error:
        prepare(parse_dataset(settings, "judge", "vectors"), folder / "out", 1)
    line = str(error.value)
    assert "\n" not in line and len(line) < 500, line
    assert not (folder / "out").exists() or not any((folder / "out").iterdir())
    assert not list(folder.glob(".*partial"))
    return line


def at(x: np.ndarray, row: int, value: float) -> np.ndarray:
    return np.where(np.arange(len(x))[:, None] == row, value, x)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (X[:-1], "t.csv: found 60 rows for 59 embeddings"),
        (
            at(X, 17, np.nan),
            "e.npy: row 17 holds NaN, infinity or a number beyond float32, expected finite ones (1 of 60 rows do)",
        ),
        (at(X, 3, -np.inf), "e.npy: row 3 holds NaN, infinity"),
        (at(X.astype(float), 4, 1e300), "or a number beyond float32"),
        (X.astype(str), "found values of type <U32, expected numbers (samples, dimensions"),
        (X.astype(complex), "found values of type complex128"),
        (np.array([{"a": 1}] * N), "found Python objects (a pickle)"),
        (X[:, 0], "found shape (60,), expected (samples, dimensions"),
        (X[:, :, None, None], "found shape (60, 8, 1, 1), expected"),
        (X[:0], "found shape (0, 8): it is empty"),
        (X[:, :0], "found shape (60, 0): it is empty"),
    ],
)
def test_arrays(tmp_path, x, says):
    np.save(tmp_path / "e.npy", x, allow_pickle=True)
    line = refused(
        tmp_path,
        embeddings=str(tmp_path / "e.npy"),
        table=str(written(tmp_path / "t.csv", COLUMNS)),
        targets="label",
    )
    assert says in line and line.startswith(str(tmp_path))


IDS = COLUMNS["id"]


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        ({}, {"targets": "lable"}, "targets: found no column 'lable', expected one of 'id', 'label'"),
        ({}, {"targets": "label", "group": "patient"}, "group: found no column 'patient'"),
        ({}, {"nuisances": "plate"}, "nuisances: found no column 'plate'"),
        ({}, {"ids": "key"}, "ids: found no column 'key'"),
        ({}, {"split_column": "label"}, "split_column: column 'label': found 'ant', 'bee', 'cat', expected train"),
        ({"id": np.append(IDS[1], IDS[1:])}, {}, "column 'id': found 's001' 2 times, expected each name once"),
        ({"id": np.char.add("x", IDS)}, {}, "found no row for 60 of 60 embeddings, the first 's000' (the table's first: 'xs000')"),
        ({"id": np.append("gone", IDS[1:])}, {}, "found no row for 1 of 60 embeddings, the first 's000'"),
        ({"label": ["ant"] * N}, {"targets": "label"}, "found one value, 'ant', in 60 rows"),
        ({"label": [""] * N}, {"label": "label"}, "found no value in 60 rows"),
        ({"label": IDS}, {"targets": "label"}, "found 60 different texts in 60 rows, expected classes"),
        ({}, {"targets": {"label": "numbers"}}, "row 1: found "),
        ({"age": np.append("inf", COLUMNS["age"][1:].astype(str))}, {"targets": "age"}, "found 'inf', expected a finite number"),
        ({"donor": ["d0", "d1"] * (N // 2)}, {"group": "donor"}, "no sample for the val part: found 2 values of 'donor'"),
        ({"split": ["train"] * 58 + ["val", "test"], "donor": ["d"] * N}, {"group": "donor"}, "1 of 1 groups are in more than one given part"),
    ],
)  # fmt: skip
def test_tables(tmp_path, columns, settings, says):
    np.savez(tmp_path / "e.npz", embeddings=X, names=IDS)
    path = written(tmp_path / "t.csv", {**COLUMNS, **columns})
    line = refused(tmp_path, embeddings=str(tmp_path / "e.npz"), table=str(path), **settings)
    assert says in line and line.startswith(str(path))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", "", "found an empty table"),
        ("t.csv", "label\n", "found no rows below the names"),
        ("t.csv", "id;label\na;b\n", "found fields divided by ';', expected ','"),
        ("t.csv", "id,label\na\n", "line 2: found 1 fields, expected 2"),
        ("t.csv", "a,a\n1,2\n", "found 2 columns with the name 'a'"),
        ("t.xlsx", "", "expected a table named .csv"),
        ("t.parquet", "no", "not a readable .parquet file"),
    ],
)
def test_files_of_tables(tmp_path, name, content, says):
    np.save(tmp_path / "e.npy", X)
    (tmp_path / name).write_text(content)
    line = refused(tmp_path, embeddings=str(tmp_path / "e.npy"), table=str(tmp_path / name))
    assert line.startswith(str(tmp_path / name)) and says in line


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("e.npy", None, "no such file, expected numbers"),
        ("e.npy", b"", "not a readable array file"),
        ("e.npy", b"\x80\x04]q\x00.", "a pickle"),
        ("e.npz", b"PK\x03\x04", "not a readable array file"),
        ("e.h5ad", b"no", "not a readable .h5ad file"),
        ("e.parquet", b"no", "not a readable .parquet file"),
        ("e.pt", b"", "expected a name that ends in .npy, .npz, .parquet, .h5ad"),
    ],
)
def test_files_of_embeddings(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    line = refused(tmp_path, embeddings=str(tmp_path / name))
    assert line.startswith(str(tmp_path / name)) and says in line


def test_several_arrays_and_other_keys(tmp_path):
    np.savez(tmp_path / "e.npz", a=X, b=X)
    path = str(tmp_path / "e.npz")
    assert "found several arrays, has 'a', 'b'; set key" in refused(tmp_path, embeddings=path)
    assert "found no array 'c', has 'a', 'b'" in refused(tmp_path, embeddings=path, key="c")
    np.savez(tmp_path / "e.npz", X=X, names=IDS[:-1])
    assert "found 59 names for 60 rows" in refused(tmp_path, embeddings=path)
    np.save(tmp_path / "e.npy", X)
    line = refused(tmp_path, embeddings=str(tmp_path / "e.npy"), key="a")
    assert "expected none: an .npy holds one array" in line
    np.savez(tmp_path / "o.npz", X=X, names=np.array([None] * N))
    assert "array 'names': found Python objects" in refused(tmp_path, embeddings=str(tmp_path / "o.npz"))


def test_an_h5ad_without_that_entry(tmp_path):
    anndata, pandas = pytest.importorskip("anndata"), pytest.importorskip("pandas")
    obs = pandas.DataFrame({"label": COLUMNS["label"]}, index=IDS)
    anndata.AnnData(X[:, :2], obs=obs, obsm={"X_pca": X, "X_umap": X[:, :2]}).write_h5ad(
        tmp_path / "s.h5ad"
    )
    path = str(tmp_path / "s.h5ad")
    assert "obsm: found no 'X_scvi', has 'X_pca', 'X_umap'" in refused(
        tmp_path, embeddings=path, key="X_scvi"
    )
    assert "obsm: found 2 entries, has 'X_pca', 'X_umap'" in refused(tmp_path, embeddings=path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"raw": X[:5]}, "raw: found 5 rows for 60 embeddings"),
        ({"raw": X[:, 0]}, "found shape (60,), expected (samples, ...)"),
        ({"raw": at(X, 2, np.nan)}, "raw.npy: row 2 holds NaN"),
        ({"tokens": X}, "found shape (60, 8), expected (samples, tokens, dimensions)"),
        ({"tokens": X[:9, None]}, "tokens: found 9 rows for 60 embeddings"),
    ],
)
def test_what_stands_beside(tmp_path, settings, says):
    np.save(tmp_path / "e.npy", X)
    paths = {name: str(tmp_path / f"{name}.npy") for name in settings}
    for name, array in settings.items():
        np.save(paths[name], array)
    assert says in refused(tmp_path, embeddings=str(tmp_path / "e.npy"), **paths)


def test_settings_that_do_not_fit(tmp_path):
    np.save(tmp_path / "e.npy", X)
    path = str(tmp_path / "e.npy")
    assert "'batch' is a column of it; give the table" in refused(
        tmp_path, embeddings=path, targets="batch"
    )
    both = {"embeddings": path, "targets": ["a"], "nuisances": ["a"]}
    with pytest.raises(InputError, match="found 'a' in both"):
        parse_dataset(both, "judge", "vectors")
    dataset, train = (
        parse_dataset({"embeddings": path}, "judge", "vectors"),
        parse_training({"encoder": "pca", "dim": 2}, "judge", "vectors"),
    )
    with pytest.raises(ValueError, match=r"^e\.train\.encoder: found pca on a data set without raw"):
        check_fit("vectors", dataset, train, "e")
    with pytest.raises(InputError, match=r"vectors: found .* expected float32 \(B, 8\)"):
        inputs({"part": "vectors", "place": [0, 8], "shape": [8], "width": 16})(X[:, :3])
