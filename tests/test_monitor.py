"""The monitor on stored embeddings: what it says over training, and what it leaves blank."""

import csv
import json

import numpy as np
import pytest
from support import TINY

from jepa_steps import embed, monitor, train


@pytest.fixture
def embedded(step, tmp_path, digits):
    """Folders of train and embed of a short training."""
    folder = {name: tmp_path / name for name in ("train", "embed")}
    arguments = ("--data", digits, "--out", folder["train"], "--checkpoints", tmp_path / "runs")
    assert step(train, "--spec", TINY, *arguments)[0] == 0
    arguments = ("--data", digits, "--out", folder["embed"], "--encoder", folder["train"])
    assert step(embed, "--spec", {"view_samples": 32}, *arguments)[0] == 0
    return folder


@pytest.fixture
def monitored(step, tmp_path, digits, embedded):
    """Monitor it, with at most so many samples left in the training part: what monitor.json and
    snapshots.csv hold."""

    def run(most: int) -> tuple[dict, list[dict]]:
        data, out = tmp_path / f"data{most}", tmp_path / f"monitor{most}"
        data.mkdir()
        for name in ("images.npy", "manifest.json"):
            (data / name).symlink_to(digits / name)
        with (digits / "splits.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        training = [row for row in rows if row["split"] == "train"]
        for row in training[most:]:
            row["split"] = "test"
        with (data / "splits.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        folders = ("--embed", embedded["embed"], "--train", embedded["train"], "--data", data)
        code, _, err = step(monitor, *folders, "--out", out)
        assert code == 0, err
        with (out / "snapshots.csv").open(newline="") as file:
            return json.loads((out / "monitor.json").read_text()), list(csv.DictReader(file))

    return run


def test_no_rank_of_few_rows_is_published(monitored, tmp_path):
    result, rows = monitored(100)
    assert result["ranks"]["trust"] == "refused" and "128 are needed" in result["ranks"]["reason"]
    assert result["ranks"]["centred"]["effective_rank"] is result["ranks"]["raw"]["rankme"] is None
    assert {row["effective_rank"] + row["rankme"] for row in rows} == {""}
    assert {row["trust"] for row in rows} == {"refused"}
    assert {"effective_rank", "rankme"}.isdisjoint(result["selection"])
    assert result["selection"]["no_rank"] == f"{rows[0]['n']} rows of 32 dimensions: " + (
        "a rank from fewer than 4 rows per dimension measures the number of rows; 128 are needed"
    )
    assert "no ranks: fewer than 4 rows" in (tmp_path / "monitor100/over_training.svg").read_text()


def test_ranks_of_enough_rows_are_and_lidar_of_few_samples_is_marked(monitored, tmp_path):
    result, rows = monitored(5000)
    assert result["ranks"]["trust"] == "ok" and result["selection"]["no_rank"] is None
    assert all(1 < float(row["effective_rank"]) < 32 for row in rows)
    assert {row["trust"] for row in rows} == {"ok"} and {row["lidar_trust"] for row in rows} == {"few"}
    assert "LiDAR (few rows)" in (tmp_path / "monitor5000/over_training.svg").read_text()
    assert np.isfinite(result["selection"]["effective_rank"]["spearman"] or 0.0)
