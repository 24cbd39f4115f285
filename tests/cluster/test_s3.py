"""Results that travel through a bucket: push, clone, pull, adopt, nothing to be done."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import ROOT

pytestmark = pytest.mark.slow

IMAGES = {"source": "digits", "path": "config/cards/digits.md", "image_size": 8, "channels": 1}
PROBE = {"few_labels": [5], "few_draws": 2, "bootstrap": 100, "logistic_c": [0.1]}
CONFIG = {
    "images": {"digits": IMAGES},
    "experiments": {
        "raw": {
            "dataset": "digits",
            "modality": "images",
            "train": {"encoder": "raw"},
            "embed": {"views": 8},
            "monitor": {"dead_share": 0.25},
            "rank": {"samples": 2000},
            "evaluate": {"bootstrap": 100},
            "probe": PROBE,
        }
    },
}
ENV = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
ENV |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "DVC_NO_ANALYTICS": "1"}
ENV |= {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
DVC = f"{sys.executable} -m dvc"


def sh(folder: Path, command: str) -> str:
    done = subprocess.run(command, shell=True, cwd=folder, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_results_go_through_a_bucket_to_a_fresh_clone(tmp_path):
    server = pytest.importorskip("moto.server", reason="no moto: pip install '.[dev]'")
    pytest.importorskip("dvc_s3", reason="no S3 for DVC: pip install '.[s3]'")
    boto3 = pytest.importorskip("boto3")
    origin = tmp_path / "origin"
    for name in sh(ROOT, "git ls-files").split():
        if (ROOT / name).is_file():
            (origin / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, origin / name)
    (origin / "config/config.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(CONFIG))))
    # The shipped artifact belongs to the shipped experiment.
    pipeline = yaml.safe_load((origin / "dvc.yaml").read_text())
    pipeline.pop("artifacts")
    (origin / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    bucket = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    bucket.start()
    try:
        url = f"http://127.0.0.1:{bucket.get_host_and_port()[1]}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="results")
        sh(origin, "git init -q && git add -A && git commit -qm start")
        sh(origin, f"{DVC} remote add -d store s3://results/jepa")
        sh(origin, f"{DVC} remote modify store endpointurl {url} && git commit -qam remote")
        sh(origin, f"{DVC} repro && git add -A && git commit -qm results && {DVC} push")
        assert client.list_objects_v2(Bucket="results")["KeyCount"] > 10
        sh(tmp_path, "git clone -q origin clone")
        clone = tmp_path / "clone"
        sh(clone, f"{DVC} pull && {sys.executable} -m jepa_steps.adopt")
        assert "Nothing to be done" in sh(clone, f"{sys.executable} -m snakemake -n")
        assert "up to date" in sh(clone, f"{DVC} status")
        name = "results/train/raw/encoder.json"
        assert (clone / name).read_bytes() == (origin / name).read_bytes()
    finally:
        bucket.stop()
