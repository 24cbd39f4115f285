"""The rank step on arrays made here: what it writes, of which rows, and what it refuses."""

import csv
import json

import numpy as np
import pytest

from jepa_steps import probe, rank
from jepa_steps.data.splits import write_splits
from jepa_steps.metrics import geometry, lidar, spectrum
from jepa_steps.metrics.moments import moments

DIM, POSITIONS = 12, 9


@pytest.fixture
def folder(tmp_path):
    """600 samples, the first 400 for training; tokens of 150, the first 100 for training; 3 stages of views."""
    rng = np.random.default_rng(0)
    spread = np.geomspace(1, 0.1, DIM)
    samples = rng.normal(size=(600, 1, DIM)) * spread + 0.5
    samples[400:] *= 50  # whatever reads other parts by mistake is far off
    position = rng.normal(size=(1, POSITIONS, DIM))
    tokens = samples[300:450] + position + 0.3 * rng.normal(size=(150, POSITIONS, DIM))
    views = (
        samples[None, :80]
        + rng.normal(size=(3, 80, 5, DIM)) * np.array([9, 3, 0.2])[:, None, None, None]
    )
    np.save(tmp_path / "embeddings.npy", samples[:, 0].astype(np.float32))
    np.save(tmp_path / "tokens.npy", tokens.astype(np.float32))
    np.save(tmp_path / "views.npy", views.astype(np.float32))
    (tmp_path / "embed.json").write_text(json.dumps({"token_rows": list(range(300, 450))}))
    write_splits(
        tmp_path / "splits.csv",
        np.r_[[0] * 400, [1] * 100, [2] * 100],
        np.zeros(600, int),
        ["x"] * 600,
        None,
    )
    return tmp_path


def call(step, folder, *more, out="out", names=("tokens", "views"), splits=True):
    arguments = ["--embeddings", folder / "embeddings.npy", "--out", folder / out, *more]
    arguments += ["--splits", folder / "splits.csv"] if splits else []
    for name in names:
        arguments += [f"--{name}", folder / f"{name}.npy"]
    return step(rank, *arguments)


def test_everything_is_of_training_samples_and_the_final_encoder(step, folder):
    code, out, err = call(step, folder)
    assert code == 0, err
    result = json.loads((folder / "out/rank.json").read_text())
    pooled = np.load(folder / "embeddings.npy")[:400]
    tokens, views = np.load(folder / "tokens.npy")[:100], np.load(folder / "views.npy")[-1]
    flat, centred = tokens.reshape(-1, DIM), (tokens - tokens.mean(0, np.float64)).reshape(-1, DIM)
    for name, rows in (("pooled", pooled), ("tokens", flat), ("position_centred_tokens", centred)):
        m, found = spectrum.summary(moments(rows)), result[name]
        assert found["trust"] == "ok" and found["n"] == found["rows"] == len(rows)
        for kind in ("centred", "raw"):
            assert found[kind]["effective_rank"] == pytest.approx(m[kind]["effective_rank"], rel=1e-5)
            assert set(found[kind]) == set(m[kind])
        assert found["raw"]["rankme"] == pytest.approx(m["raw"]["rankme"], rel=1e-5)
        assert found["uniformity"] == pytest.approx(geometry.uniformity(rows), abs=1e-5)
        assert found["self_cluster"] == pytest.approx(geometry.self_cluster(rows), abs=1e-6)
        assert found["uniformity_method"] == "all pairs" and found["uniformity_standard_error"] is None
        assert found["sigreg_ratio"] > 1
    assert result["tokens"]["samples"] == 100
    assert result["alignment"] == pytest.approx(geometry.alignment(views))
    assert result["lidar"] == pytest.approx(lidar.lidar(views))
    assert result["chance"]["n"] == 400 and 11 < result["chance"]["effective_rank"] < 12
    assert f"effective rank {result['pooled']['centred']['effective_rank']:.2f} of 12 (n = 400" in out


