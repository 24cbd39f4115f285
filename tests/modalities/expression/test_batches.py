"""Batches of cells: a function of their number, shared by ranks, blind to val and test."""

import csv

import numpy as np
import pytest
import torch
from modalities.expression.screens import prepared, screen

from jepa_steps.engine.distributed import World
from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.batches import (
    CellBatches,
    Expression,
    PerturbationBatches,
    Perturbations,
)
from jepa_steps.modalities.expression.modules import gene_modules
from jepa_steps.modalities.expression.store import open_store

CPU = torch.device("cpu")
ONE = World(0, 1, CPU)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(prepared(tmp_path_factory.mktemp("screen"), screen()))


def batches(store, world=ONE, **changes):
    return PerturbationBatches(store, **{"size": 24, "tokens": 4, "seed": 5, "world": world} | changes)


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_is_a_function_of_its_number(store):
    one, again = batches(store), batches(store)
    later = [one(number) for number in (0, 1, 7)]
    assert equal(again(7), later[2]) and equal(again(0), later[0])  # whatever was drawn before
    assert not equal(later[0], later[1])
    assert not equal(batches(store, seed=6)(0), later[0])
    control, context, targets, perturbed, slots, weights, types, dose = later[0]
    assert control.shape == perturbed.shape == (24, len(store.genes))
    assert context.shape == (24, 4) and targets.shape == (24, 1, 4)
    assert slots.shape == weights.shape == types.shape == (24, 2) and dose.shape == (24,)


@pytest.mark.parametrize("kind", ["perturbation", "masked"])
@pytest.mark.parametrize("size", [2, 3])
def test_shares_of_ranks_are_the_batch(store, kind, size):
    def of(world):
        if kind == "masked":
            return CellBatches(store, 24, 6, 3, 5, world)(2)
        return batches(store, world, unknown_share=0.5)(2)

    whole = of(ONE)
    for rank in range(size):
        assert equal(of(World(rank, size, CPU)), [part[rank::size] for part in whole])


def test_an_epoch_visits_each_perturbed_training_cell_once_with_controls_of_its_own_pool(store):
    one = batches(store, size=len(batches(store).rows), control_share=0.0)
    epoch, rows = one.samples(0)
    assert (epoch == 0).all() and sorted(rows) == one.rows.tolist()
    assert (store.split[rows] == 0).all() and (store.condition[rows] > 0).all()
    every = Expression(store, CPU)(np.arange(len(store)))
    for control, row in zip(one(0)[0], rows, strict=True):
        alike = (store.split == 0) & (store.condition == 0)
        alike &= (store.context == store.context[row]) & (store.batch == store.batch[row])
        assert (every[alike] == control).all(1).any()
    assert torch.equal(one(0)[3], Expression(store, CPU)(rows))


def test_a_share_of_the_cells_gives_way_to_a_second_control_and_no_perturbation(store):
    size = len(batches(store).rows)
    share, plain, all_ = (batches(store, size=size, control_share=s)(0) for s in (0.3, 0.0, 1.0))
    types = share[6]
    none = (types < 0).all(1)
    assert abs(float(none.float().mean()) - 0.3) < 0.1
    assert torch.equal(share[0], plain[0]) and torch.equal(share[3][~none], plain[3][~none])
    assert (all_[6] < 0).all() and (all_[7] == 0).all() and (all_[4] == 0).all()
    pool = Expression(store, CPU)(np.flatnonzero((store.condition == 0) & (store.split == 0)))
    assert (torch.cdist(all_[3].double(), pool.double()).amin(1) < 1e-6).all()
    assert (all_[3] - all_[0]).abs().amax(1).gt(0).float().mean() > 0.5  # not the same control


def test_expression_is_standardised_by_training_cells(store):
    x = Expression(store, CPU)(store.rows("train")).double()
    assert x.mean(0).abs().max() < 1e-5
    assert abs(float(x.square().mean()) - 1) < 1e-5


