"""A project folder: all of it or nothing, every example valid, and code that DVC knows by its digest."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import snakemake_server
import yaml
from support import ROOT

import jepa_steps
from jepa_steps.config.experiments import load_config
from jepa_steps.errors import InputError
from jepa_steps.init import check_version, code_digests, examples, init, ledger, main, renew
from jepa_steps.modalities import MODALITIES
from jepa_steps.provenance import CODE, OF_NO_KIND, code_digest


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def project(tmp_path) -> Path:
    init(tmp_path / "mine")
    return tmp_path / "mine"


def test_a_new_folder_holds_the_workflow_and_a_config_that_plans(tmp_path, capsys):
    folder = tmp_path / "deep" / "mine"
    main([str(folder)])
    assert f"  cd {folder}\n  snakemake\n" in capsys.readouterr().out
    for name in (
        "Snakefile",
        ".gitignore",
        ".dvcignore",
        ".dvc/.gitignore",
        "profiles/slurm/config.yaml",
    ):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
    rules = {p.name for p in (ROOT / "workflow" / "rules").iterdir()}
    assert {p.name for p in (folder / "workflow" / "rules").iterdir()} == rules
    assert [p.name for p in folder.parent.iterdir()] == ["mine"]
    code, said = snakemake_server.run("-n", "--quiet", cwd=folder)
    assert code == 0, said


@pytest.mark.parametrize("example", examples())
def test_every_example_is_valid_and_names_no_command_of_the_repository(example, tmp_path):
    init(tmp_path / "x", example)
    file = tmp_path / "x" / "config" / "config.yaml"
    assert load_config(file) == load_config(ROOT / "config" / f"{example}.yaml")
    assert not re.search(r"^#  |--directory runs", file.read_text(), re.M)


def test_an_empty_folder_under_git_is_taken_and_others_are_left_alone(tmp_path):
    (tmp_path / "under-git" / ".git").mkdir(parents=True)
    init(tmp_path / "under-git")
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for folder in (full, tmp_path / "file", tmp_path / "under-git"):
        with pytest.raises(InputError, match="found other contents, expected a new or empty folder"):
            init(folder)
    assert contents(full) == {"notes.txt": b"mine"}


def test_bad_input_is_one_line_with_exit_code_2_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "jepa_steps", "init", str(tmp_path / "x"), "--example", "digit"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    known = ", ".join(examples())
    assert done.stderr == f"error: --example: found 'digit', expected one of {known}\n"
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("jepa_steps.init.code_digests", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        init(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_differs_from_the_repository_in_how_it_knows_code_alone():
    text = (ROOT / "dvc.yaml").read_text()
    before, after = yaml.safe_load(text), yaml.safe_load(ledger(text))
    assert set(after) == {"vars", "stages", "metrics"} and after["vars"] == before["vars"]
    assert set(after["stages"]) == set(before["stages"])
    for name, stage in after["stages"].items():
        old, new = (s.get("do", s) for s in (before["stages"][name], stage))
        assert new["deps"] == [d for d in old["deps"] if not d.startswith("jepa_steps/")]
        *params, code = new["params"]
        assert params == old.get("params", []) and list(code) == ["code.json"]
        same = set(new) - {"deps", "params"}
        assert same == set(old) - {"deps", "params"} and all(new[key] == old[key] for key in same)


def test_each_stage_follows_the_digest_of_the_code_that_its_rule_follows():
    digests = code_digests()
    stages = yaml.safe_load(ledger((ROOT / "dvc.yaml").read_text()))["stages"]
    asked = {name: stage.get("do", stage)["params"][-1]["code.json"] for name, stage in stages.items()}
    assert set(digests) == {"version", *CODE}
    for name, (key,) in asked.items():
        step, _, modality = name.partition("_")
        if step == "report":
            assert key == step and digests[step] == code_digest(step, *MODALITIES)
        elif step in OF_NO_KIND:
            assert key == step and digests[step] == code_digest(step)
        else:
            assert key == f"{step}.{modality or '${item.modality}'}"
            assert digests[step] == {m: code_digest(step, m) for m in MODALITIES}


def other_version(project: Path) -> None:
    file = project / "code.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": "0.1.9"}))


def test_another_version_than_the_installed_one_stops_planning_with_one_line(project):
    check_version(project)
    other_version(project)
    code, said = snakemake_server.run("-n", cwd=project)
    (line,) = (text for text in said.splitlines() if "code.json" in text)
    assert f"version: found 0.1.9, expected the installed {jepa_steps.__version__}" in line
    assert f"jepa-steps init {project} --renew" in line and code != 0


def test_renewing_takes_over_what_belongs_to_a_version_and_keeps_the_rest(project):
    new = contents(project)
    other_version(project)
    mine = {"config/config.yaml": b"images: {}\n", "profiles/slurm/config.yaml": b"jobs: 2\n"}
    mine |= {".gitignore": b"x\n", "profiles/site/config.yaml": b"jobs: 3\n", "data/notes": b"n"}
    for name, content in {
        **mine,
        "workflow/rules/old.smk": b"",
        "profiles/default/config.yaml": b"",
    }.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_bytes(content)
    renew(project)
    assert contents(project) == {**new, **mine}


def test_only_a_project_is_renewed(tmp_path):
    with pytest.raises(InputError, match=r"found no code\.json, expected a folder that jepa-steps init"):
        renew(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
