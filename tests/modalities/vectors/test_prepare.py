"""Given embeddings as they are stored: formats, rows by name, parts, what is guessed and said."""

from pathlib import Path

import numpy as np
import pytest
from vector_factory import embeddings, table, written

from jepa_steps import judge
from jepa_steps.config.training import parse_dataset
from jepa_steps.data.splits import read_splits
from jepa_steps.modalities.vectors.encoder import describe, encoder
from jepa_steps.modalities.vectors.prepare import prepare
from jepa_steps.modalities.vectors.report import describe as describe_report
from jepa_steps.modalities.vectors.store import VectorStore, open_store
from jepa_steps.modalities.vectors.training import GivenEmbeddings, RandomProjection, Shuffled
from jepa_steps.model.export import Encoder

N = 60
COLUMNS = table(N)
IDS, X = COLUMNS["id"], embeddings(COLUMNS, 8)


def prepared(folder: Path, embeddings: Path, **settings) -> tuple[VectorStore, dict]:
    out = folder / "out"
    manifest = prepare(
        parse_dataset({"embeddings": str(embeddings), **settings}, "test", "vectors"), out, 1
    )
    return open_store(out), manifest


def npy(folder: Path) -> Path:
    np.save(folder / "e.npy", X)
    return folder / "e.npy"


def npz(folder: Path) -> Path:
    np.savez(folder / "e.npz", X=X, ids=IDS)
    return folder / "e.npz"


def parquet(folder: Path) -> Path:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({f"d{i}": X[:, i] for i in range(8)})
    frame.insert(0, "name", IDS)
    frame.assign(label=np.arange(N), weight=1.5).to_parquet(folder / "e.parquet")
    return folder / "e.parquet"


def lists(folder: Path) -> Path:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": IDS, "vector": list(X), "length": np.arange(N)})
    frame.to_parquet(folder / "l.parquet")
    return folder / "l.parquet"


def h5ad(folder: Path) -> Path:
    anndata, pandas = pytest.importorskip("anndata"), pytest.importorskip("pandas")
    obs = pandas.DataFrame({"label": pandas.Categorical(COLUMNS["label"])}, index=IDS)
    anndata.AnnData(X[:, :1], obs=obs, obsm={"X_scvi": X}).write_h5ad(folder / "e.h5ad")
    return folder / "e.h5ad"


@pytest.mark.parametrize("form", [npy, npz, parquet, lists, h5ad])
def test_every_format_gives_the_same(tmp_path, form):
    path = str(written(tmp_path / "t.csv", COLUMNS))
    store, manifest = prepared(tmp_path, form(tmp_path), table=path, targets=["label"])
    assert np.array_equal(store.parts["vectors"], X) and manifest["classes"] == ["ant", "bee", "cat"]
    assert np.array_equal(np.array(["ant", "bee", "cat"])[store.labels], COLUMNS["label"])
    how = "order" if form is npy else "name: column 'id'"
    assert any(note.startswith(f"rows matched by {how}") for note in manifest["notes"])


def test_columns_that_are_not_counted_are_no_dimensions(tmp_path):
    _, manifest = prepared(tmp_path, parquet(tmp_path), label="none")
    (note,) = [note for note in manifest["notes"] if note.startswith("embeddings: 8 columns of numbers")]
    assert note.endswith("not taken: 'name', 'label', 'weight'")


def test_obs_is_the_table_of_an_h5ad(tmp_path):
    store, manifest = prepared(tmp_path, h5ad(tmp_path))
    assert (
        manifest["label"] == "label"
        and "rows matched by order (the same file): 60 samples" in manifest["notes"]
    )
    assert np.bincount(store.labels).tolist() == [
        (COLUMNS["label"] == c).sum() for c in ("ant", "bee", "cat")
    ]


def test_names_that_embed_writes_beside_an_npy(tmp_path):
    order = np.random.default_rng(0).permutation(N)
    written(tmp_path / "e.csv", {"file": IDS})
    path = written(tmp_path / "t.csv", {"file": IDS[order], "label": COLUMNS["label"][order]})
    store, _ = prepared(tmp_path, npy(tmp_path), table=str(path))
    assert np.array_equal(np.array(["ant", "bee", "cat"])[store.labels], COLUMNS["label"])


