import numpy as np
import pytest

from jepa_steps.metrics import scores


def test_calibration_error_equals_its_closed_form():
    """Two bins: 4 samples at .9 with 3 right, 6 at .6 with 3 right: .4 |.75 - .9| + .6 |.5 - .6|."""
    p = np.repeat([[0.9, 0.1], [0.6, 0.4]], [4, 6], axis=0)
    y = np.array([0, 0, 0, 1, 0, 0, 0, 1, 1, 1])
    assert scores.calibration_error(y, p) == pytest.approx(0.4 * 0.15 + 0.6 * 0.1)


def test_errors_of_one_bin_cancel_and_of_two_do_not():
    sure = np.array([[0.98, 0.02], [0.94, 0.06]])  # one of 15 bins: confidence .96, accuracy .5
    assert scores.calibration_error(np.array([0, 1]), sure) == pytest.approx(0.46)
    apart = np.array([[1.0, 0.0], [0.6, 0.4]])
    assert scores.calibration_error(np.array([0, 1]), apart) == pytest.approx((0.0 + 0.6) / 2)


def test_confidence_equal_to_chance_is_calibrated():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 40_000)
    y = (p.cumsum(1) < rng.random((40_000, 1))).sum(1)
    assert scores.calibration_error(y, p) < 0.015
    assert scores.calibration_error((y + 1) % 4, p) > 0.2


def test_scores_by_hand():
    y, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    p = np.array([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.5, 0.5]])
    found = scores.scores(y, predicted, p)
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.8, 0.4, 0.5]).mean())


def test_a_class_never_seen_in_training_has_no_probability_scores():
    p = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    assert "log_loss" not in scores.scores(np.array([0, 2]), np.array([0, 0]), p)
    assert "log_loss" in scores.scores(np.array([0, 1]), np.array([0, 0]), p)


def test_per_class_by_hand():
    y, predicted = np.array([0, 0, 3, 3]), np.array([0, 3, 3, 2])
    assert scores.per_class(y, predicted) == [
        [0, 2, 1.0, 0.5, pytest.approx(2 / 3)],
        [3, 2, 0.5, 0.5, 0.5],
    ]
