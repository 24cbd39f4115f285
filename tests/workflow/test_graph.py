"""Snakemake's graph and DVC's are the same: files, settings, code."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import snakemake_server
import yaml
from support import ROOT

from jepa_steps.modalities import MODALITIES
from jepa_steps.provenance import CODE, OF_NO_KIND, code_digest, code_files


def snakemake(*arguments, cwd=ROOT, check=True) -> str:
    code, said = snakemake_server.run("--nocolor", *arguments, cwd=cwd)
    assert not check or code == 0, said
    return said


SCREEN = {"source": "h5ad", "path": "screen.h5ad"}
GIVEN = {"embeddings": "given.npy"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The shipped config with a screen and embeddings of one's own beside it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", ".dvc"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("tmp", "cache"))
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / SCREEN["path"]).touch()
    (folder / GIVEN["embeddings"]).touch()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    own = {"expression": {**config["expression"], "screen": SCREEN}, "vectors": {"given": GIVEN}}
    write_config(folder, {**config, **own})
    return folder


def write_config(folder: Path, config: dict) -> None:
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture(scope="module")
def rules(project) -> dict[str, dict]:
    """Stage name as in DVC -> inputs, outputs and settings of the job, from a dry run."""
    options = ("-n", "--forceall", "--printshellcmds", "-s", str(ROOT / "Snakefile"))
    own = ("data/screen/manifest.json", "data/given/manifest.json")
    text = snakemake(*options, "--", "all", *own, cwd=project)
    text = re.sub(r"^    (?=    |rule )", "", text, flags=re.M)  # jobs of a group are indented
    jobs = {}
    for block in re.split(r"\n(?=(?:local)?rule \w+:)", text):
        head = re.match(r"(?:local)?rule (\w+):\n", block)
        if not head or head[1] == "all":
            continue
        lines = dict(re.findall(r"^    (input|output|wildcards): (.*)$", block, re.M))
        name = head[1]
        if "wildcards" in lines:
            name += "@" + lines["wildcards"].split("=")[1]
        shell = shlex.split(block[block.index("python -m") :].splitlines()[0])
        spec = json.loads(shell[shell.index("--spec") + 1]) if "--spec" in shell else None
        jobs[name] = {
            "input": set(lines["input"].split(", ")),
            "output": set(lines["output"].split(", ")),
            "spec": spec,
        }
    return jobs


@pytest.fixture(scope="module")
def stages(project) -> dict[str, dict]:
    return stages_of(project)


def stages_of(root: Path) -> dict[str, dict]:
    from dvc.repo import Repo

    found = {}
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            paths = [Path(d.fs_path) for d in stage.deps if d.protocol == "local"]
            files = {str(p.relative_to(root)) for p in paths if p.is_absolute()}
            folders = {str(p.relative_to(root)) for p in paths if p.suffix == ""}
            params = [d for d in stage.deps if type(d).__name__ == "ParamsDependency"]
            found[stage.name] = {
                "deps": files - folders - {"config/config.yaml"},
                "folders": folders,
                "outs": {str(Path(o.fs_path).relative_to(root)) for o in stage.outs},
                "params": [p for d in params for p in d.params],
                "cmd": stage.cmd,
            }
    return found


def step_of(name: str, config: dict) -> tuple[str, list[str]]:
    """(step, kinds of data) of a stage or rule: prepare_images, train@digits-jepa."""
    rule, _, experiment = name.partition("@")
    if rule.startswith("prepare_"):
        return "prepare", [rule.removeprefix("prepare_")]
    if rule == "report":
        return rule, list(MODALITIES)
    return rule, [config["experiments"][experiment]["modality"]]


def test_the_same_stages(rules, stages):
    assert set(rules) == set(stages) and len(rules) > 10
    assert {"prepare_expression@screen", "prepare_images@digits", "prepare_vectors@given"} <= set(stages)


@pytest.mark.parametrize("config", [{"images": {}, "expression": {}}, {"expression": {"s": SCREEN}}])
def test_dvc_takes_a_config_without_data_sets_of_a_kind(config, project, tmp_path):
    shutil.copytree(project, tmp_path / "p")
    write_config(tmp_path / "p", config)
    expected = {f"prepare_expression@{name}" for name in config["expression"]}
    assert set(stages_of(tmp_path / "p")) == expected | {"report"}


def test_the_same_outputs(rules, stages):
    for name, job in rules.items():
        assert job["output"] == stages[name]["outs"], name


def test_the_same_inputs_and_code(rules, stages, project):
    config = yaml.safe_load((project / "config" / "config.yaml").read_text())
    for name, job in rules.items():
        step, kinds = step_of(name, config)
        code = {f"jepa_steps/{entry}" for entry in CODE[step]}
        if step == "report":
            code.add("jepa_steps/modalities")
        elif step not in OF_NO_KIND:
            code |= {f"jepa_steps/modalities/{kind}" for kind in kinds}
        stage = stages[name]
        results = {f for f in stage["folders"] if f.startswith(("results/", "data"))}
        inside = {f for f in job["input"] if any(f.startswith(folder + "/") for folder in results)}
        assert code | job["input"] - inside == stage["deps"] | stage["folders"] - results, name
        for folder in results:
            assert any(f.startswith(folder + "/") for f in inside), f"{name}: {folder} only in dvc.yaml"


def test_the_same_settings(rules, stages, project):
    config = yaml.safe_load((project / "config" / "config.yaml").read_text())
    for name, job in rules.items():
        if job["spec"] is None:
            assert stages[name]["params"] == [], name
            continue
        (path,) = stages[name]["params"]
        value = config
        for key in path.split("."):
            value = value[key]
        assert job["spec"] == value, name


def test_each_stage_runs_its_own_rule_and_nothing_else(rules, stages):
    for name, stage in stages.items():
        rule = name.split("@")[0]
        target = stage["cmd"].split(" -- ")[1]
        assert stage["cmd"] == f"snakemake --allowed-rules {rule} --force -- {target}"
        assert target in rules[name]["output"]


# The modules of a kind of data that a step asks for.
PARTS = {
    "prepare": ("settings", "prepare"),
    "train": ("settings", "store", "encoder", "task", "remedies"),
    "embed": ("settings", "store", "encoder", "views", "samples"),
    "evaluate": ("settings", "evaluation"),
    "monitor": ("settings", "figures", "remedies"),
    "rank": (),
    "probe": (),
    "report": ("settings", "report"),
}


# Libraries are imported once, a step in a fork of its own, and each kind of data in a fork of that.
IMPORTS = """
import importlib, json, os, sys

