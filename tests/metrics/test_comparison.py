import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from jepa_steps.errors import InputError
from jepa_steps.metrics import comparison

SIZE, GROUPS = 5, 30
OF_GROUP = np.repeat(np.arange(GROUPS), SIZE)


def grouped(rng, level=0.0):
    """Values of samples that share their group's effect; their expectation is ``level``."""
    return level + rng.normal(size=GROUPS)[OF_GROUP] + rng.normal(size=GROUPS * SIZE)


def test_single_samples_give_the_plain_bootstrap():
    values = (np.random.default_rng(0).random(1000) < 0.8).astype(float)
    ((low, high),) = comparison.intervals(values[None], np.arange(1000), 4000, 0)
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 1000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.003)
    rng = np.random.default_rng(1)
    plain = [values[rng.integers(0, 1000, 1000)].mean() for _ in range(4000)]
    ours = comparison._resampled(values[None], np.ones(1000), 4000, 0)[:, 0]
    assert stats.ks_2samp(plain, ours).pvalue > 0.01


def test_intervals_cover_95_percent_with_groups_and_too_little_without():
    rng, covered = np.random.default_rng(0), np.zeros(2)
    for i in range(600):
        values = grouped(rng)[None]
        for j, groups in enumerate((OF_GROUP, np.arange(values.shape[1]))):
            low, high = comparison.intervals(values, groups, 400, i)[0]
            covered[j] += low <= 0 <= high
    with_groups, without = covered / 600
    assert 0.925 < with_groups < 0.975
    assert without < 0.8


def test_groups_of_unequal_size_and_several_measures():
    rng = np.random.default_rng(0)
    groups = np.repeat([7, 3, 9, 1], [40, 1, 5, 14])[rng.permutation(60)]
    values = rng.random((3, 60))
    together = comparison.intervals(values, groups, 300, 0)
    alone = np.concatenate([comparison.intervals(row[None], groups, 300, 0) for row in values])
    assert np.allclose(together, alone)
    assert ((together[:, 0] <= values.mean(1)) & (values.mean(1) <= together[:, 1])).all()


def test_blocks_of_resamples_change_nothing(monkeypatch):
    values, groups = np.random.default_rng(0).random((2, 40)), np.arange(40)
    whole = comparison.intervals(values, groups, 200, 0)
    monkeypatch.setattr(comparison, "_BLOCK", 40 * 7)
    assert np.array_equal(whole, comparison.intervals(values, groups, 200, 0))


def test_one_group_or_one_seed_says_nothing():
    assert comparison.intervals(np.ones((1, 9)), np.zeros(9), 100, 0).tolist() == [[-np.inf, np.inf]]
    assert comparison.over_seeds([0.9]) == [-np.inf, np.inf]


def test_too_few_groups_decide_nothing_and_samples_within_them_are_resampled():
    rng = np.random.default_rng(0)
    a, b = (rng.random(200) < 0.9).astype(float), (rng.random(200) < 0.6).astype(float)
    for groups in (1, 5):
        found = comparison.paired([a], [b], np.arange(200) % groups)
        alone = comparison.paired([a], [b], np.arange(200))
        assert (found["low"], found["high"]) == (alone["low"], alone["high"])
        assert (found["groups"], found["within"], alone["within"]) == (groups, True, False)
        assert (
            found["p"] >= 0.05
            and comparison.verdict(found["low"], found["high"], 0.01, groups)[0] == "u"
        )
    enough = comparison.paired([a], [b], np.arange(200) % 6)
    assert not enough["within"] and enough["p"] == 2 / 2**6 and enough["low"] > 0
    assert comparison.units_of(np.arange(6)).tolist() == list(range(6))


def test_where_all_is_possible_there_is_no_interval():
    found = comparison.paired([np.array([1.0])], [np.array([0.0])], np.zeros(1))
    assert (found["low"], found["high"], found["p"]) == (None, None, 1.0)
    assert comparison.verdict(None, None, 1.0, 9) == "undecided"


def test_numbers_of_things():
    assert [comparison.how_many(*pair) for pair in ((1, "batch"), (2, "batch"), (3, "donor"))] == [
        "1 batch", "2 batches", "3 donors"
    ]  # fmt: skip


def test_interval_over_seeds_is_students():
    values = [0.978, 0.967, 0.978]
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert comparison.over_seeds(values) == pytest.approx(list(expected))


