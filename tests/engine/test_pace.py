"""Signs of life: what is said of a run before its first row of metrics, and what its speed may claim."""

import pytest
import torch
from support import parse_training

from jepa_steps.engine import pace, speed
from jepa_steps.engine.cost import StepCost
from jepa_steps.engine.distributed import World

JEPA = {"encoder": "jepa", "steps": 10_000, "log_every": 50,
        "model": {"patch_size": 4, "dim": 96, "depth": 5, "heads": 3}}  # fmt: skip
COST = StepCost(10**9, {"predictor": 0.7, "encoder": 0.25, "projector": 0.01}, 0, 1e10, "timed")


class Clock:
    def __init__(self, monkeypatch, module):
        self.now = 0.0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)


def said(monkeypatch, seconds, first=0, until=1000, **settings):
    """Lines by step of a run whose first step takes a hundred times as long as the others."""
    clock = Clock(monkeypatch, pace)
    watch = pace.Pace(parse_training({**JEPA, **settings}, "test"), COST, first)
    lines = {}
    for made in range(1, until + 1):
        clock.now += seconds * (100 if made == 1 else 1)
        if found := watch.lines(first + made, lambda: 0.5):
            lines[first + made] = found
    return lines


def test_a_run_speaks_at_steps_1_2_5_10_until_its_log_does(monkeypatch):
    lines = said(monkeypatch, 2.0)
    assert list(lines) == [1, 2, 5, 10, 20, 50, 100, 200]
    assert lines[1] == ["step 1/10000: loss 0.5000"]
    assert lines[2] == ["step 2/10000: loss 0.5000, 2 s a step, 5.6 h left"]
    assert all(len(found) == 1 for found in lines.values())
    assert list(said(monkeypatch, 2.0, first=700, until=20)) == [701, 702, 705, 710, 720]


def test_an_end_more_than_a_day_away_names_what_costs_most_once(monkeypatch):
    lines = said(monkeypatch, 20.0)
    warnings = [line for found in lines.values() for line in found if line.startswith("warning")]
    assert len(warnings) == 1 and lines[5][1] == warnings[0]
    assert "2.3 days" in warnings[0] and "steps 10,000 of batch_size 256" in warnings[0]
    assert "70% predictor (predictor: dim 48, depth 3, context per_block)" in warnings[0]
    assert "25% encoder (model: patch_size 4, dim 96, depth 5)" in warnings[0]
    assert "projector" not in warnings[0]


def test_no_speed_above_what_the_device_can_do(monkeypatch):
    """A peak timed on a busy machine is too low: training then shows what is possible."""
    clock = Clock(monkeypatch, speed)
    world = World(0, 1, torch.device("cpu"))
    watch = speed.Speed(COST, 256, world, 0)
    paces = []
    for step, seconds in ((50, 10.0), (100, 3.0), (150, 10.0)):
        clock.now += seconds
        paces.append(watch.lap(step, 0.0)["mfu"])
    assert paces[0] == pytest.approx(0.5) and paces[1] == 1.0 and paces[2] == pytest.approx(0.3)
    total = watch.total(150)
    assert total["mfu"] <= 1 and total["peak_flops"] == pytest.approx(50e9 / 3)
    assert "exceeded by training itself" in total["peak_source"]
