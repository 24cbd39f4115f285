"""Results as tables: the report's own numbers, less where a step is missing, one line where none are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import report_factory as factory
from report_factory import JEPA, RAW
from support import ROOT, TINY
from vector_factory import embeddings, table, written

import jepa_steps
from jepa_steps import judge, report, train
from jepa_steps.errors import InputError
from jepa_steps.reporting import tables

TABLES = (
    "runs", "summary", "training", "validation", "probes", "comparisons", "findings", "evaluations",
)  # fmt: skip


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Results with their report beside them: (folder, names)."""
    folder = tmp_path_factory.mktemp("three")
    results, data, names = factory.three_experiments(folder)
    report.report(results, [data], names, folder / "out")
    return folder, names


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, float_precision="round_trip")  # to the last bit


def equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True)


def test_the_numbers_are_those_of_the_report(three):
    folder, names = three
    found = jepa_steps.results(folder / "results", names)
    summary = read(folder / "out" / "summary.csv")
    equal(found.summary[summary.columns], summary)
    history = read(folder / "out" / "history.csv")
    equal(found.training[history.columns], history)
    text = (folder / "out" / "summary.md").read_text()
    for one in found.comparisons.query("unit == 'points'").itertuples():
        line = rf"\*\*{one.experiment}\*\* {one.says}.* {one.against} \({one.measure}\): "
        interval = re.escape(f"{one.difference:+.1f} points [{one.low:+.1f}, {one.high:+.1f}]")
        assert re.search(f"{line}{interval}, p = {one.adjusted_p:.3g}, n = {one.n}", text), one
    assert found.missing == {}


def test_runs_and_probes_agree_with_each_other_and_with_the_steps_files(three):
    folder, names = three
    found = jepa_steps.results(folder / "results")
    assert list(found.runs.experiment) == sorted(names)
    runs = found.runs.set_index("experiment")
    assert set(runs.dataset) == {"digits"} and runs.trained.sum() == 3
    assert runs.steps["digits-short"] == 30 and runs.parameters["digits-short"] == 201_280
    assert runs.few100.dtype == float and runs.few100.isna().all()
    for name in names:
        metrics = json.loads((folder / "out" / "metrics" / f"{name}.json").read_text())
        assert metrics["linear_probe"] == runs.logistic[name]
        scores = found.probes.query("experiment == @name and target == 'label' and metric == 'accuracy'")
        scores = scores.set_index("probe")
        assert scores.value["logistic"] == runs.logistic[name] and scores.n["logistic"] == 400
        assert scores.low["few10"] == runs.few10_low[name] and scores.value["few1"] == runs.few1[name]
        assert scores.floor["majority"] == "majority class"
    linear = found.probes.query("probe == 'logistic' and target == 'label' and metric == 'accuracy'")
    floors = linear.set_index("experiment").floor
    assert floors["digits-raw"] == "raw input" and pd.isna(floors["digits-healthy"])
    age = found.probes.query("target == '<b>age' and experiment == 'digits-healthy'").iloc[0]
    assert (age.probe, age.metric, age.n) == ("regression", "r2", 400) and age.low < age.value < age.high
    assert "donor" not in set(found.probes.target)  # not probed: no class of test was trained on


def test_findings_and_evaluations_are_those_of_the_steps(three):
    found = jepa_steps.results(three[0] / "results")
    assert list(found.findings.finding) == ["collapse", "under-trained", "under-trained"]
    first = found.findings.iloc[0]
    assert (first.experiment, first.severity) == ("digits-collapsed", "error")
    assert "covariance: 1.0" in first.remedy and "spread 0.0031" in first.evidence
    cards = found.summary.set_index("experiment")
    assert cards.card_level["digits-collapsed"] == "bad" and pd.isna(cards.card_level["digits-raw"])
    evaluated = found.evaluations
    assert set(evaluated.experiment) == {"digits-healthy"} and "ceiling" in set(evaluated.method)
    assert set(evaluated.value) == {0.517}
    baselines = found.comparisons.query("kind == 'baseline'")
    assert set(baselines.against) == {"expression_shifts"} and "undecided" in set(baselines.says)


def test_seeds_are_one_row_of_the_summary_and_several_runs(tmp_path):
    for seed in range(3):
        factory.write_experiment(tmp_path, f"run-seed{seed}", {**JEPA, "seed": seed})
    factory.write_experiment(tmp_path, "raw", RAW, 0.9)
    found = jepa_steps.results(tmp_path)
    assert list(found.summary.seeds) == [1, 3] and list(found.runs.seed[1:]) == [0, 1, 2]
    assert set(found.runs.row) == {"raw", "run"} and len(found.runs) == 4
    assert len(found.runs.dataset[0]) == 12  # no manifest: the start of its hash


