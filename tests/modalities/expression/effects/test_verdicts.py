import itertools

import numpy as np
import pytest

from jepa_steps.metrics.comparison import sign_flip
from jepa_steps.modalities.expression.effects.verdicts import judge

RNG = np.random.default_rng(4)
BASE = RNG.uniform(0.2, 0.4, 40)


def rows(model, baselines, **kwargs):
    return {row["metric"]: row for row in judge(model, baselines, **kwargs)}


def test_better_same_and_worse_get_their_verdicts_in_both_directions():
    baselines = {
        "weak": {"pearson_delta": BASE - 0.5, "l2": BASE + 3, "discrimination": BASE},
        "strong": {"pearson_delta": BASE, "l2": BASE + 1, "discrimination": BASE - 0.1},
    }
    noise = 0.02 * RNG.normal(size=40)
    model = {
        "pearson_delta": BASE + 0.1 + noise,
        "l2": BASE + 1.1 + noise,
        "discrimination": BASE + noise - noise.mean(),
    }
    found = rows(model, baselines)
    assert {m: r["verdict"] for m, r in found.items()} == {
        "pearson_delta": "beats",
        "l2": "below",
        "discrimination": "ties",
    }
    assert {m: r["best_baseline"] for m, r in found.items()} == {
        "pearson_delta": "strong",
        "l2": "strong",
        "discrimination": "weak",
    }
    row = found["l2"]
    assert row["difference"] == pytest.approx(-0.1 - noise.mean())
    assert row["low"] < row["difference"] < row["high"] < 0 and row["n"] == row["units"] == 40


def test_the_share_of_the_gap_needs_a_gap():
    baselines = {"b": {"pearson_delta": np.full(10, 0.4), "l2": np.full(10, 2.0)}}
    model = {"pearson_delta": np.full(10, 0.55), "l2": np.full(10, 1.7)}
    ceiling = {"pearson_delta": np.full(10, 0.7), "l2": np.full(10, 1.0)}
    found = rows(model, baselines, ceiling=ceiling)
    assert found["pearson_delta"]["gap_closed"] == pytest.approx(0.5)
    assert found["l2"]["gap_closed"] == pytest.approx(0.3)
    below = {"pearson_delta": np.full(10, 0.3), "l2": np.full(10, 2.5)}
    assert {r["gap_closed"] for r in judge(model, baselines, below)} == {None}
    assert {r["gap_closed"] for r in judge(model, baselines)} == {None}


def test_undefined_correlations_count_as_chance_and_distances_are_left_out():
    hole = np.where(np.arange(40) < 10, np.nan, BASE)
    baselines = {"b": {"pearson_delta": BASE, "l2": BASE}}
    found = rows({"pearson_delta": hole, "l2": hole}, baselines)
    assert found["pearson_delta"]["n"] == 40 and found["l2"]["n"] == 30
    assert found["pearson_delta"]["difference"] == pytest.approx(-BASE[:10].sum() / 40)
    undefined = {"no change": {"pearson_delta": np.full(40, np.nan)}}
    row = rows({"pearson_delta": BASE}, undefined)["pearson_delta"]
    assert row["baseline"] == 0 and row["verdict"] == "beats"


def test_where_model_and_best_baseline_are_both_undefined_they_tie_at_chance():
    hole = np.where(np.arange(40) < 10, np.nan, BASE)
    found = rows(
        {"pearson_delta": hole}, {"b": {"pearson_delta": hole}, "c": {"pearson_delta": BASE - 1}}
    )
    row = found["pearson_delta"]
    assert row["n"] == 40 and row["best_baseline"] == "b" and row["difference"] == 0


def test_what_no_method_can_be_asked_is_left_out():
    """As discrimination of a perturbation that is alone in its context."""
    alone = np.where(np.arange(40) < 10, np.nan, BASE)
    baselines = {"b": {"discrimination": alone - 0.1}, "c": {"discrimination": alone - 0.2}}
    found = rows({"discrimination": alone}, baselines, ceiling={"discrimination": alone + 0.3})
    row = found["discrimination"]
    assert row["n"] == 30 and row["model"] == pytest.approx(BASE[10:].mean())
    assert row["ceiling"] == pytest.approx(BASE[10:].mean() + 0.3)
    assert row["difference"] == pytest.approx(0.1)


def test_units_are_what_is_resampled():
    units = np.repeat(np.arange(5), 8)
    model = {"pearson_delta": BASE + RNG.normal(size=5)[units] + 0.5}
    apart = rows(model, {"b": {"pearson_delta": BASE}})["pearson_delta"]
    together = rows(model, {"b": {"pearson_delta": BASE}}, units=units)["pearson_delta"]
    assert together["units"] == 5 and together["difference"] == apart["difference"]
    assert together["high"] - together["low"] > 1.5 * (apart["high"] - apart["low"])
    assert together["verdict"] == "undecided" and together["p"] >= 2 / 32


def test_p_is_the_enumeration_of_all_signs():
    difference = RNG.normal(size=8) + 0.3
    signs = np.array(list(itertools.product([-1, 1], repeat=8)))
    exact = np.mean(np.abs(signs @ difference) >= abs(difference.sum()) - 1e-12)
    assert sign_flip(difference, 0) == pytest.approx(exact)
    assert sign_flip(np.zeros(8), 0) == 1
    assert sign_flip(np.ones(1), 0) == 1


def test_holm_takes_the_number_of_metrics_into_account():
    model = {m: BASE + 0.06 * RNG.normal(size=40) + 0.02 for m in ("pearson_delta", "cosine_delta")}
    base = {"b": dict.fromkeys(model, BASE)}
    together = rows(model, base)
    alone = {m: rows({m: model[m]}, base)[m] for m in model}
    least = min(model, key=lambda m: alone[m]["p"])
    assert together[least]["p_holm"] == pytest.approx(min(2 * alone[least]["p"], 1))
    assert alone[least]["p_holm"] == alone[least]["p"]


def test_the_null_is_rejected_at_its_level():
    """Two equal methods: of 200 comparisons about 5 % at most may end as beats or below."""
    wrong = 0
    for i in range(200):
        a, b = RNG.normal(size=(2, 15))
        row = judge({"l2": a}, {"b": {"l2": b}}, resamples=300, seed=i)[0]
        wrong += row["verdict"] in ("beats", "below")
    assert wrong <= 20
