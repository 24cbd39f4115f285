"""Which control cells stand for the state of a perturbed cell before the perturbation.

Candidates are controls of the same split, in the same batch and context; where there are none, of the
same context, then any of the split. Never of another split.

Shapes: n cells, B cells of a batch, P pools.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from ... import draws
from ...errors import InputError

LEVELS = ("batch and context", "context", "any")
_LEAST = 1e-4  # entries of an entropic plan below this share of their row are dropped
_MOST_OFF = 0.01  # mass by which an entropic plan may miss its margins
_MOST_COUPLED = 1024  # cells on each side of one coupling, whose cost grows with their product and more


@dataclass(frozen=True)
class Pools:
    """Candidates of each cell: ``members[start[i] : start[i] + size[i]]``.

    members: int64, cell numbers of controls, one run a pool.
    pool: int64 (n,), which pool a cell has.
    start, size: int64 (P,).
    level: int64 (n,), position in LEVELS.
    """

    members: np.ndarray
    pool: np.ndarray
    start: np.ndarray
    size: np.ndarray
    level: np.ndarray

    def of(self, pool: int) -> np.ndarray:
        """Cell numbers of the controls of one pool."""
        return self.members[self.start[pool] : self.start[pool] + self.size[pool]]

    def counts(self, rows: np.ndarray) -> dict[str, int]:
        """How many of ``rows`` found their controls at each level."""
        found = np.bincount(self.level[rows], minlength=len(LEVELS))
        return dict(zip(LEVELS, found.tolist(), strict=True))


def control_pools(
    split: np.ndarray, control: np.ndarray, context: np.ndarray, batch: np.ndarray
) -> Pools:
    """Pools of all cells.

    Args:
        split, context, batch: int64 (n,), 0 and up.
        control: bool (n,).

    Raises:
        InputError: a split with cells and without controls.
    """
    n = len(split)
    wide = split * (context.max() + 1) + context
    keys = (wide * (batch.max() + 1) + batch, wide, split)
    controls = np.flatnonzero(control)
    pool, level = np.full(n, -1), np.zeros(n, np.int64)
    members, sizes = [], []
    for number, key in enumerate(keys):
        present, own = np.unique(key[controls], return_inverse=True)
        members.append(controls[np.argsort(own, kind="stable")])
        place = np.searchsorted(present, key).clip(max=max(len(present) - 1, 0))
        hit = (pool < 0) & (present[place] == key) if len(present) else np.zeros(n, bool)
        pool[hit], level[hit] = place[hit] + sum(map(len, sizes)), number
        sizes.append(np.bincount(own, minlength=len(present)))
    if (pool < 0).any():
        raise InputError(f"{int((pool < 0).sum())} cells are in a split without controls; expected some "
                         "in each of train, val and test")  # fmt: skip
    size = np.concatenate(sizes)
    return Pools(np.concatenate(members), pool, np.cumsum(size) - size, size, level)


class RandomPairing:
    """A control drawn from a cell's pool, anew in each epoch."""

    def __init__(self, pools: Pools, seed: int):
        self.pools, self._stream = pools, draws.key(seed, "pairing")

    def __call__(self, epoch: np.ndarray | int, rows: np.ndarray) -> np.ndarray:
        """Control cells int64 (B,) of cells ``rows`` int64 (B,); a function of (seed, epoch, row)."""
        pool = self.pools.pool[rows]
        u = draws.uniform(self._stream, epoch, rows, 1)[:, 0]
        return self.pools.members[self.pools.start[pool] + (u * self.pools.size[pool]).astype(np.int64)]


