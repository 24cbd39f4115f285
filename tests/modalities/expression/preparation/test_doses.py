from decimal import Decimal

import numpy as np
import pytest

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.preparation.doses import Dose, doses_of, in_one_unit
from jepa_steps.modalities.expression.sources.source import Column


def doses(text, parts=1):
    return doses_of(Column(np.array([0]), [text]), 0, parts)


@pytest.mark.parametrize(
    ("text", "amounts", "unit"),
    [
        ("1", ["1"], ""),
        (".5", [".5"], ""),
        ("1e+1", ["10"], ""),
        ("10 nM", ["10"], "nM"),
        ("0.5µM", ["0.5"], "µM"),
        ("10 mg/ml", ["10"], "mg/ml"),
        ("1+2", ["1", "2"], ""),
        ("1+2 uM", ["1", "2"], "uM"),
    ],
)
def test_a_dose_is_a_number_with_a_unit_or_without(text, amounts, unit):
    assert doses(text, len(amounts)) == [Dose(Decimal(a), unit) for a in amounts]


@pytest.mark.parametrize(
    "text", ["", "much", "-1", "0", "1 to 2", "0,5", "1_000", "nan", "inf", "1e999"]
)
def test_anything_else_means_nothing(text):
    assert doses(text) is None


def test_units_of_one_kind_are_converted_to_that_of_most_cells_exactly():
    given = [Dose(Decimal(a), u) for a, u in (("0.3", "uM"), ("300", "nM"), ("1", "mM"), ("2", "μM"))]
    amounts, note = in_one_unit(given, [5, 3, 1, 1], "f: dose")
    assert amounts == [0.3, 0.3, 1000.0, 2.0]
    assert "in uM" in note and "nM (3 cells)" in note


def test_one_unit_is_left_as_it_is_whatever_it_is():
    assert in_one_unit([Dose(Decimal(2), "J")] * 2, [1, 1], "f") == ([2.0, 2.0], None)


@pytest.mark.parametrize("units", [("uM", "ug/ml"), ("uM", ""), ("uM", "drops")])
def test_units_that_do_not_convert_are_one_line(units):
    with pytest.raises(InputError, match=r"f: dose: found doses in several units that do not convert"):
        in_one_unit([Dose(Decimal(1), u) for u in units], [2, 1], "f: dose")
