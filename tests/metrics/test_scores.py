import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

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


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 6))
def test_scores_are_those_of_scikit_learn(seed, m, classes):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, classes, m), rng.dirichlet(np.full(classes, 0.3), m)
    predicted = rng.integers(0, classes, m)
    found, rows = scores.scores(y, predicted, p), scores.per_class(y, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that y has not
        balanced = metrics.balanced_accuracy_score(y, predicted)
        matrix = metrics.confusion_matrix(y, predicted)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    expected = metrics.f1_score(y, predicted, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, p, labels=np.arange(classes)))
    present = np.unique(y)
    precision, recall, f1, n = metrics.precision_recall_fscore_support(
        y, predicted, labels=present, zero_division=0
    )
    columns = zip(present, n, precision, recall, f1, strict=True)
    assert rows == [pytest.approx(row) for row in columns]
    assert (scores.confusion_matrix(y, predicted)[1] == matrix).all()


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
