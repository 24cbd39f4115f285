"""Columns that embeddings are asked for beside the perturbation."""

import numpy as np
import pytest
from modalities.expression.screens import prepared, screen

from jepa_steps.data.splits import read_splits
from jepa_steps.errors import InputError
from jepa_steps.files import read_table
from jepa_steps.modalities.expression.store import open_store


def test_further_columns_are_kept_for_probes(tmp_path):
    """Classes and numbers, told apart by their values or as the settings say."""
    s = screen()
    n = len(s["barcodes"])
    s["age"] = [f"{20 + i / 7:.3f}" if i % 5 else "nan" for i in range(n)]
    s["reads"] = ["inf" if i == 3 else f"{i}.5" for i in range(n)]
    s["donor"] = [str(i % 3) for i in range(n)]
    s["plate_row"] = [str(i % 3) for i in range(n)]
    out = prepared(tmp_path, s, targets=["age", "plate_row"], nuisances={"donor": "numbers"})
    table, store = read_splits(out / "splits.csv"), open_store(out)
    assert store.manifest["columns"]["targets"] == {
        "age": "numbers", "plate_row": "classes", "donor": "numbers"
    }  # fmt: skip
    rows = [s["barcodes"].index(name) for name in read_table(out / "splits.csv", "source")["source"]]
    known = np.array([i % 5 > 0 for i in rows])
    ages = np.array([20 + i / 7 for i in rows])
    assert np.allclose(table.targets["age"].values[known], ages[known], atol=1e-3)
    assert np.isnan(table.targets["age"].values[~known]).all()
    assert store.manifest["targets"] == [
        f"age (numbers, {known.sum()} different, unknown of {(~known).sum()} cells)",
        "plate_row (3 classes)",
        "donor (numbers, 3 different)",
    ]
    assert table.targets["plate_row"].classes == ("0", "1", "2")
    assert table.targets["donor"].nuisance and not table.targets["donor"].classes
    for changes, said in (
        ({"targets": ["agee"]}, "targets: found no column 'agee'; did you mean 'age'"),
        (
            {"targets": {"cell_type": "numbers"}},
            "targets.cell_type: found '.*', expected finite numbers",
        ),
        ({"targets": "reads"}, "targets.reads: found 'inf', expected finite numbers"),
        ({"targets": ["age"], "nuisances": ["age"]}, "found 'age' in both"),
    ):
        with pytest.raises(InputError, match=said):
            prepared(tmp_path, s, **changes)
