import re
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from metrics.planted import (
    CELLS,
    PLANTED,
    SERIES,
    SETTINGS,
    _history,
    _probes,
    healthy,
    of_tokens,
    planted,
    settings,
)
from support import ROOT, parse_training

from jepa_steps.config import Monitor, resolved
from jepa_steps.config.objective import Objective
from jepa_steps.config.training import check_fit
from jepa_steps.metrics import training_rules
from jepa_steps.metrics.diagnosis import RULES, UNTRIED, diagnose, verdict
from jepa_steps.metrics.evidence import Evidence
from jepa_steps.metrics.remedies import merge
from jepa_steps.modalities.images.dataset import ImageDataset
from jepa_steps.model.objectives.ema_target import ema_target_loss

LIMITS = Monitor()
DIGITS = ImageDataset(source="digits", path="x", image_size=8, channels=1)


NONE_KNOWN = ("no learning", "worse than untrained")


def names(evidence):
    return [finding.name for finding in diagnose(evidence, LIMITS)]


def test_every_rule_has_a_planted_fault():
    assert len(PLANTED) == len(RULES) + 1  # one rule tells training for nothing from that to the worse


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_named_with_numbers_and_where_they_are_explained(name):
    found = {finding.name: finding for finding in diagnose(planted(name), LIMITS)}
    assert name in found
    assert re.search(r"\d", found[name].evidence) and found[name].advice.endswith(".")
    if found[name].name in ("rank-k collapse", "high correlation", "nuisance-dominated embeddings",
                            "condition ignored", "temporal collapse", "persistence", "no motion"):  # fmt: skip
        assert "after step 4000" in found[name].evidence
    assert found[name].doc == f"docs/reading-the-report.md#{name.lower().replace(' ', '-')}"


@pytest.mark.parametrize(
    ("name", "column", "bad"),
    [
        ("rank-k collapse", "directions", 2),
        ("high correlation", "mean_abs_correlation", 0.99),
        ("nuisance-dominated embeddings", "nuisance_share", 0.9),
        ("dimensional collapse", "effective_rank", 1.01),
    ],
)
def test_evidence_says_at_which_snapshots_a_fault_was_there(name, column, bad):
    sound = {
        "directions": 32,
        "mean_abs_correlation": 0.1,
        "nuisance_share": 0.0,
        "effective_rank": 30.0,
    }
    rows = [{"fraction": f, **sound} for f in (0.1, 0.5, 1.0)]
    for row in rows[1:]:
        row[column] = bad
    found = {finding.name: finding for finding in diagnose(planted(name, snapshots=rows), LIMITS)}
    assert "at snapshots 0.5, 1" in found[name].evidence, found[name].evidence


@pytest.mark.parametrize("name", sorted(set(PLANTED) - {"collapse", "dimensional collapse"}))
def test_a_planted_fault_alone_is_the_verdict(name):
    found = names(planted(name))
    assert found[0] == name, found


@pytest.mark.parametrize("run", [*SETTINGS, *CELLS, *SERIES])
@pytest.mark.parametrize("name", PLANTED)
def test_remedies_are_valid_changes_of_the_runs_own_settings(name, run):
    s = settings(run, **({"batch_size": 2} if name == "small batch" else {}))
    evidence = planted(name, settings=s)
    for finding in diagnose(evidence, LIMITS):
        untried = finding.remedy and finding.name not in evidence.remedies.followed
        assert (UNTRIED in finding.advice) == bool(untried)
        if finding.remedy == {}:
            if finding.name == "initial weights":  # of what was not trained here
                continue
            assert finding.name.startswith("nuisance") or finding.name in NONE_KNOWN
            assert run not in SETTINGS or "No setting is known" in finding.advice
            continue
        merged = merge(resolved(s), finding.remedy["train"])
        cured = parse_training(merged, f"{name}, {run}")
        if run in SETTINGS:
            check_fit("images", DIGITS, cured, name)
        assert cured != s, finding


