"""Bad input: exit code 2, one line that names file and field, nothing half-written."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support import ROOT, TINY

from jepa_steps import adopt, embed, evaluate, monitor, prepare, probe, rank, report, train
from jepa_steps.config import __main__ as config_step

STEPS = (prepare, train, embed, evaluate, monitor, rank, probe, report)


@pytest.mark.parametrize("module", (*STEPS, config_step, adopt), ids=lambda m: m.__name__)
def test_help_explains_the_step_in_a_screenful(step, module):
    code, out, _ = step(module, "--help")
    assert code == 0 and 8 < len(out.splitlines()) <= 40
    assert f"python -m {module.__name__.removesuffix('.__main__')}" in out


def images(folder, n=12, classes=("a", "b")):
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8)).save(folder / name / f"{i}.png")
    return folder


def empty_class(folder):
    images(folder)
    (folder / "c").mkdir()


def one_class(folder):
    images(folder, classes=("a",))


def tiny_class(folder):
    images(folder)
    for i in range(10):
        (folder / "b" / f"{i}.png").unlink()


def corrupt(folder):
    images(folder)
    (folder / "a" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")


def zero_size(folder):
    images(folder)
    (folder / "a" / "3.png").write_bytes(b"")


def truncated(folder):
    images(folder)
    path = folder / "b" / "4.png"
    path.write_bytes(path.read_bytes()[:60])


def files_beside_classes(folder):
    images(folder)
    shutil.copy(folder / "a" / "1.png", folder / "stray.png")


def text_file(folder):
    images(folder)
    (folder / "a" / "notes.txt").write_text("hello")


def no_images(folder):
    folder.mkdir()


def two_images(folder):
    folder.mkdir()
    for i in range(2):
        Image.fromarray(np.full((6, 6), 200 + i, np.uint8)).save(folder / f"{i}.png")


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (empty_class, "c: no images"),
        (one_class, "found one class ('a')"),
        (tiny_class, "class 'b' has 2 images"),
        (corrupt, "3.png"),
        (zero_size, "3.png: empty file"),
        (truncated, "4.png"),
        (files_beside_classes, "stray.png"),
        (text_file, "notes.txt: not an image"),
        (no_images, "no images in this folder"),
        (two_images, "no sample in the"),
        (lambda folder: None, "does not exist"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_bad_image_folders(step, tmp_path, plant, says):
    folder, out = tmp_path / "photos", tmp_path / "out"
    plant(folder)
    spec = {"source": "folder", "path": str(folder), "image_size": 6}
    refused(step(prepare, "images", "--spec", spec, "--out", out, "--workers", 1), says)
    assert not out.exists() or not list(out.iterdir())
    assert not list(tmp_path.glob(".out*"))


def refused(result, says):
    code, _, err = result
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert says in err, err


def save_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


GREY = np.zeros((20, 6, 6), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"pixels": GREY}, "found arrays pixels"),
        ({"images": GREY.astype(np.complex64)}, "found values of type complex64"),
        ({"images": np.zeros((20, 36), np.uint8)}, "shape (20, 36)"),
        ({"images": GREY, "labels": np.arange(7)}, "7 labels for 20 images"),
        ({"images": GREY, "labels": np.linspace(0, 1, 20)}, "labels of type float64"),
        ({"images": GREY, "labels": np.array([{}] * 20, dtype=object)}, "without pickles"),
    ],
)
def test_bad_npz(step, tmp_path, arrays, says):
    path = save_npz(tmp_path / "a.npz", **arrays)
    spec = {"source": "npz", "path": str(path), "image_size": 6, "channels": 1}
    refused(step(prepare, "images", "--spec", spec, "--out", tmp_path / "out", "--workers", 1), says)


def test_bad_idx(step, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\0\0\0\x09" * 3 + b"xx")
    spec = {"source": "idx", "path": str(tmp_path), "image_size": 6, "channels": 1}
    refused(
        step(prepare, "images", "--spec", spec, "--out", tmp_path / "out"),
        "train-images-idx3-ubyte: found 2 bytes",
    )


def test_skipping_stops_at_its_budget(step, tmp_path):
    folder = images(tmp_path / "photos")
    for i in range(3):
        (folder / "a" / f"{i}.png").write_bytes(b"junk")
    spec = {
        "source": "folder",
        "path": str(folder),
        "image_size": 6,
        "on_error": "skip",
        "max_skipped": 0.1,
    }
    refused(
        step(prepare, "images", "--spec", spec, "--out", tmp_path / "out", "--workers", 1),
        "expected at most 2",
    )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{not json", "--spec: not valid JSON"),
        ("missing.yaml", "missing.yaml: no such file"),
        ({**TINY, "step": 3}, "did you mean 'steps'?"),
        ({**TINY, "batch_size": "many"}, "batch_size"),
        ({**TINY, "model": {"patch_size": 8}}, "patch_size: found 8"),
        ({**TINY, "model": {"patch_size": 3}}, "patch_size: found 3"),
        ({}, "encoder"),
    ],
)
def test_bad_training_settings(step, tmp_path, digits, spec, says):
    refused(step(train, "--spec", spec, "--data", digits, "--out", tmp_path / "out"), says)
    assert not (tmp_path / "out").exists()


def test_missing_and_mismatched_inputs(step, tmp_path, digits):
    out = tmp_path / "out"
    refused(step(train, "--spec", TINY, "--data", tmp_path, "--out", out), "manifest.json: no such file")
    refused(
        step(embed, "--encoder", tmp_path, "--data", digits, "--out", out), "encoder.json: no such file"
    )
    refused(step(rank, "--embeddings", tmp_path / "x.npy", "--out", out), "x.npy")
    refused(
        step(report, "--results", tmp_path, "--experiments", "a", "--out", out),
        "encoder.json: no such file",
    )
    np.save(tmp_path / "few.npy", np.zeros((5, 3)))
    splits = digits / "splits.csv"
    refused(
        step(probe, "--embeddings", tmp_path / "few.npy", "--splits", splits, "--out", out),
        "for 5 embeddings",
    )
    np.save(tmp_path / "nan.npy", np.full((1797, 3), np.nan))
    refused(
        step(probe, "--embeddings", tmp_path / "nan.npy", "--splits", splits, "--out", out),
        "NaN or infinity",
    )
    np.save(tmp_path / "flat.npy", np.zeros(9))
    refused(step(rank, "--embeddings", tmp_path / "flat.npy", "--out", out), "found shape (9,)")
    assert not out.exists()


def test_damaged_encoder_is_named(step, tmp_path, digits):
    folder = tmp_path / "enc"
    step(train, "--spec", {"encoder": "pca", "dim": 4}, "--data", digits, "--out", folder)
    data = (folder / "encoder.safetensors").read_bytes()
    (folder / "encoder.safetensors").write_bytes(data[:100])
    refused(
        step(embed, "--encoder", folder, "--data", digits, "--out", tmp_path / "o"),
        "encoder.safetensors",
    )


def test_the_command_line_exits_with_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "jepa_steps.config", "check", str(tmp_path / "none.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 2 and result.stderr == f"error: {tmp_path}/none.yaml: no such file\n"


def run_all(step, tmp_path, data, spec, name):
    """All steps after prepare for one experiment, as the workflow runs them."""
    results = tmp_path / "results"
    folder = {s: results / s / name for s in ("train", "embed", "evaluate", "monitor", "rank", "probe")}
    splits, rows = data / "splits.csv", folder["embed"] / "embeddings.npy"
    calls = [
        (
            train,
            "--spec",
            spec,
            "--data",
            data,
            "--out",
            folder["train"],
            "--checkpoints",
            tmp_path / "runs",
        ),
        (embed, "--data", data, "--encoder", folder["train"], "--out", folder["embed"]),
        (evaluate, "--data", data, "--train", folder["train"], "--out", folder["evaluate"]),
        (
            monitor,
            "--evaluation",
            folder["evaluate"] / "evaluation.json",
            "--embed",
            folder["embed"],
            "--data",
            data,
            "--train",
            folder["train"],
            "--out",
            folder["monitor"],
        ),
        (rank, "--embeddings", rows, "--splits", splits, "--out", folder["rank"]),
        (probe, "--embeddings", rows, "--splits", splits, "--out", folder["probe"]),
    ]
    poolings, tokens = folder["embed"] / "poolings.safetensors", folder["embed"] / "tokens.npy"
    calls[-1] += ("--poolings", poolings, "--tokens", tokens)
    calls[-1] += ("--spec", {"bootstrap": 200, "few_draws": 2})
    calls[-2] += ("--tokens", rows.with_name("tokens.npy"), "--views", rows.with_name("views.npy"))
    for module, *arguments in calls:
        code, _, err = step(module, *arguments)
        assert code == 0, f"{module.__name__}: {err}"
    return results


def test_all_steps_and_the_report(step, tmp_path, digits):
    for name, spec in (
        ("mine", TINY),
        ("raw", {"encoder": "raw"}),
        ("pca", {"encoder": "pca", "dim": 8}),
    ):
        results = run_all(step, tmp_path, digits, spec, name)
    names = ("--experiments", "mine", "raw", "pca")
    arguments = ("--results", results, "--data", digits, *names, "--out", results / "report")
    code, _out, err = step(report, *arguments)
    assert code == 0, err
    page = (results / "report" / "report.html").read_text()
    assert "mine" in page and "below" in page and "No leak found" in page
    assert "patch_size: 2" in page and "<h4>Cost of training</h4>" in page and " cores, " in page
    assert not re.findall(r"https?://", page)  # no outside request
    table = (results / "report" / "summary.csv").read_text().splitlines()
    assert len(table) == 4 and table[0].startswith("experiment,encoder,seeds,verdict")
    raw = json.loads((results / "report" / "metrics" / "raw.json").read_text())
    assert raw["linear_probe"] > 0.9 > raw["majority"] + 0.5
    (results / "report" / "metrics" / "gone.json").write_text("{}")  # of an experiment no longer there
    first = {p.name: p.read_bytes() for p in (results / "report").rglob("*") if p.is_file()}
    step(report, *arguments)
    again = {p.name: p.read_bytes() for p in (results / "report").rglob("*") if p.is_file()}
    assert first == again | {"gone.json": b"{}"} and "gone.json" not in again


@pytest.mark.usefixtures("no_figures")
def test_probe_and_monitor_twice_give_the_same_bytes(step, tmp_path, digits):
    for run in ("a", "b"):
        run_all(step, tmp_path / run, digits, {"encoder": "pca", "dim": 8}, "pca")
    for name in (
        "embed/pca/embeddings.npy",
        "probe/pca/probe.json",
        "probe/pca/probe.safetensors",
        "monitor/pca/monitor.json",
    ):
        assert (tmp_path / "a/results" / name).read_bytes() == (
            tmp_path / "b/results" / name
        ).read_bytes(), name


@pytest.mark.usefixtures("no_figures")
def test_data_without_labels_go_through_all_steps(step, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(60):
        Image.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(folder / f"{i}.png")
    data = tmp_path / "data"
    spec = {"source": "folder", "path": str(folder), "image_size": 8, "channels": 1}
    assert step(prepare, "images", "--spec", spec, "--out", data, "--workers", 1)[0] == 0
    results = run_all(step, tmp_path, data, TINY, "mine")
    code, _, err = step(
        report, "--results", results, "--experiments", "mine", "--out", results / "report"
    )
    assert code == 0, err
    assert json.loads((results / "probe/mine/probe.json").read_text())["labels"] == 0


@pytest.mark.usefixtures("no_figures")
def test_new_images_are_embedded_with_the_stored_preprocessing(step, tmp_path, digits, store):
    folder = tmp_path / "new"
    folder.mkdir()
    for i in range(5):
        Image.fromarray(store.images[i, ..., 0]).save(folder / f"{i}.png")
    run_all(step, tmp_path, digits, TINY, "mine")
    encoder = tmp_path / "results/train/mine"
    code, _, err = step(embed, "--encoder", encoder, "--images", folder, "--out", tmp_path / "new.npy")
    assert code == 0, err
    stored = np.load(tmp_path / "results/embed/mine/embeddings.npy")
    assert np.allclose(np.load(tmp_path / "new.npy"), stored[:5], atol=1e-5)
    assert (tmp_path / "new.csv").read_text().splitlines() == ["file", *[f"{i}.png" for i in range(5)]]


@pytest.mark.parametrize("content", ["{}", "[1]", '{"encoder": "raw"}'])
def test_results_of_another_version_are_named(step, tmp_path, content):
    for name in ("encoder.json", "embed.json", "manifest.json"):
        (tmp_path / name).write_text(content)
    folders = {"--train": tmp_path, "--data": tmp_path, "--encoder": tmp_path, "--embed": tmp_path}
    for module, names, file in (
        (evaluate, ("--train", "--data"), "encoder.json"),
        (embed, ("--encoder", "--data"), "manifest.json"),
        (monitor, ("--embed", "--data", "--train"), "embed.json"),
    ):
        arguments = [part for name in names for part in (name, folders[name])]
        code, _, err = step(module, *arguments, "--out", tmp_path / "out")
        assert code == 2 and f"{tmp_path / file}: found no '" in err and err.count("\n") == 1, err
        assert not (tmp_path / "out").exists()