def forked(values):
    for value in values:
        if os.fork():
            assert os.wait()[1] == 0, value
        else:
            yield value
            os._exit(0)

for library in ("torch", "scipy.stats", "sklearn.linear_model", "pandas", "pydantic", "matplotlib.pyplot"):
    importlib.import_module(library)
assert not any(name.startswith("jepa_steps") for name in sys.modules)
parts, modalities = map(json.loads, sys.argv[1:])
for step in forked(parts):
    importlib.import_module(f"jepa_steps.{step}")
    from jepa_steps.modalities import optional_part
    for modality in forked(modalities):
        for part in parts[step]:
            optional_part(modality, part)
        ours = [m for name, m in sys.modules.items() if name.startswith("jepa_steps")]
        files = [m.__file__ for m in ours if getattr(m, "__file__", None)]
        print(json.dumps([step, modality, files]), flush=True)
"""


def test_listed_code_is_all_the_code_a_step_imports():
    """On one kind of data: none of another is imported."""
    command = [sys.executable, "-c", IMPORTS, json.dumps(PARTS), json.dumps(list(MODALITIES))]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert {(s, m) for s, m, _ in found} == {(s, m) for s in CODE for m in MODALITIES}
    assert {f"{s}, {m}": few for s, m, files in found if (few := unlisted(s, m, files))} == {}


def unlisted(step: str, modality: str, files: list[str]) -> list[str]:
    """Files that a step imported on a kind of data, and that its rule does not watch."""
    package = ROOT / "jepa_steps"
    shared = {package / f for f in ("__init__.py", "cli.py", "errors.py", "threads.py")}
    shared |= {package / "modalities" / f for f in ("__init__.py", "contract.py")}
    kinds = {package / "modalities" / m / "__init__.py" for m in MODALITIES}  # looked for, and empty
    assert all(not file.read_text() or "import" not in file.read_text() for file in kinds)
    assert package / f"{step}.py" in map(Path, files)
    return sorted(map(str, {*map(Path, files)} - shared - kinds - {*code_files(step, modality)}))


EVERY = {(step, modality) for step in CODE for modality in MODALITIES}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("engine/loop.py", {"train"}),
        ("model/encoder.py", {"train", "embed", "evaluate"}),
        ("metrics/probes.py", {"evaluate", "monitor", "rank", "probe", "report"}),
        ("files.py", set(CODE)),
        ("arrays.py", set(CODE)),
        ("draws.py", set(CODE)),
        ("cli.py", set()),
        ("threads.py", set()),
        ("modalities/__init__.py", set()),
        ("modalities/expression/sources/h5ad.py", set(CODE) - set(OF_NO_KIND)),
        ("modalities/images/batches.py", set(CODE) - set(OF_NO_KIND)),
    ],
)
def test_a_change_of_code_runs_the_steps_that_use_it(file, changed, tmp_path):
    """Those of every kind of data, or where the file is of one kind those of that kind."""
    package = tmp_path / "jepa_steps"
    shutil.copytree(ROOT / "jepa_steps", package, ignore=shutil.ignore_patterns("__pycache__"))
    before = {(s, m): code_digest(s, m, package=package) for s, m in EVERY}
    assert before == {(s, m): code_digest(s, m) for s, m in EVERY}
    with (package / file).open("a") as source:
        source.write("# changed\n")
    after = {(s, m): code_digest(s, m, package=package) for s, m in EVERY}
    kinds = [m for m in MODALITIES if file.startswith(f"modalities/{m}/")] or MODALITIES
    assert {key for key in EVERY if after[key] != before[key]} == {
        (s, m) for s in changed for m in kinds
    }


def test_planning_imports_no_torch():
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "-n", "--quiet"]
    trace = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stderr
    modules = {
        line.split("|")[-1].strip() for line in trace.splitlines() if line.startswith("import time:")
    }
    assert {"jepa_steps.config.experiments", "jepa_steps.modalities"} <= modules
    assert not modules & {"torch", "sklearn", "matplotlib", "dvc"}


def test_the_help_of_a_judging_step_imports_no_torch():
    steps = "evaluate, monitor, rank, probe, report"
    script = f"""
