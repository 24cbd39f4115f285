"""Who beats whom."""

import numpy as np
import pytest

from jepa_steps.reporting.grouping import Row
from jepa_steps.reporting.standing import floors, standings

RNG = np.random.default_rng(0)
N = 500
LABELS = np.arange(N) % 5


def member(name, share, index=None, folder="data/d"):
    hits = (RNG.random(N) < share).astype(float)
    probe = {"majority": {"accuracy": 0.2, "accuracy_interval": [0.1, 0.3], "class": 0}}
    return {
        "name": name,
        "data_folder": folder,
        "probe": probe,
        "index": np.arange(N) if index is None else index,
        "label": LABELS,
        "group": np.arange(N),
        "correct": {"logistic": hits, "few10": hits},
    }


def row(name, kind, *shares, data="d", **more):
    return Row(name, kind, data, tuple(member(f"{name}{i}", s, **more) for i, s in enumerate(shares)))


def test_each_trained_row_meets_each_floor_of_its_data_and_the_majority():
    rows = [
        row("a", "jepa", 0.9),
        row("b", "jepa", 0.9, data="e", folder=None),
        row("raw", "raw", 0.6),
        row("pca", "pca", 0.9),
    ]
    against = floors(rows)
    assert [f.kind for f in against] == ["raw", "pca", "majority", "majority"]
    assert [f.name for f in against[2:]] == ["majority class, d", "majority class, e"]
    found = {(s["row"].name, s["floor"], s["measure"]): s for s in standings(rows, against)}
    assert len(found) == 6  # a: raw and pca by two measures, majority by one; b: majority
    assert found["a", "raw input", "all labels"]["says"] == "beats"
    assert found["a", "PCA", "all labels"]["says"] == "ties"
    majority = found["a", "majority class", "all labels"]
    assert majority["points"] == pytest.approx(100 * (rows[0].correct("logistic")[0].mean() - 0.2))
    assert majority["n"] == N


def test_seeds_count_together():
    rows = [row("a", "jepa", 0.8, 0.9, 1.0), row("raw", "raw", 0.5)]
    first = standings(rows, floors(rows))[0]
    expected = 100 * (np.mean(rows[0].correct("logistic")) - rows[1].correct("logistic")[0].mean())
    assert first["points"] == pytest.approx(expected)


def test_other_test_samples_are_not_compared():
    rows = [row("a", "jepa", 0.9), row("raw", "raw", 0.5, index=np.arange(N) + 1)]
    assert {s["kind"] for s in standings(rows, floors(rows))} == {"majority"}


def test_more_comparisons_make_each_harder_to_win():
    """A small difference, found alone now and then, is not enough among twenty."""
    trained = [row(f"a{i}", "jepa", 0.8) for i in range(20)]
    rows = [*trained, row("raw", "raw", 0.76)]
    found = [s for s in standings(rows, floors(rows)) if s["kind"] == "raw"]
    assert len(found) == 40 and all(s["adjusted_p"] >= s["p"] for s in found)
    assert sum(s["says"] in ("beats", "below") for s in found) < sum(s["p"] <= 0.05 for s in found)


def test_several_floors_of_a_kind_are_told_apart_by_name():
    rows = [row("a", "jepa", 0.9), row("pca8", "pca", 0.5), row("pca32", "pca", 0.6)]
    names = {s["floor"] for s in standings(rows, floors(rows))}
    assert names == {"pca8", "pca32", "majority class"}


def test_trained_rows_meet_each_other_once_on_the_same_data_and_not_in_the_cards():
    rows = [row("a", "jepa", 0.9), row("b", "jepa", 0.5), row("c", "jepa", 0.9, data="e")]
    found = standings(rows, floors(rows))
    between = [s for s in found if s["kind"] == "jepa"]
    assert {(s["row"].name, s["floor"], s["measure"]) for s in between} == {
        ("a", "b", "all labels"),
        ("a", "b", "10 labels per class"),
    }
    assert between[0]["says"] == "beats" and between[0]["points"] == pytest.approx(
        100 * (rows[0].correct("logistic")[0].mean() - rows[1].correct("logistic")[0].mean())
    )
    assert all(s["adjusted_p"] >= s["p"] for s in between)


def test_what_is_known_without_the_expression_is_a_floor():
    rows = [row("a", "jepa", 0.9)]
    one = rows[0].members[0]
    one["correct"]["covariates"] = (LABELS < 2).astype(float)
    one["probe"]["covariates"] = {"accuracy": 0.4, "accuracy_interval": [0.3, 0.5]}
    against = floors(rows)
    assert [f.kind for f in against] == ["majority", "covariates"]
    found = {s["kind"]: s for s in standings(rows, against)}
    gain = 100 * (one["correct"]["logistic"].mean() - 0.4)
    assert found["covariates"]["points"] == pytest.approx(gain)


def test_a_page_with_too_many_comparisons_for_its_groups_says_so():
    def of_groups(one, number):
        for e in one.members:
            e["group"] = np.arange(N) % number
        return one

    def whys(others):
        rows = [row("a", "jepa", 0.95), *(row(f"raw{i}", "raw", 0.3) for i in range(others))]
        found = standings([of_groups(one, 8) for one in rows], floors(rows))
        return {(s["says"], s["why"]) for s in found if s["kind"] == "raw"}

    assert whys(1) == {("beats", "")}
    assert whys(10) == {("undecided", " (8 test groups cannot decide 21 comparisons)")}


def test_a_start_is_the_floor_of_the_runs_that_begin_from_it_alone():
    def with_train(one, **train):
        for e in one.members:
            e["train"] = train
        return one

    rows = [
        with_train(row("a", "jepa", 0.9), init="x"),
        with_train(row("b", "jepa", 0.9)),
        with_train(row("w", "pretrained", 0.9), path="dino"),
        with_train(row("start", "start", 0.6), init="x"),
        with_train(row("fresh", "untrained", 0.6), path="dino"),
    ]
    found = {
        (s["row"].name, s["floor"]) for s in standings(rows, floors(rows)) if s["kind"] != "majority"
    }
    against = {pair for pair in found if pair[1] in ("start of training", "untrained encoder")}
    assert against == {("a", "start of training"), ("w", "untrained encoder")}


def test_an_untrained_encoder_of_another_architecture_is_called_so():
    def with_model(one, **model):
        for e in one.members:
            e["train"] = {"model": model}
        return one

    rows = [
        with_model(row("a", "jepa", 0.9), dim=64),
        with_model(row("b", "jepa", 0.9), dim=16),
        with_model(row("fresh", "untrained", 0.6), dim=64),
    ]
    found = {
        (s["row"].name, s["floor"]) for s in standings(rows, floors(rows)) if s["kind"] == "untrained"
    }
    assert found == {("a", "untrained encoder"), ("b", "untrained encoder (another model)")}