def mean_controls(
    pools: Pools, rows: np.ndarray, read: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Mean expression of the controls of each pool that ``rows`` use.

    Args:
        read: ``read(rows)`` is float32 (B, G).

    Returns:
        float32 (P, G), to be indexed by ``pools.pool``; NaN for pools that ``rows`` do not use.
    """
    used = np.unique(pools.pool[rows])
    means = np.full((len(pools.size), read(rows[:1]).shape[1]), np.nan, np.float32)
    for pool in used.tolist():
        members, total = pools.of(pool), 0.0
        for a in range(0, len(members), 1024):
            total = total + read(members[a : a + 1024]).sum(0, dtype=np.float64)
        means[pool] = total / len(members)
    return means


def transport_plan(
    perturbed: np.ndarray,
    controls: np.ndarray,
    kind: Literal["exact", "entropic"],
    regularisation: float,
) -> np.ndarray:
    """The coupling of two groups of cells that moves uniform mass at the least squared distance.

    Exact: the network simplex of POT (Flamary et al. 2021, JMLR 22(78)). Entropic: Sinkhorn's
    algorithm (Cuturi 2013, NeurIPS) with a ``regularisation`` relative to the mean cost.

    Args:
        perturbed: float (a, D); controls: float (c, D), e.g. principal components.

    Returns:
        float64 (a, c), summing to 1, rows to 1/a and columns to 1/c.

    Raises:
        InputError: POT is not installed, or Sinkhorn does not converge.
    """
    try:
        import ot
    except ModuleNotFoundError:
        raise InputError(
            "pairing transport: the package POT is not installed; pip install 'jepa-steps[transport]'"
        ) from None
    cost = ot.dist(np.asarray(perturbed, np.float64), np.asarray(controls, np.float64))
    a, c = (np.full(n, 1 / n) for n in cost.shape)
    if kind == "exact":
        return ot.emd(a, c, cost, numItermax=1_000_000)
    strength = regularisation * cost.mean()
    plan = ot.sinkhorn(a, c, cost, strength, "sinkhorn_log", numItermax=2000, stopThr=1e-7, warn=False)
    off = np.abs(plan.sum(0) - c).sum() + np.abs(plan.sum(1) - a).sum()
    if not off < _MOST_OFF:
        raise InputError(
            f"pairing transport: Sinkhorn's plan misplaces {off:.1%} of the mass after 2000 rounds; "
            f"raise regularisation (found {regularisation:g})"
        )
    return plan


class TransportPairing:
    """A control drawn by the optimal coupling of each perturbation's cells with their pool.

    More than 1024 cells of a perturbation and pool are coupled in pieces, each with as many controls of
    the pool at most, drawn anew (minibatch transport; Fatras et al. 2020, AISTATS).
    """

    def __init__(
        self,
        pools: Pools,
        rows: np.ndarray,
        condition: np.ndarray,
        coordinates: Callable[[np.ndarray], np.ndarray],
        seed: int,
        kind: Literal["exact", "entropic"] = "exact",
        regularisation: float = 0.05,
    ):
        """Solve the couplings of each condition and pool.

        Args:
            rows: int64, perturbed cells to be paired.
            condition: int64 (n,), whose cells are coupled together.
            coordinates: ``coordinates(rows)`` is float (B, D), where distance means likeness.
        """
        self._stream = draws.key(seed, "pairing")
        chosen, shares, lengths = [], [], np.zeros(len(condition), np.int64)
        order = []
        for cells in _pieces(rows, condition[rows] * len(pools.size) + pools.pool[rows], seed):
            members = pools.of(int(pools.pool[cells[0]]))
            draw = draws.generator(seed, "coupled controls", int(cells[0])).permutation(len(members))
            members = members[np.sort(draw[:_MOST_COUPLED])]
            plan = transport_plan(coordinates(cells), coordinates(members), kind, regularisation)
            plan /= plan.sum(1, keepdims=True)
            kept = sparse.csr_matrix(np.where(plan >= np.minimum(_LEAST, plan.max(1, keepdims=True)),
                                              plan, 0))  # fmt: skip
            chosen.append(members[kept.indices])
            shares.append(kept.data)
            lengths[cells] = np.diff(kept.indptr)
            order.append(cells)
        order = np.concatenate(order)
        self._start = np.zeros(len(condition), np.int64)
        self._start[order] = np.cumsum(lengths[order]) - lengths[order]
        self._length, self._chosen = lengths, np.concatenate(chosen)
        self._cumulative = np.cumsum(np.concatenate(shares))

    def __call__(self, epoch: np.ndarray | int, rows: np.ndarray) -> np.ndarray:
        """Control cells int64 (B,) of cells ``rows`` int64 (B,); a function of (seed, epoch, row)."""
        start, end = self._start[rows], self._start[rows] + self._length[rows]
        before = np.where(start > 0, self._cumulative[start - 1], 0.0)
        u = draws.uniform(self._stream, epoch, rows, 1)[:, 0]
        wanted = before + u * (self._cumulative[end - 1] - before)
        place = np.searchsorted(self._cumulative, wanted, side="right")
        return self._chosen[place.clip(start, end - 1)]


def _pieces(rows: np.ndarray, unit: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """The cells of each unit int64 (n,), ascending; many of them in random pieces."""
    order = np.argsort(unit, kind="stable")
    for cells in np.split(rows[order], np.flatnonzero(np.diff(unit[order])) + 1):
        pieces = -(-len(cells) // _MOST_COUPLED)
        if pieces > 1:
            cells = draws.generator(seed, "coupled cells", int(cells[0])).permutation(cells)
        yield from (np.sort(piece) for piece in np.array_split(cells, pieces))
