"""Waves: noisy sines of two frequencies, drawn here; a grid of one axis."""

from typing import Literal

from ...config import Evaluate as Evaluate
from ...config import JepaRun, Settings, UntrainedEncoder
from ...config.predictor import Predictor


class WaveDataset(Settings):
    path: str
    """A text file: the noise, as a standard deviation."""


class WaveJepa(JepaRun):
    encoder: Literal["wave-jepa"]
    predictor: Predictor = Predictor(dim=16, depth=1, heads=2)


class UntrainedWaves(UntrainedEncoder):
    encoder: Literal["wave-untrained"]


Dataset, ENCODERS, BLOCKS, PRESETS = WaveDataset, (WaveJepa, UntrainedWaves), {}, {}
FILES = ("waves.npy", "splits.csv", "manifest.json")


def sources(dataset):
    return {"path": dataset.path}


def check(dataset, train):
    """Every encoder fits."""