def test_p_is_uniform_where_nothing_differs_and_small_where_something_does():
    rng, p = np.random.default_rng(0), []
    for i in range(500):
        a, b = grouped(rng), grouped(rng)
        p.append(comparison.paired([a], [b], OF_GROUP, resamples=10, flips=500, seed=i)["p"])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    naive = [
        comparison.paired([grouped(rng)], [grouped(rng)], np.arange(150), 10, 500, i)["p"]
        for i in range(200)
    ]
    assert np.mean(np.array(naive) < 0.05) > 0.2  # single samples as units: false alarms
    assert comparison.paired([grouped(rng, 2)], [grouped(rng)], OF_GROUP)["p"] < 0.001


def test_paired_intervals_cover_differences_between_trainings():
    """Chance of seeds and of test groups together; the truth is a difference of 3 points."""
    rng, hit, short = np.random.default_rng(0), 0, 0
    for i in range(400):
        samples = 0.1 * grouped(rng)  # what makes test samples hard for both
        a = [0.03 + samples + 0.03 * rng.normal() + 0.1 * rng.normal(size=150) for _ in range(3)]
        found = comparison.paired(a, [samples], OF_GROUP, resamples=400, flips=10, seed=i)
        hit += found["low"] <= 3 <= found["high"]
        one = comparison.paired(a[:1], [samples], OF_GROUP, resamples=400, flips=10, seed=i)
        short += one["low"] <= 3 <= one["high"]
    assert 0.92 < hit / 400 <= 0.99
    assert short / 400 < 0.7  # one seed cannot know how much seeds differ


def test_pairing_removes_what_both_sides_share():
    rng = np.random.default_rng(0)
    hard = (rng.random(500) < 0.7).astype(float)
    better = np.maximum(hard, rng.random(500) < 0.1)
    found = comparison.paired([better], [hard], np.arange(500))
    assert found["points"] == pytest.approx(100 * (better - hard).mean())
    assert 0 < found["low"] < found["points"] < found["high"]
    assert found["n"] == found["groups"] == 500
    back = comparison.paired([hard], [better], np.arange(500))
    assert (back["points"], back["p"]) == (-found["points"], found["p"])


def test_holm_equals_its_definition():
    # sorted .01 .02 .03 .04 times 4 3 2 1, then the running maximum
    assert comparison.holm([0.02, 0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.06, 0.04, 0.06])
    assert comparison.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert comparison.holm([0.001]) == [0.001] and comparison.holm([]) == []


@pytest.mark.parametrize(
    ("low", "high", "p", "says"),
    [
        (0.1, 2, 0.01, "beats"),
        (-2, -0.1, 0.01, "below"),
        (-1, 2, 0.2, "ties"),
        (-1, 2, 0.01, "undecided"),
        (0.1, 2, 0.05, "undecided"),
        (-2, -0.1, 0.2, "undecided"),
    ],
)
def test_verdicts(low, high, p, says):
    assert comparison.verdict(low, high, p, 6) == says
    assert comparison.verdict(low, high, p, 5) == "undecided"


def test_predictions_are_read_by_probe_and_group(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(
        "index,label,group,logistic,attentive,few5_0,few5_1\n"
        "4,1,d2,1,,1,0\n7,0,d1,1,0,0,0\n9,1,d2,1,0,0,0\n"
    )
    correct, groups = comparison.read_correct(path)
    assert groups.tolist() == [1, 0, 1]
    assert correct["logistic"].tolist() == [1, 0, 1] and correct["few5"].tolist() == [0.5, 1, 0]
    assert np.isnan(correct["attentive"][0]) and correct["attentive"][1:].tolist() == [1, 0]
    path.write_text("index,label,logistic\n1,1,1\n")
    with pytest.raises(InputError, match="expected index, label, group"):
        comparison.read_correct(path)
    with pytest.raises(InputError, match="no such file"):
        comparison.read_correct(tmp_path / "none.csv")


def test_r2_has_the_interval_of_a_plain_bootstrap():
    """Each resample has a variance of its own, which matters where tails are heavy."""
    rng = np.random.default_rng(0)
    y = rng.lognormal(0, 1.5, 150)
    predicted = y.mean() + 0.3 * (y - y.mean()) + rng.normal(size=150)
    draws = rng.integers(0, 150, (4000, 150))
    plain = np.quantile([r2_score(y[rows], predicted[rows]) for rows in draws], [0.025, 0.975])
    found = comparison.r2_interval((y - predicted) ** 2, y, np.arange(150), 4000, 0)
    assert np.allclose(found, plain, atol=0.02) and found[1] < 0.9
