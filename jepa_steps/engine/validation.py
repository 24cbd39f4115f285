"""What a run looks like from outside while it trains: loss on val, rank, kNN; the best encoders.

Shapes: n samples, B samples of a batch, D width.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..config import JepaRun, Monitor
from ..draws import evenly
from ..errors import InputError
from ..files import atomic_write
from ..metrics.embedding import row_statistics
from ..metrics.moments import moments
from ..metrics.neighbours import knn_probe
from ..metrics.spectrum import ENOUGH, effective_rank, refusal, singular_values, trust
from ..modalities.contract import Store, Task
from ..model.objectives.terms import Views
from .distributed import World
from .parallel import weights
from .precision import Precision

# Direction in which a criterion improves.
CRITERIA = {"rank": 1, "knn": 1, "loss": -1}
_LIMITS = Monitor()  # below its thresholds an encoder counts as collapsed


class Validation:
    """Measures on fixed samples with fixed masks; every rank calls it, and all get the same row.

    Ranks share the batches; a rank that runs out repeats its last batch with weight 0, so that all
    make the same number of forward passes. A pass takes as many samples as one of training, in the same
    precision, so that what fits there fits here; losses are of the whole batch, in float32.

    Raises:
        InputError: the encoder is to be chosen by rank, and training samples are too few for one.
    """

    def __init__(
        self,
        train: JepaRun,
        store: Store,
        task: Task,
        folder: Path,
        world: World,
        precision: Precision,
    ):
        self._task, self._jepa, self._labels = task, task.jepa, task.labels
        self._world, self._folder, self._size = world, folder, train.batch_size
        self._precision, self._piece = precision, train.batch_size // (world.size * train.accumulate)
        most, width = train.validation_samples, self._jepa.exported().dim
        enough = {"train": max(most, ENOUGH * width), "val": most}
        self._predicted = evenly(task.validated("val"), most)
        self._rows = {part: evenly(store.rows(part), n) for part, n in enough.items()}
        self.best: dict[str, dict[str, float]] = {}
        self._ranked = _has_a_rank(len(self._rows["train"]), width, train.select == "rank", world.main)

    @torch.no_grad()
    def __call__(self, step: int) -> dict[str, Any]:
        """One row of validation.csv; better encoders are written to the run folder.

        Ranks are NaN, and say nothing on collapse, where training samples are too few for one.
        """
        self._jepa.eval()
        row = {"step": step, **self._losses(), **self._embeddings()}
        self._jepa.train()
        collapsed = (
            row["relative_spread"] < _LIMITS.relative_spread or row["rank_share"] < _LIMITS.rank_share
        )
        if not collapsed:
            self._keep_the_best(row)
        return row

    def _losses(self) -> dict[str, float]:
        """Loss and parts on val, and how near predictions are to targets; weighted by samples."""
        names, sums, count = ["loss"], None, 0
        for number, rows, weight in self._shares(self._predicted):
            if len(rows) == 1 and self._jepa.objective.regularised:  # one sample has no variance
                rows, weight = rows.repeat(2), 0.0
            views = self._views(self._task.fixed(number, rows))
            loss, parts = self._jepa.loss(views, alone=True)
            parts |= self._jepa.alignment(views)
            names = ["loss", *parts]
            values = torch.stack([loss, *parts.values()]).double()
            share = torch.cat([values, values.new_ones(1)]) * len(rows) * weight
            sums = share if sums is None else sums + share
        sums = self._world.total(sums).cpu()
        count = sums[-1]
        return {f"val_{n}": float(v / count) for n, v in zip(names, sums, strict=False)}

    def _views(self, batch: tuple[Tensor, ...]) -> Views:
        """What the loss compares, computed in pieces."""
        views = []
        for piece, needed in self._pieces(len(batch[0])):
            with self._precision.autocast():
                found = self._jepa(*(part[piece] for part in batch))
            views += [found] * needed
        if len(views) == 1:
            return views[0]
        return Views(*(None if x[0] is None else torch.cat(x) for x in zip(*views, strict=True)))

    def _embeddings(self) -> dict[str, float]:
        z = {part: self._pooled(rows) for part, rows in self._rows.items()}
        train, val = self._rows["train"], self._rows["val"]
        rank = effective_rank(singular_values(moments(z["train"]))) if self._ranked else math.nan
        result = {
            "effective_rank": rank,
            "rank_share": rank / z["train"].shape[1],
            "relative_spread": row_statistics(z["train"])["relative_spread"],
        }
        if (self._labels[train] >= 0).all() and (self._labels[val] >= 0).all():
            predicted = knn_probe(z["train"], self._labels[train], z["val"], 20)
            result["knn"] = float((predicted == self._labels[val]).mean())
        return result

    def _pooled(self, rows: np.ndarray) -> np.ndarray:
        """Mean-pooled embeddings float32 (n, D) of samples, in the order of ``rows``."""
        width = self._jepa.exported().dim
        z = torch.zeros(len(rows), width, device=self._world.device)
        for number, part, weight in self._shares(rows):
            here = z[number * self._size :]
            for piece, needed in self._pieces(len(part)):
                with self._precision.autocast():
                    tokens = self._jepa(self._task.inputs(part[piece]))
                here[piece] += tokens.float().mean(1) * weight * needed
        return self._world.total(z).cpu().numpy()

    def _pieces(self, n: int) -> Iterator[tuple[slice, bool]]:
        """Parts of n samples of a batch, and whether they are needed: ranks that shard wait for each
        other in every pass, so that a short batch takes as many as a whole one."""
        last = (n - 1) // self._piece
        passes = last + 1 if self._world.size == 1 else self._size // self._piece
        for number in range(passes):
            first = min(number, last) * self._piece
            yield slice(first, min(first + self._piece, n)), number <= last

    def _shares(self, rows: np.ndarray):
        """(batch number, its rows, weight 1 or 0) of this rank."""
        batches = math.ceil(len(rows) / self._size)
        for turn in range(math.ceil(batches / self._world.size)):
            number = turn * self._world.size + self._world.rank
            weight = 1.0 if number < batches else 0.0
            number = min(number, batches - 1)
            yield number, rows[number * self._size : (number + 1) * self._size], weight

    def _keep_the_best(self, row: dict[str, Any]) -> None:
        values = {"rank": row["effective_rank"], "knn": row.get("knn"), "loss": row["val_loss"]}
        for name, sign in CRITERIA.items():
            value, best = values[name], self.best.get(name)
            if value is None or math.isnan(value) or (best and sign * value <= sign * best["value"]):
                continue
            self.best[name] = {"step": row["step"], "value": value}
            state = weights(self._jepa.exported())
            if self._world.main:
                path = self._folder / f"best-{name}.safetensors"
                atomic_write(path, lambda temporary, state=state: save_file(state, temporary))


def _has_a_rank(n: int, width: int, asked: bool, main: bool) -> bool:
    """Whether n embeddings are enough for a rank; if not, that is said, or refused where ``asked``."""
    if trust(n, width) != "refused":
        return True
    reason = refusal(n, width)
    if asked:
        raise InputError(f"train.select: found 'rank', but {reason}; choose by knn or loss, or the last")
    if main:
        print(f"no effective rank in validation.csv: {reason}", file=sys.stderr, flush=True)
    return False
