"""Union masks of V-JEPA: what is hidden and seen, on every grid, evenly."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from jepa_steps.data.masks import cover
from jepa_steps.data.union_masks import UnionMasks, union

GRIDS = [
    *itertools.product((1, 2, 3), (2, 3), (2, 3)),
    (2, 1, 1),
    (1, 1, 2),
    (4, 1, 1),
    (1, 2, 2),
    (8, 14, 14),
    (8, 3, 7),
    (16, 64, 64),
]


def drawn(sampler: UnionMasks, step: int, epoch: np.ndarray, index: np.ndarray):
    return sampler.seen_and_hidden(sampler.layout(step, epoch, index))


def hidden_tokens(sampler: UnionMasks, step: int, epoch: np.ndarray, index: np.ndarray) -> np.ndarray:
    """bool (B, tokens) in the order of the grid."""
    layout = sampler.layout(step, epoch, index)
    return np.take_along_axis(layout.hidden, np.argsort(layout.order, 1), 1)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize(("blocks", "scale"), [(8, 0.15), (2, 0.7), (1, 0.95), (16, 0.5)])
@pytest.mark.parametrize("time", [(1.0, 1.0), (0.3, 0.9)])
def test_something_is_seen_and_something_hidden_on_every_grid(grid, blocks, scale, time):
    sampler, n = UnionMasks(grid, 0, blocks, (scale, scale), time), math.prod(grid)
    few = 4 if n > 10_000 else 32
    for step in range(1 if n > 10_000 else 8):
        context, targets = drawn(sampler, step, np.zeros(few, int), np.arange(few) + few * step)
        assert context.shape[1] >= 1 and targets.shape[1] >= 1
        for seen, hidden in zip(context, targets, strict=True):
            assert len(set(seen)) == len(seen) and len(set(hidden)) == len(hidden)
            assert not set(seen) & set(hidden)
            assert min(seen.min(), hidden.min()) >= 0 and max(seen.max(), hidden.max()) < n


def test_blocks_that_last_hide_the_same_places_at_all_times():
    sampler = UnionMasks((6, 5, 7), 3)
    context, targets = drawn(sampler, 4, np.zeros(16, int), np.arange(16))
    for tokens in (*context, *targets):
        columns = [set(tokens[tokens // 35 == t] % 35) for t in range(6)]
        assert all(column == columns[0] for column in columns)


def test_what_is_hidden_is_a_union_of_blocks_of_one_size():
    """By brute force over all placements: no hidden place lies outside of a block that is all hidden."""
    sampler = UnionMasks((4, 9, 8), 1, blocks=3, scale=(0.1, 0.2))
    for step in range(20):
        t, h, w = sampler.size(step)
        assert t == 4
        for hidden in hidden_tokens(sampler, step, np.zeros(8, int), np.arange(8)):
            hidden, covered = hidden.reshape(9, 8), np.zeros((9, 8), bool)
            for r, c in itertools.product(range(9 - h + 1), range(8 - w + 1)):
                if hidden[r : r + h, c : c + w].all():
                    covered[r : r + h, c : c + w] = True
            assert (covered == hidden).all()


@pytest.mark.parametrize("time", [(1.0, 1.0), (0.5, 0.5)], ids=["all times", "half of the times"])
def test_visits_keep_the_mirror_symmetries_of_the_grid(time):
    """Chi-square: mirrored tokens are visited equally often, in time, height and width; one randomly
    chosen token of one sample per batch enters, so that counts are independent."""
    grid = (3, 4, 5)
    sampler, n = UnionMasks(grid, 0, 2, (0.2, 0.4), time), math.prod(grid)
    counts, pick = {"context": np.zeros(n), "target": np.zeros(n)}, np.random.default_rng(0)
    for step in range(4000):
        context, targets = drawn(sampler, step, np.zeros(4, int), np.arange(4) + 4 * step)
        counts["context"][pick.choice(context[0])] += 1
        counts["target"][pick.choice(targets[0])] += 1
    for name, count in counts.items():
        count = count.reshape(grid)
        assert (count > 0).all(), f"{name}: tokens never visited"
        for axis in range(3):
            mirrored = np.flip(count, axis)
            pairs = np.stack([count.ravel(), mirrored.ravel()], 1)
            pairs = pairs[np.flip(np.arange(n).reshape(grid), axis).ravel() != np.arange(n)]
            statistic = ((pairs[:, 0] - pairs[:, 1]) ** 2 / pairs.sum(1)).sum() / 2
            assert stats.chi2.sf(statistic, len(pairs) // 2) > 1e-3, (name, axis)


def test_layouts_depend_on_the_sample_and_not_on_its_batch():
    sampler, epoch = UnionMasks((4, 6, 6), 5), np.zeros(8, int)
    whole = hidden_tokens(sampler, 7, epoch, np.arange(8))
    assert (hidden_tokens(sampler, 7, epoch[:3], np.arange(8)[[6, 1, 4]]) == whole[[6, 1, 4]]).all()
    assert (hidden_tokens(UnionMasks((4, 6, 6), 6), 7, epoch, np.arange(8)) != whole).any()


@pytest.mark.parametrize(("size", "grid"), [((2, 3), (5, 7)), ((1, 2, 2), (3, 4, 4)), ((9, 9), (9, 9))])
def test_the_table_of_placements_is_the_brute_force_union(size, grid):
    room = np.array(grid) - size + 1
    corners = np.random.default_rng(0).integers(0, room, (50, 4, len(grid)))
    expected = np.zeros((50, *grid), bool)
    for marks, blocks in zip(expected, corners, strict=True):
        for corner in blocks:
            marks[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = True
    for found in (union(corners, size, grid), cover(corners, size, grid)):
        assert (found == expected.reshape(50, -1)).all()


def test_a_single_token_is_refused():
    with pytest.raises(ValueError, match="no room"):
        UnionMasks((1, 1, 1), 0)
