"""Every forecast of the test windows, and its errors by horizon.

Shapes: n test windows, H time steps of the future, C channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....draws import evenly
from ....model.export import Encoder
from ..settings import Evaluate
from ..store import SeriesStore
from .baselines import last_season, last_value, mean_value, season
from .errors import errors, naive_scale
from .features import token_features
from .names import METRICS
from .ridge import STRENGTHS, Features, Ridge, fit, raw_past
from .windows import ForecastWindows, Past

MODEL, RAW, UNTRAINED = "embedding", "ridge_past", "untrained"
FLOORS = ("last_value", "last_season", "mean", RAW, UNTRAINED)
Method = Callable[[Past], list[np.ndarray]]
"""From windows to forecasts (n, H, C) of the whole future, one for each horizon."""
_KEPT = 512  # test windows whose forecasts are written


@dataclass(frozen=True)
class Forecasts:
    """Attributes:
    horizons: time steps ahead, ascending. rows: int64 (n,), test windows.
    scores: method -> "metric horizon" -> float64 (n,).
    by_step: method -> mean squared error of each step ahead, float64 (H,).
    kept: test windows whose forecasts are kept, int64; forecasts: of these by method, (k, H, C).
    facts: how the methods came about: period, strengths, pooling, windows.
    """

    horizons: tuple[int, ...]
    rows: np.ndarray
    scores: dict[str, dict[str, np.ndarray]]
    by_step: dict[str, np.ndarray]
    kept: np.ndarray
    forecasts: dict[str, np.ndarray]
    facts: dict[str, Any]


def forecasts(
    store: SeriesStore,
    encoder: Encoder,
    untrained: Encoder | None,
    settings: Evaluate,
    online: Encoder | None = None,
) -> Forecasts:
    """Fit on training windows, choose strengths and poolings on val, forecast test.

    Args:
        untrained: the same architecture with initial weights; None for floors.
        online: the encoder of which ``encoder`` is the moving average, where it is one.
    """
    longest = store.manifest["settings"]["target_length"]
    horizons = tuple(sorted(set(settings.horizons or (longest,))))
    windows = ForecastWindows(store, encoder.config["normalise"] == "sample")
    parts = tuple(evenly(store.rows(part), settings.windows) for part in ("train", "val"))
    period = settings.period or season(store, windows, store.windows.longest)
    fitted = {
        MODEL: _chosen(token_features(encoder, store, online), windows, parts, horizons),
        RAW: _chosen({"past": raw_past}, windows, parts, horizons, scaled=False),
    }
    if untrained is not None:
        fitted[UNTRAINED] = _chosen(token_features(untrained, store), windows, parts, horizons)
    plain = {
        "last_value": lambda block: last_value(block, longest),
        "last_season": lambda block: last_season(block, longest, period),
        "mean": lambda block: mean_value(block, longest),
    }
    methods: dict[str, Method] = {MODEL: fitted[MODEL]}
    for name in FLOORS:
        if name in fitted:
            methods[name] = fitted[name]
        elif name in plain:
            methods[name] = lambda block, name=name: [plain[name](block)] * len(horizons)
    facts = {
        "period": period,
        "period_given": settings.period is not None,
        "train_windows": len(parts[0]),
        "val_windows": len(parts[1]),
        "chosen": {name: made.facts for name, made in fitted.items()},
    }
    scale = naive_scale(store, windows, period)
    return _forecast(methods, windows, store.rows("test"), horizons, scale, facts)


def _forecast(
    methods: dict[str, Method],
    windows: ForecastWindows,
    rows: np.ndarray,
    horizons: tuple[int, ...],
    scale: np.ndarray,
    facts: dict[str, Any],
) -> Forecasts:
    """Every method on the windows int64 (n,), block by block."""
    kept = evenly(rows, _KEPT)
    columns = [f"{metric} {h}" for h in horizons for metric in METRICS]
    scores = {name: {c: np.empty(len(rows)) for c in columns} for name in methods}
    total, known = {name: np.zeros(windows.horizon) for name in methods}, np.zeros(windows.horizon)
    shown: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    place = 0
    for block in windows.pasts(rows):
        future = windows.futures(block.rows)
        known += np.isfinite(future).sum((0, 2))
        here, keep = slice(place, place + len(future)), np.isin(block.rows, kept)
        for name, method in methods.items():
            made = method(block)
            for h, forecast in zip(horizons, made, strict=True):
                for metric, values in errors(forecast[:, :h], future[:, :h], scale).items():
                    scores[name][f"{metric} {h}"][here] = values
            total[name] += np.nansum((made[-1] - future) ** 2, (0, 2))
            shown[name].append(made[-1][keep])
        place += len(future)
    by_step = {name: sums / np.maximum(known, 1) for name, sums in total.items()}
    found = {name: np.concatenate(blocks) for name, blocks in shown.items()}
    return Forecasts(horizons, rows, scores, by_step, kept, found, facts)


@dataclass(frozen=True)
class _Chosen:
    """A fitted ridge regression with the strength chosen on val for each horizon."""

    ridge: Ridge
    strength: list[int]
    longest: int
    facts: dict[str, Any]

    def __call__(self, block: Past) -> list[np.ndarray]:
        """Forecasts (n, H, C) of the whole future, by the strength of each horizon."""
        different = sorted(set(self.strength))
        made = dict(zip(different, self.ridge(block, different, self.longest), strict=True))
        return [made[s] for s in self.strength]


def _chosen(
    features: dict[str, Features],
    windows: ForecastWindows,
    parts: tuple[np.ndarray, np.ndarray],
    horizons: tuple[int, ...],
    scaled: bool | None = None,
) -> _Chosen:
    """The features with the lowest mean squared error on val, averaged over horizons, and their
    strengths."""
    best: tuple[float, _Chosen] | None = None
    train, val = parts
    scaled = windows.of_sample if scaled is None else scaled
    for name, read in features.items():
        ridge = fit(windows, train, read, scaled)
        found = _validated(ridge, windows, val, horizons)
        strength = found.argmin(1).tolist()
        mse = float(found.min(1).mean())
        if best is None or mse < best[0]:
            facts = {
                "features": name,
                "width": int(ridge.coef.shape[1]),
                "val_mse": mse,
                "strength": [STRENGTHS[s] for s in strength],
            }
            best = mse, _Chosen(ridge, strength, windows.horizon, facts)
    return best[1]


def _validated(
    ridge: Ridge, windows: ForecastWindows, val: np.ndarray, horizons: tuple[int, ...]
) -> np.ndarray:
    """Mean squared errors on val, float64 (horizons, strengths)."""
    total, count = np.zeros((len(horizons), len(STRENGTHS))), np.zeros((len(horizons), 1))
    for block in windows.pasts(val):
        future = windows.futures(block.rows)
        made = ridge(block, list(range(len(STRENGTHS))), windows.horizon)
        for s, forecast in enumerate(made):
            off = (forecast - future) ** 2
            for i, h in enumerate(horizons):
                total[i, s] += np.nansum(off[:, :h])
        for i, h in enumerate(horizons):
            count[i] += np.isfinite(future[:, :h]).sum()
    return total / np.maximum(count, 1)
