import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression import pairing
from jepa_steps.modalities.expression.pairing import (
    LEVELS,
    RandomPairing,
    TransportPairing,
    control_pools,
    mean_controls,
    transport_plan,
)


def cells(n=600, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, n), rng.random(n) < 0.4, rng.integers(0, 3, n), rng.integers(0, 4, n)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 2), st.integers(0, 3)), min_size=4
    ),
    st.integers(0, 3),
)
def test_candidates_are_the_nearest_controls_of_the_same_split(rows, seed):
    split, control, context, batch = (np.array(c) for c in zip(*rows, strict=True))
    if set(split) - set(split[control]):
        with pytest.raises(InputError, match="split without controls"):
            control_pools(split, control.astype(bool), context, batch)
        return
    pools = control_pools(split, control, context, batch)
    drawn = RandomPairing(pools, seed)(seed, np.arange(len(split)))
    for i in range(len(split)):
        same = control & (split == split[i])
        near = same & (context == context[i])
        nearest = near & (batch == batch[i])
        level = next(k for k, found in enumerate((nearest, near, same)) if found.any())
        assert pools.level[i] == level
        assert set(pools.of(pools.pool[i])) == set(np.flatnonzero((nearest, near, same)[level]))
        assert drawn[i] in pools.of(pools.pool[i])
    assert sum(pools.counts(np.arange(len(split))).values()) == len(split)
    assert tuple(pools.counts(np.arange(len(split)))) == LEVELS


def test_draws_depend_on_seed_epoch_and_cell_only_and_are_even():
    pools = control_pools(*cells())
    rows = np.arange(600)
    pair = RandomPairing(pools, 0)
    whole = pair(3, rows)
    order = np.random.default_rng(1).permutation(600)
    pieces = np.concatenate([pair(np.full(len(part), 3), part) for part in np.array_split(order, 7)])
    assert np.array_equal(pieces, whole[order])
    assert not np.array_equal(pair(4, rows), whole)
    assert not np.array_equal(RandomPairing(pools, 1)(3, rows), whole)
    members = pools.of(pools.pool[5])
    drawn = pair(np.arange(20_000), np.full(20_000, 5))
    counts = np.array([(drawn == m).sum() for m in members])
    assert counts.sum() == 20_000 and counts.min() > 0.7 * 20_000 / len(members)


def test_mean_controls_are_the_means_of_each_pool():
    split, control, context, batch = cells()
    x = np.random.default_rng(2).random((600, 5), np.float32)
    pools = control_pools(split, control, context, batch)
    rows = np.flatnonzero(split == 1)
    means = mean_controls(pools, rows, lambda r: x[r])
    for i in rows[:50]:
        members = control & (split == 1) & (context == context[i]) & (batch == batch[i])
        assert np.allclose(means[pools.pool[i]], x[members].mean(0))
    assert np.isnan(means).all(1).any()  # pools of the other splits


def test_exact_transport_finds_the_planted_matching():
    pytest.importorskip("ot", reason="POT is not installed")
    rng = np.random.default_rng(0)
    controls = rng.normal(size=(40, 3)) * 5
    hidden = rng.permutation(40)
    perturbed = controls[hidden] + np.array([3.0, 0, 0]) + rng.normal(size=(40, 3)) * 0.01
    plan = transport_plan(perturbed, controls, "exact", 0)
    assert np.array_equal(plan.argmax(1), hidden) and plan.sum() == pytest.approx(1)
    soft = transport_plan(perturbed, controls, "entropic", 0.1)
    assert np.allclose(soft.sum(1), 1 / 40, atol=1e-6) and np.allclose(soft.sum(0), 1 / 40, atol=1e-6)
    assert (soft > 0).sum() > (plan > 0).sum()
    cost = ((perturbed[:, None] - controls) ** 2).sum(-1)
    assert (plan * cost).sum() <= (soft * cost).sum()


def test_a_plan_that_does_not_converge_is_refused():
    pytest.importorskip("ot", reason="POT is not installed")
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="raise regularisation"):
        transport_plan(rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 9, "entropic", 1e-5)


@pytest.mark.parametrize("kind", ["exact", "entropic"])
def test_transport_pairs_follow_the_coupling_within_pools(kind):
    pytest.importorskip("ot", reason="POT is not installed")
    split, control, context, batch = cells(300)
    condition = np.where(control, 0, np.random.default_rng(3).integers(1, 3, 300))
    x = np.random.default_rng(4).normal(size=(300, 2))
    pools = control_pools(split, control, context, batch)
    rows = np.flatnonzero(~control)
    pair = TransportPairing(pools, rows, condition, lambda r: x[r], 0, kind, 0.1)
    drawn = pair(0, rows)
    assert all(d in pools.of(p) for d, p in zip(drawn, pools.pool[rows], strict=True))
    order = np.random.default_rng(5).permutation(rows)
    assert np.array_equal(pair(0, order), drawn[np.argsort(rows)[np.searchsorted(rows, order)]])
    one = rows[7]
    group = rows[(condition[rows] == condition[one]) & (pools.pool[rows] == pools.pool[one])]
    members = pools.of(pools.pool[one])
    plan = transport_plan(x[group], x[members], kind, 0.1)[list(group).index(one)]
    drawn = pair(np.arange(20_000), np.full(20_000, one))
    found = np.array([(drawn == m).mean() for m in members])
    assert np.allclose(found, plan / plan.sum(), atol=0.02)


def test_many_cells_are_coupled_in_pieces_each_cell_once(monkeypatch):
    """Pieces of at most 16 of 100 cells and 50 controls: every cell has a control, all are from the pool."""
    pytest.importorskip("ot", reason="POT is not installed")
    monkeypatch.setattr(pairing, "_MOST_COUPLED", 16)
    control = np.arange(150) >= 100
    none = np.zeros(150, np.int64)
    pools, rows = control_pools(none, control, none, none), np.arange(100)
    x = np.random.default_rng(4).normal(size=(150, 2))
    seen = []
    plan = pairing.transport_plan

    def watched(cells, controls, *how):
        seen.append((len(cells), len(controls)))
        return plan(cells, controls, *how)

    monkeypatch.setattr(pairing, "transport_plan", watched)
    pair = TransportPairing(pools, rows, (~control).astype(int), lambda r: x[r], 0)
    assert sum(n for n, _ in seen) == 100 and max(map(max, seen)) == 16
    drawn = pair(0, rows)
    assert (drawn >= 100).all() and len(np.unique(drawn)) > 25
    assert ((x[drawn] - x[:100]) ** 2).sum(1).mean() < 0.7 * ((x[100:, None] - x[:100]) ** 2).sum(
        -1
    ).mean()


def test_transport_without_pot_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(InputError, match=r"jepa-steps\[transport\]"):
        transport_plan(np.zeros((2, 1)), np.zeros((2, 1)), "exact", 0)
