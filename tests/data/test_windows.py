"""Windows stay within their segment, and a cut leaves a gap on both sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_factory import dataset, recordings

from jepa_steps.data.windows import Windows
from jepa_steps.errors import InputError
from jepa_steps.modalities.series.preparation.division import divide
from jepa_steps.modalities.series.preparation.manifest import steps_in_several_parts

SEGMENTS = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(SEGMENTS, st.integers(2, 9), st.integers(0, 5), st.integers(1, 7))
def test_windows_are_those_that_a_loop_over_segments_finds(lengths, context, target, stride):
    steps = np.array(lengths)
    begin = np.cumsum(steps + 3) - steps  # three steps between segments belong to none
    values = np.arange(2 * (steps.sum() + 3 * len(steps))).reshape(-1, 2).astype(np.float32)
    windows = Windows(begin, steps, context, target, stride)
    expected = [
        (segment, start)
        for segment, (b, n) in enumerate(zip(begin, steps, strict=True))
        for start in range(b, b + n - context - target + 1, stride)
    ]
    rows = np.arange(len(windows))
    assert len(windows) == len(expected)
    if not expected:
        return
    assert windows.segment(rows).tolist() == [segment for segment, _ in expected]
    starts = [start for _, start in expected]
    past = np.stack([values[s : s + context] for s in starts])
    future = np.stack([values[s + context : s + context + target] for s in starts])
    assert np.array_equal(windows.values(values, rows), past)
    if target:
        assert np.array_equal(windows.futures(values, rows), future)


@settings(max_examples=40, deadline=None)
@given(SEGMENTS)
def test_whole_series_are_padded_with_missing_values(lengths):
    steps = np.array(lengths)
    values = np.random.default_rng(0).normal(size=(steps.sum(), 3)).astype(np.float32)
    windows = Windows(np.cumsum(steps) - steps, steps)
    found = windows.values(values, np.arange(len(steps)))
    assert found.shape == (len(steps), steps.max(), 3)
    for row, end, n in zip(found, np.cumsum(steps), steps, strict=True):
        assert np.array_equal(row[:n], values[end - n : end]) and np.isnan(row[n:]).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(200, 400), min_size=1, max_size=3),
    st.integers(2, 8),
    st.integers(0, 4),
    st.integers(0, 10),
)
def test_no_window_of_a_cut_series_comes_within_a_gap_of_another_part(steps, context, target, more):
    span = context + target
    split = {"kind": "time", "val": 0.3, "test": 0.3, "purge": span - 1 + more}
    d = dataset(context_length=context, target_length=target, stride=1, split=split)
    segments, _ = divide(recordings(*steps), np.full(len(steps), -1), d, "x")
    assert steps_in_several_parts(segments) == 0
    windows = Windows(segments[:, 1], segments[:, 2], context, target, 1)
    rows = np.arange(len(windows))
    start, part = windows.places(rows)[0], segments[windows.segment(rows), 3]
    series = segments[windows.segment(rows), 0]
    for number in range(len(steps)):
        own = series == number
        last = {p: (start[own & (part == p)] + span).max() for p in (0, 1)}
        first = {p: start[own & (part == p)].min() for p in (1, 2)}
        for p in (0, 1):  # a gap on both sides of the cut
            assert first[p + 1] - last[p] >= 2 * (span - 1 + more)


def test_a_cut_without_a_gap_is_refused():
    split = {"kind": "time", "purge": 10}
    with pytest.raises(InputError, match=r"split.purge: found 10, expected at least .* = 15") as e:
        dataset(context_length=12, target_length=4, split=split)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("steps", "changes", "fragment"),
    [
        (
            (60,),
            {"context_length": 12, "split": {"kind": "time"}},
            "s0: 0 of 60 time steps are left for val",
        ),
        ((300,), {}, "no series in the val part of 1 series"),
    ],
)
def test_series_that_cannot_be_divided_are_named(steps, changes, fragment):
    with pytest.raises(InputError) as e:
        divide(recordings(*steps), np.full(len(steps), -1), dataset(**changes), "x.npy")
    assert fragment in str(e.value) and "\n" not in str(e.value)


def test_given_parts_must_not_share_a_group_nor_be_cut_in_time():
    shared = recordings(*[9] * 6, groups=list("aabbcc"), given=[0, 2, 0, 0, 1, 2])
    with pytest.raises(InputError, match="2 of 3 groups are in more than one given part"):
        divide(shared, np.full(6, -1), dataset(), "x.npy")
    cut = dataset(context_length=4, split={"kind": "time"})
    with pytest.raises(InputError, match=r"found given parts with split.kind time"):
        divide(recordings(400, given=[0]), np.full(1, -1), cut, "x.npy")


def test_groups_stay_together():
    names = [f"g{i // 3}" for i in range(60)]
    segments, groups = divide(recordings(*[9] * 60, groups=names), np.full(60, -1), dataset(), "x")
    for name in set(names):
        assert len(set(segments[groups == name, 3])) == 1
