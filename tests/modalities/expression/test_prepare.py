"""The step on the command line: what it says, what stops it, what it leaves behind."""

import json

import numpy as np
import pytest
from modalities.expression.screens import EACH, LABELS, screen, write_npz

from jepa_steps import prepare
from jepa_steps.modalities.expression.store import open_store


@pytest.fixture
def run(step, tmp_path):
    """Prepare a screen with settings: (exit code, lines of stdout, stderr, folder)."""

    def prepared(s, **settings):
        write_npz(tmp_path / "screen.npz", s)
        spec = {"source": "npz", "path": str(tmp_path / "screen.npz"), "gene_feature_dim": 4, **settings}
        out = tmp_path / "out"
        code, said, err = step(prepare, "expression", "--spec", spec, "--out", out)
        return code, said.splitlines(), err, out

    return prepared


def test_guides_of_one_gene_on_both_sides_of_a_split_are_a_leak(run):
    s = screen(labels=["ctrl", *(f"TF{k}_sgRNA{g}" for k in range(6) for g in (1, 2))])
    code, _, err, out = run(s, min_cells=5)
    assert code != 0 and not list(out.glob("*")) and err.count("\n") == 1
    assert "may mean a target trained on" in err and "label_pattern" in err and "sgRNA" in err
    pattern = err.split("label_pattern: '")[1].split("'")[0]
    code, said, _, out = run(s, min_cells=5, label_pattern=pattern)
    assert code == 0 and json.loads((out / "manifest.json").read_text())["classes"][1:] == [
        f"TF{k}" for k in range(6)
    ]
    code, said, _, _ = run(s, min_cells=5, label_pattern="(?P<perturbation>.+)")
    assert code == 0 and "perturbations may have the target of another" in "\n".join(said)
    code, said, _, _ = run(s, min_cells=5, split={"kind": "context"})
    assert code == 0 and "6 perturbations may have the target of another" in "\n".join(said)


def test_the_step_says_what_it_found_and_left_out(run):
    s = screen()
    rare = [i for i, label in enumerate(s["perturbation"]) if label == "g6"][3:]
    kept = np.setdiff1d(np.arange(len(s["X"])), rare)
    s = {k: v if k == "genes" else np.asarray(v)[kept] for k, v in s.items()}
    s["batch"] = np.where((s["perturbation"] == "g0") & (s["batch"] == "b0"), "b2", s["batch"])
    code, said, err, out = run(s, min_cells=5, split={"val_units": ["g5"], "test_units": ["g1"]})
    assert (code, err) == (0, "") and len(said) == 9 and said[0] == f"{out}:"
    text = "\n".join(said)
    controls = 3 * 2 * EACH
    assert f"control labels: ctrl ({controls}); combinations: 4, e.g. g0+g1" in text
    assert (
        "perturbation = perturbation, dose = dose, type = perturbation_type, context = cell_type" in text
    )
    assert "batch = batch, gene = index" in text and "values read as counts" in text
    assert "left out: 3 cells by few_cells, perturbations g6 (3 cells)" in text
    manifest = open_store(out).manifest
    assert f"train {manifest['counts']['train']['cells']} (" in text
    # cells of g0 in a batch without controls have those of their context only
    perturbed = (len(LABELS) - 2) * controls
    moved = 3 * EACH
    assert f"for {perturbed - moved} cells in their batch and context, " in text
    assert f"for {moved} cells in their context only" in text
    assert said[-2].startswith("  leak audit: 13 checks passed")
    assert said[-1].startswith("  test has 4 groups (perturbation): with fewer than 6, no comparison")


def test_a_leak_that_is_allowed_is_shouted(run):
    code, said, _, _ = run(screen(), split={"kind": "cell", "allow_leaky": True})
    assert code == 0
    assert said[-1].startswith(
        "  LEAKY SPLIT (cell, allowed by allow_leaky): perturbations in two parts: found 11"
    )


def test_a_failed_audit_stops_the_step_with_one_line(run):
    s = screen()
    s["X"][:] = s["X"][0] + 1
    code, said, err, out = run(s)
    assert code == 2 and not said and err.count("\n") == 1
    assert "leak audit: val and test cells equal to a training cell: found" in err
    assert not out.exists()


def test_settings_of_the_other_modality_are_named(step, tmp_path):
    images = {"source": "npz", "path": "x.npz", "image_size": 8}
    code, _, err = step(prepare, "expression", "--spec", images, "--out", tmp_path / "out")
    assert code == 2 and "unknown key 'image_size'" in err
    screens = {"source": "npz", "path": "x.npz", "min_cells": 8}
    code, _, err = step(prepare, "images", "--spec", screens, "--out", tmp_path / "out")
    assert code == 2 and "unknown key 'min_cells'" in err and not (tmp_path / "out").exists()


def test_every_setting_leaves_the_same_files_and_none_of_an_earlier_run(run):
    _, _, _, out = run(screen())
    files = sorted(out.iterdir())
    assert len(open_store(out).dense) == len(open_store(out))
    code, _, _, _ = run(screen(1), dense_limit=0, gene_features="none")
    store = open_store(out)
    assert code == 0 and sorted(out.iterdir()) == files
    assert store.dense is None and np.load(out / "gene_features.npy").shape[1] == 0
