import numpy as np
import torch

from ... import draws
from ...data.order import Order
from ...model.jepa import build_jepa
from ...model.predictor import MaskedPredictor
from .encoder import encoder


class WaveTask:
    def __init__(self, train, store, world):
        e, p = encoder(train, {}), train.predictor
        shape = (e.grid, e.dim, p.dim, p.depth, p.heads, 2.0)
        self.jepa = build_jepa(train, e, lambda: MaskedPredictor(*shape)).to(world.device)
        self.rows, self.labels, self.validated = store.rows("train"), store.labels, store.rows
        self._order, self._size, self._world = Order(self.rows, train.seed), train.batch_size, world
        self._store, self._stream = store, draws.key(train.seed, "hidden windows")

    def samples(self, number):
        return self._order.batch(number, self._size)

    def batch(self, number, step):
        mine = slice(self._world.rank, None, self._world.size)
        return self._masked(*(part[mine] for part in self.samples(number)))

    def scheduled(self, step):
        return {}

    def fixed(self, number, rows):
        return self._masked(np.zeros(len(rows), np.int64), rows)

    def inputs(self, rows):
        return torch.from_numpy(self._store.samples(rows)).to(self._world.device)

    def _masked(self, epoch, rows):
        order = torch.from_numpy(draws.uniform(self._stream, epoch, rows, 4).argsort(1))
        return self.inputs(rows), order[:, :3], order[:, None, 3:]


task = WaveTask
