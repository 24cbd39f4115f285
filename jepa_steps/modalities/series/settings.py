"""What a config can say of time series: data sets, encoders that are trained on them, presets."""

import math
from typing import Annotated, Any

from pydantic import Field

from ...config.base import Settings
from ...config.evaluate import Evaluate as Evaluation
from ...config.given import ModuleEncoder
from ...config.predictor import Predictor
from ...errors import InputError
from .dataset import SeriesDataset, SeriesKeys, SeriesSplit
from .training import (
    ChannelStatistics,
    RandomConvolutions,
    SeriesAugment,
    SeriesJepa,
    SeriesMasks,
    SeriesModel,
    UntrainedSeries,
)


class Evaluate(Evaluation):
    """How forecasts from embeddings are judged."""

    horizons: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Horizons, in time steps ahead; at most target_length. Each is judged separately, over all steps up
    to it. Empty = target_length alone."""
    period: Annotated[int, Field(ge=1)] | None = None
    """Time steps per season, for the baseline that repeats the last season. null = found on the training
    part; the report states it."""
    windows: Annotated[int, Field(ge=16)] = 20_000
    """Largest number of training windows on which forecasts are fitted. They are evenly spaced over the
    part."""


Dataset = SeriesDataset
ENCODERS = (SeriesJepa, UntrainedSeries, RandomConvolutions, ChannelStatistics, ModuleEncoder)
PREPARE = {"threads": 1, "mem_mb": 1000}  # read one series at a time, by one process
FILES = ("values.npy", "segments.npy", "splits.csv", "manifest.json")
BLOCKS = {
    "series.NAME": SeriesDataset,
    "series.NAME.keys": SeriesKeys,
    "series.NAME.split": SeriesSplit,
    "train: a JEPA of time series": SeriesJepa,
    "train.model of time series": SeriesModel,
    "train.predictor of time series": Predictor,
    "train.masks of time series": SeriesMasks,
    "train.augment of time series": SeriesAugment,
    "train, floor: an untrained encoder of time series": UntrainedSeries,
    "train, floor: random convolutions": RandomConvolutions,
    "train, floor: channel statistics": ChannelStatistics,
    "evaluate of time series": Evaluate,
}
PRESETS: dict[str, dict[str, Any]] = {
    # For classes and numbers; chosen on the sets that benchmarks/RESULTS.md reports it on.
    "series-views": {
        "encoder": "series-jepa",
        "task": "views",
        "steps": 300,
        "batch_size": 128,
        "model": {"depth": 0},
        "optimizer": {"lr": 0.001, "weight_decay": 0.0001},
        "validate_every": 100,
    },
    # For forecasts: tokens are linear in the values of each channel, as the best simple forecasts are; a
    # block of depth lost 3 to 5 % of error on ETTh1 (benchmarks/RESULTS.md).
    "series-future": {
        "encoder": "series-jepa",
        "task": "future",
        "steps": 150,
        "batch_size": 128,
        "model": {
            "tokenizer": "patches",
            "patch_length": 24,
            "channels": "separate",
            "dim": 64,
            "depth": 0,
            "heads": 2,
            "final_norm": False,
        },
        "predictor": {"dim": 32, "depth": 1},
        "objective": {
            "kind": "ema_target+vicreg",
            "variance": 1.0,
            "covariance": 0.04,
            "ema_momentum": [0.99, 1.0],
        },
        "optimizer": {"lr": 0.0005},
        "validate_every": 50,
    },
}


def sources(dataset: SeriesDataset) -> dict[str, str]:
    """Paths that prepare reads, by the setting that names them."""
    return {"path": dataset.path} | ({"table": dataset.table} if dataset.table else {})


def check_evaluate(dataset: SeriesDataset, train: Settings, evaluate: Evaluate) -> None:
    """Whether what is forecast lies within the data.

    Raises:
        InputError: it does not.
    """
    if dataset.target_length:
        check_horizons(evaluate, dataset.target_length)


def check_horizons(evaluate: Evaluate, longest: int) -> None:
    """Raises InputError where a horizon is beyond ``longest``, the steps that are forecast."""
    if far := [h for h in evaluate.horizons if h > longest]:
        raise InputError(f"evaluate.horizons: found {far[0]}, expected at most target_length {longest}")


def check(dataset: SeriesDataset, train: Settings) -> None:
    """Whether a training block can work on a data set.

    Raises:
        ValueError: it cannot; the text begins with the setting, below the experiment.
    """
    length = dataset.context_length
    if length is None or not isinstance(train, SeriesJepa | UntrainedSeries):
        return
    patch = train.model.patch_length
    if patch is not None and math.ceil(length / patch) < 2:
        raise ValueError(
            f"train.model.patch_length: found {patch}, expected at most half of context_length {length}"
        )
