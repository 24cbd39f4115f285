"""Forecasts: closed forms and other libraries; what is predictable is predicted, noise is not."""

import numpy as np
import pytest
from series_factory import stored
from sklearn.linear_model import Ridge as SklearnRidge

from jepa_steps.metrics.errors_compared import judge
from jepa_steps.modalities.series.forecasting.baselines import last_season, season
from jepa_steps.modalities.series.forecasting.errors import errors, naive_scale
from jepa_steps.modalities.series.forecasting.ridge import STRENGTHS, fit, raw_past
from jepa_steps.modalities.series.forecasting.windows import ForecastWindows

WINDOWS = {"context_length": 30, "target_length": 12, "stride": 1,
           "split": {"kind": "time", "val": 0.25, "test": 0.25}}  # fmt: skip


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """Two channels with a season of 8 steps, a slow trend and noise; a few values are missing."""
    rng = np.random.default_rng(0)
    t = np.arange(900)
    x = np.stack([np.sin(t * np.pi / 4), np.cos(t * np.pi / 4)], 1) * [3, 0.5] + t[:, None] / 300
    x += 0.1 * rng.normal(size=x.shape)
    x[rng.random(900) < 0.02, 0] = np.nan
    return stored(x[None].astype(np.float32), tmp_path_factory.mktemp("waves"), **WINDOWS)


def test_pasts_and_futures_are_slices_in_units_of_training(waves):
    windows = ForecastWindows(waves, of_sample=False)
    rows = waves.rows("test")[:300]
    places = waves.windows.places(rows)[0]
    block = next(iter(windows.pasts(rows)))
    whole = (np.asarray(waves.values, np.float64) - windows.mean) / windows.std
    for i, start in enumerate(places[: len(block.rows)]):
        past, own = whole[start : start + 30], block.past[i]
        known = ~np.isnan(past)
        assert np.allclose(own[known], past[known])
        for step, channel in np.argwhere(~known):
            before = past[:step, channel][known[:step, channel]]
            assert own[step, channel] == pytest.approx(before[-1] if len(before) else 0.0)
    future = windows.futures(rows)
    assert np.allclose(future[0], whole[places[0] + 30 : places[0] + 42], equal_nan=True)


def test_the_season_is_found_on_training_and_repeated(waves):
    windows = ForecastWindows(waves, of_sample=False)
    period = season(waves, windows, 30)
    assert period == 8
    block = next(iter(windows.pasts(waves.rows("test"))))
    found = last_season(block, 12, period)
    assert np.array_equal(found[:, :8], block.past[:, -8:])
    assert np.array_equal(found[:, 8:], block.past[:, -8:-4])


def test_noise_has_no_season(tmp_path):
    x = np.random.default_rng(1).normal(size=(1, 900, 1)).astype(np.float32)
    store = stored(x, tmp_path, **WINDOWS)
    assert season(store, ForecastWindows(store, False), 30) == 1


def test_ridge_equals_another_library(waves):
    windows, rows = ForecastWindows(waves, of_sample=False), waves.rows("train")
    ridge = fit(windows, rows, raw_past, scaled=False)
    x, y = [], []
    for block in windows.pasts(rows):
        future = windows.futures(block.rows)
        x.append((block.past - block.last[:, None]).transpose(0, 2, 1).reshape(-1, 30))
        y.append((future - block.last[:, None]).transpose(0, 2, 1).reshape(-1, 12))
    x, y = np.concatenate(x), np.concatenate(y)
    known = ~np.isnan(y).any(1)
    x, y = x[known], y[known]
    unit = ((x - x.mean(0)) ** 2).sum() / x.shape[1]
    block = next(iter(windows.pasts(waves.rows("test"))))
    for number, strength in enumerate(STRENGTHS):
        rival = SklearnRidge(alpha=strength * unit).fit(x, y)
        own = ridge(block, [number], 12)[0]
        change = rival.predict((block.past - block.last[:, None]).transpose(0, 2, 1).reshape(-1, 30))
        wanted = block.last[:, None] + change.reshape(-1, 2, 12).transpose(0, 2, 1)
        assert np.allclose(own, wanted, atol=2e-3)


def test_errors_leave_missing_values_out(waves):
    rng = np.random.default_rng(0)
    forecast, future = rng.normal(size=(2, 7, 5, 3))
    future[2, 1] = np.nan
    future[4] = np.nan
    found = errors(forecast, future, np.array([1.0, 2.0, 4.0]))
    assert np.isnan(found["mse"][4]) and np.isnan(found["mae"][4])
    off = (forecast - future)[2]
    assert found["mse"][2] == pytest.approx(np.nanmean(off**2))
    assert found["mase"][2] == pytest.approx(np.nanmean(np.abs(off) / [1, 2, 4]))
    scale = naive_scale(waves, ForecastWindows(waves, False), 8)
    values = np.asarray(waves.values[: waves.segments[0, 2]], np.float64) / np.array(
        waves.manifest["channels"]["std"]
    )
    assert scale == pytest.approx(np.nanmean(np.abs(values[8:] - values[:-8]), 0), rel=1e-6)


def test_verdicts_are_computed_and_of_few_stretches_undecided():
    rng = np.random.default_rng(0)
    base = rng.exponential(size=400)
    scores = {
        "model": {"mse 4": base, "mse 8": base},
        "better": {"mse 4": base - 0.2 + 0.02 * rng.normal(size=400), "mse 8": base * 0 + np.nan},
        "worse": {"mse 4": base + 0.2, "mse 8": base + 0.3 + 0.02 * rng.normal(size=400)},
    }
    scores["better"]["mse 8"] = base + 0.31
    units = np.arange(400) // 10
    rows = judge(scores, "model", ["better", "worse"], {"mse 4": units, "mse 8": units}, 500, 0)
    assert [row["verdict"] for row in rows] == ["below", "beats"]
    assert rows[0]["best_baseline"] == "better" and rows[0]["difference"] == pytest.approx(
        -0.2, abs=0.01
    )
    few = judge(scores, "model", ["worse"], {"mse 8": np.arange(400) // 100}, 500, 0)
    assert few[0]["verdict"] == "undecided" and few[0]["low"] is None
