"""Differences to the defaults, sentences, numbers."""

from dataclasses import replace

import pytest
import yaml
from support import parse_training

from jepa_steps.config import resolved
from jepa_steps.reporting import numbers, summary, words
from jepa_steps.reporting.differences import as_yaml, changes
from jepa_steps.reporting.grouping import Row
from jepa_steps.reporting.standing import MEASURES

JEPA = {"encoder": "jepa", "model": {"patch_size": 2}}


@pytest.mark.parametrize(
    "spec",
    [
        JEPA,
        {**JEPA, "steps": 77, "optimizer": {"lr": 0.003, "betas": [0.9, 0.95]}},
        {**JEPA, "model": {"patch_size": 4, "dim": 64, "heads": 2}, "masks": {"scale": [0.1, 0.2]}},
        {**JEPA, "objective": {"kind": "vicreg", "level": "pooled", "projector": 64}},
        {"encoder": "raw"},
        {"encoder": "pca", "dim": 8},
        {"encoder": "untrained", "seed": 3, "model": {"patch_size": 2}},
    ],
)
def test_changes_are_what_was_written_and_lead_back_to_the_settings(spec):
    settings = parse_training(spec, "test")
    assert changes(parse_training(resolved(settings), "test")) == spec
    assert yaml.safe_load(as_yaml(spec)) == yaml.safe_load(as_yaml(spec, compact=True)) == spec


def test_a_setting_written_out_with_its_default_is_no_change():
    spec = {**JEPA, "steps": 10_000, "optimizer": {"lr": 1e-4}, "masks": {"first_scale": None}}
    assert changes(parse_training(spec, "test")) == JEPA


def trained(*verdicts):
    def member(i, verdict):
        findings = [] if verdict == "healthy" else [verdict]
        monitor = {
            "verdict": verdict,
            "findings": findings,
            "pooled": {"relative_spread": 0.4},
            "tokens": None,
        }
        evaluation = {"task": None}
        return {"name": f"a{i}", "monitor": monitor, "rank": {}, "evaluation": evaluation}

    return Row("a", "jepa", "d", tuple(member(i, v) for i, v in enumerate(verdicts)))


COLLAPSE = {
    "name": "collapse",
    "severity": "error",
    "evidence": "spread 0.001",
    "advice": "Do this.",
    "remedy": {"train": {"objective": {"ema_momentum": [0.98, 1.0]}}},
}


def standings(row, says):
    """``says``: by floor, what is said with all labels and with 10 a class."""
    base = {"row": row, "kind": "raw", "low": 1, "high": 2, "why": " (1 test batch)"}
    return [
        {**base, "floor": floor, "measure": measure, "says": said}
        for floor, both in says.items()
        for measure, said in zip(MEASURES.values(), both.split(), strict=False)
    ]


@pytest.mark.parametrize(
    ("says", "level", "title", "words_of"),
    [
        ({"raw": "beats beats", "pca": "beats ties"}, "good", "Healthy and useful", "beats every floor."),
        ({"raw": "ties beats", "pca": "beats beats"}, "good", "Healthy and useful", "; it beats raw only with 10 labels"),
        ({"raw": "ties ties", "pca": "beats beats"}, "warn", "Healthy, but no better than a floor", "but this floor is as good: raw."),
        ({"raw": "ties ties", "pca": "ties ties"}, "warn", "Healthy, but no better than a floor", "these floors are as good: raw and pca."),
        ({"raw": "below beats", "pca": "ties ties"}, "warn", "Healthy, but worse than a floor", "but raw scores better with all labels and worse with 10 labels per class."),
        ({"raw": "beats below"}, "warn", "Healthy, but worse than a floor", "but raw scores better with 10 labels per class and worse with all"),
        ({"raw": "undecided undecided", "pca": "beats beats"}, "warn", "Healthy; use undecided", "it is undecided whether they are better than raw (1 test batch)."),
        ({"raw": "undecided undecided", "pca": "ties ties"}, "warn", "Healthy, but no better than a floor", "this floor is as good: pca, and it is undecided whether they are better than raw"),
        ({"raw": "undecided ties"}, "warn", "Healthy; use undecided", "undecided whether they are better than raw"),
        ({"raw": "undecided beats"}, "good", "Healthy and useful", "; it beats raw only with 10 labels"),
        ({}, "good", "Healthy", "no floor with labels"),
    ],
)  # fmt: skip
def test_healthy_is_not_yet_useful(says, level, title, words_of):
    row = trained("healthy")
    card = words.card(row, standings(row, says))
    assert (card["level"], card["title"]) == (level, title)
    assert words_of in card["sentence"]


