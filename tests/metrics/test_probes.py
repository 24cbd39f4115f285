import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier

from jepa_steps.config import Probe
from jepa_steps.metrics import panel, probes
from jepa_steps.metrics.neighbours import knn_probe

X, Y = make_classification(900, 12, n_informative=6, n_classes=3, random_state=0)
DATA = probes.Split3(*probes.standardise(X[:500], X[500:600], X[600:]), Y[:500], Y[500:600], Y[600:])
OTHER_TEST = probes.Split3(
    DATA.train, DATA.val, DATA.test, DATA.train_y, DATA.val_y, DATA.test_y[::-1].copy()
)


def test_standardisation_uses_training_statistics_and_zeroes_constant_dimensions():
    train, test = np.c_[X[:500], np.full(500, 7.0)], np.c_[X[500:], np.full(400, 9.0)]
    a, b = probes.standardise(train, test)
    assert np.allclose(a[:, :-1].mean(0), 0) and np.allclose(a[:, :-1].std(0), 1)
    assert (a[:, -1] == 0).all() and (b[:, -1] == 0).all()


def test_logistic_probe_beats_majority_and_chooses_on_val():
    grid = [0.0001, 0.01, 1.0, 100.0]
    linear, classes, choice = probes.logistic_probe(DATA, grid)
    best = max(choice["val_accuracy"].values())
    assert choice["val_accuracy"][f"{choice['c']:g}"] == best
    assert list(choice["val_accuracy"]) == ["0.0001", "0.01", "1", "100"]
    assert (classes[linear(DATA.test).argmax(1)] == DATA.test_y).mean() > 0.6


def test_of_strengths_equal_in_accuracy_that_of_the_lowest_log_loss_is_chosen():
    """Two classes far apart: every strength reads the same of val rightly. The weakest penalty is the
    surest; where labels of val are turned round, that is what costs."""
    noise = np.random.default_rng(0).normal(size=(100, 2)) / 2
    x, y = np.repeat([[-3.0, 0], [3, 0]], 50, 0) + noise, np.repeat([0, 1], 50)
    turned, grid = np.where(np.arange(100) < 20, 1 - y, y), [0.001, 0.01, 0.1, 1.0]
    chosen = []
    for val_y in (y, turned):
        _, _, choice = probes.logistic_probe(probes.Split3(x, x, x, y, val_y, y), grid)
        assert len(set(choice["val_accuracy"].values())) == 1
        path = probes.logistic(x.astype(np.float32), y, grid)
        loss = {c: log_loss(val_y, probes.probabilities(linear(x))) for c, linear in path.items()}
        assert choice["c"] == min(loss, key=loss.get)
        chosen.append(choice["c"])
    assert chosen[0] == 1.0 > chosen[1]


def test_the_probe_is_refitted_on_train_and_val():
    linear, _, choice = probes.logistic_probe(DATA, [0.1])
    x, y = DATA.train_and_val
    again = probes.logistic(x, y, [0.1])[0.1].coef  # not from where the fit on train ended
    assert choice["c"] == 0.1 and np.allclose(linear.coef, again, rtol=0, atol=1e-4)
    train_only = probes.logistic(DATA.train, DATA.train_y, [0.1])[0.1].coef
    assert not np.allclose(train_only, again, rtol=0, atol=1e-2)


def test_test_labels_change_no_prediction():
    groups = np.arange(300)
    settings = Probe(bootstrap=100, few_draws=2)
    ours, theirs = (panel.judge(data, groups, settings)[0] for data in (DATA, OTHER_TEST))
    assert set(ours) == set(theirs) and len(ours) == 4 + 2 * 4
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_ridge_probe_equals_scikit_learn():
    predicted, choice = probes.ridge_probe(DATA)
    reference = RidgeClassifier(choice["alpha"]).fit(*DATA.train_and_val).predict(DATA.test)
    assert np.array_equal(predicted, reference)
    chosen = [
        (RidgeClassifier(a).fit(DATA.train, DATA.train_y).predict(DATA.val) == DATA.val_y).mean()
        for a in (choice["alpha"], 0.01, 1000.0)
    ]
    assert chosen[0] == max(chosen)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_class_numbers_survive_a_class_that_train_lacks(missing):
    keep = DATA.train_y != missing
    data = probes.Split3(
        DATA.train[keep], DATA.val, DATA.test, DATA.train_y[keep], DATA.val_y, DATA.test_y
    )
    predicted, found, _ = panel.judge(data, np.arange(300), Probe(few_draws=2, bootstrap=100))
    assert found["classes"] == [0, 1, 2]  # val shows the third
    assert (predicted["logistic"] == DATA.test_y).mean() > 0.4
    assert missing not in predicted["few5_0"]


def test_regression_probe_recovers_a_linear_target_and_not_noise():
    rng = np.random.default_rng(0)
    target = X @ rng.normal(size=(12, 2)) + 0.5 * rng.normal(size=(900, 2))
    parts = (target[:500], target[500:600], target[600:])
    _, choice = probes.regression_probe(probes.Split3(DATA.train, DATA.val, DATA.test, *parts))
    signal = 1 - 0.25 / target.var(0).mean()
    assert choice["r2"] == pytest.approx(signal, abs=0.02)
    noise = rng.normal(size=(900, 1))
    parts = (noise[:500], noise[500:600], noise[600:])
    _, choice = probes.regression_probe(probes.Split3(DATA.train, DATA.val, DATA.test, *parts))
    assert choice["alpha"] == 1000.0 and abs(choice["r2"]) < 0.05


def test_the_pooling_with_the_better_ridge_on_val_is_chosen_and_ties_go_to_the_first():
    parts = [np.arange(500), np.arange(500, 600), np.arange(600, 900)]
    noise = np.random.default_rng(0).normal(size=X.shape)
    found, rows = panel.choose_pooling([("mean", noise), ("max", X)], Y, parts)
    assert found["chosen"] == "max" and rows is X
    assert found["val_accuracy"]["max"] > found["val_accuracy"]["mean"] + 0.2
    found, rows = panel.choose_pooling([("mean", X), ("max", 2 * X)], Y, parts)
    assert found["chosen"] == "mean" and rows is X
    shuffled = np.r_[Y[:600], Y[600:][::-1]]  # the choice does not look at test
    assert panel.choose_pooling([("mean", X), ("max", 2 * X)], shuffled, parts)[0] == found


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


def test_more_labels_help():
    accuracy = [(probes.few_label_probe(DATA, k, 5, 0) == DATA.test_y).mean() for k in (1, 10, 100)]
    assert accuracy[0] < accuracy[1] < accuracy[2]
    assert probes.few_label_probe(DATA, 10_000, 5, 0) is None


@pytest.mark.filterwarnings("error")
def test_the_unit_of_embeddings_changes_nothing_and_constant_ones_are_no_warning():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 4)) + 3
    mean, scale = probes.standardisation(rows)
    for factor in (1e-30, 1e30):
        small = probes.standardisation(rows * factor)
        assert np.allclose((rows * factor - small[0]) / small[1], (rows - mean) / scale)
    parts = [np.zeros((20, 4))] * 3 + [np.arange(20) % 2] * 3
    linear, classes, _ = probes.logistic_probe(probes.Split3(*parts), (1.0,))
    assert linear(parts[0]).shape == (20, len(classes))
