"""One command from given embeddings to the report: planted faults are named, sound ones are not."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import ROOT
from vector_factory import embeddings, table, written

from jepa_steps import judge
from jepa_steps.errors import InputError
from jepa_steps.reporting import words

# The fixture "sound" draws its figures: it is made before.
pytestmark = pytest.mark.usefixtures("no_figures")


def judged(folder: Path, x: np.ndarray, columns: dict, *arguments: str) -> dict[str, dict]:
    """Cards by row of embeddings (n, D) with a table."""
    np.save(folder / "e.npy", x)
    page = judge.judge("vectors", settings(folder, columns, *arguments), folder / "out")
    return {row.name: words.card(row, page.standings) for row in page.rows if row.trained}


def settings(folder: Path, columns: dict, *arguments: str) -> dict:
    import argparse

    from jepa_steps.modalities import part

    p, step = argparse.ArgumentParser(), part("vectors", "judging")
    step.add_options(p)
    given = ["--embeddings", str(folder / "e.npy"), "--table", str(written(folder / "t.csv", columns))]
    return step.dataset(p.parse_args([*given, *arguments]))


def result(folder: Path, step: str, name: str = "embeddings") -> dict:
    file = {"monitor": "monitor", "probe": "probe", "rank": "rank"}[step]
    return json.loads((folder / "out" / "results" / step / name / f"{file}.json").read_text())


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> tuple[Path, dict]:
    folder, columns = tmp_path_factory.mktemp("sound"), table()
    x = embeddings(columns)
    np.save(folder / "x.npy", np.random.default_rng(2).normal(size=(len(x), 3, 4)))
    arguments = ("--targets", "label", "age", "--nuisance", "batch", "--raw", str(folder / "x.npy"))
    return folder, judged(folder, x, columns, *arguments)


def test_good_embeddings_are_healthy_and_beat_every_floor(sound):
    folder, cards = sound
    assert list(cards) == ["embeddings"]
    card = cards["embeddings"]
    assert (card["level"], card["title"]) == ("good", "Healthy and useful") and not card["findings"]
    floors = {s["floor"] for s in card["standings"]["all labels"]}
    random = "random projection"
    assert floors == {random, "shuffled labels", "raw input", "PCA", "majority class", "batch alone"}
    found = result(folder, "probe")
    assert found["logistic"]["accuracy"] > 0.9 and found["of_targets"]["age"]["r2"] > 0.1
    batch = found["of_targets"]["batch"]
    assert batch["nuisance"] and batch["logistic"]["accuracy"] < batch["majority"]["accuracy"] + 0.15
    assert result(folder, "monitor")["verdict"] == "healthy"
    assert result(folder, "monitor", "raw")["verdict"] == "floor"


def test_the_page_is_whole_and_speaks_of_the_folder_asked_for(sound):
    folder, _ = sound
    page = (folder / "out" / "report.html").read_text()
    assert f"{folder / 'out' / 'data'}" in page and ".partial" not in page
    assert "rows matched by order" in page and "batch, which embeddings should not encode" in page
    assert "Healthy and useful" in page and "floor: shuffled labels" in page
    assert sorted(p.name for p in folder.iterdir()) == ["e.npy", "out", "t.csv", "x.npy"]
    again = judge.judge(
        "vectors", json.loads((folder / "out" / judge.MARK).read_text())["settings"], folder / "out"
    )
    assert again.rows[0].name == "embeddings"


def test_collapse_is_named(tmp_path):
    columns = table()
    x = np.ones(32) * 3 + 1e-3 * embeddings(columns)
    card = judged(tmp_path, x, columns)["embeddings"]
    assert (card["level"], card["title"]) == ("bad", "Collapse")


def test_dimensional_collapse_is_named(tmp_path):
    columns, rng = table(), np.random.default_rng(3)
    x = embeddings(columns)[:, :1] @ rng.normal(size=(1, 32)) + 0.01 * rng.normal(size=(400, 32))
    card = judged(tmp_path, x, columns)["embeddings"]
    assert (card["level"], card["title"]) == ("bad", "Dimensional collapse")


def test_a_leak_of_a_nuisance_is_named(tmp_path):
    columns = table()
    x = embeddings(columns, label=0.5, batch=2.0)
    card = judged(tmp_path, x, columns, "--targets", "label", "--nuisance", "donor", "batch")[
        "embeddings"
    ]
    assert (card["level"], card["title"]) == ("warn", "Nuisance-dominated embeddings")
    assert "'batch' explains" in card["findings"][0]["evidence"]
    assert "encoded: above every constant guess" in (tmp_path / "out" / "report.html").read_text()


def test_a_nuisance_that_does_not_dominate_is_marked_where_it_is_told(tmp_path):
    columns = table()
    x = embeddings(columns, label=2.0, batch=0.7)
    arguments = settings(tmp_path, columns, "--targets", "label", "--nuisance", "batch")
    np.save(tmp_path / "e.npy", x)
    said = judge.spoken(judge.judge("vectors", arguments, tmp_path / "out"))
    (line,) = [line for line in said if line.startswith("  batch (which embeddings should not encode)")]
    assert line.endswith("the embeddings ENCODE it") and said[0].startswith("embeddings: Healthy")


def test_shuffled_labels_are_no_better_than_chance(tmp_path):
    columns = table()
    x = embeddings(columns)
    columns["label"] = np.random.default_rng(4).permutation(columns["label"])
    card = judged(tmp_path, x, columns)["embeddings"]
    assert (card["level"], card["title"]) == ("warn", "Healthy, but no better than a floor")
    assert "shuffled labels" in card["sentence"] and "majority class" in card["sentence"]
    assert {s["says"] for s in card["standings"]["all labels"] if s["kind"] != "random projection"} == {
        "ties"
    }


def test_without_raw_input_no_more_than_chance_is_beaten(tmp_path):
    columns = table()
    card = judged(tmp_path, embeddings(columns), columns)["embeddings"]
    assert (card["level"], card["title"]) == ("good", "Healthy, and better than chance")


def test_numbers_alone_are_probed_without_a_label(tmp_path):
    columns = table()
    judged(tmp_path, embeddings(columns), columns, "--targets", "age")
    assert result(tmp_path, "probe")["labels"] == 0
    assert result(tmp_path, "probe")["of_targets"]["age"]["r2"] > 0.1
    assert result(tmp_path, "probe", "shuffled-labels")["of_targets"]["age"]["r2"] < 0.1
    page = " ".join((tmp_path / "out" / "report.html").read_text().split())
    assert "age: R² of a ridge regression" in page


def test_numbers_that_are_names_are_classes_where_that_is_said(tmp_path, capsys):
    columns = table()
    columns["site"] = np.random.default_rng(6).integers(0, 25, 400)
    judged(tmp_path, embeddings(columns), columns, "--targets", "site", "label")
    assert (
        "site: numbers, 25 different, 0 to 24; set classes (--classes) if these are names"
        in capsys.readouterr().out
    )
    assert settings(tmp_path, columns, "--classes", "site")["targets"] == {"site": "classes"}
    found = settings(tmp_path, columns, "--targets", "label", "--classes", "site", "--nuisance", "site")
    assert (found["targets"], found["nuisances"]) == ({"label": "auto"}, {"site": "classes"})


def test_it_says_where_rows_are_too_few_for_a_rank(tmp_path):
    columns = table(120)
    np.save(tmp_path / "e.npy", embeddings(columns, dim=64))
    said = judge.spoken(judge.judge("vectors", settings(tmp_path, columns), tmp_path / "out"))
    assert any(line.startswith("  no rank, so dimensional collapse was not checked: ") for line in said)


def test_no_label_leaves_monitor_and_rank(tmp_path):
    columns = table()
    judged(tmp_path, embeddings(columns), {"row": range(400)})
    assert result(tmp_path, "monitor")["verdict"] == "healthy"
    assert not (tmp_path / "out" / "results" / "train" / "shuffled-labels").exists()


def test_tokens_that_code_where_they_are_are_named(tmp_path):
    columns, rng = table(), np.random.default_rng(5)
    x = embeddings(columns, dim=16)
    tokens = 0.05 * x[:, None] + 5 * rng.normal(size=(6, 16)) + 0.01 * rng.normal(size=(400, 6, 16))
    np.save(tmp_path / "tokens.npy", tokens.astype(np.float32))
    cards = judged(tmp_path, x, columns, "--tokens", str(tmp_path / "tokens.npy"))
    assert list(cards) == ["embeddings", "tokens"] and not cards["embeddings"]["findings"]
    assert "positional collapse" in [f["name"] for f in cards["tokens"]["findings"]]
    mean = judged(tmp_path, tokens.astype(np.float32), columns)  # of three axes
    assert list(mean) == ["embeddings"]
    assert "positional collapse" in [f["name"] for f in mean["embeddings"]["findings"]]


def test_bad_input_is_one_line_and_leaves_nothing_behind(tmp_path):
    columns = table(50)
    np.save(tmp_path / "e.npy", embeddings(columns)[:49])
    written(tmp_path / "t.csv", columns)
    command = [sys.executable, "-m", "jepa_steps", "judge", "--embeddings", "e.npy", "--table", "t.csv"]
    run = subprocess.run(
        [*command, "--out", "out"], cwd=tmp_path, capture_output=True, text=True, env=_environment()
    )
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.startswith("error: t.csv: found 50 rows for 49 embeddings in e.npy")
    assert run.stderr.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.npy", "t.csv"]


def test_a_folder_with_other_contents_is_not_touched(tmp_path):
    (tmp_path / "out" / "data").mkdir(parents=True)
    with pytest.raises(InputError, match="other contents, expected a new folder"):
        judge.judge("vectors", {"embeddings": "e.npy"}, tmp_path / "out")
    assert (tmp_path / "out" / "data").is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--help"], 0, "judge"),
        (["rank", "--help"], 0, "usage: jepa-steps rank"),
        (["preset", "series-views"], 0, "encoder: series-jepa"),
        (["settings"], 0, "## vectors.NAME"),
        (["juge"], 2, "found the command 'juge'"),
    ],
)
def test_all_commands_are_under_one_name(arguments, code, says):
    command = [sys.executable, "-m", "jepa_steps", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_environment())
    assert run.returncode == code and says in run.stdout + run.stderr


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}