@pytest.mark.parametrize("step", ["embed", "evaluate", "monitor", "rank", "probe"])
def test_a_step_that_has_not_run_leaves_fewer_rows_and_is_listed(tmp_path, step):
    factory.three_experiments(tmp_path)
    whole = jepa_steps.results(tmp_path / "results")
    (folder,) = (tmp_path / "results" / step).glob("digits-healthy")
    folder.rename(tmp_path / "elsewhere")
    found = jepa_steps.results(tmp_path / "results")
    assert found.missing == {"digits-healthy": [step]} and len(found.runs) == len(whole.runs)
    assert len(found.training) == len(whole.training)
    smaller = {"probe": "probes", "evaluate": "evaluations"}.get(step)
    for name in TABLES:
        assert len(getattr(found, name)) <= len(getattr(whole, name))
    if smaller:
        assert "digits-healthy" not in set(getattr(found, smaller).experiment)
    said = found.summary.set_index("experiment").card_title
    assert pd.isna(said["digits-healthy"]) and said["digits-collapsed"] == "Collapse"


def test_what_was_trained_and_no_more(step, tmp_path, digits):
    code, _, err = step(
        train, "--spec", TINY, "--data", digits, "--out", tmp_path / "train" / "a",
        "--checkpoints", tmp_path / "checkpoints",
    )  # fmt: skip
    assert code == 0, err
    (tmp_path / "monitor" / "b").mkdir(parents=True)
    found = jepa_steps.results(tmp_path, data=digits)
    after = ["embed", "evaluate", "monitor", "rank", "probe"]
    assert found.missing == {"a": after, "b": ["train", *after]}
    (run,) = found.runs.itertuples()
    assert (run.experiment, run.steps, run.dataset) == ("a", 40, "digits") and pd.isna(run.verdict)
    metrics = read(tmp_path / "train" / "a" / "metrics.csv")
    equal(found.training.drop(columns="experiment"), metrics)
    assert len(found.validation) == 1 and found.validation.val_loss[0] > 0
    for name in ("probes", "comparisons", "findings", "evaluations"):
        assert getattr(found, name).empty and "experiment" in getattr(found, name)


@pytest.mark.usefixtures("no_figures")
def test_what_judge_writes_is_read_as_well(tmp_path):
    columns = table()
    np.save(tmp_path / "e.npy", embeddings(columns))
    given = {"embeddings": str(tmp_path / "e.npy"), "table": str(written(tmp_path / "t.csv", columns))}
    page = judge.judge("vectors", {**given, "targets": ["label", "age"]}, tmp_path / "out")
    names = [e["name"] for e in page.experiments]
    found = jepa_steps.results(tmp_path / "out", names)
    summary = read(tmp_path / "out" / "summary.csv")
    equal(found.summary[summary.columns], summary)
    expected = [s["adjusted_p"] for s in page.standings]
    assert list(found.comparisons.adjusted_p) == expected and found.missing == {}
    equal(jepa_steps.results(tmp_path / "out" / "results", names).probes, found.probes)
    assert set(found.probes.target) >= {"label", "age"}


def test_every_column_is_explained(three):
    found = jepa_steps.results(three[0] / "results")
    source = (ROOT / "jepa_steps" / "frames.py").read_text()
    for name in TABLES:
        text = re.search(rf'    {name}: pd.DataFrame\n    """(.*?)"""', source, re.S)[1]
        if name not in ("training", "validation"):
            columns = set(getattr(found, name)) - (set(found.summary) if name == "runs" else set())
            assert [c for c in columns - {"few5"} if c not in text] == [], name


def test_records_have_the_columns_of_their_tables(three):
    folder, names = three
    page = report.compare(folder / "results", {}, names)
    found = jepa_steps.results(folder / "results", names)
    for name in ("probes", "comparisons", "findings", "evaluations"):
        keys = {key for record in getattr(tables, name)(page) for key in record}
        assert keys == set(getattr(found, name).columns), name


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            None,
            "elsewhere: found no train/<experiment>/encoder.json, expected the results of a workflow",
        ),
        (["digits-raw", "digit"], "experiments: found 'digit', expected some of digits-collapsed, "),
    ],
)
def test_what_is_no_results_folder_or_no_experiment_is_one_line(three, names, says):
    folder = three[0] / ("results" if names else "elsewhere")
    with pytest.raises(InputError, match=re.escape(says)) as error:
        jepa_steps.results(folder, names)
    assert "\n" not in str(error.value)


def test_the_package_and_a_step_import_no_pandas():
    script = (
        "import sys, jepa_steps, jepa_steps.train, jepa_steps.report; print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_block_of_the_page_runs(three, monkeypatch, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    (tmp_path / "results").symlink_to(three[0] / "results")
    (tmp_path / "data").symlink_to(three[0] / "data")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "results.md").read_text(), re.M | re.S
    )
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) >= 6 and (tmp_path / "loss.svg").stat().st_size > 1000
    assert (
        names["table"].loc["digits-healthy", "logistic"] > names["table"].loc["digits-raw", "logistic"]
    )
    assert len(names["some"].runs) == 2 and len(names["floors"]) > 4