def test_a_share_of_genes_is_shown_as_the_unknown_one(store):
    rows = np.arange(2000)
    condition = np.resize(store.condition[store.rows("train")], 2000)
    epoch = np.zeros(2000, np.int64)
    plain, some, all_ = (Perturbations(store, s, 0)(condition, epoch, rows) for s in (0.0, 0.25, 1.0))
    real = plain.types >= 0
    assert np.array_equal(plain.slots, Perturbations(store, 0.0, 0).conditions.slots[condition])
    share = (some.slots != plain.slots)[real].mean()
    assert abs(share - 0.25) < 0.03
    assert (all_.slots[real] == 1).all() and np.array_equal(all_.slots[~real], plain.slots[~real])
    for ours, theirs in zip(some[1:], plain[1:], strict=True):
        assert np.array_equal(ours, theirs)


def test_masked_modules_cover_all_and_differ_between_cells_and_visits(store):
    one = CellBatches(store, len(store.rows("train")), 6, 2, 0, ONE)
    x, context, targets, whole = one(0)
    assert torch.equal(x, whole)  # nothing is thinned
    assert x.shape[1] == len(store.genes) and context.shape[1] == 4 and targets.shape[1:] == (1, 2)
    together = torch.cat([context, targets[:, 0]], 1).sort(1).values
    assert torch.equal(together, torch.arange(6).expand(len(x), -1))
    hidden = targets[:, 0].flatten().bincount(minlength=6) / len(x)
    assert (hidden - 2 / 6).abs().max() < 0.1
    assert not torch.equal(targets, one(1)[2])


def test_modules_are_balanced_deterministic_and_hold_what_varies_together():
    rng = np.random.default_rng(0)
    programme = rng.permutation(np.repeat(np.arange(4), 25))
    loadings = rng.normal(size=(4, 6))[programme] * 3 + rng.normal(size=(100, 6)) * 0.1
    modules = gene_modules(loadings, 4)
    assert all(len(set(programme[genes].tolist())) == 1 for genes in modules)
    assert sorted(np.concatenate(modules).tolist()) == list(range(100))
    for count in (1, 3, 7, 100):
        sizes = [len(genes) for genes in gene_modules(loadings, count)]
        assert len(sizes) == count and max(sizes) - min(sizes) <= 1 and sum(sizes) == 100
    again = gene_modules(loadings.astype(np.float32), 4)
    assert all(np.array_equal(a, b) for a, b in zip(modules, again, strict=True))
    with pytest.raises(ValueError, match="101 modules of 100 genes"):
        gene_modules(loadings, 101)


def test_a_gene_table_without_statistics_says_so(tmp_path):
    out = prepared(tmp_path, screen())
    with (out / "genes.csv").open() as file:
        names = [row["gene"] for row in csv.DictReader(file)]
    (out / "genes.csv").write_text("gene\n" + "\n".join(names) + "\n")
    with pytest.raises(InputError, match=r"genes\.csv: found the columns gene, without 'mean'"):
        open_store(out)


def test_the_mean_of_a_pool_can_stand_for_the_cell_before(store):
    one = batches(store, pairing="mean", control_share=0.0)
    epoch, rows = one.samples(3)
    every = store.samples(np.arange(len(store)))
    for control, row in zip(one(3)[0], rows, strict=True):
        alike = (store.split == 0) & (store.condition == 0)
        alike &= (store.context == store.context[row]) & (store.batch == store.batch[row])
        assert torch.allclose(control, one.expression.of(every[alike].mean(0)[None])[0], atol=1e-5)
    assert torch.equal(one.of(epoch, rows)[0], one.of(epoch + 1, rows)[0])  # nothing is drawn


def test_transport_pairs_a_cell_with_a_control_of_its_pool_that_is_near(store):
    pytest.importorskip("ot", reason="POT is not installed")
    size = len(batches(store).rows)
    near, far = (
        batches(store, size=size, pairing=p, control_share=0.0) for p in ("transport", "random")
    )
    _, rows = near.samples(0)
    assert equal(near(0), batches(store, size=size, pairing="transport", control_share=0.0)(0))
    every, (control, *_) = Expression(store, CPU)(np.arange(len(store))), near(0)
    for one, row in zip(control, rows, strict=True):
        found = np.flatnonzero((every == one).all(1).numpy())
        assert (store.condition[found] == 0).all() and (store.split[found] == 0).all()
        assert (store.batch[found] == store.batch[row]).all()

    def apart(parts):
        return float(((parts[0] - parts[3]) ** 2).sum(1).mean())

    assert apart(near(0)) < apart(far(0))
