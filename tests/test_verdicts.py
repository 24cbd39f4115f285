"""Real trainings made to fail on purpose go through train, embed and monitor, and are named."""

import csv
import json

import numpy as np
import pytest
from support import parse_training

from jepa_steps import embed, monitor, train
from jepa_steps.config import resolved
from jepa_steps.metrics.remedies import merge
from jepa_steps.modalities.images.remedies import REMEDIES
from jepa_steps.model.jepa import Jepa

pytestmark = pytest.mark.usefixtures("no_figures")

# Two crops of a digit, a small encoder: better than untrained after 600 steps.
TWO_CROPS = {
    "encoder": "jepa",
    "steps": 600,
    "batch_size": 128,
    "model": {"patch_size": 2, "dim": 32, "depth": 2, "heads": 1},
    "masks": {"blocks": 2},
    "augment": {"crop_scale": [0.6, 1.0], "crop_aspect": [0.9, 1.1], "target": "own"},
    "objective": {"kind": "vicreg", "level": "pooled", "projector": 128},
    "optimizer": {"lr": 0.003},
    "threads": 1,
    "log_every": 20,
    "validate_every": 100,
}
HIDDEN_TOKENS = {
    **TWO_CROPS,
    "steps": 300,
    "augment": {},
    "objective": {"kind": "ema_target", "distance": "l2", "ema_momentum": [0.98, 1.0]},
    "predictor": {"dim": 32, "depth": 1, "heads": 1},
    "optimizer": {"lr": 0.002},
}


@pytest.fixture(scope="module")
def known() -> dict[str, dict]:
    """Results of runs that several tests look at, by their settings."""
    return {}


@pytest.fixture
def judged(step, tmp_path, digits, known):
    """Train, embed and monitor a run; what monitor.json holds, or how training ended."""

    def run(spec: dict, shared: bool = True) -> dict:
        key = json.dumps(spec)
        if shared and key in known:
            return known[key]
        result = fresh(spec)
        if shared:
            known[key] = result
        return result

    def fresh(spec: dict) -> dict:
        folder = {name: tmp_path / name for name in ("train", "embed", "monitor")}
        calls = (
            (train, "--spec", spec, "--data", digits, "--checkpoints", tmp_path / "runs"),
            (embed, "--data", digits, "--encoder", folder["train"]),
            (monitor, "--embed", folder["embed"], "--data", digits, "--train", folder["train"]),
        )
        for (module, *arguments), out in zip(calls, folder.values(), strict=True):
            code, _, err = step(module, *arguments, "--out", out)
            if module is train and code == 2:
                return {"verdict": err.strip(), "findings": []}
            assert code == 0, err
        result = json.loads((folder["monitor"] / "monitor.json").read_text())
        for finding in filter(lambda f: f["remedy"], result["findings"]):
            merged = merge(resolved(parse_training(spec, "test")), finding["remedy"]["train"])
            parse_training(merged, finding["name"])
        print(result["verdict"], [finding["name"] for finding in result["findings"]])
        return result

    return run


def a_hundred_times_too_fast(spec: dict) -> dict:
    return {**spec, "steps": 300, "optimizer": {"lr": 100 * spec["optimizer"]["lr"]}}


def names(result) -> list[str]:
    return [finding["name"] for finding in result["findings"]]


def test_twelve_steps_are_under_trained(judged):
    result = judged({**HIDDEN_TOKENS, "steps": 12})
    assert result["verdict"] == "under-trained"
    assert "12 steps" in result["findings"][0]["evidence"]


def test_without_variance_and_covariance_terms_all_embeddings_become_one(judged):
    objective = {**TWO_CROPS["objective"], "variance": 0.0, "covariance": 0.0}
    result = judged({**TWO_CROPS, "steps": 100, "batch_size": 64, "objective": objective})
    assert result["verdict"] == "collapse"
    remedy = result["findings"][0]["remedy"]["train"]
    assert remedy["objective"]["variance"] == 25.0
    assert "at snapshots" in result["findings"][0]["evidence"]


def test_a_batch_of_two_is_too_small_for_terms_over_samples(judged):
    result = judged({**TWO_CROPS, "steps": 100, "batch_size": 2})
    assert "small batch" in names(result)
    small = next(f for f in result["findings"] if f["name"] == "small batch")
    assert small["remedy"] == {"train": {"batch_size": 128}}


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TWO_CROPS, HIDDEN_TOKENS], ids=["two crops", "hidden tokens"])
def test_a_hundred_times_the_learning_rate_is_named(judged, spec):
    result = judged(a_hundred_times_too_fast(spec))
    named = {"collapse", "rank-k collapse", "dimensional collapse", "divergence", "NaN loss"}
    assert result["verdict"] in named or "training diverged" in result["verdict"], result["verdict"]
    if result["findings"]:
        assert result["findings"][0]["remedy"]["train"]["optimizer"]["lr"] < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TWO_CROPS, HIDDEN_TOKENS], ids=["two crops", "hidden tokens"])
