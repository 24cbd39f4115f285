import numpy as np

from ...arrays import map_array
from ...data.splits import SPLITS, read_splits
from ...files import read_json


class WaveStore:
    def __init__(self, folder):
        self.waves, table = map_array(folder / "waves.npy"), read_splits(folder / "splits.csv")
        self.split, self.labels = table.split, table.labels
        self.manifest, self.samples = read_json(folder / "manifest.json"), self.waves.__getitem__
        self.rows = lambda name: np.flatnonzero(self.split == SPLITS.index(name))

    def __len__(self):
        return len(self.split)


open_store = WaveStore
