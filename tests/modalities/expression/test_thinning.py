"""Counts divided in two: exact draws by counter, independent parts, and what training on them gives."""

import json

import numpy as np
import pytest
import torch
from modalities.expression.screens import prepared, screen, settings, write_npz
from scipy import sparse, stats
from support import parse_training

from jepa_steps import draws, embed, train
from jepa_steps.data.splits import read_splits
from jepa_steps.engine.distributed import World
from jepa_steps.errors import InputError
from jepa_steps.metrics import probes
from jepa_steps.modalities.expression.batches import CellBatches, PerturbationBatches
from jepa_steps.modalities.expression.encoder import CellInputs, describe
from jepa_steps.modalities.expression.preparation.count_values import count_values
from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.settings import PRESETS
from jepa_steps.modalities.expression.standardise import common_scale
from jepa_steps.modalities.expression.store import open_store
from jepa_steps.modalities.expression.thinning import Binomial, Thinning, uniform_at

CPU = torch.device("cpu")
THINNED = {**PRESETS["thinned-counts"], "threads": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(prepared(tmp_path_factory.mktemp("screen"), screen()))


def counts_of(store, rows):
    return np.expm1(store.samples(rows)) / store.count_value[rows][:, None]


def test_draws_on_the_device_are_those_of_the_counter():
    rng, stream = np.random.default_rng(0), draws.key(1, "test")
    epoch, index = rng.integers(0, 99, 20), rng.integers(0, 10**12, 20)
    states = torch.from_numpy(draws.states(stream, epoch, index).view(np.int64))
    row, place = torch.meshgrid(torch.arange(20), torch.arange(50), indexing="ij")
    found = uniform_at(states[row.flatten()], place.flatten()).view(20, 50).numpy()
    assert np.array_equal(found, draws.uniform(stream, epoch, index, 50))


def drawn(binomial, n, u):
    counts = n.astype(np.float32)
    return binomial(counts, torch.from_numpy(counts), torch.from_numpy(u)).numpy()


@pytest.mark.parametrize("share", [0.5, 0.3, 0.05])
def test_quantiles_are_scipys_and_nearly_so_where_counts_are_large(share):
    rng, binomial = np.random.default_rng(0), Binomial(share, CPU)

    def off(n):
        u = rng.random(len(n))
        found = drawn(binomial, n, u)
        return np.abs(found - np.where(n > 0, stats.binom.ppf(u, n, share), 0)), found

    n = rng.integers(0, 256, 50_000)
    wrong, found = off(n)
    assert wrong.max() == 0 and (found <= n).all()
    large = rng.integers(256, 5000, 50_000)
    wrong, found = off(large)
    assert wrong.max() <= 3 and abs((found - large * share).mean()) < 0.2
    assert drawn(binomial, np.array([1, 7, 900]), np.zeros(3)).tolist() == [0, 0, 0]


def test_the_parts_are_all_counts_of_the_cell_on_its_own_scale(store):
    rows = store.rows("train")[:50]
    epoch = np.arange(len(rows))
    first, second = (
        np.expm1(part.numpy()) * share / store.count_value[rows][:, None]
        for part, share in zip(Thinning(store, 0.3, 0, CPU)(epoch, rows), (0.3, 0.7), strict=True)
    )
    whole = counts_of(store, rows)
    assert np.allclose(first, first.round(), atol=1e-3) and np.allclose(first + second, whole, atol=1e-3)
    assert abs(first.sum() / whole.sum() - 0.3) < 0.01
    again = Thinning(store, 0.3, 0, CPU)(epoch[::-1].copy(), rows[::-1].copy())[0].flip(0)
    assert torch.equal(Thinning(store, 0.3, 0, CPU)(epoch, rows)[0], again)
    assert not torch.equal(Thinning(store, 0.3, 0, CPU)(epoch + 1, rows)[0], again)
    assert not torch.equal(Thinning(store, 0.3, 1, CPU)(epoch, rows)[0], again)


def test_parts_of_poisson_counts_are_independent():
    rng = np.random.default_rng(0)
    counts = rng.poisson(6.0, 200_000)
    first = drawn(Binomial(0.5, CPU), counts, rng.random(len(counts)))
    second = counts - first
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(first.var() - 3) < 0.05 and abs(second.var() - 3) < 0.05


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("hidden", [0, 3])
def test_ranks_share_a_batch(store, size, hidden):
    whole = CellBatches(store, 24, 6, hidden, 5, World(0, 1, CPU), 0.5)(2)
    assert not torch.equal(whole[0], whole[3])
    for rank in range(size):
        part = CellBatches(store, 24, 6, hidden, 5, World(rank, size, CPU), 0.5)(2)
        assert all(torch.equal(a, b[rank::size]) for a, b in zip(part, whole, strict=True))


def test_a_perturbed_cell_is_predicted_from_a_part_of_a_control(store):
    """The same pairs as without thinning: no part has more counts of a gene than its cell."""
    of = [
        PerturbationBatches(store, 24, 4, 5, World(0, 1, CPU), thinning=share) for share in (None, 0.3)
    ]
    plain, thinned = (each(0) for each in of)
    scale, mean = common_scale(store.std), torch.from_numpy(store.mean)
    for at, share in ((0, 0.3), (3, 0.7)):
        whole, part = (torch.expm1(batch[at] * scale + mean) for batch in (plain, thinned))
        fits = part * share <= whole * 1.001 + 0.01
        assert fits.all() and (part * share)[whole > 0].sum() < 0.9 * whole.sum()
        assert not (part.roll(1, 0) * share <= whole * 1.001 + 0.01).all()


def test_counts_come_back_from_scaled_values_and_from_logarithms():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(1, 1, 60), (300, 60)).astype(float)
    counts[0], counts[1, :] = 0, 0
    counts[2], counts[2, :2] = 0, (2, 3)  # no gene with a single count
    scale = rng.uniform(0.3, 40, 300)
    linear = counts * scale[:, None]
    logs = np.log1p(linear).astype(np.float32)
    for x in (linear, linear.astype(np.float32), np.expm1(logs.astype(float))):
        worth, whole = count_values(sparse.csr_matrix(x))
        held = counts.max(1) > 0
        multiple = scale[held] / worth[held]
        assert whole.all() and np.allclose(multiple, 1 / np.round(1 / multiple), rtol=1e-4)
        assert np.allclose(multiple[1:], 1, rtol=1e-4), "cells with a single count have one worth"
    noise = sparse.csr_matrix(rng.random((300, 60)))
    assert count_values(noise)[1].mean() < 0.01