import contextlib, sys
from jepa_steps import {steps}
for step in ({steps}):
    with contextlib.suppress(SystemExit):
        step.main(["--help"])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.count("usage: ") == 5 and done.stdout.endswith("\nFalse\n"), done


@pytest.mark.parametrize(
    ("change", "says", "how"),
    [
        ({"train": {"encoder": "raw", "seed": 1}}, "unknown key 'seed'", ("-n",)),
        ({"dataset": "digit"}, "experiments.digits-raw.dataset: found 'digit'", ("--quiet", "all")),
    ],
)
def test_a_bad_config_stops_planning_with_one_clear_line(tmp_path, change, says, how):
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    config["experiments"]["digits-raw"] |= change
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(config))
    own = ("-s", ROOT / "Snakefile", "--configfile", file)
    code, said = snakemake_server.run(*how, *own, cwd=tmp_path)
    (line,) = (line for line in said.splitlines() if line.startswith(f"{file}: "))
    assert code != 0 and says in line and "Traceback" not in said


def test_a_source_that_is_not_there_is_named_by_file_and_field(tmp_path):
    own = ("-s", ROOT / "Snakefile", "--configfile", ROOT / "config" / "perturbseq.yaml")
    code, said = snakemake_server.run("-n", *own, cwd=tmp_path)
    (line,) = (line for line in said.splitlines() if "screen.h5ad" in line)
    assert code != 0 and f"expression.screen.path: found no screen.h5ad in {tmp_path}" in line


