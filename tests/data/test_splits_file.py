"""splits.csv as ``read_splits`` takes it, and the roles that its columns have."""

import json

import numpy as np
import pytest

from jepa_steps.data.splits import read_splits
from jepa_steps.errors import InputError

ROWS = ["0,train,1,a,x", "1,val,0,b,y", "2,test,1,c,x", "3,train,0,d,y"]


def table(folder, rows=ROWS, columns=None):
    path = folder / "splits.csv"
    path.write_text("\n".join(["index,split,label,source,plate", *rows]) + "\n")
    if columns is not None:
        (folder / "manifest.json").write_text(json.dumps({"columns": columns}))
    return path


def test_rows_are_known_by_their_index(tmp_path):
    many = [f"{i},{('train', 'val', 'test')[i % 3]},{i % 5},s{i},p" for i in range(120)]
    expected = read_splits(table(tmp_path, many))
    shuffled = [many[i] for i in np.random.default_rng(0).permutation(120)]
    found = read_splits(table(tmp_path, shuffled))
    assert np.array_equal(found.labels, expected.labels) and np.array_equal(found.split, expected.split)
    assert np.array_equal(found.labels, np.arange(120) % 5)


@pytest.mark.parametrize("index", ["1,1,2,3", "1,2,3,4", "0,1,2,x", "0,1,2,-1"])
def test_an_index_that_is_no_order_is_one_line(tmp_path, index):
    rows = [f"{i},{row[2:]}" for i, row in zip(index.split(","), ROWS, strict=True)]
    with pytest.raises(
        InputError, match=r"splits\.csv: column 'index': expected each number from 0 to 3"
    ):
        read_splits(table(tmp_path, rows))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"covariates": "plate"}, r"manifest\.json: columns: covariates: .*found 'plate'"),
        ({"nuisance": "plate"}, r"columns: nuisance: found 'plate', expected one of covariates \[\]"),
        ({"covariate": ["plate"]}, r"columns: unknown key 'covariate'; did you mean 'covariates'"),
        ({"covariates": ["day"]}, r"splits\.csv: found no column 'day', which .* names"),
    ],
)
def test_wrong_roles_are_one_line(tmp_path, columns, said):
    with pytest.raises(InputError, match=said):
        read_splits(table(tmp_path, columns=columns))


def test_roles_that_fit(tmp_path):
    found = read_splits(table(tmp_path, columns={"covariates": ["plate"], "nuisance": "plate"}))
    assert np.array_equal(found.nuisance, [0, 1, 0, 1])
