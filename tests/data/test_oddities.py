"""What looks wrong in a column is said, and sound columns are left alone."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_steps.data.columns import take_column
from jepa_steps.data.groups import few_to_test
from jepa_steps.data.oddities import nearly_equal, repeated_extreme
from jepa_steps.data.splits import Splits

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("code", [-9999.0, -999.0, 999999.0])
def test_a_code_for_missing_values_is_found(code):
    values = RNG.normal(20, 3, 500)
    values[::50] = code
    assert repeated_extreme(values) == (code, 10)
    values[::50] = np.nan
    assert repeated_extreme(values) is None


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=500),
        RNG.exponential(size=500),
        RNG.standard_cauchy(500),
        RNG.integers(0, 3, 500).astype(float),
        np.minimum(RNG.normal(size=500), 0.5),  # a sensor at its limit
        np.where(RNG.random(500) < 0.6, 0.0, RNG.gamma(2, size=500)),  # rain
        np.ones(500),
        np.array([1.0, 2.0, 900.0, 900.0, 900.0]),
        np.full(30, np.nan),
        np.array([]),
    ],
    ids=["normal", "exponential", "cauchy", "classes", "saturated", "rain", "constant", "few", "none", "empty"],
)  # fmt: skip
def test_sound_columns_are_left_alone(values):
    assert repeated_extreme(values) is None


def test_columns_are_described_with_what_looks_wrong_in_them():
    def said(texts, wanted="auto", field="targets", flag=""):
        return take_column(texts, "age", field, wanted, "t.csv", flag=flag)[1]

    ages = [f"{value:.1f}" for value in np.linspace(20, 80, 60)]
    assert said(ages) == "age: numbers, 60 different, 20 to 80"
    odd = said([*ages, *["-999"] * 3])
    assert "61 different, -999 to 80" in odd and "CHECK: 3 values are -999" in odd
    assert said([""] * 9, "numbers", "nuisances").startswith("age: numbers, 0 different, unknown of 9")
    twice = said(["canon", "Canon ", "nikon"] * 9)
    assert twice.endswith("CHECK: 'Canon ' and 'canon' differ only in case or spaces")
    assert "set numbers (--numbers)" in said(["1", "2"] * 9, flag=" (--{})")


def test_stretches_of_one_recording_are_no_nuisance():
    groups = np.arange(60) % 8
    table = Splits(np.zeros(60, int), groups % 3, groups, tuple("abcdefgh"), unit="stretch of time")
    assert table.nuisance is groups
    assert replace(table, stretches=True).nuisance is None
    named = replace(table, stretches=True, covariates={"site": groups}, nuisance_column="site")
    assert named.nuisance is groups


def test_names_that_differ_in_case_or_spaces_are_together():
    assert nearly_equal(["canon", "Canon ", "nikon", "B cell", "b-cell"]) == [["canon", "Canon "]]


def test_too_few_test_groups_are_said_before_anything_is_trained():
    def table(groups, names=True):
        codes = np.arange(60) % groups
        named = tuple(map(str, range(groups))) if names else ()
        return Splits(np.zeros(60, int), np.full(60, 2), codes, named, unit="site")

    (line,) = few_to_test(table(5))
    assert line.startswith("test has 5 groups (site): with fewer than 6, no comparison")
    assert few_to_test(table(6)) == [] == few_to_test(table(5, names=False))