def test_the_table_of_singular_values(step, folder):
    call(step, folder)
    with (folder / "out/spectrum.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("pooled", "tokens", "position_centred_tokens")
    assert list(rows[0]) == ["index", *(f"{n}_{k}" for n in names for k in ("centred", "raw"))]
    pooled = np.load(folder / "embeddings.npy")[:400].astype(float)
    raw = np.linalg.svd(pooled, compute_uv=False)
    assert np.allclose([float(r["pooled_raw"]) for r in rows], raw)
    centred = np.linalg.svd(pooled - pooled.mean(0), compute_uv=False)
    assert np.allclose([float(r["pooled_centred"]) for r in rows], centred)
    spectra, heat = ((folder / f"out/{name}.svg").read_text() for name in ("spectrum", "correlation"))
    assert all(name in spectra for name in ("white noise", "pooled", "position-centred tokens"))
    assert "12 dimensions" in heat and "<image" in heat


def test_the_same_bytes_twice(step, folder):
    for out in ("a", "b"):
        call(step, folder, "--spec", {"pair_rows": 100, "samples": 200}, out=out)
    files = sorted(p.name for p in (folder / "a").iterdir())
    assert files == ["correlation.svg", "rank.json", "spectrum.csv", "spectrum.svg"]
    assert all((folder / "a" / f).read_bytes() == (folder / "b" / f).read_bytes() for f in files)
    result = json.loads((folder / "a/rank.json").read_text())
    assert (
        result["pooled"]["n"] == 200 and result["tokens"]["n"] == 900 > result["tokens"]["rows"] == 200
    )
    assert result["pooled"]["uniformity_method"] == "200000 random pairs"
    assert 0 < result["pooled"]["uniformity_standard_error"] < 0.05


def test_embeddings_alone_are_enough(step, folder):
    assert call(step, folder, names=(), splits=False)[0] == 0
    result = json.loads((folder / "out/rank.json").read_text())
    assert result["pooled"]["n"] == 600
    empty = ("tokens", "position_centred_tokens", "alignment", "lidar")
    assert [result[name] for name in empty] == [None] * 4


def test_an_encoder_of_one_token_has_no_token_ranks(step, folder):
    np.save(folder / "tokens.npy", np.load(folder / "tokens.npy")[:, :1])
    np.save(folder / "views.npy", np.empty((0, 0, 0, DIM), np.float32))
    assert call(step, folder)[0] == 0
    result = json.loads((folder / "out/rank.json").read_text())
    assert result["tokens"] is None and result["lidar"] is None


def test_tokens_without_a_description_are_all_used(step, folder):
    (folder / "embed.json").unlink()
    assert call(step, folder)[0] == 0
    assert json.loads((folder / "out/rank.json").read_text())["tokens"]["samples"] == 150


def test_too_few_rows_have_no_rank_but_a_reason(step, folder):
    np.save(folder / "embeddings.npy", np.load(folder / "embeddings.npy")[:40])
    code, out, _ = call(step, folder, names=(), splits=False)
    result = json.loads((folder / "out/rank.json").read_text())
    assert code == 0 and "no rank: 40 rows of 12 dimensions" in out and "48 are needed" in out
    assert result["pooled"]["trust"] == "refused" and "48 are needed" in result["pooled"]["reason"]
    assert result["pooled"]["centred"]["effective_rank"] is result["pooled"]["raw"]["rankme"] is None
    np.save(folder / "embeddings.npy", np.random.default_rng(0).normal(size=(60, DIM)))
    assert "few rows: a low estimate" in call(step, folder, names=(), splits=False)[1]


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        (
            "tokens",
            np.zeros((4, 3)),
            "tokens.npy: found shape (4, 3) of float32, expected numbers (samples, tokens, dimensions)",
        ),
        ("tokens", np.zeros((150, 3, 5)), "tokens.npy: found 5 dimensions, expected 12"),
        ("tokens", np.zeros((7, 3, DIM)), "token_rows: found 150 rows up to 449 for 7 samples"),
        ("views", np.zeros((4, 3)), "views.npy: found shape (4, 3)"),
        ("views", np.zeros((1, 1, 4, DIM)), "expected at least 2 samples of 2 views"),
        ("embeddings", np.zeros((3, DIM)), "splits.csv: 600 rows for 3 embeddings"),
    ],
)
def test_bad_arrays_are_named(step, folder, name, array, says):
    np.save(folder / f"{name}.npy", array.astype(np.float32))
    code, _, err = call(step, folder)
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1 and says in err
    assert not (folder / "out").exists()


def test_what_is_no_matrix_of_embeddings_is_named(step, folder):
    rows = np.ones((5000, DIM), np.float32)
    rows[4321, 2] = np.nan
    arrays = {
        "text": (
            np.array([["a", "b"]]),
            "found shape (1, 2) of <U1, expected numbers (rows, dimensions)",
        ),
        "objects": (np.array([{}], dtype=object), "not a readable .npy file"),
        "vector": (rows[:, 0], "found shape (5000,) of float32"),
        "nan": (rows, "row 4321 holds NaN or infinity"),
    }
    for name, (array, _) in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=True)
    cases = {folder / f"{name}.npy": says for name, (_, says) in arrays.items()}
    cases[folder] = "found a folder, expected an .npy file in it"
    for module, more in ((rank, ()), (probe, ("--splits", folder / "splits.csv"))):
        for path, says in cases.items():
            code, _, err = step(module, "--embeddings", path, *more, "--out", folder / "new")
            assert code == 2 and f"{path}: {says}" in err, err
            assert err.count("\n") == 1 and not (folder / "new").exists()
