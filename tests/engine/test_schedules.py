import itertools
import math

import pytest

from jepa_steps.engine.schedules import linear, warmup_cosine


def test_warm_up_starts_above_zero_and_reaches_the_peak():
    values = [warmup_cosine(s, 100, 10, 0.01) for s in range(10)]
    assert values == pytest.approx([(s + 1) / 10 for s in range(10)])


def test_the_floor_is_a_ratio_of_the_peak():
    assert warmup_cosine(99, 100, 10, 0.01) == pytest.approx(0.01)
    assert min(warmup_cosine(s, 100, 10, 0.2) for s in range(10, 100)) == pytest.approx(0.2)


def test_decay_is_the_cosine_and_never_rises():
    values = [warmup_cosine(s, 200, 20, 0.0) for s in range(20, 200)]
    assert all(a > b for a, b in itertools.pairwise(values))
    assert values[89] == pytest.approx(0.5 * (1 + math.cos(math.pi * 90 / 180)))


def test_no_warm_up_and_a_single_step():
    assert warmup_cosine(0, 1, 0, 0.1) == pytest.approx(0.1)
    assert linear(0, 1, 0.9, 1.0) == 0.9
    assert linear(99, 100, 0.9, 1.0) == pytest.approx(1.0)
