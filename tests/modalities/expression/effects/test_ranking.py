import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.effects.ranking import (
    discrimination,
    retrieval,
    retrieval_summary,
    standing,
)

RNG = np.random.default_rng(1)


def brute_force(predicted, observed, distance):
    d = cdist(predicted, observed, distance)
    return [
        np.mean(
            [1.0 if d[i, j] > d[i, i] else 0.5 * (d[i, j] == d[i, i]) for j in range(len(d)) if j != i]
        )
        for i in range(len(d))
    ]


@pytest.mark.parametrize(
    "ours, theirs", [("l1", "cityblock"), ("l2", "euclidean"), ("cosine", "cosine")]
)
def test_discrimination_is_the_share_of_others_farther(ours, theirs):
    predicted, observed = RNG.normal(size=(2, 12, 5))
    predicted = observed + 0.8 * predicted
    assert discrimination(predicted, observed, distance=ours) == pytest.approx(
        brute_force(predicted, observed, theirs)
    )


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 40),
    distance=st.sampled_from(["l1", "l2", "cosine"]),
    copies=st.booleans(),
    seed=st.integers(0, 999),
)
def test_a_constant_prediction_scores_one_half_for_every_number(n, distance, copies, seed):
    rng = np.random.default_rng(seed)
    observed = rng.normal(size=(n, 4))
    if copies:
        observed[n // 2 :] = observed[0]
    for constant in (rng.normal(size=4), np.zeros(4), observed[0]):
        predicted = np.tile(constant, (n, 1))
        assert discrimination(predicted, observed, distance=distance).mean() == pytest.approx(
            0.5, abs=1e-12
        )


def test_a_constant_prediction_scores_one_half_in_groups_of_any_size():
    observed, groups = RNG.normal(size=(11, 3)), ["a"] * 2 + ["b"] * 4 + ["c"] * 5
    predicted = np.stack([{"a": np.ones(3), "b": np.zeros(3), "c": -np.ones(3)}[g] for g in groups])
    values = discrimination(predicted, observed, groups)
    for group in "abc":
        assert values[np.array(groups) == group].mean() == pytest.approx(0.5, abs=1e-12)


def test_perfect_reversed_and_single():
    observed = np.array([[0.0], [1.0], [2.0], [10.0]])
    assert discrimination(observed, observed).tolist() == [1, 1, 1, 1]
    assert discrimination(observed[[3, 3, 3, 0]], observed).tolist() == [0, 1 / 3, 2 / 3, 0]
    assert np.isnan(discrimination(observed[:1], observed[:1])).all()
    alone = discrimination(observed, observed, ["a", "b", "b", "b"])
    assert np.isnan(alone[0]) and alone[1:].tolist() == [1, 1, 1]


def test_groups_are_judged_apart():
    predicted, observed = RNG.normal(size=(2, 10, 4))
    groups = np.repeat(["x", "y"], 5)
    apart = [discrimination(predicted[i : i + 5], observed[i : i + 5]) for i in (0, 5)]
    assert discrimination(predicted, observed, groups).tolist() == np.concatenate(apart).tolist()


def test_ranks_do_not_change_with_order_scale_or_shift():
    predicted, observed = RNG.normal(size=(2, 15, 6))
    value = discrimination(predicted, observed, distance="l2")
    order = RNG.permutation(15)
    assert discrimination(predicted[order], observed[order], distance="l2") == pytest.approx(
        value[order]
    )
    assert discrimination(3 * predicted + 1, 3 * observed + 1, distance="l2") == pytest.approx(value)


def test_broken_rows_are_no_candidates():
    predicted, observed = RNG.normal(size=(2, 6, 3))
    broken = observed.copy()
    broken[4] = np.nan
    s = standing(predicted, broken)
    assert np.isnan(s.closer[4]) and s.candidates[0] == 5
    keep = [0, 1, 2, 3, 5]
    assert discrimination(predicted, broken)[keep] == pytest.approx(
        discrimination(predicted[keep], observed[keep])
    )


def test_retrieval_of_known_places():
    observed = np.arange(5.0)[:, None]
    s = standing(np.array([[0.0], [0.0], [4.0], [3.0], [4.4]]), observed)
    values = retrieval(s, ks=(1, 2))
    assert values["rank"].tolist() == [1, 2, 3, 1, 1]
    assert values["reciprocal_rank"] == pytest.approx([1, 1 / 2, 1 / 3, 1, 1])
    assert values["recall@2"].tolist() == [1, 1, 0, 1, 1]
    summary = retrieval_summary(s, ks=(1, 2))
    assert summary["mrr"] == pytest.approx((3 + 1 / 2 + 1 / 3) / 5)
    assert summary["mrr_chance"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5)
    assert (summary["median_rank"], summary["median_rank_chance"], summary["n"]) == (1, 3, 5)
    assert (summary["recall@2"], summary["recall@2_chance"]) == (pytest.approx(0.8), pytest.approx(0.4))


@pytest.mark.parametrize("n", [2, 3, 10, 37])
@pytest.mark.parametrize("collapsed", ["predictions", "all"])
def test_collapsed_latents_retrieve_at_chance(n, collapsed):
    observed = RNG.normal(size=(n, 4)) if collapsed == "predictions" else np.ones((n, 4))
    summary = retrieval_summary(standing(np.full((n, 4), 0.3), observed, distance="l2"), ks=(1, 5))
    for name in ("mrr", "median_rank", "recall@1", "recall@5"):
        assert summary[name] == pytest.approx(summary[f"{name}_chance"]), name


def test_bad_input_is_named():
    with pytest.raises(InputError, match="expected l1, l2 or cosine"):
        standing(np.ones((2, 2)), np.ones((2, 2)), distance="l3")
    with pytest.raises(InputError, match="same perturbations by features"):
        standing(np.ones((2, 2)), np.ones((3, 2)))
    with pytest.raises(InputError, match="no perturbation"):
        retrieval_summary(standing(np.full((2, 2), np.nan), np.ones((2, 2))))
