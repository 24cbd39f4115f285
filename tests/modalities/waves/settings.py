"""Waves: noisy sines of two frequencies, drawn here; a grid of one axis."""

from typing import Literal

from ...config import Evaluate as Evaluate
from ...config import JepaRun, Settings, UntrainedEncoder


class WaveDataset(Settings):
    path: str  # of a text file: the noise, as a standard deviation


class WaveJepa(JepaRun):
    encoder: Literal["wave-jepa"]


class UntrainedWaves(UntrainedEncoder):
    encoder: Literal["wave-untrained"]


Dataset, ENCODERS, BLOCKS, PRESETS = WaveDataset, (WaveJepa, UntrainedWaves), {}, {}
PREPARE = {"threads": 1, "mem_mb": 1000}
FILES = ("waves.npy", "splits.csv", "manifest.json")


def sources(dataset):
    return {"path": dataset.path}


def check(dataset, train): ...