@pytest.mark.usefixtures("no_figures")
def test_rows_matched_by_name_in_another_order_give_the_same_numbers(tmp_path):
    columns = table(200)
    x, order = embeddings(columns, 8), np.random.default_rng(0).permutation(200)
    np.savez(tmp_path / "e.npz", embeddings=x, names=columns["id"])
    tables = {"a": columns, "b": {name: column[order] for name, column in columns.items()}}
    found = []
    for name, of in tables.items():
        settings = {"table": str(written(tmp_path / f"{name}.csv", of)), "targets": ["label", "age"]}
        settings |= {"embeddings": str(tmp_path / "e.npz"), "nuisances": ["batch"], "group": "donor"}
        judge.judge("vectors", settings, tmp_path / name)
        found.append(
            [
                (tmp_path / name / "results" / step / "embeddings" / file).read_bytes()
                for step, file in (
                    ("probe", "probe.json"),
                    ("monitor", "monitor.json"),
                    ("rank", "rank.json"),
                )
            ]
        )
    assert found[0] == found[1]


def test_embeddings_without_a_row_are_left_out_where_that_is_asked_for(tmp_path):
    columns = {"id": np.append("other", IDS[2:]), "label": np.append("ant", COLUMNS["label"][2:])}
    path = str(written(tmp_path / "t.csv", columns))
    np.save(tmp_path / "x.npy", 2 * X)
    extra = {"raw": str(tmp_path / "x.npy")}
    store, manifest = prepared(tmp_path, npz(tmp_path), table=path, on_unmatched="drop", **extra)
    assert len(store) == 58 and np.array_equal(store.parts["vectors"], X[2:])
    assert np.array_equal(store.parts["raw"], 2 * X[2:])
    assert "left out: 2 embeddings without a row in the table, 's000', 's001'" in manifest["notes"]
    assert "1 row of the table has no embedding and is not used" in manifest["notes"]


def test_given_parts_are_kept_and_folds_are_not(tmp_path):
    given = np.array(["train", "valid", "TEST"])[np.arange(N) % 3]
    path = str(written(tmp_path / "t.csv", {"label": COLUMNS["label"], "split": given}))
    store, manifest = prepared(tmp_path, npy(tmp_path), table=path)
    assert (
        store.split.tolist() == (np.arange(N) % 3).tolist()
        and "given parts: column 'split'" in manifest["notes"]
    )
    path = str(written(tmp_path / "t.csv", {"label": COLUMNS["label"], "fold": np.arange(N) % 5}))
    store, manifest = prepared(tmp_path, npy(tmp_path), table=path)
    assert np.bincount(store.split).tolist() == [36, 12, 12]
    assert "column 'fold' holds no parts (train, val, test) and is not used" in manifest["notes"]


def test_groups_stay_together_and_nuisances_are_covariates(tmp_path):
    path = str(written(tmp_path / "t.csv", COLUMNS))
    settings = {"group": "donor", "nuisances": ["batch", "age"], "targets": ["label"]}
    store, manifest = prepared(tmp_path, npy(tmp_path), table=path, **settings)
    found = read_splits(tmp_path / "out" / "splits.csv")
    assert found.unit == "donor" and found.named_groups
    for donor in np.unique(COLUMNS["donor"]):
        assert len(np.unique(store.split[COLUMNS["donor"] == donor])) == 1
    assert list(found.covariates) == ["batch"] and found.nuisance_column == "batch"
    assert found.targets["age"].kind == "numbers" and found.targets["age"].nuisance
    assert manifest["groups"]["number"] == len(np.unique(COLUMNS["donor"]))


