import numpy as np
from scipy import stats

from jepa_steps import draws


def test_draws_are_uniform_and_independent_across_index_epoch_and_position():
    u = draws.uniform(draws.key(0, "t"), np.repeat([0, 1], 5000), np.tile(np.arange(5000), 2), 4)
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    r = np.corrcoef(np.concatenate([u[:5000], u[5000:]], 1).T)
    assert np.abs(r[~np.eye(8, dtype=bool)]).max() < 5 / np.sqrt(5000)


def test_a_draw_depends_on_its_own_counters_only():
    key = draws.key(3, "t")
    whole = draws.uniform(key, np.full(100, 7), np.arange(100), 6)
    assert np.array_equal(draws.uniform(key, 7, 42, 6)[0], whole[42])
    assert np.array_equal(draws.uniform(key, 7, np.array([9, 42]), 3), whole[[9, 42], :3])


def test_streams_differ_by_seed_and_purpose():
    keys = {draws.key(s, p) for s in range(100) for p in ("a", "b")}
    assert len(keys) == 200
