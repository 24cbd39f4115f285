"""Experiments that differ in their seed only are one row."""

import numpy as np
import pytest
from scipy import stats

from jepa_steps.reporting.grouping import dig, group

MODEL = {"patch_size": 2, "dim": 64}


def experiment(name, train, data="a", accuracy=0.9, **more):
    few = {"10": {"accuracy": accuracy - 0.1, "accuracy_interval": [0.7, 0.9], "draws": 3}}
    probe = {
        "n": {"test": 10},
        "interval": "bootstrap",
        "logistic": {"accuracy": accuracy, "accuracy_interval": [accuracy - 0.02, accuracy + 0.02]},
        "few_label": few,
    }
    base = {"name": name, "kind": train["encoder"], "train": train, "data": data, "probe": probe}
    base["files"] = {"splits.csv": data}
    return {**base, "embed": {"pooling": "mean"}, "correct": {}, **more}


def jepa(name, seed, accuracy=0.9, data="a", **train):
    return experiment(name, {"encoder": "jepa", "seed": seed, "model": MODEL, **train}, data, accuracy)


def test_seeds_of_one_setting_are_one_row_in_order_of_appearance():
    rows = group(
        [
            jepa("a-seed0", 0),
            experiment("raw", {"encoder": "raw"}),
            jepa("a-seed1", 1),
            jepa("a-seed2", 2),
        ]
    )
    assert [(r.name, r.seeds, r.kind, r.trained) for r in rows] == [
        ("a", 3, "jepa", True),
        ("raw", 1, "raw", False),
    ]
    assert rows[0].label == "a ×3 seeds" and rows[1].label == "raw"
    assert [e["name"] for e in rows[0].members] == ["a-seed0", "a-seed1", "a-seed2"]


@pytest.mark.parametrize(
    "other",
    [
        jepa("b", 1, steps=20),
        jepa("b", 1, model={**MODEL, "dim": 32}),
        jepa("b", 1, data="b"),
        experiment("b", {"encoder": "untrained", "seed": 1, "model": MODEL}),
        {**jepa("b", 1), "embed": {"pooling": "max"}},
        {**jepa("b", 1), "probe": {**jepa("b", 1)["probe"], "n": {"test": 9}}},
    ],
    ids=["steps", "model", "data", "encoder", "pooling", "probe"],
)
def test_any_other_difference_keeps_them_apart(other):
    assert [r.seeds for r in group([jepa("a", 0), other])] == [1, 1]


def test_encoders_without_a_seed_are_never_seeds_of_each_other():
    raw = {"encoder": "raw"}
    assert [r.name for r in group([experiment("x", raw), experiment("y", raw)])] == ["x", "y"]


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["digits-jepa", "digits-jepa-seed1"], "digits-jepa"),
        (["run1", "run2"], "run"),
        (["vit-s0", "vit-s1"], "vit"),
        (["x-12", "x-13"], "x"),
        (["left", "right"], "left"),
        (["seeds", "seeds-b"], "seeds"),
    ],
)
def test_a_row_is_named_by_what_its_names_share(names, common):
    assert [r.name for r in group([jepa(n, i) for i, n in enumerate(names)])] == [common]


def test_two_rows_never_share_a_name():
    rows = group([jepa(f"run{i}", i % 2, steps=10 + i // 2) for i in range(4)])
    assert [r.name for r in rows] == ["run0", "run2"]


def test_one_seed_has_the_interval_of_its_probe_and_several_that_over_seeds():
    one, several = (
        jepa("a", 0, 0.8),
        [jepa(f"b{i}", i, a, steps=20) for i, a in enumerate((0.8, 0.84, 0.85))],
    )
    rows = group([one, *several])
    assert rows[0].score("logistic") == {"value": 0.8, "low": 0.78, "high": pytest.approx(0.82)}
    expected = stats.t.interval(0.95, 2, np.mean([0.8, 0.84, 0.85]), stats.sem([0.8, 0.84, 0.85]))
    found = rows[1].score("logistic")
    assert (found["low"], found["high"]) == pytest.approx(expected)
    assert rows[1].score("few_label", "10")["value"] == pytest.approx(0.73)
    assert rows[1].score("attentive") is None and rows[1].score("few_label", "7") is None


def test_dig_stops_at_what_is_absent():
    assert dig({"a": {"b": 1}}, "a", "b") == 1
    assert dig({"a": None}, "a", "b") is None and dig({}, "a", "b", "c") is None


def test_the_same_splits_of_images_of_another_size_are_no_seed():
    small, large = jepa("small", 0), jepa("large", 1)
    large["files"] = {**large["files"], "images.npy": "another"}
    small["files"] = {**small["files"], "images.npy": "one"}
    assert [row.seeds for row in group([small, large])] == [1, 1]


def test_a_second_run_of_one_seed_is_no_further_seed():
    runs = [experiment(name, {"encoder": "jepa", "steps": 4, "seed": seed})
            for name, seed in (("a", 0), ("on-two-nodes", 0), ("b", 1), ("again", 1))]  # fmt: skip
    assert [[e["name"] for e in row.members] for row in group(runs)] == [
        ["a", "b"],
        ["on-two-nodes", "again"],
    ]
