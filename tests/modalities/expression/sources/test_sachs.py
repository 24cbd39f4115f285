"""The Sachs data out of the package cdt: what is read, and whether the order of rows holds."""

import json
import sys
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from jepa_steps.config import parse
from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.dataset import ExpressionDataset
from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.sources import sachs
from jepa_steps.modalities.expression.store import open_store

CARD = str(Path(__file__).parents[4] / "config" / "cards" / "sachs.md")


@pytest.fixture(scope="module")
def levels():
    """Logarithms of the levels by condition, and the names of the proteins."""
    try:
        sachs.located()
    except InputError as missing:
        pytest.skip(str(missing))
    source = sachs.open_sachs()
    (x,) = source.blocks()
    edges = np.cumsum([0, *sachs.CONDITIONS.values()])
    parts = [np.log(x.toarray()[a:b].astype(np.float64)) for a, b in pairwise(edges)]
    return dict(zip(sachs.CONDITIONS, parts, strict=True)), source.genes["index"]


def dataset(**settings) -> ExpressionDataset:
    return parse(
        ExpressionDataset, {"source": "sachs", "path": CARD, "input": "normalised", **settings}, "sachs"
    )


def test_counts_are_those_of_the_rows_and_cdt_is_not_imported(levels):
    cells, proteins = levels
    assert sum(sachs.CONDITIONS.values()) == sum(map(len, cells.values())) == 7466
    assert len(proteins) == 11 and "cdt" not in sys.modules


def test_known_effects_are_where_the_order_puts_them(levels):
    cells, proteins = levels

    def change(condition: str, protein: str) -> float:
        column = proteins.index(protein)
        return cells[condition][:, column].mean() - cells["control"][:, column].mean()

    assert change("psitectorigenin", "PIP2") < -2  # nowhere else does it fall by a factor of e
    assert min(change(c, "PIP2") for c in cells if c != "psitectorigenin") > -1
    assert change("U0126", "p44/42") < -1 and change("U0126", "pmek") > 2
    assert min(change(c, "p44/42") for c in cells if c != "U0126") > -1
    assert change("LY294002", "pakts473") < -0.1 and change("PMA", "p44/42") > 0.3


def test_the_likeliest_change_points_are_the_boundaries(levels):
    cells, _ = levels
    for (left, a), (right, b) in pairwise(cells.items()):
        assert abs(change_point(np.concatenate([a, b])) - len(a)) <= 10, (left, right)


def change_point(x: np.ndarray) -> int:
    """Where two Gaussians, one before and one after, are likeliest; not within 50 rows of an end."""

    def cost(rows: np.ndarray) -> float:
        return len(rows) * np.linalg.slogdet(np.cov(rows.T))[1]

    places = range(50, len(x) - 50)
    return places[int(np.argmin([cost(x[:i]) + cost(x[i:]) for i in places]))]


def test_prepared_as_logarithms_with_the_note(levels, tmp_path):
    split = {"kind": "cell", "allow_leaky": True}
    manifest = prepare(dataset(split=split), tmp_path / "sachs")
    cells, proteins = levels
    store = open_store(tmp_path / "sachs")
    values = {
        "kind": "normalised",
        "target_sum": None,
        "counts": {"kind": "none", "inexact_cells": 7465},
    }
    assert store.genes == proteins and manifest["input"] == values
    assert manifest["detected"]["control_labels"] == {"control": 853}
    assert "published order" in json.loads((tmp_path / "sachs" / "manifest.json").read_text())["note"]
    conditions = store.perturbations["conditions"]
    assert {c["parts"][0][0] for c in conditions if c["parts"]} == set(sachs.CONDITIONS) - {"control"}
    assert {c["parts"][0][1] for c in conditions if c["parts"]} == {"compound"}
    stored = np.sort(store.samples(np.arange(len(store.split)))[:, 0])
    expected = np.log1p(np.exp(np.concatenate(list(cells.values()))[:, 0]))
    np.testing.assert_allclose(stored, np.sort(expected), rtol=1e-5)


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(InputError, match=r"pip install --no-deps cdt==0\.6\.0$") as error:
        sachs.open_sachs()
    assert "\n" not in str(error.value)


def test_another_file_is_one_line_with_both_hashes(monkeypatch, tmp_path):
    other = tmp_path / "cyto_full_data.csv"
    other.write_text("praf\n1\n")
    monkeypatch.setattr(sachs, "located", lambda: other)
    with pytest.raises(InputError, match=r"found sha256 \w{12}…, expected fc331dcd0bc1…") as error:
        sachs.open_sachs()
    assert "\n" not in str(error.value)


def test_the_card_must_exist(tmp_path):
    with pytest.raises(InputError, match=r"expected a data card, config/cards/sachs\.md"):
        prepare(dataset(path=str(tmp_path / "none.md")), tmp_path / "out")
