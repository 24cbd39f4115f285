import numpy as np
import torch

from ... import draws
from ...data.order import Order
from ...model.jepa import build_jepa
from ...model.predictor import MaskedPredictor
from .encoder import encoder


class WaveTask:
    def __init__(self, train, store, world):
        e = encoder(train, {})
        jepa = build_jepa(train, e, lambda: MaskedPredictor(e.grid, e.dim, 16, 1, 2, 2.0))
        self.jepa = jepa.to(world.device)
        self.rows, self.labels, self.validated = store.rows("train"), store.labels, store.rows
        order, self._world, self.scheduled = Order(self.rows, train.seed), world, lambda step: {}
        self.samples = lambda number: order.batch(number, train.batch_size)
        self.fixed = lambda number, rows: self._masked(np.zeros(len(rows), np.int64), rows)
        self._store, self._stream = store, draws.key(train.seed, "hidden windows")

    def batch(self, number, step):
        mine = slice(self._world.rank, None, self._world.size)
        return self._masked(*(part[mine] for part in self.samples(number)))

    def inputs(self, rows):
        return torch.from_numpy(self._store.samples(rows)).to(self._world.device)

    def _masked(self, epoch, rows):
        order = torch.from_numpy(draws.uniform(self._stream, epoch, rows, 4).argsort(1))
        return self.inputs(rows), order[:, :3], order[:, None, 3:]


task = WaveTask