@pytest.mark.parametrize("name", ["digits-vicreg", "showcase"])
def test_the_commands_at_the_top_of_a_config_plan(name, tmp_path):
    for part in ("Snakefile", "config", "workflow", "jepa_steps"):
        (tmp_path / part).symlink_to(ROOT / part)
    text = (ROOT / "config" / f"{name}.yaml").read_text()
    lines = re.findall(r"^#   (.*)$", text, re.M)
    assert lines[-1].startswith("snakemake ")
    subprocess.run(["bash", "-c", "\n".join(["set -e", *lines[:-1]])], cwd=tmp_path, check=True)
    code, said = snakemake_server.run(*shlex.split(lines[-1])[1:], "-n", cwd=tmp_path)
    assert code == 0, said


def test_a_start_that_is_an_experiment_is_trained_first_and_other_weights_are_inputs(tmp_path):
    model = {"patch_size": 2, "dim": 32, "depth": 1, "heads": 1}
    digits = {"source": "digits", "path": "config/cards/digits.md", "image_size": 8, "channels": 1}
    trains = {
        "further": {"encoder": "jepa", "init": "results/train/first", "model": model},
        "first": {"encoder": "jepa", "model": model},
        "published": {"encoder": "pretrained", "path": "weights"},
    }
    experiments = {name: {"dataset": "digits", "train": train} for name, train in trains.items()}
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"images": {"digits": digits}, "experiments": experiments})
    )
    options = ("-n", "-s", str(ROOT / "Snakefile"), "--configfile", "config.yaml")
    shutil.copytree(ROOT / "config" / "cards", tmp_path / "config" / "cards")
    report = tmp_path / "results" / "report" / "report.html"
    report.parent.mkdir(parents=True)
    report.touch()  # a finished report is no reason to pass over a path that is wrong
    missing = snakemake(*options, cwd=tmp_path, check=False)
    assert "experiments.published.train: found no weights in" in missing and str(tmp_path) in missing
    (tmp_path / "weights").mkdir()
    for name in ("config.json", "model.safetensors", "pytorch_model.bin"):
        (tmp_path / "weights" / name).touch()
    wanted = [f"results/train/{name}/encoder.json" for name in trains]
    plan = snakemake(*options, "--", *wanted, cwd=tmp_path)
    inputs = {}
    for block in re.split(r"\n(?=rule train:)", plan)[1:]:
        (files,), (name,) = (re.findall(p, block)[:1] for p in (r"input: (.*)", r"experiment=(\w+)"))
        inputs[name] = files
    assert "results/train/first/encoder.safetensors" in inputs["further"]
    assert "weights/model.safetensors" in inputs["published"] and ".bin" not in inputs["published"]


def test_lint_finds_nothing_but_the_missing_container():
    """The environment is the pinned .venv; there is no image of the project to name."""
    found = set(re.findall(r"^    \* (.*?):?$", snakemake("--lint", check=False), re.M))
    assert found == {"Specify a conda environment or container for each rule."}


def test_a_cluster_is_asked_for_the_threads_and_the_kind_of_gpu_of_each_experiment(project):
    config = yaml.safe_load((project / "config" / "config.yaml").read_text())
    train = {"encoder": "jepa", "model": {"patch_size": 4, "dim": 32, "depth": 1, "heads": 2}}
    mine = {"dataset": "digits", "train": train, "resources": {"gpus": 4}}
    one = {**mine, "train": {"encoder": "raw"}, "embed": {"threads": 3}, "resources": {"gpus": 0}}
    write_config(project, {**config, "experiments": {"mine": mine, "one": one}})
    try:
        options = ("-n", "--forceall", "--cores", "4", "-s", str(ROOT / "Snakefile"))
        text = snakemake(*options, "--default-resources", "gpu_type=a100", cwd=project)
    finally:
        write_config(project, config)
    jobs = [re.sub(r"\s+", " ", job) for job in re.split(r"\n(?=\s*rule )", text)]
    found = {
        (rule, name): next(
            j for j in jobs if f"rule {rule}:" in j and f"wildcards: experiment={name}" in j
        )
        for rule in ("train", "embed")
        for name in ("mine", "one")
    }
    assert "gres=gpu:a100:4" in found["train", "mine"] and "gpu:" not in found["train", "one"]
    assert "threads: 2" in found["train", "mine"] and "threads:" not in found["train", "one"]
    assert "threads: 2" in found["embed", "mine"] and "threads: 3" in found["embed", "one"]