def test_beating_shuffled_labels_is_better_than_chance_and_no_more():
    row, kinds = trained("healthy"), {"majority": "majority", "shuffled": "shuffled labels"}
    for few in ("beats", "ties"):
        said = standings(row, {"majority": "beats", "shuffled": f"beats {few}"})
        card = words.card(row, [{**s, "kind": kinds[s["floor"]]} for s in said])
        assert (card["level"], card["title"]) == ("good", "Healthy, and better than chance")
        assert (
            "beats majority and shuffled" in card["sentence"]
            and "no floor on the data" in card["sentence"]
        )
    said = standings(row, {"raw": "beats beats", "half": "ties ties"})
    alike = [{**s, "kind": "random projection" if s["floor"] == "half" else "raw"} for s in said]
    card = words.card(row, alike)
    assert card["title"] == "Healthy and useful" and len(card["standings"]["all labels"]) == 2


def test_beating_the_majority_alone_is_no_sign_of_use():
    row = trained("healthy")
    card = words.card(row, [{**s, "kind": "majority"} for s in standings(row, {"majority": "beats"})])
    assert (card["level"], card["title"]) == ("warn", "Healthy") and "only floor is majority" in card[
        "sentence"
    ]


def test_a_fault_comes_with_its_sentence_and_a_patch_of_the_whole_config():
    card = words.card(trained(COLLAPSE), [])
    assert (card["level"], card["title"]) == ("bad", "Collapse")
    assert card["sentence"] == words.PLAIN["collapse"]
    patch = yaml.safe_load(card["findings"][0]["patch"])
    assert patch == {"experiments": {"a0": COLLAPSE["remedy"]}}


def test_a_fault_of_some_seeds_names_how_many():
    card = words.card(trained("healthy", COLLAPSE, COLLAPSE), [])
    assert card["title"] == "Collapse (2 of 3 seeds)" and len(card["findings"]) == 1


def test_an_unknown_fault_is_said_in_its_own_words():
    card = words.card(
        trained({**COLLAPSE, "name": "new fault", "severity": "warning", "remedy": {}}), []
    )
    assert (card["level"], card["sentence"]) == ("warn", "Do this.")
    assert card["findings"][0]["patch"] is None


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: numbers.scaled(12_345_678), "12.3 M"),
        (lambda: numbers.scaled(999_600, "FLOP"), "1 MFLOP"),
        (lambda: numbers.size(5 * 2**20), "5 MiB"),
        (lambda: numbers.size(3 * 2**30), "3.0 GiB"),
        (lambda: numbers.duration(59.94), "59.9 s"),
        (lambda: numbers.duration(3599), "59 min 59 s"),
        (lambda: numbers.duration(7260), "2 h 1 min"),
        (lambda: numbers.duration(3 * 86400 + 7200), "3 d 2 h"),
        (lambda: numbers.hours(0.0362), "0.036 h"),
        (lambda: numbers.percent(0.98765), "98.8"),
        (lambda: numbers.number(-1.25, "+.1f"), "−1.2"),
        (lambda: numbers.date("2025-11-20T08:01:12Z"), "2025-11-20 08:01 UTC"),
        (lambda: numbers.number(None) + numbers.percent(None) + numbers.size(None), "–––"),
    ],
)
def test_numbers_as_a_reader_wants_them(call, text):
    assert call() == text


@pytest.mark.parametrize(
    ("interval", "level", "title"),
    [([0.1, 0.3], "good", "Healthy"), ([-0.1, 0.1], "warn", "Healthy, but no better than the mean")],
)
def test_where_there_are_numbers_alone_regressions_speak(interval, level, title):
    row = trained("healthy")
    age = {"kind": "numbers", "nuisance": False, "r2": sum(interval) / 2, "r2_interval": interval}
    members = [{**member, "probe": {"of_targets": {"age": age}}} for member in row.members]
    card = words.card(replace(row, members=members), [])
    assert (card["level"], card["title"]) == (level, title) and "age (R² " in card["sentence"]


@pytest.mark.parametrize(("least", "lines"), [(2, 1), (1, 1), (10, 0), (None, 0)])
def test_a_missing_score_of_few_labels_names_the_smallest_class(least, lines):
    row = Row("a", "jepa", "data", ({"probe": {"fewest_of_a_class": least}},))
    found = [line for line in summary.intervals([row, row]) if "smallest class" in line]
    assert len(found) == lines and all(f"has {least} training sample" in line for line in found)
