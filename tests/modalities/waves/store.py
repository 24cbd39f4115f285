import numpy as np

from ...data.splits import SPLITS, read_splits
from ...files import map_array, read_json


class WaveStore:
    def __init__(self, folder):
        self.waves, table = map_array(folder / "waves.npy"), read_splits(folder / "splits.csv")
        self.split, self.labels = table.split, table.labels
        self.manifest = read_json(folder / "manifest.json", "sha256")
        self.samples = self.waves.__getitem__

    def __len__(self):
        return len(self.split)

    def rows(self, name):
        return np.flatnonzero(self.split == SPLITS.index(name))


open_store = WaveStore
