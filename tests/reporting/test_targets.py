"""Tables of targets: experiments next to their floors, seeds as one row."""

import numpy as np
import pytest
from scipy import stats

from jepa_steps.config import Probe
from jepa_steps.data.splits import Splits
from jepa_steps.data.targets import Target
from jepa_steps.metrics.target_probes import probe_targets
from jepa_steps.reporting.grouping import group
from jepa_steps.reporting.targets import tables, told

MODEL = {"dim": 64}


def experiment(name, train, accuracy, r2):
    def score(value):
        return {"accuracy": value, "accuracy_interval": [value - 0.02, value + 0.02]}

    classes = {
        "kind": "classes", "nuisance": True, "n": {"test": 10}, "of_new_classes": 2, "interval": "how",
        "logistic": score(accuracy), "knn": score(accuracy - 0.1), "majority": score(0.2), "best_constant": 0.2,
        "few_label": {"5": score(0.3)},
    }  # fmt: skip
    numbers = {"kind": "numbers", "nuisance": False, "r2": r2, "r2_interval": [r2 - 0.1, r2 + 0.1],
               "n": {"test": 8}}  # fmt: skip
    silent = {"kind": "classes", "nuisance": False, "reason": "why not"}
    probe = {"of_targets": {"donor": classes, "age": numbers, "site": silent}}
    return {"name": name, "kind": train["encoder"], "train": train, "data": "a", "files": {}, "probe": probe,
            "embed": {}, "correct": {}}  # fmt: skip


def test_seeds_are_averaged_with_an_interval_over_them_and_floors_have_their_own():
    scores, r2 = [0.8, 0.85, 0.9], [0.1, 0.2, 0.3]
    runs = [
        experiment(f"a-{i}", {"encoder": "jepa", "seed": i, "model": MODEL}, s, r)
        for i, (s, r) in enumerate(zip(scores, r2, strict=True))
    ]
    donor, age, site = tables(group([*runs, experiment("raw", {"encoder": "raw"}, 0.7, -0.5)]))
    assert (donor["name"], donor["nuisance"], donor["n"], donor["new"]) == ("donor", True, 10, 2)
    assert donor["majority"] == 0.2 and donor["interval"] == "how"
    (row, (linear, few, knn)), (floor, (raw, _, _)) = donor["lines"]
    assert row.seeds == 3 and floor.name == "raw" and few is None
    half = stats.t.ppf(0.975, 2) * np.std(scores, ddof=1) / np.sqrt(3)
    assert linear == pytest.approx({"value": 0.85, "low": 0.85 - half, "high": min(0.85 + half, 1)})
    assert raw == pytest.approx({"value": 0.7, "low": 0.68, "high": 0.72})
    assert knn["value"] == pytest.approx(0.75)
    (_, (mean,)), (_, (below,)) = age["lines"]
    assert mean["value"] == pytest.approx(0.2) and mean["low"] < 0  # R2 may be below 0
    assert below == pytest.approx({"value": -0.5, "low": -0.6, "high": -0.4})
    assert donor["tells"] == [True, True] and age["tells"] == site["tells"] == [False, False]
    assert site["reason"] == "why not" and age["reason"] is None


@pytest.mark.parametrize(
    ("found", "tells"),
    [
        ({"kind": "numbers", "r2_interval": [0.01, 0.2]}, True),
        ({"kind": "numbers", "r2_interval": [-0.01, 0.2]}, False),
        ({"kind": "numbers", "r2_interval": [None, None]}, False),
        (
            {
                "kind": "classes",
                "logistic": {"accuracy_interval": [0.5, 0.7]},
                "majority": {"accuracy": 0.0},
                "best_constant": 0.5,
            },
            False,
        ),
        ({"kind": "classes", "reason": "one class"}, False),
    ],
)
def test_a_target_is_told_where_the_whole_interval_is_above_the_same_guess(found, tells):
    assert told(found) == tells


def test_data_without_targets_have_no_table():
    run = experiment("raw", {"encoder": "raw"}, 0.7, 0.0)
    assert tables(group([{**run, "probe": {}}])) == []


def test_noise_does_not_tell_a_nuisance_that_test_has_in_other_shares():
    """Donors lie within batches: those of test may lack the commonest batch of train, and then any guess
    beats the majority class."""
    donor = np.arange(1200) % 12
    batch = np.where(donor < 6, 0, np.where(donor < 9, 1, 2))
    part = np.array([0, 0, 0, 0, 0, 1, 0, 1, 2, 0, 1, 2])[donor]
    target = {"batch": Target("classes", batch, ("a", "b", "c"), True)}
    names = tuple(map(str, range(12)))
    table = Splits(np.zeros(1200, int), part, donor, names, targets=target)
    parts = [np.flatnonzero(part == code) for code in range(3)]
    noise = np.random.default_rng(0).normal(size=(1200, 8))
    found = probe_targets(noise, table, parts, Probe())[0]["batch"]
    assert found["majority"]["accuracy"] == 0 and found["best_constant"] == 0.5
    assert not told(found)
    assert told(probe_targets(np.eye(3)[batch], table, parts, Probe())[0]["batch"])
