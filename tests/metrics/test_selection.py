import numpy as np
import pytest

from jepa_steps.metrics.selection import agreement, probe_accuracy

RNG = np.random.default_rng(0)


def test_the_probe_finds_what_is_there_at_any_scale_and_offset():
    centres, y = RNG.normal(size=(5, 8)), RNG.integers(0, 5, 400)
    rows = centres[y] + 0.3 * RNG.normal(size=(400, 8))
    accuracy = probe_accuracy(rows[:300], y[:300], rows[300:], y[300:])
    assert accuracy > 0.95
    moved = rows * np.logspace(-3, 3, 8) + 100
    assert probe_accuracy(moved[:300], y[:300], moved[300:], y[300:]) == accuracy
    noise = RNG.normal(size=(400, 8))
    assert probe_accuracy(noise[:300], y[:300], noise[300:], y[300:]) < 0.4
    noise[:, 3] = 1.0  # a constant dimension
    assert 0 <= probe_accuracy(noise[:300], y[:300], noise[300:], y[300:]) < 0.4


def stages(**columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_a_criterion_is_right_where_it_orders_stages_as_the_probe_does():
    rows = stages(
        fraction=(0.0, 0.5, 0.75, 1.0),
        probe=(0.2, 0.5, 0.6, 0.9),
        effective_rank=(3.0, 5.0, 8.0, 9.0),
        rankme=(9.0, 8.0, 5.0, 3.0),
        lidar=(None, None, 5.0, 6.0),
        sigreg_ratio=(40.0, 20.0, 10.0, 11.0),
    )
    found = agreement(rows)
    assert found["effective_rank"] == {
        "spearman": pytest.approx(1.0),
        "chosen": 1.0,
        "chosen_probe": 0.9,
        "best_probe": 0.9,
    }
    assert found["rankme"]["spearman"] == pytest.approx(-1.0) and found["rankme"]["chosen_probe"] == 0.2
    assert found["sigreg_ratio"]["spearman"] == pytest.approx(0.8)  # smaller is better
    assert found["sigreg_ratio"]["chosen"] == 0.75
    assert "lidar" not in found  # measured at two stages only


def test_no_labels_or_no_change_is_no_correlation():
    flat = stages(fraction=(0.0, 0.5, 1.0), probe=(0.5, 0.5, 0.5), rankme=(1.0, 2.0, 3.0))
    assert agreement(flat)["rankme"]["spearman"] is None
    assert agreement(stages(fraction=(0.0, 0.5, 1.0), probe=(None,) * 3, rankme=(1.0, 2.0, 3.0))) == {}
