"""A kind of data that lives in tests/ alone goes through every step and both doors, and a change in the
folder of one kind reruns no experiment of another."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import snakemake_server
import yaml
from support import ROOT, TINY
from workflow.test_dvc import planned, repository, sh

from jepa_steps.modalities import MODALITIES

pytestmark = pytest.mark.slow

WAVES = ROOT / "tests" / "modalities" / "waves"
STEPS = ("train", "embed", "evaluate", "monitor", "rank", "probe")
SHORT = {"steps": 30, "batch_size": 32, "log_every": 10, "threads": 1, "validation_samples": 16}
CONFIG = {
    "images": {
        "digits": {"source": "digits", "path": "config/cards/digits.md", "image_size": 8, "channels": 1}
    },
    "waves": {"sines": {"path": "noise.txt"}},
    "experiments": {
        name: {
            "dataset": dataset,
            "modality": modality,
            "train": train,
            "embed": {"snapshot_samples": 200, "threads": 1},
            "evaluate": {"seed": 0},
            "monitor": {"dead_share": 0.25},
            "rank": {"samples": 2000},
            "probe": {"few_labels": [5], "few_draws": 2, "bootstrap": 100, "logistic_c": [0.1]},
        }
        for name, dataset, modality, train in (
            ("waves-jepa", "sines", "waves", {"encoder": "wave-jepa", **SHORT}),
            ("waves-untrained", "sines", "waves", {"encoder": "wave-untrained"}),
            ("digits-jepa", "digits", "images", {**TINY, "steps": 20}),
        )
    },
}
# All that a new kind of data needs beside its folder: a name in the list, and a stage.
STAGE = """
  prepare_waves:
    foreach: ${waves}
    do:
      cmd: snakemake --allowed-rules prepare_waves --force -- data/${key}/manifest.json
      params: [config/config.yaml: ["waves.${key}"]]
      deps:
        - ${item.path}
        - jepa_steps/arrays.py
        - jepa_steps/files.py
        - jepa_steps/draws.py
        - jepa_steps/prepare.py
        - jepa_steps/config
        - jepa_steps/data
        - jepa_steps/modalities/waves
      outs: ["data/${key}/waves.npy", "data/${key}/splits.csv", "data/${key}/manifest.json"]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the repository in which the kind is registered, run by Snakemake."""
    folder = repository(tmp_path_factory.mktemp("kinds") / "p", CONFIG)
    shutil.copytree(WAVES, folder / "jepa_steps" / "modalities" / "waves")
    (folder / "noise.txt").write_text("0.1")
    replace(
        folder / "jepa_steps" / "modalities" / "__init__.py",
        f"MODALITIES = {MODALITIES}".replace("'", '"'),
        f"MODALITIES = {(*MODALITIES, 'waves')}",
    )
    replace(folder / "dvc.yaml", "\nstages:\n", f"\nstages:{STAGE}")
    sh(folder, "git add -A && git commit -qm kind")
    sh(folder, "snakemake")
    return folder


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_it_is_small(project):
    lines = [line for file in WAVES.glob("*.py") for line in file.read_text().splitlines()]
    assert 50 < len(lines) <= 150


def test_it_goes_through_every_step(project):
    results = project / "results"
    assert planned(project) == {}
    found = {
        step: json.loads((results / step / "waves-jepa" / f"{name}.json").read_text())
        for step, name in (
            ("evaluate", "evaluation"),
            ("probe", "probe"),
            ("monitor", "monitor"),
            ("rank", "rank"),
        )
    }
    assert found["evaluate"] == {"task": None, "reason": "nothing is predicted of waves"}
    assert found["probe"]["logistic"]["accuracy"] > 0.8 and found["rank"]["pooled"]["dim"] == 16
    assert found["monitor"]["tokens"]["samples"] > 100
    history = (results / "train" / "waves-jepa" / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in history] == ["step", "10", "20", "30"]
    page = (results / "report" / "report.html").read_text()
    assert "waves in data/sines" in page and "no wave is in two parts" in page
    new = ["--encoder", "results/train/waves-jepa", "--images", ".", "--out", "x.npy"]
    assert "which takes no images" in sh(
        project, f"python -m jepa_steps.embed {' '.join(new)}", check=False
    )


def test_snakemake_s_own_report_holds_the_figures(project):
    sh(project, "snakemake --report report.zip --quiet all")
    with zipfile.ZipFile(project / "report.zip") as file:
        names = [name for name in file.namelist() if name.endswith(".svg")]
    assert len(names) >= 2 * len(CONFIG["experiments"])


def test_the_other_door_gives_the_same(project):
    encoder = project / "results/train/waves-jepa/encoder.safetensors"
    before = encoder.read_bytes()
    sh(project, "dvc commit -f --no-relink")
    for step in STEPS:
        shutil.rmtree(project / "results" / step / "waves-jepa")
    stages = " ".join(f"{step}@waves-jepa" for step in STEPS)
    out = sh(project, f"dvc repro --force --single-item prepare_waves@sines {stages} report")
    assert out.count("Running stage") == len(STEPS) + 2 and encoder.read_bytes() == before
    assert planned(project) == {} and "up to date" in sh(project, "dvc status")


def experiments(folder: Path) -> dict[str, set[str]]:
    """Experiments of which a step would run again, by the tool that says so."""
    names = CONFIG["experiments"]
    planned_jobs = snakemake_server.run("-n", cwd=folder)[1]
    status = json.loads(sh(folder, "dvc status --json"))
    return {
        "snakemake": {n for n in names if f"wildcards: experiment={n}\n" in planned_jobs},
        "dvc": {n for n in names if any(stage.endswith(f"@{n}") for stage in status)},
    }


@pytest.mark.parametrize(
    ("file", "rerun"),
    [
        ("modalities/expression/sources/h5ad.py", set()),
        ("modalities/waves/store.py", {"waves-jepa", "waves-untrained"}),
        ("modalities/images/batches.py", {"digits-jepa"}),
        ("files.py", set(CONFIG["experiments"])),
        ("cli.py", set()),
    ],
)
def test_a_change_in_one_kind_reruns_no_experiment_of_another(project, file, rerun):
    source = project / "jepa_steps" / file
    text = source.read_text()
    source.write_text(text + "# changed\n")
    try:
        assert experiments(project) == {"snakemake": rerun, "dvc": rerun}
    finally:
        source.write_text(text)
    assert planned(project) == {}


def test_an_unknown_kind_is_one_line(project):
    manifest = project / "data" / "sines" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"modality": "waves"', '"modality": "sounds"'))
    call = 'python -m jepa_steps.train --spec \'{"encoder": "raw"}\' --data data/sines --out x'
    try:
        said = sh(project, call, check=False)
    finally:
        manifest.write_text(text)
    known = ", ".join((*MODALITIES, "waves"))
    assert (
        said == f"error: data/sines/manifest.json: modality: found 'sounds', expected one of {known}\n"
    )
    config = yaml.safe_load((project / "config" / "config.yaml").read_text())
    (project / "bad.yaml").write_text(yaml.safe_dump({**config, "sounds": {}}))
    assert "unknown key 'sounds'" in sh(
        project, "python -m jepa_steps.config check bad.yaml", check=False
    )
