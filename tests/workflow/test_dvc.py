"""Both doors for real: DVC and Snakemake on a small project, with a remote and clones."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import snakemake_server
import yaml
from support import ROOT, TINY

pytestmark = pytest.mark.slow

ENV = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
    "DVC_NO_ANALYTICS": "1",
}
SCREEN = ROOT.parent / "shared" / "data" / "perturbseq_devel.h5ad"
CONFIG: dict = {
    "images": {
        "digits": {"source": "digits", "path": "config/cards/digits.md", "image_size": 8, "channels": 1}
    },
    "experiments": {
        name: {
            "dataset": "digits",
            "modality": "images",
            "train": train,
            "embed": {"snapshot_samples": 200},
            "evaluate": {"seed": 0},
            "monitor": {"dead_share": 0.25},
            "rank": {"samples": 2000},
            "probe": {"few_labels": [5], "few_draws": 2, "bootstrap": 100, "logistic_c": [0.1]},
        }
        for name, train in (
            ("digits-jepa", TINY),  # the name that dvc.yaml's artifact goes by
            ("raw", {"encoder": "raw"}),
        )
    },
}


def sh(cwd: Path, command: str, check: bool = True) -> str:
    result = subprocess.run(command, shell=True, cwd=cwd, env=ENV, capture_output=True, text=True)
    assert not check or result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


def planned(cwd: Path) -> dict[str, int]:
    """Jobs that Snakemake would run, by rule."""
    code, text = snakemake_server.run("-n", cwd=cwd)
    assert code == 0, text
    if "Nothing to be done" in text:
        return {}
    table = text[text.index("Job stats") :].splitlines()[3:]
    rows = [line.split() for line in table[: table.index("")]]
    return {name: int(count) for name, count in rows if name not in ("total", "all")}


def repository(folder: Path, config: dict) -> Path:
    """A copy of the repository with another config, committed."""
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    sh(folder, "git init -q && git add -A && git commit -qm start")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the repository with a small config, reproduced through DVC and pushed."""
    folder = tmp_path_factory.mktemp("project") / "origin"
    repository(folder, json.loads(json.dumps(CONFIG)))
    sh(folder, f"dvc remote add -d store {folder.parent / 'remote'} && git commit -qam remote")
    sh(folder, "dvc repro")
    sh(folder, "git add -A && git commit -qm results && dvc push")
    return folder


@pytest.fixture
def clone(project, tmp_path) -> Path:
    sh(tmp_path, f"git clone -q {project} clone")
    return tmp_path / "clone"


def test_after_repro_both_tools_have_nothing_to_do(project):
    assert planned(project) == {}
    assert "up to date" in sh(project, "dvc status")


def test_clone_pull_adopt(clone):
    sh(clone, "dvc pull")
    assert planned(clone)  # what adopt is for
    sh(clone, "python -m jepa_steps.adopt")
    assert planned(clone) == {}
    assert "up to date" in sh(clone, "dvc status")


