"""A table beside series that come without columns: a row per series, in their order."""

import numpy as np
import pytest
from vector_factory import written

from jepa_steps.config.training import parse_dataset
from jepa_steps.data.splits import read_splits
from jepa_steps.errors import InputError
from jepa_steps.modalities.series.prepare import prepare, summary
from jepa_steps.modalities.series.settings import sources

N = 24
RNG = np.random.default_rng(0)
COLUMNS = {
    "age": RNG.uniform(20, 80, N).round(1).tolist(),
    "state": ["rest", "move"] * (N // 2),
    "site": RNG.permutation(["north", "south"] * (N // 2)).tolist(),
    "patient": [f"p{i // 2}" for i in range(N)],
}


@pytest.fixture
def pair(tmp_path):
    """NAME_TRAIN.ts and NAME_TEST.ts of 16 and 8 series, in a folder."""
    lines = [
        ",".join(f"{v:.4f}" for v in row) + f":{i % 3}" for i, row in enumerate(RNG.normal(size=(N, 20)))
    ]
    folder = tmp_path / "A"
    folder.mkdir()
    for name, part in (("TRAIN", lines[:16]), ("TEST", lines[16:])):
        text = "@classLabel true 0 1 2\n@data\n" + "\n".join(part) + "\n"
        (folder / f"A_{name}.ts").write_text(text)
    return folder


def run(pair, tmp_path, columns, **asked):
    table = written(tmp_path / "t.csv", columns)
    spec = {"source": "ts", "path": str(pair), "table": str(table), **asked}
    dataset = parse_dataset(spec, "test", "series")
    return prepare(dataset, tmp_path / "out", 1), dataset


def test_rows_are_those_of_train_then_test(pair, tmp_path):
    asked = {"targets": "age", "nuisances": "site", "group": "patient", "label": "state"}
    manifest, dataset = run(pair, tmp_path, COLUMNS, **asked)
    found = read_splits(tmp_path / "out" / "splits.csv")
    assert found.targets["age"].values.tolist() == COLUMNS["age"] and found.unit == "patient"
    assert [manifest["classes"][code] for code in found.labels] == COLUMNS["state"]
    assert np.array(found.group_names)[found.groups].tolist() == COLUMNS["patient"]
    assert found.targets["site"].nuisance and (found.split == 2).tolist() == [False] * 16 + [True] * 8
    assert any("rows matched by order" in line for line in summary(manifest, tmp_path))
    assert sources(dataset)["table"] == str(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("columns", "asked", "says"),
    [
        ({"age": COLUMNS["age"][1:]}, {}, "found 23 rows for 24 series in"),
        ({"age": [*COLUMNS["age"], 5]}, {}, "found 25 rows for 24 series in"),
        ({"age": ["old", *COLUMNS["age"][1:]]}, {"targets": {"age": "numbers"}}, "column 'age': row 1: found 'old'"),
        (COLUMNS, {"targets": "weight"}, "targets: found no column 'weight'"),
    ],
)  # fmt: skip
def test_malformed_tables_are_one_line(pair, tmp_path, columns, asked, says):
    with pytest.raises(InputError) as error:
        run(pair, tmp_path, columns, **{"targets": "age", **asked})
    line = str(error.value)
    assert line.startswith(str(tmp_path / "t.csv")) and says in line and "\n" not in line
    assert not any((tmp_path / "out").glob("*"))