def test_remedies_depend_on_the_run():
    def remedy(name, run, **changes):
        evidence = planted(name, settings=settings(run, **changes))
        found = next(f for f in diagnose(evidence, LIMITS) if f.name == name)
        return found.remedy["train"]

    vicreg = remedy("collapse", "vicreg pooled", batch_size=8)
    assert vicreg == {"objective": {"variance": 50.0}, "batch_size": 128}
    assert remedy("collapse", "ema")["objective"] == {"ema_momentum": [0.998, 1.0]}
    assert remedy("divergence", "ema", optimizer={"lr": 0.003})["optimizer"]["lr"] == 0.001
    assert "kind" not in remedy("positional collapse", "ema").get("objective", {})
    assert remedy("positional collapse", "vicreg")["objective"]["level"] == "pooled"
    assert remedy("rank-k collapse", "vicreg off")["objective"]["variance"] == 25.0
    assert remedy("NaN loss", "vicreg")["precision"] == "fp32"
    assert remedy("overfitting", "ema one block")["optimizer"]["kind"] == "adamw"


@pytest.mark.parametrize(("kind", "rate"), [("sgd", 0.01), ("adamw", 0.003)])
def test_steps_that_overshoot_divide_the_learning_rate_by_how_far(kind, rate):
    """By Adam's kind at least to a rate that was sound: its large steps make weights grow."""
    history = {**planted("collapse").history, "update_to_weight": [0.01, 0.1, 0.01]}
    s = settings("ema", optimizer={"kind": kind, "lr": 0.2})
    collapse, *_ = diagnose(planted("collapse", history=history, settings=s), LIMITS)
    assert collapse.remedy["train"]["optimizer"]["lr"] == rate
    assert "moved the weights by up to 10%" in collapse.evidence


def test_evidence_says_when():
    rows = [{"fraction": f, "relative_spread": v} for f, v in ((0.0, 0.5), (0.5, 0.01), (1.0, 0.001))]
    validation = {"step": [500.0, 1000.0], "val_loss": [1.0, 1.0], "relative_spread": [0.4, 0.01]}
    found = diagnose(planted("collapse", snapshots=rows, validation=validation), LIMITS)[0]
    assert "at 1 of 2 validations, first at step 1000, at snapshots 0.5, 1" in found.evidence
    skipped = diagnose(planted("NaN loss"), LIMITS)[0]
    assert "97 batches" in skipped.evidence and "between steps 1500 to 1550" in skipped.evidence


def test_of_hundred_healthy_runs_at_most_one_raises_an_alarm():
    runs = 500
    alarms = [found for seed in range(runs) if (found := names(healthy(seed)))]
    assert len(alarms) <= runs // 100, alarms


def test_what_was_not_measured_raises_no_alarm():
    assert names(Evidence()) == []
    assert names(Evidence(settings=settings("ema"))) == []
    for seed in range(3):
        e = healthy(seed)
        assert names(Evidence(pooled=e.pooled, history=e.history)) == []
        assert names(Evidence(ranks=e.ranks, validation=e.validation, snapshots=e.snapshots)) == []


def test_without_settings_faults_are_named_and_no_remedy_is_made_up():
    found = diagnose(planted("collapse", settings=None), LIMITS)
    assert found[0].name == "collapse" and found[0].remedy == {}


def test_embeddings_that_training_did_not_improve_are_an_error_where_they_got_worse():
    same = diagnose(planted("collapse", **healthy_parts(), **_probes(0.8, 0.81, 0.8)), LIMITS)
    assert [(f.name, f.severity) for f in same] == [("no learning", "warning")]
    worse = diagnose(planted("collapse", **healthy_parts(), **_probes(0.8, 0.6, 0.5)), LIMITS)
    assert [(f.name, f.severity) for f in worse] == [("worse than untrained", "error")]
    assert "falls from 0.800 before training to 0.500" in worse[0].evidence
    assert "made the embeddings worse" in worse[0].advice
    a_little = diagnose(planted("collapse", **healthy_parts(), **_probes(0.8, 0.79, 0.76)), LIMITS)
    assert [(f.name, f.severity) for f in a_little] == [("worse than untrained", "warning")]
    ceiling = diagnose(planted("collapse", **healthy_parts(), **_probes(0.99, 0.99, 0.99)), LIMITS)
    assert ceiling == []


