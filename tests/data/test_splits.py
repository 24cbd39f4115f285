import numpy as np

from jepa_steps.data.splits import across_splits, assign


def unknown(n):
    return np.full(n, -1, dtype=np.int64)


def test_split_is_stratified_and_seeded():
    labels = np.repeat([0, 1, 2], [100, 200, 700])
    a = assign(unknown(1000), labels, np.arange(1000), 0.1, 0.2, seed=0)
    for label, n in enumerate([100, 200, 700]):
        assert (a[labels == label] == 1).sum() == n * 0.1
        assert (a[labels == label] == 2).sum() == n * 0.2
    assert np.array_equal(a, assign(unknown(1000), labels, np.arange(1000), 0.1, 0.2, seed=0))
    assert not np.array_equal(a, assign(unknown(1000), labels, np.arange(1000), 0.1, 0.2, seed=1))


def test_given_test_part_is_kept_and_val_comes_out_of_train():
    given_codes = np.repeat([0, 2], [80, 20])
    split = assign(given_codes, np.tile([0, 1], 50), np.arange(100), 0.25, 0.5, 0)
    assert (split[80:] == 2).all() and (split[:80] == 1).sum() == 20 and (split[:80] == 2).sum() == 0


def test_copies_across_given_splits_are_reported():
    assert across_splits(np.array([5, 6, 5, 7, 6]), np.array([0, 0, 2, 1, 0])) == [[0, 2]]
