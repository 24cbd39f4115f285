"""Time, processor and memory over all starts of a run."""

import json

import pytest
import torch
from engine.test_train import trained

from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.engine.starts import Starts

CPU = World(0, 1, torch.device("cpu"))


def test_a_killed_run_counts_all_its_starts(step, tmp_path, digits, monkeypatch):
    plain = Trainer.train_step
    for stop in (12, 33):

        def dying(self, stop=stop):
            if self.step == stop:
                raise KeyboardInterrupt
            plain(self)

        monkeypatch.setattr(Trainer, "train_step", dying)
        with pytest.raises(KeyboardInterrupt):
            trained(step, tmp_path, digits)
    monkeypatch.setattr(Trainer, "train_step", plain)
    out = trained(step, tmp_path, digits)
    summary = json.loads((out / "summary.json").read_text())
    run, starts = summary["run"], summary["run"]["starts"]
    assert run["restarts"] == 2
    # A checkpoint every 15 steps, a log row every 10.
    assert [(s["first_step"], s["last_step"]) for s in starts] == [(0, 10), (0, 30), (30, 40)]
    assert run["wall_seconds"] == pytest.approx(sum(s["wall_seconds"] for s in starts))
    assert run["wall_seconds"] > summary["this_run"]["seconds"]
    assert run["cpu_seconds"] > 0 and run["gpu_hours"] == 0
    assert run["started"] == starts[0]["started"] <= run["finished"]
    assert run["peak_memory_bytes"] >= 2**24
    assert summary["commit"].keys() == {"hash", "dirty"} and summary["machine"]["gpus"] == []
    assert "torch" in summary["versions"]


def test_a_finished_run_collected_again_keeps_its_figures(step, tmp_path, digits):
    first = (trained(step, tmp_path, digits) / "summary.json").read_bytes()
    assert (trained(step, tmp_path, digits) / "summary.json").read_bytes() == first


def test_gpu_hours_count_the_gpus_held(monkeypatch):
    monkeypatch.setattr("jepa_steps.engine.starts.peak_memory", lambda device: 7)
    held = World(0, 1, torch.device("cuda", 0))
    starts = Starts(held)
    total = starts.total(5)
    assert total["gpu_hours"] == pytest.approx(total["wall_seconds"] / 3600)
    assert total["peak_memory_bytes"] == 7


def test_a_file_cut_off_by_a_power_failure_is_passed_over(tmp_path):
    (tmp_path / "starts.json").write_text('[{"started": ')
    assert Starts(CPU, 0, tmp_path).total(1)["restarts"] == 0


def test_peak_memory_stands_in_every_row_of_timing(step, tmp_path, digits):
    out = trained(step, tmp_path, digits)
    head, *rows = (out / "timing.csv").read_text().splitlines()
    peaks = [int(row.split(",")[head.split(",").index("peak_memory_bytes")]) for row in rows]
    assert len(peaks) == 4 and peaks == sorted(peaks) and peaks[0] > 2**24
