"""The audit finds copies and windows cut from one recording, and nothing else."""

import numpy as np
import pytest
from series_factory import recordings

from jepa_steps.modalities.series.preparation.shared_steps import RUN, shared_steps

rng = np.random.default_rng(0)


def audit(series: list[np.ndarray], part: list[int]) -> dict[int, int]:
    values = np.concatenate(series).astype(np.float32)
    return shared_steps(values, recordings(*map(len, series)), np.array(part))


@pytest.mark.parametrize("channels", [1, 3])
def test_windows_that_overlap_across_parts_are_found_from_a_run_on(channels):
    whole = rng.normal(size=(400, channels))
    others = [rng.normal(size=(80, channels)) for _ in range(20)]
    for overlap in (RUN, RUN + 7, 79):
        windows = [whole[:80], whole[80 - overlap : 160 - overlap]]
        assert audit([*others[:10], windows[0], *others[10:], windows[1]], [0] * 21 + [2]) == {21: 10}
        assert audit([windows[1], *others, windows[0]], [0] * 21 + [1]) == {21: 0}
    apart = [whole[:80], whole[80 - RUN + 1 : 160 - RUN + 1]]
    assert audit([apart[0], *others, apart[1]], [0] * 21 + [2]) == {}


def test_copies_of_short_series_are_found_whole():
    series = [rng.normal(size=(n, 2)) for n in (7, 9, 12, 12, 30)]
    assert audit([*series, series[2], series[0]], [0] * 5 + [2, 1]) == {5: 2, 6: 0}
    near = series[2].copy()
    near[5, 1] += 1e-3
    assert audit([*series, near], [0] * 5 + [2]) == {}


def test_val_is_compared_with_train_and_test_with_both():
    series = [rng.normal(size=(60, 1)) for _ in range(3)]
    assert audit([*series, series[1]], [0, 1, 1, 2]) == {3: 1}
    assert audit([*series, series[1]], [0, 2, 1, 2]) == {}  # two of one part


def test_stretches_without_change_and_missing_values_are_no_leak():
    flat = [np.concatenate([np.zeros((60, 1)), rng.normal(size=(60, 1))]) for _ in range(4)]
    gone = [np.where(np.arange(120)[:, None] < 60, np.nan, f) for f in flat]
    steps = [np.repeat([0.0, 1.0, 0.0], 40)[:, None] for _ in range(2)]
    assert audit(steps, [0, 2]) == {}
    assert audit(flat, [0, 0, 2, 2]) == {}
    assert audit(gone[:2], [0, 2]) == {}


def test_a_window_of_training_within_a_longer_test_recording_is_found():
    whole, other = rng.normal(size=(400, 1)), rng.normal(size=(64, 1))
    assert audit([other, whole[100:164], whole], [0, 0, 2]) == {2: 1}
    assert audit([whole, other, whole[100:164]], [0, 0, 2]) == {2: 0}


def test_short_windows_that_overlap_by_a_run_are_found():
    whole = rng.normal(size=(80, 2))
    assert audit([whole[:40], whole[40 - RUN : 80 - RUN]], [0, 2]) == {1: 0}