@pytest.mark.parametrize("kind", ["normalised", "log"])
def test_a_store_of_logarithms_knows_the_counts(tmp_path, kind):
    given = screen()
    linear = given["X"] / given["X"].sum(1, keepdims=True) * 1e4
    values = linear if kind == "normalised" else np.log1p(linear)
    known = prepared(tmp_path / "counts", given)
    found = prepared(tmp_path / kind, {**given, "X": values.astype(np.float32)}, input=kind)
    a, b = open_store(known), open_store(found)
    assert a.manifest["input"]["counts"] == {"kind": "given", "inexact_cells": 0}
    assert b.manifest["input"]["counts"] == {"kind": "recovered", "inexact_cells": 0}
    rows = np.arange(len(a))
    assert np.allclose(counts_of(a, rows), counts_of(b, rows), atol=0.01)
    wanted = [part.numpy() for part in Thinning(a, 0.5, 0, CPU)(rows, rows)]
    for part, other in zip(wanted, Thinning(b, 0.5, 0, CPU)(rows, rows), strict=True):
        assert np.allclose(part, other.numpy(), atol=1e-4)


def test_values_that_tell_no_counts_stop_training_in_one_line(step, tmp_path):
    given = screen()
    values = np.random.default_rng(0).random(given["X"].shape).astype(np.float32) * 5
    out = prepared(tmp_path / "screen", {**given, "X": values}, input="log")
    assert open_store(out).manifest["input"]["counts"]["kind"] == "none"
    arguments = ("--data", out, "--out", tmp_path / "train", "--checkpoints", tmp_path / "runs")
    code, _, err = step(train, "--spec", {**THINNED, "steps": 20}, *arguments)
    assert code == 2 and "thinning: found values that tell no counts" in err
    assert len(err.strip().splitlines()) == 1 and not (tmp_path / "train").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"thinning": None}, "thinning: found null with task thinned counts"),
        ({"task": "masked genes"}, "tokenizer mlp"),
        ({"task": "perturbation"}, "objective.level: found pooled with task perturbation"),
        ({"objective": {"kind": "vicreg"}}, "predictor.depth: found 0 with task thinned counts"),
        ({"model": {"tokenizer": "modules", "linear_path": True}}, "linear_path: found true"),
        ({"task": "perturbation", "objective": {"kind": "vicreg"}, "pairing": "mean"}, "pairing"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(changes, said):
    with pytest.raises(InputError, match=said):
        parse_training({**THINNED, **changes}, "test")


@pytest.mark.parametrize("level", ["pooled", "tokens"])
def test_both_levels_train(step, tmp_path, level):
    spec = {**THINNED, "steps": 10, "batch_size": 32, "validate_every": 10}
    spec["model"] = {**spec["model"], "tokens": 2, "hidden": 16, "dim": 16}
    spec["objective"] = {"kind": "vicreg", "level": level}
    spec["predictor"] = {"depth": 1}
    out = prepared(tmp_path / "screen", screen())
    arguments = ("--data", out, "--out", tmp_path / "train", "--checkpoints", tmp_path / "runs")
    code, _, err = step(train, "--spec", spec, *arguments)
    assert code == 0, err
    code, _, err = step(
        embed, "--spec", {"poolings": ["last4"]}, "--data", out,
        "--encoder", tmp_path / "train", "--out", tmp_path / "embed",
    )  # fmt: skip
    assert code == 0, err  # last4, too, of an encoder without blocks
    described = json.loads((tmp_path / "embed" / "embed.json").read_text())
    assert "last4" in described["poolings"]


def simulated(depth: float, seed: int = 0) -> dict:
    """Cells of six kinds in 200 genes: each kind has 20 genes of twice the rate, and cells differ in
    their position on two programmes that have nothing to do with the kinds."""
    rng, n, genes = np.random.default_rng(seed), 2400, 200
    kind = rng.integers(0, 6, n)
    rate = rng.gamma(1.0, 1.0, genes)[None].repeat(n, 0)
    for k in range(6):
        rate[np.ix_(kind == k, rng.permutation(genes)[:20])] *= 2
    programmes = rng.normal(size=(2, genes)) * 0.3
    rate = rate * np.exp(rng.normal(size=(n, 2)) @ programmes)
    rate = rate / rate.sum(1, keepdims=True) * depth * rng.gamma(4, 0.25, n)[:, None]
    return {
        "X": rng.poisson(rate).astype(np.float32),
        "genes": [f"g{i}" for i in range(genes)],
        "barcodes": [f"c{i}" for i in range(n)],
        "perturbation": [["ctrl", *(f"drug{i}" for i in range(5))][k] for k in kind],
        "cell_type": ["one"] * n,
        "batch": ["one"] * n,
        "dose": ["1"] * n,
        "perturbation_type": ["drug"] * n,
    }


def few_and_all(rows: np.ndarray, folder) -> tuple[float, float]:
    """Test accuracy of a linear probe with ten labels a class, and with all."""
    table = read_splits(folder / "splits.csv")
    parts = [np.flatnonzero(table.split == code) for code in range(3)]
    x = probes.standardise(*(rows[part] for part in parts))
    data = probes.Split3(*x, *(table.labels[part] for part in parts))
    few = (probes.few_label_probe(data, 10, 10, 0) == data.test_y).mean()
    linear, classes, _ = probes.logistic_probe(data, (0.001, 0.01, 0.1, 1.0))
    return float(few), float((classes[linear(data.test).argmax(1)] == data.test_y).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "noisy"), [(150, True), (20_000, False)])
