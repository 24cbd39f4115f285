import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from jepa_steps.metrics.nuisance import condition_statistics, explained_share, nuisance_statistics

RNG = np.random.default_rng(0)


def one_hot(codes):
    return np.eye(codes.max() + 1)[codes]


def test_omega_squared_of_one_variable_is_the_textbook_one():
    codes = RNG.integers(0, 4, 90)
    y = RNG.normal(size=4)[codes] + RNG.normal(size=90)
    total = ((y - y.mean()) ** 2).sum()
    within = sum(((y[codes == c] - y[codes == c].mean()) ** 2).sum() for c in range(4))
    noise = within / (90 - 4)
    expected = (total - within - 3 * noise) / (total + noise)
    assert explained_share(y[:, None], codes) == pytest.approx(expected)


def test_within_another_variable_it_is_what_the_cells_add():
    codes, other = RNG.integers(0, 3, 200), RNG.integers(0, 2, 200)
    y = RNG.normal(size=(200, 3)) + 2.0 * codes[:, None] + other[:, None]
    cells = one_hot(codes * 2 + other)

    def rest(x):
        return ((y - LinearRegression().fit(x, y).predict(x)) ** 2).sum()

    noise = rest(cells) / (200 - 6)
    total = ((y - y.mean(0)) ** 2).sum()
    expected = (rest(one_hot(other)) - rest(cells) - 4 * noise) / (total + noise)
    assert explained_share(y, codes, within=other) == pytest.approx(expected)


def test_chance_explains_nothing_on_average_however_many_groups():
    for groups in (2, 20, 60):
        shares = [
            explained_share(RNG.normal(size=(120, 8)), RNG.integers(0, groups, 120)) for _ in range(100)
        ]
        assert abs(np.mean(shares)) < 4 * np.std(shares) / 10
    codes = RNG.integers(0, 5, 100)
    assert explained_share(RNG.normal(size=(5, 8))[codes], codes) == pytest.approx(1.0)


def test_singletons_and_constant_rows_have_no_share():
    assert explained_share(RNG.normal(size=(20, 3)), np.arange(20)) is None
    assert explained_share(np.ones((20, 3)), RNG.integers(0, 2, 20)) is None


def test_a_group_is_not_charged_with_the_label_it_holds():
    labels = RNG.integers(0, 4, 400)
    groups = labels * 5 + RNG.integers(0, 5, 400)  # each group holds one label
    rows = 3 * RNG.normal(size=(4, 8))[labels] + RNG.normal(size=(400, 8))
    s = nuisance_statistics(rows, groups, labels)
    assert s["group_share"] > 0.5 and s["label_share"] > 0.5 and abs(s["group_beyond_label"]) < 0.05
    shifted = nuisance_statistics(rows + 6 * RNG.normal(size=(20, 8))[groups], groups, labels)
    assert shifted["group_beyond_label"] > shifted["label_share"]
    unlabelled = nuisance_statistics(rows, groups, np.full(400, -1))
    assert unlabelled["label_share"] is None and unlabelled["group_share"] == s["group_share"]


def test_conditions_count_only_between_predictions_for_one_input():
    inputs, effect = RNG.normal(size=(50, 1, 6)), RNG.normal(size=(4, 6))
    conditions = RNG.integers(0, 4, 300)
    targets = effect[conditions] + RNG.normal(size=(300, 6))
    used = condition_statistics(inputs + effect, targets, conditions)
    assert used["predicted_share"] == pytest.approx(used["target_share"], abs=0.15)
    assert used["predicted_share"] > 0.2
    ignored = condition_statistics(np.repeat(inputs, 4, 1), targets, conditions)
    assert ignored["predicted_share"] == 0.0
    assert condition_statistics(np.ones((5, 4, 6)), targets, conditions)["predicted_share"] is None