def test_targets_of_other_samples_are_named(judged, monkeypatch, spec):
    plain = Jepa.loss

    def shuffled(self, views, *arguments, **options):
        return plain(self, views._replace(target=views.target.roll(1, 0)), *arguments, **options)

    monkeypatch.setattr(Jepa, "loss", shuffled)
    result = judged(spec, shared=False)
    assert result["verdict"] in (
        "collapse",
        "positional collapse",
        "dimensional collapse",
        "no learning",
        "worse than untrained",
    )


FAULTY = {
    "collapse": (
        "collapse",
        {
            **TWO_CROPS,
            "steps": 100,
            "batch_size": 64,
            "objective": {**TWO_CROPS["objective"], "variance": 0.0, "covariance": 0.0},
        },
    ),
    "small batch": ("small batch", {**TWO_CROPS, "steps": 100, "batch_size": 2}),
    "under-trained": ("under-trained", {**HIDDEN_TOKENS, "steps": 12}),
    "large steps, hidden tokens": ("rank-k collapse", {**HIDDEN_TOKENS, "optimizer": {"lr": 0.2}}),
}


def test_only_what_was_followed_here_is_called_so():
    assert {fault for fault, _ in FAULTY.values()} | {"worse than untrained"} == REMEDIES.followed


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "spec"), FAULTY.values(), ids=FAULTY)
def test_following_the_remedy_of_a_fault_mends_it(judged, fault, spec):
    remedies = {finding["name"]: finding["remedy"] for finding in judged(spec)["findings"]}
    assert fault in remedies
    after = judged(merge(spec, remedies[fault]["train"]))
    assert fault not in names(after) and "diverged" not in after["verdict"]


@pytest.mark.slow
def test_following_the_remedies_of_no_learning_mends_it(judged):
    """What a card tells people to paste was followed here."""
    tokens = {
        **TWO_CROPS,
        "steps": 300,
        "augment": {},
        "objective": {"kind": "vicreg", "level": "tokens"},
    }
    first = judged(tokens)
    assert names(first)[0] == "worse than untrained"
    remedy = first["findings"][0]["remedy"]["train"]
    assert remedy["objective"]["level"] == "pooled"
    assert "worse than untrained" not in names(judged(merge(tokens, remedy)))
    too_fast = a_hundred_times_too_fast(TWO_CROPS)
    rate = too_fast["optimizer"]["lr"]
    found = {finding["name"]: finding["remedy"]["train"] for finding in judged(too_fast)["findings"]}
    remedy = found["worse than untrained"]
    assert set(remedy) == {"optimizer"} and remedy["optimizer"]["lr"] < rate
    assert "worse than untrained" not in names(judged(merge(too_fast, remedy)))


@pytest.mark.slow
def test_a_sound_short_run_is_healthy_and_its_snapshots_are_ordered(judged, tmp_path):
    result = judged(TWO_CROPS, shared=False)
    assert result["verdict"] == "healthy" and result["findings"] == []
    with (tmp_path / "monitor" / "snapshots.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["fraction"]) for row in rows] == [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
    assert float(rows[-1]["probe"]) > float(rows[0]["probe"])
    selection = result["selection"]
    assert selection["stages"] == 6 and selection["n"]["val"] > 100
    for name in ("effective_rank", "rankme", "lidar", "sigreg_ratio"):
        assert -1 <= selection[name]["spearman"] <= 1
        assert selection[name]["chosen_probe"] <= selection[name]["best_probe"]


def test_named_groups_are_measured(step, tmp_path, digits):
    """A data set with a group column: embeddings shifted by group are dominated by it."""
    data = tmp_path / "data"
    data.mkdir()
    for name in ("images.npy", "manifest.json"):
        (data / name).symlink_to(digits / name)
    with (digits / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    groups = np.arange(len(rows)) % 7
    with (data / "splits.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "group"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "group": f"donor {g}"} for row, g in zip(rows, groups, strict=True))
    out, embedded = tmp_path / "train", tmp_path / "embed"
    step(
        train,
        "--spec",
        {**HIDDEN_TOKENS, "steps": 10},
        "--data",
        digits,
        "--out",
        out,
        "--checkpoints",
        tmp_path / "runs",
    )
    step(embed, "--data", digits, "--encoder", out, "--out", embedded)
    path = embedded / "embeddings.npy"
    shift = np.random.default_rng(0).normal(size=(7, 32))[groups]

    def judge():
        arguments = ("--embed", embedded, "--data", data, "--train", out, "--out", tmp_path / "monitor")
        code, _, err = step(monitor, *arguments)
        assert code == 0, err
        return json.loads((tmp_path / "monitor" / "monitor.json").read_text())

    before = judge()
    np.save(path, np.load(path) + shift.astype(np.float32))
    after = judge()
    assert before["nuisance"]["groups"] == 7 and abs(before["nuisance"]["group_share"]) < 0.02
    assert "nuisance-dominated embeddings" not in names(before)
    assert after["nuisance"]["group_beyond_label"] > 0.5
    assert "nuisance-dominated embeddings" in names(after)