def test_few_labels_go_further_where_noise_dominates_and_as_far_where_it_does_not(
    step, tmp_path, depth, noisy
):
    write_npz(tmp_path / "screen.npz", simulated(depth))
    split = {"kind": "cell", "allow_leaky": True}
    prepare(settings(tmp_path / "screen.npz", split=split), tmp_path / "data")
    store = open_store(tmp_path / "data")
    arguments = ("--data", tmp_path / "data", "--out", tmp_path / "train", "--checkpoints", tmp_path)
    assert step(train, "--spec", THINNED, *arguments)[0] == 0
    encoder = ("--encoder", tmp_path / "train", "--out", tmp_path / "embed")
    assert step(embed, "--data", tmp_path / "data", *encoder)[0] == 0
    raw = few_and_all(store.samples(np.arange(len(store))), tmp_path / "data")
    ours = few_and_all(np.load(tmp_path / "embed" / "embeddings.npy"), tmp_path / "data")
    print(depth, "raw", raw, "thinned counts", ours)
    if noisy:  # with all 1,700 labels a probe of raw expression averages the noise out by itself
        assert ours[0] > raw[0] + 0.08 and raw[1] > ours[1] > raw[1] - 0.07
    else:
        assert ours[0] > raw[0] - 0.02 and ours[1] > raw[1] - 0.02


def test_an_encoder_refuses_counts_as_they_are(store):
    """It takes what prepare stores: logarithms."""
    description = {**describe(None, store)}
    take = CellInputs(description, "cpu")
    x = store.samples(np.arange(5))
    assert description["input"]["values"] == "log1p of normalised expression"
    assert take(x).shape == x.shape and take(np.zeros_like(x)).shape == x.shape
    for wrong in (np.round(np.expm1(x)), np.expm1(x), np.round(x)):
        with pytest.raises(InputError, match="expected log1p of normalised expression"):
            take(wrong.astype(np.float32))
