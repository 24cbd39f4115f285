"""Forecasts from the embeddings of the past beside forecasts without an encoder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ...data.probed import resampled_by
from ...data.splits import read_splits
from ...errors import InputError
from ...figures.style import message
from ...metrics.comparison import FEWEST_GROUPS, how_many
from ...metrics.errors_compared import judge, summary
from ...model.export import Encoder, build, load_encoder, load_online
from ..contract import Evaluation
from .forecasting.features import WIDEST, token_features
from .forecasting.figure import forecast_figure
from .forecasting.methods import FLOORS, MODEL, Forecasts, forecasts
from .forecasting.names import METRICS
from .forecasting.persistence import persistence
from .forecasting.windows import ForecastWindows
from .settings import Evaluate, check_horizons
from .store import SeriesStore, open_store
from .training import SeriesJepa

NO_FUTURE = "the data set has target_length 0, so that there is no future to forecast"
JUDGED = ("mse", "mae")  # MASE orders forecasts as MAE does, but for the weights of channels


def predicts(train: object) -> bool:
    """Every encoder's embeddings can be asked for the future, floors' too."""
    return True


def evaluate(
    train: object, description: dict[str, Any], folder: Path, data: Path, settings: Evaluate
) -> Evaluation | str:
    """Errors of forecasts from the encoder in ``folder`` and of every method beside it; or why there are
    none.

    Raises:
        InputError: the encoder was trained on other data, or a horizon is beyond target_length.
    """
    store = open_store(data)
    if store.manifest["sha256"] != description["data_sha256"]:
        raise InputError(f"{folder}: trained on other data than {data} holds now; train it again")
    longest, trained = store.manifest["settings"]["target_length"], isinstance(train, SeriesJepa)
    latent = trained and train.task == "future"
    if not longest:
        return _latent_alone(persistence(train, folder, store)) if latent else NO_FUTURE
    check_horizons(settings, longest)
    if (settings.period or 1) > store.windows.longest:
        raise InputError(
            f"evaluate.period: found {settings.period}, expected at most context_length "
            f"{store.windows.longest}: the last season must lie in the past"
        )
    torch.set_num_threads(settings.threads)
    encoder = load_encoder(folder)
    if not token_features(encoder, store):
        return f"its embeddings have more than {WIDEST:,} values, too many for a ridge regression"
    untrained = Encoder(description, build(train, description).state_dict()) if trained else None
    with threadpool_limits(settings.threads):
        found = forecasts(store, encoder, untrained, settings, load_online(folder))
    if latent:
        found.facts["persistence"] = persistence(train, folder, store)
    result = _result(found, store, data, settings)
    windows = ForecastWindows(store, False)
    shown = found.forecasts[MODEL] * windows.std + windows.mean
    return Evaluation(
        result, ["method", "horizon", "window", *METRICS], _rows(found), shown.astype(np.float32),
        forecast_figure(found, store, windows),
    )  # fmt: skip


def _latent_alone(found: dict[str, Any]) -> Evaluation:
    """No forecast, but what the predictor is worth in its own space, for the monitor."""
    result = {"task": None, "reason": NO_FUTURE, "persistence": found}
    return Evaluation(result, ["method"], [], np.empty((0, 0), np.float32), message(NO_FUTURE))


def _result(found: Forecasts, store: SeriesStore, data: Path, settings: Evaluate) -> dict[str, Any]:
    baselines = [name for name in FLOORS if name in found.scores]
    units = {h: resampled_units(store, data, found.rows, h) for h in found.horizons}
    of_columns = {f"{m} {h}": codes for h, (codes, _) in units.items() for m in METRICS}
    judged = {f"{m} {h}": codes for h, (codes, _) in units.items() for m in JUDGED}
    counts = ", ".join(how_many(len(np.unique(c)), unit) for c, unit in units.values())
    resampled = (settings.bootstrap, settings.seed)
    interval = (
        f"95 % bootstrap over groups of dependent test windows, by horizon: {counts}; "
        f"{settings.bootstrap} resamples; p values adjusted for the number of verdicts by Holm's method"
    )
    return {
        "task": "future",
        "held_out": f"{len(found.rows):,} windows",
        "horizons": list(found.horizons),
        "leaky": False,
        "methods": {
            name: {column: summary(v, of_columns[column], *resampled) for column, v in values.items()}
            for name, values in found.scores.items()
        },
        "verdicts": [
            {"metric": row.pop("column"), **row}
            for row in judge(found.scores, MODEL, baselines, judged, *resampled)
        ],
        "interval": interval,
        "units": {str(h): unit for h, (_, unit) in units.items()},
        **found.facts,
    }


def resampled_units(
    store: SeriesStore, data: Path, rows: np.ndarray, horizon: int
) -> tuple[np.ndarray, str]:
    """(codes int64 (n,), what they are) of what is resampled for test windows int64 (n,): whole groups
    or series, or, where series are cut in time, stretches as long as the horizon. Windows of different
    stretches then forecast mostly different steps."""
    splits = resampled_by(read_splits(data / "splits.csv"), FEWEST_GROUPS)
    if store.manifest["settings"]["split"]["kind"] != "time":
        return splits.groups[rows], splits.unit
    start, segment = store.windows.places(rows)[0], store.windows.segment(rows)
    places = np.stack([segment, (start - store.segments[segment, 1]) // horizon], 1)
    return np.unique(places, axis=0, return_inverse=True)[1].ravel(), f"stretch of {horizon} steps"


def _rows(found: Forecasts) -> Iterator[list[object]]:
    """A row per method, horizon and test window; empty where nothing of the future is known."""
    for name, values in found.scores.items():
        for h in found.horizons:
            columns = [values[f"{metric} {h}"] for metric in METRICS]
            for row, *cells in zip(found.rows.tolist(), *columns, strict=True):
                yield [name, h, row, *("" if np.isnan(v) else repr(float(v)) for v in cells)]