def edit(folder: Path, block: str, changes: dict) -> None:
    """Change settings of the experiment that is trained."""
    path = folder / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["experiments"]["digits-jepa"].setdefault(block, {}).update(changes)
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def test_one_changed_setting_reruns_the_same_steps_in_both_tools(clone):
    """In DVC as an experiment (dvc exp run -S), which is then compared with what was there."""
    sh(clone, "dvc pull && python -m jepa_steps.adopt")
    edit(clone, "train", {"optimizer": {"lr": 0.004}})
    one = {"train": 1, "embed": 1, "evaluate": 1, "monitor": 1, "rank": 1, "probe": 1, "report": 1}
    assert planned(clone) == one
    refusal = subprocess.run(
        [sys.executable, "-m", "jepa_steps.adopt"], cwd=clone, env=ENV, capture_output=True, text=True
    )
    assert (
        refusal.returncode == 2
        and "train@digits-jepa" in refusal.stderr
        and refusal.stderr.count("\n") == 1
    )
    sh(clone, "git checkout -q config")
    setting = "config/config.yaml:experiments.digits-jepa.train.optimizer.lr=0.004"
    out = sh(clone, f"dvc exp run -S '{setting}'")
    ran = sorted(line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage"))
    assert ran == sorted(s if s == "report" else f"{s}@digits-jepa" for s in one)
    assert planned(clone) == {} and "up to date" in sh(clone, "dvc status")
    assert "experiments.digits-jepa.train.optimizer.lr" in sh(clone, "dvc params diff")
    shown = sh(clone, "dvc metrics show").splitlines()
    assert len(shown[0].split()) <= 6 and "linear_probe" in shown[0]  # the path, and few numbers
    assert any(line.startswith("results/report/metrics/digits-jepa.json") for line in shown[1:])
    changed = sh(clone, "dvc metrics diff --all")
    assert "metrics/digits-jepa.json" in changed and "effective_rank" in changed
    assert "index.html" in sh(clone, "dvc plots show results/report/history.csv")
    page = (clone / "dvc_plots" / "index.html").read_text()
    assert '"color": {"field": "experiment"' in page and "loess" not in page


def test_where_metrics_go_reruns_nothing(clone):
    sh(clone, "dvc pull && python -m jepa_steps.adopt")
    edit(clone, "resources", {"loggers": ["wandb", "mlflow"]})
    assert planned(clone) == {} and "up to date" in sh(clone, "dvc status")
    shown = sh(clone, "snakemake -n -p --forcerun train -- results/train/digits-jepa/encoder.json")
    assert "--loggers=wandb,mlflow --out results/train/digits-jepa" in shown


def test_snakemake_first_then_commit_then_back_in_time(clone):
    sh(clone, "dvc pull && python -m jepa_steps.adopt")
    edit(clone, "probe", {"logistic_c": [0.001]})
    assert planned(clone) == {"probe": 1, "report": 1}
    sh(clone, "snakemake")
    sh(clone, "dvc commit -f --no-relink && git commit -qam regularised")
    assert planned(clone) == {} and "up to date" in sh(clone, "dvc status")
    assert "didn't change" in sh(clone, "dvc repro")
    assert "digits-jepa" in sh(clone, "dvc metrics diff HEAD~1")
    sh(clone, "git checkout -q HEAD~1 && dvc checkout && python -m jepa_steps.adopt")
    assert planned(clone) == {} and "up to date" in sh(clone, "dvc status")


def test_results_go_through_a_bucket_to_a_fresh_clone(clone, tmp_path, monkeypatch):
    server = pytest.importorskip("moto.server", reason="no moto: pip install '.[dev]'")
    pytest.importorskip("dvc_s3", reason="no S3 for DVC: pip install '.[s3]'")
    boto3 = pytest.importorskip("boto3")
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(ENV, key, "x")
    bucket = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    bucket.start()
    try:
        url = f"http://127.0.0.1:{bucket.get_host_and_port()[1]}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="results")
        sh(clone, "dvc pull && dvc remote remove store && dvc remote add -d bucket s3://results/jepa")
        sh(clone, f"dvc remote modify bucket endpointurl {url} && git commit -qam bucket && dvc push")
        assert client.list_objects_v2(Bucket="results")["KeyCount"] > 10
        sh(tmp_path, "git clone -q clone fresh")
        fresh = tmp_path / "fresh"
        sh(fresh, "dvc pull && python -m jepa_steps.adopt")
        assert planned(fresh) == {} and "up to date" in sh(fresh, "dvc status")
        name = "results/train/digits-jepa/encoder.safetensors"
        assert (fresh / name).read_bytes() == (clone / name).read_bytes()
    finally:
        bucket.stop()


def test_partial_pull_is_adopted_in_part_and_deletes_nothing(clone):
    before = sh(clone, "git ls-files results").split()
    stages = " ".join(f"{s}@raw" for s in ("train", "embed", "evaluate", "monitor", "rank", "probe"))
    sh(clone, f"dvc pull prepare_images@digits {stages}")
    sh(clone, "python -m jepa_steps.adopt")
    assert "Nothing to be done" in sh(clone, "snakemake -n -- results/probe/raw/probe.json")
    assert all((clone / name).exists() for name in before)


def test_kill_9_and_resume(clone):
    sh(clone, "dvc pull && python -m jepa_steps.adopt")
    edit(clone, "train", {"steps": 600, "checkpoint_every": 50})
    target = "results/train/digits-jepa/encoder.safetensors"
    process = subprocess.Popen(
        ["snakemake", target], cwd=clone, env=ENV, start_new_session=True, stderr=subprocess.DEVNULL
    )
    deadline = time.time() + 120
    while not list((clone / "checkpoints/digits-jepa").glob("*/step-*00.pt")) and time.time() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (clone / target).exists()
    sh(clone, f"snakemake --unlock && snakemake {target}")
    summary = yaml.safe_load((clone / "results/train/digits-jepa/summary.json").read_text())
    assert summary["this_run"]["resumed_at_step"] >= 50
    rows = (clone / "results/train/digits-jepa/metrics.csv").read_text().splitlines()[1:]
    assert [int(r.split(",")[0]) for r in rows] == list(range(10, 601, 10))


@pytest.mark.skipif(not SCREEN.is_file(), reason="no ../shared/data/perturbseq_devel.h5ad")
def test_a_screen_through_both_doors(tmp_path):
    """config/perturbseq.yaml, a short training of it, on the screen of PerturBench's tests."""
    pytest.importorskip("anndata", reason="anndata is not installed: pip install '.[expression]'")
    config = yaml.safe_load((ROOT / "config" / "perturbseq.yaml").read_text())
    config["experiments"] = {"screen-jepa": config["experiments"]["screen-jepa"]}
    config["experiments"]["screen-jepa"]["train"] |= {"steps": 20, "log_every": 10}
    folder = repository(tmp_path / "p", config)
    shutil.copy(SCREEN, folder / config["expression"]["screen"]["path"])
    said = sh(folder, "snakemake data/screen/manifest.json")
    assert "keys: perturbation = perturbation" in said and "leak audit: 13 checks passed" in said
    before = {p.name: p.read_bytes() for p in (folder / "data" / "screen").iterdir()}
    assert len(before) == 11
    sh(folder, "dvc repro")
    assert before == {p.name: p.read_bytes() for p in (folder / "data" / "screen").iterdir()}
    assert planned(folder) == {} and "up to date" in sh(folder, "dvc status")
    found = json.loads((folder / "results/evaluate/screen-jepa/evaluation.json").read_text())
    assert found["task"] == "perturbation" and not found["leaky"]
    assert found["perturbations"] == {"by_context": 9, "distinct": 6}
    assert "Predicted perturbations" in (folder / "results/report/report.html").read_text()
    config["expression"]["screen"]["split"] |= {"kind": "cell", "allow_leaky": True}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    assert planned(folder).items() >= {"prepare_expression": 1, "train": 1, "evaluate": 1}.items()
    assert "prepare_expression@screen" in sh(folder, "dvc status prepare_expression")
    assert "LEAKY SPLIT (cell" in sh(folder, "snakemake data/screen/manifest.json")