def healthy_parts():
    e = healthy(0)
    return {name: getattr(e, name) for name in ("pooled", "tokens", "ranks", "singular_values")}


def test_a_probe_or_a_loss_that_still_moves_at_the_end_is_under_trained():
    assert "under-trained" in names(healthy(1, **_probes(0.3, 0.4, 0.5, 0.6, 0.8)))
    falling = _history([1 - 0.015 * i for i in range(60)])
    assert "under-trained" in names(healthy(1, history=falling))
    slow = settings("ema", steps=200)
    found = diagnose(healthy(1, settings=slow), LIMITS)[0]
    assert found.name == "under-trained" and "67% of the initial weights" in found.evidence
    steps = found.remedy["train"]["steps"]
    assert "under-trained" not in names(healthy(1, settings=settings("ema", steps=steps)))


def test_while_training_goes_on_rules_about_its_end_wait():
    online = {"history": _history([1.0] * 10), "snapshots": [], "finished": False}
    assert names(healthy(1, **online)) == []
    assert names(healthy(1, **{**online, "history": _history([1.0] * 60)})) == ["no learning"]
    assert names(planted("collapse", finished=False))[0] == "collapse"


def test_fp16_may_pass_over_batches_while_it_looks_for_its_scale():
    skipped = _history([1.0, *[0.1] * 59], skipped=[8.0] * 60)
    assert "NaN loss" not in names(healthy(1, history=skipped, settings=settings("vicreg")))
    assert "NaN loss" in names(healthy(1, history=skipped))


def test_a_moving_target_may_raise_the_loss_but_not_above_predicting_zero():
    rising = _history([0.3, *[0.05] * 20, *[0.38] * 20])
    smooth, plain = settings("ema"), settings("vicreg pooled")
    assert "divergence" not in names(healthy(1, history=rising, settings=smooth))
    assert "divergence" in names(healthy(1, history=rising, settings=plain))
    higher = _history([0.3, *[0.05] * 20, *[0.6] * 20])
    assert "divergence" in names(healthy(1, history=higher, settings=smooth))


@pytest.mark.parametrize("distance", get_args(get_type_hints(Objective)["distance"]))
def test_predicting_zero_is_known_of_every_distance(distance):
    """By the objective itself: 100,000 layer-normed targets of width 512."""
    target = torch.randn(100_000, 512, generator=torch.Generator().manual_seed(0))
    zero = ema_target_loss(torch.zeros_like(target), target, distance)
    assert training_rules._ZERO[distance] == pytest.approx(float(zero), abs=2e-3)


def test_a_floor_is_not_judged():
    assert verdict([], judged=False) == {"verdict": "floor", "findings": []}


def test_the_page_on_training_explains_every_verdict():
    page = (ROOT / "docs" / "training.md").read_text()
    section = page.split("## What to change when the monitor complains")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| ([^|]+?) \|", section, re.M)) - {"verdict"} == set(PLANTED)


def test_too_few_rows_for_a_rank_are_no_dimensional_collapse():
    line = np.random.default_rng(0).normal(size=(400, 1, 1)) * np.ones((1, 4, 64)) / 8
    line = line + 0.002 * np.random.default_rng(1).normal(size=(400, 4, 64))
    for n, said in ((400, True), (255, False)):
        evidence = Evidence(**of_tokens(line[:n]))
        assert ("dimensional collapse" in names(evidence)) == said
        assert (evidence.ranks["centred"]["effective_rank"] is None) != said
