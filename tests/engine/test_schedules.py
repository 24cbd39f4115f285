import itertools
import math

import pytest
from support import TINY, parse_training

from jepa_steps.engine import schedules
from jepa_steps.engine.schedules import cosine, linear, warmup_decay


def test_warm_up_starts_above_zero_and_reaches_the_peak():
    values = [warmup_decay(s, 100, 10, 0.01) for s in range(10)]
    assert values == pytest.approx([(s + 1) / 10 for s in range(10)])


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_the_floor_is_a_ratio_of_the_peak(shape):
    assert warmup_decay(99, 100, 10, 0.01, shape) == pytest.approx(0.01)
    assert min(warmup_decay(s, 100, 10, 0.2, shape) for s in range(10, 100)) == pytest.approx(0.2)


def test_decay_is_the_cosine_and_never_rises():
    values = [warmup_decay(s, 200, 20, 0.0) for s in range(20, 200)]
    assert all(a > b for a, b in itertools.pairwise(values))
    assert values[89] == pytest.approx(0.5 * (1 + math.cos(math.pi * 90 / 180)))


def test_linear_decay_is_a_line_and_constant_stays():
    values = [warmup_decay(s, 200, 20, 0.1, "linear") for s in range(20, 200)]
    steps = [b - a for a, b in itertools.pairwise(values)]
    assert steps == pytest.approx([-0.9 / 180] * 179)
    assert {warmup_decay(s, 200, 20, 0.1, "constant") for s in range(20, 200)} == {1.0}


def test_no_warm_up_and_a_single_step():
    assert warmup_decay(0, 1, 0, 0.1) == pytest.approx(0.1)
    assert linear(0, 1, 0.9, 1.0) == 0.9
    assert linear(99, 100, 0.9, 1.0) == pytest.approx(1.0)


def test_weight_decay_follows_half_a_cosine():
    values = [cosine(s, 101, 0.04, 0.4) for s in range(101)]
    assert values[0] == pytest.approx(0.04) and values[-1] == pytest.approx(0.4)
    assert values[50] == pytest.approx(0.22)
    assert all(a < b for a, b in itertools.pairwise(values))


def plan(**changes):
    return parse_training({**TINY, "steps": 100, **changes}, "test")


def test_without_a_curriculum_masks_stay_as_set():
    rows = [schedules.target_blocks(s, 100, plan().masks) for s in range(100)]
    assert {(r["mask_blocks"], r["mask_scale_low"], r["mask_scale_high"]) for r in rows} == {
        (2, 0.15, 0.2)
    }


def test_a_curriculum_grows_blocks_and_scale_and_then_stays():
    masks = {"blocks": 8, "first_blocks": 1, "scale": [0.25, 0.3], "first_scale": [0.05, 0.1]}
    train = plan(masks={**masks, "ramp": 0.5})
    rows = [schedules.target_blocks(s, 100, train.masks) for s in range(100)]
    blocks = [r["mask_blocks"] for r in rows]
    assert blocks[0] == 1 and blocks[49:] == [8] * 51 and blocks == sorted(blocks)
    assert rows[0]["mask_scale_low"] == pytest.approx(0.05)
    assert [r["mask_scale_high"] for r in rows[49:]] == pytest.approx([0.3] * 51)


def test_weight_decay_and_ema_reach_their_last_values():
    optimizer = {"lr": 0.1, "weight_decay": 0.04, "final_weight_decay": 0.4, "warmup": 0.1}
    train = plan(optimizer=optimizer, objective={"ema_momentum": [0.99, 1.0]})
    first, last = schedules.at(0, train), schedules.at(99, train)
    assert (first["weight_decay"], last["weight_decay"]) == pytest.approx((0.04, 0.4))
    assert (first["ema_momentum"], last["ema_momentum"]) == pytest.approx((0.99, 1.0))
    assert (first["lr"], last["lr"]) == pytest.approx((0.01, 0.001))
