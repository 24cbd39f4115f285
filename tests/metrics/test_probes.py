import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.neighbors import KNeighborsClassifier

from jepa_steps.metrics import probes
from jepa_steps.metrics.neighbours import knn_probe

X, Y = make_classification(900, 12, n_informative=6, n_classes=3, random_state=0)
DATA = probes.Split3(*probes.standardise(X[:500], X[500:600], X[600:]), Y[:500], Y[500:600], Y[600:])


def test_standardisation_uses_training_statistics_and_zeroes_constant_dimensions():
    train, test = np.c_[X[:500], np.full(500, 7.0)], np.c_[X[500:], np.full(400, 9.0)]
    a, b = probes.standardise(train, test)
    assert np.allclose(a[:, :-1].mean(0), 0) and np.allclose(a[:, :-1].std(0), 1)
    assert (a[:, -1] == 0).all() and (b[:, -1] == 0).all()


def test_logistic_probe_beats_majority_and_chooses_on_val():
    probabilities, choice = probes.logistic_probe(DATA, [0.01, 1.0])
    assert probabilities.shape == (300, 3) and np.allclose(probabilities.sum(1), 1)
    assert (
        choice["c"] == max(choice["val_accuracy"], key=choice["val_accuracy"].get, default=0)
        or float(max(choice["val_accuracy"].values())) == choice["val_accuracy"][f"{choice['c']:g}"]
    )
    assert (probabilities.argmax(1) == DATA.test_y).mean() > 0.5


def test_test_labels_change_no_prediction():
    other = probes.Split3(DATA.train, DATA.val, DATA.test, DATA.train_y, DATA.val_y, DATA.test_y[::-1])
    assert np.array_equal(probes.logistic_probe(DATA, [0.1])[0], probes.logistic_probe(other, [0.1])[0])


def test_knn_equals_scikit_learn_on_cosine_weights():
    ours = knn_probe(DATA.train, DATA.train_y, DATA.test, 15)
    reference = KNeighborsClassifier(15, metric="cosine", weights=lambda d: np.exp(-d / 0.07))
    assert (ours == reference.fit(DATA.train, DATA.train_y).predict(DATA.test)).mean() > 0.995


def test_few_label_rows_are_balanced_and_repeatable():
    rows = probes.few_label_rows(DATA.train_y, 5, 0, 3)
    assert np.bincount(DATA.train_y[rows]).tolist() == [5, 5, 5]
    assert np.array_equal(rows, probes.few_label_rows(DATA.train_y, 5, 0, 3))
    assert not np.array_equal(rows, probes.few_label_rows(DATA.train_y, 5, 0, 4))
    assert probes.few_label_rows(DATA.train_y, 10_000, 0, 0) is None


def test_bootstrap_interval_matches_the_normal_approximation():
    values = np.random.default_rng(0).random(1000) < 0.8
    low, high = probes.bootstrap_interval(values, 4000, 0)
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 1000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.003)
