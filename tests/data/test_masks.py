import itertools

import numpy as np
import pytest
from scipy import stats

from jepa_steps.data.masks import MultiBlockMasks, block_size

GRIDS = [
    *itertools.product((2, 3, 4, 5), repeat=2),
    (8, 8),
    (14, 14),
    (2, 64),
    (64, 2),
    (64, 64),
    (7, 31),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("blocks", [1, 4, 8])
def test_masks_are_never_empty_and_never_overlap_on_any_grid(grid, blocks):
    n = grid[0] * grid[1]
    sampler = MultiBlockMasks(grid, seed=0, blocks=blocks)
    for step in range(20):
        index = np.arange(64) + 64 * step
        masks = sampler(step, np.zeros(64, int), index)
        assert masks.context.shape[1] >= 1 and masks.targets.shape[2] >= 1
        for context, targets in zip(masks.context, masks.targets, strict=True):
            assert len(set(context)) == len(context)
            assert not set(context) & set(targets.ravel())
            assert min(context.min(), targets.min()) >= 0 and max(context.max(), targets.max()) < n


@pytest.mark.parametrize("scale", [(0.15, 0.2), (0.9, 0.9)])
def test_targets_are_rectangles(scale):
    sampler = MultiBlockMasks((9, 6), seed=1, scale=scale)
    for step in range(50):
        (h, w), _ = sampler.sizes(step)
        masks = sampler(step, np.zeros(8, int), np.arange(8))
        rows, cols = np.divmod(masks.targets, 6)
        assert (rows.max(-1) - rows.min(-1) == h - 1).all()
        assert (cols.max(-1) - cols.min(-1) == w - 1).all()
        assert masks.targets.shape[-1] == h * w


@pytest.mark.parametrize("grid", [(4, 4), (8, 8), (5, 9)])
def test_visits_keep_the_mirror_symmetries_of_the_grid(grid):
    """Chi-square: mirrored tokens are visited equally often, context and target alike.

    One randomly chosen token of one sample a batch enters, so that counts are independent.
    """
    sampler = MultiBlockMasks(grid, seed=0)
    n = grid[0] * grid[1]
    counts = {"context": np.zeros(n), "target": np.zeros(n)}
    pick = np.random.default_rng(0)
    for step in range(3000):
        masks = sampler(step, np.zeros(8, int), np.arange(8) + 8 * step)
        counts["context"][pick.choice(masks.context[0])] += 1
        counts["target"][pick.choice(masks.targets[0].ravel())] += 1
    for name, count in counts.items():
        count = count.reshape(grid)
        assert (count > 0).all(), f"{name}: tokens never visited"
        for mirrored in (count[::-1], count[:, ::-1]):
            pairs = np.stack([count.ravel(), mirrored.ravel()], 1)[count.ravel() != mirrored.ravel()]
            statistic = ((pairs[:, 0] - pairs[:, 1]) ** 2 / pairs.sum(1)).sum() / 2
            assert stats.chi2.sf(statistic, len(pairs) // 2) > 1e-3, name


def test_square_grid_and_symmetric_aspect_give_transposition_symmetry():
    sampler = MultiBlockMasks((6, 6), seed=0, aspect=(1.0, 1.0))
    visits = np.zeros(36)
    for step in range(300):
        masks = sampler(step, np.zeros(64, int), np.arange(64) + 64 * step)
        visits += np.bincount(masks.targets[:, 0, 0], minlength=36)
    grid = visits.reshape(6, 6)
    pairs = np.stack([grid[np.triu_indices(6, 1)], grid.T[np.triu_indices(6, 1)]], 1)
    pairs = pairs[pairs.sum(1) > 0]
    statistic = ((pairs[:, 0] - pairs[:, 1]) ** 2 / pairs.sum(1)).sum()
    assert stats.chi2.sf(statistic, len(pairs)) > 1e-3


def test_layouts_do_not_depend_on_who_else_is_in_the_batch():
    sampler = MultiBlockMasks((8, 8), seed=0)
    epoch, index = np.arange(32) % 3, np.arange(32) * 7
    visible, targets = sampler.visible(5, epoch, index)
    mine = slice(1, None, 4)
    v, t = sampler.visible(5, epoch[mine], index[mine])
    assert np.array_equal(v, visible[mine]) and np.array_equal(t, targets[mine])


def test_block_size_hits_the_scale_on_large_grids():
    h, w = block_size((64, 64), 0.2, 1.5)
    assert h * w / 64**2 == pytest.approx(0.2, rel=0.03)
    assert h / w == pytest.approx(1.5, rel=0.05)


def test_one_token_is_no_grid():
    with pytest.raises(ValueError, match="no room"):
        MultiBlockMasks((1, 1), seed=0)
