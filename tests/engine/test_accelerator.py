"""Training, validation, resume, embed and evaluate on an accelerator that is none.

No operation mixes devices, no copy to the device is waited for in a step, and one number is read in it.
What runs is tests/accelerator.py, in a process of its own.
"""

import json
import subprocess
import sys

import pytest
from modalities.expression.screens import prepared
from support import ROOT

pytestmark = pytest.mark.slow

RUN = {"steps": 20, "batch_size": 16, "threads": 1, "log_every": 4, "watch_every": 3}
RUN |= {"validate_every": 20, "validation_samples": 32, "optimizer": {"lr": 0.001}}
IMAGES = {
    **RUN,
    "encoder": "jepa",
    "model": {"patch_size": 2, "dim": 32, "depth": 1, "heads": 1},
    "predictor": {"dim": 16, "depth": 1, "heads": 1},
    "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
}
JITTER = {**IMAGES["augment"], "brightness": 0.4, "contrast": 0.4, "saturation": 0.2}
CELLS = {
    **RUN,
    "encoder": "bio-jepa",
    "model": {"tokens": 8, "dim": 32, "depth": 1, "heads": 2},
    "predictor": {"dim": 16, "depth": 1, "heads": 1},
}
CASES = {
    "recompute": {
        **IMAGES,
        "model": {**IMAGES["model"], "depth": 2},
        "predictor": {**IMAGES["predictor"], "context": "shared"},
        "recompute": True,
    },
    "pieces": {
        **IMAGES,
        "augment": JITTER,
        "objective": {"kind": "vicreg", "projector": 64},
        "accumulate": 2,
    },
    "fp16": {**IMAGES, "objective": {"kind": "ema_target+vicreg"}, "precision": "fp16"},
    "two crops": {
        **IMAGES,
        "objective": {"kind": "sigreg", "level": "pooled", "projector": 64},
        "augment": {**IMAGES["augment"], "target": "own"},
        "optimizer": {"kind": "lamb", "lr": 0.001},
    },
    "muon": {**IMAGES, "optimizer": {"kind": "muon", "lr": 0.001}},
    "cells": CELLS,
    "mean of controls": {**CELLS, "pairing": "mean", "objective": {"kind": "ema_target"}},
    "masked genes": {
        **CELLS,
        "task": "masked genes",
        "model": {**CELLS["model"], "tokenizer": "modules", "tokens": 4},
        "objective": {"kind": "ema_target"},
        "precision": "bf16",
    },
    "thinned counts": {
        **CELLS,
        "task": "thinned counts",
        "thinning": 0.5,
        "model": {
            "tokenizer": "mlp",
            "tokens": 1,
            "hidden": 32,
            "linear_path": True,
            "dim": 32,
            "depth": 0,
        },
        "objective": {"kind": "vicreg", "level": "pooled", "projector": 64},
    },
}


@pytest.fixture(scope="module")
def found(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("accelerator")
    cases = {
        name: {"data": "screen" if train["encoder"] == "bio-jepa" else "digits", "train": train}
        for name, train in CASES.items()
    }
    asked = {"digits": str(digits), "screen": str(prepared(folder / "screen")), "cases": cases}
    (folder / "cases.json").write_text(json.dumps(asked))
    command = [sys.executable, "-W", "ignore", "tests/accelerator.py", str(folder / "cases.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_no_operation_mixes_devices(found, case):
    assert "error" not in found[case], found[case].get("error")
    phases = {"plain step", "to the row", "row", "validation", "resume", "embed", "views"}
    assert phases <= set(found[case])
    assert ("evaluate" in found[case]) == (CASES[case]["encoder"] == "bio-jepa")


@pytest.mark.parametrize("case", CASES)
def test_a_step_waits_for_no_copy_and_reads_one_number(found, case):
    step = found[case]["plain step"]
    assert step["copies"] > 0 and step["blocking"] == [] and step["back"] == []
    assert len(step["scalars"]) == 1, step["scalars"]


@pytest.mark.parametrize("case", CASES)
def test_no_copy_to_the_device_is_waited_for_anywhere_in_training(found, case):
    phases = ("to the row", "row", "validation")
    assert [found[case][phase]["blocking"] for phase in phases] == [[], [], []]
