"""Statistics of the embeddings that training computes anyway, by the code that judges stored ones.

Every few steps the tokens of the batch enter float64 moments on the device, outside autocast; memory
does not grow with the number of samples. A log row takes what came together since the last one.

Shapes: B samples of this rank, N tokens, D width.
"""

import math
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ..metrics import spectrum
from ..metrics.embedding import moment_statistics, token_statistics
from ..metrics.moments import Moments, TokenMoments
from .distributed import World

_ROWS = 2048  # tokens copied to float64 at a time: 6 MB at D = 384


class Watch:
    """Moments of token embeddings since the last log row."""

    def __init__(self):
        self._moments: TokenMoments | None = None
        self._new: TokenMoments | None = None

    @torch.no_grad()
    def add(self, tokens_BND: Tensor) -> None:
        """Take in the tokens of one forward pass, until ``settle``."""
        with torch.autocast(tokens_BND.device.type, enabled=False):
            for block in tokens_BND.detach().split(max(1, _ROWS // tokens_BND.shape[1])):
                part = TokenMoments.of(block.double())
                self._new = part if self._new is None else self._new.merge(part)

    def settle(self, stepped: bool) -> None:
        """Keep what was added, or drop it with the batch that gave no finite gradient."""
        if stepped and self._new is not None:
            self._moments = self._new if self._moments is None else self._moments.merge(self._new)
        self._new = None

    def take(self, world: World) -> dict[str, dict[str, Any]]:
        """Statistics over all ranks, and start again; {} where nothing was added.

        Returns:
            pooled: ``moment_statistics`` of the sample means; ranks, singular_values: those of
            ``spectrum``, centred, computed on the device; tokens: ``token_statistics``.
        """
        if self._moments is None:
            return {}
        there = _over_ranks(self._moments, world)
        self._moments, m = None, there.numpy()
        on_cpu = world.device.type == "cpu"
        sigma = (
            spectrum.singular_values(m.pooled)
            if on_cpu
            else spectrum.singular_values(there.pooled, eigvalsh=torch.linalg.eigvalsh)
        )
        return {
            "pooled": moment_statistics(m.pooled),
            "tokens": token_statistics(m),
            "ranks": spectrum.centred_summary(sigma, m.pooled.n),
            "singular_values": sigma,
        }

    def state(self, world: World) -> dict[str, Any]:
        """What a checkpoint keeps: the moments of every rank. Every rank must call it."""
        if self._moments is None:
            return {}
        return {"samples": self._moments.pooled.n, "ranks": _gathered(self._moments, world)}

    def load(self, state: dict[str, Any], world: World) -> None:
        """Take over what ``state`` gave; as many ranks as before take their own moments, others a share
        of the whole."""
        if not state:
            return
        samples, ranks = state["samples"], state["ranks"]
        if len(ranks) == world.size:
            mine = ranks[world.rank]
        else:
            whole = reduce(TokenMoments.merge, (_from_tensors(samples, part) for part in ranks))
            samples = whole.pooled.n // world.size
            mean, scatter, token_mean, token_scatter, positions = _tensors(whole)
            mine = [mean, scatter / world.size, token_mean, token_scatter / world.size, positions]
        self._moments = _from_tensors(samples, [tensor.to(world.device) for tensor in mine])


def columns(taken: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The columns of metrics.csv, NaN where nothing was added; so is a rank from too few samples."""
    pooled, tokens, ranks = (taken.get(name, {}) for name in ("pooled", "tokens", "ranks"))
    rank = ranks["centred"]["effective_rank"] if ranks else None
    return {
        "effective_rank": math.nan if rank is None else rank,
        "relative_spread": pooled.get("relative_spread", math.nan),
        "dead_share": pooled.get("dead_share", math.nan),
        "max_abs_correlation": pooled.get("max_abs_correlation", math.nan),
        "position_share": tokens.get("position_share", math.nan),
        "watched": pooled.get("n", 0),
    }


def _tensors(m: TokenMoments) -> list[Tensor]:
    return [m.pooled.mean, m.pooled.scatter, m.tokens.mean, m.tokens.scatter, m.position_mean]


def _from_tensors(samples: int, tensors: list[Tensor]) -> TokenMoments:
    pooled_mean, pooled_scatter, token_mean, token_scatter, position_mean = tensors
    return TokenMoments(
        Moments(samples, pooled_mean, pooled_scatter),
        Moments(samples * len(position_mean), token_mean, token_scatter),
        position_mean,
    )


def _gathered(m: TokenMoments, world: World) -> list[list[Tensor]]:
    """``_tensors`` of every rank, in rank order; ranks have equally many samples."""
    return [list(parts) for parts in zip(*map(world.gather, _tensors(m)), strict=True)]


def _over_ranks(m: TokenMoments, world: World) -> TokenMoments:
    """The moments of all ranks, merged in rank order."""
    return reduce(TokenMoments.merge, (_from_tensors(m.pooled.n, part) for part in _gathered(m, world)))