def test_a_nuisance_may_be_called_like_a_column_of_the_store(tmp_path):
    columns = {"label": COLUMNS["label"], "source": COLUMNS["batch"]}
    path = str(written(tmp_path / "t.csv", columns))
    prepared(tmp_path, npy(tmp_path), table=path, nuisances=["source"])
    found = read_splits(tmp_path / "out" / "splits.csv")
    assert list(found.covariates) == ["source of the table"] and list(found.targets) == ["source"]


def test_what_is_strange_is_said(tmp_path):
    x = X.copy()
    x[:] = x[0]
    x[0, :6] += 1
    np.save(tmp_path / "e.npy", x)
    columns = {"label": np.append(["one", ""], COLUMNS["label"][2:])}
    _, manifest = prepared(tmp_path, tmp_path / "e.npy", table=str(written(tmp_path / "t.csv", columns)))
    said = " ".join(manifest["notes"])
    assert "2 of 8 columns hold one value" in said
    assert manifest["equal_rows"] == 24 and "24 embeddings of val and test equal one of training" in said
    assert "label: classes, 4 different, unknown of 1" in said and "1 class has fewer than 3" in said


def test_encoders_take_their_part_of_a_sample(tmp_path):
    tokens = np.random.default_rng(0).normal(size=(N, 5, 8)).astype(np.float32)
    np.save(tmp_path / "e.npy", tokens)
    np.save(tmp_path / "x.npy", np.arange(N * 6).reshape(N, 2, 3))
    store, manifest = prepared(tmp_path, tmp_path / "e.npy", raw=str(tmp_path / "x.npy"))
    assert manifest["tokens"] == {"number": 5, "width": 8, "mean": True}
    rows = np.array([3, 1, 7])

    def made(train) -> Encoder:
        config = {**describe(train, store), "modality": "vectors", "train": train.model_dump()}
        return Encoder(config, encoder(train, config).state_dict())

    whole = made(GivenEmbeddings(encoder="given", tokens=True))
    assert whole.grid == (5,) and np.array_equal(whole.encode(store.samples(rows)).numpy(), tokens[rows])
    given = made(GivenEmbeddings(encoder="given"))
    assert given.grid is None
    assert np.allclose(given.embed(store.samples(rows)).numpy(), tokens[rows].mean(1), atol=1e-6)
    assert np.array_equal(given.embed(X[:2]).numpy(), X[:2])  # new embeddings
    other = made(Shuffled(encoder="shuffled")).embed(store.samples(np.arange(N))).numpy()
    for code in range(3):
        part = store.split == code
        assert np.array_equal(np.sort(other[part], 0), np.sort(store.parts["vectors"][part], 0))
    assert not np.array_equal(other, store.parts["vectors"])
    assert made(RandomProjection(encoder="random-projection", dim=2)).embed(
        store.samples(rows)
    ).shape == (3, 2)
    raw = describe_raw(store)
    assert raw["part"] == "raw" and raw["shape"] == [6]


def describe_raw(store: VectorStore) -> dict:
    from jepa_steps.config import RawEncoder

    return describe(RawEncoder(encoder="raw"), store)


def test_names_on_one_side_alone_ask_for_a_check_of_the_order(tmp_path):
    path = str(written(tmp_path / "t.csv", COLUMNS))
    _, manifest = prepared(tmp_path, npy(tmp_path), table=path, targets=["label"])
    assert any("CHECK THE ORDER: the table has names in 'id'" in note for note in manifest["notes"])
    _, manifest = prepared(tmp_path, npy(tmp_path), table=path, targets=["label"], ids="none")
    assert not any("CHECK" in note for note in manifest["notes"])


def test_equal_embeddings_in_two_parts_are_a_leak_on_the_page(tmp_path):
    np.save(tmp_path / "e.npy", np.concatenate([X, X]))
    rows = {name: np.concatenate([values, values]) for name, values in COLUMNS.items() if name != "id"}
    path = str(written(tmp_path / "t.csv", rows))
    _, manifest = prepared(tmp_path, tmp_path / "e.npy", table=path, targets=["label"])
    described = describe_report(manifest, "x")
    assert len(described["leaks"]) == 1 and "equal one of training" in described["leaks"][0]
