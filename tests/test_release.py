"""What a release is made of agrees with itself: versions, Dockerfile, workflow files of GitHub, commands."""

import fnmatch
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from support import ROOT

import jepa_steps
from jepa_steps.__main__ import _MODULES, _OF_THE_CONFIG

INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def copied() -> list[str]:
    return [p for name, rest in instructions() if name == "COPY" for p in rest.split()[:-1]]


def test_the_dockerfile_has_known_instructions_a_pinned_base_and_no_root():
    found = instructions()
    assert {name for name, _ in found} <= INSTRUCTIONS and found[0][0] == "FROM"
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", found[0][1])
    names = [name for name, _ in found]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert dict(found)["ENTRYPOINT"] == '["jepa-steps"]'
    pip = [rest for name, rest in found if name == "RUN" and "pip install" in rest]
    assert pip and all("-c constraints.txt" in rest for rest in pip)


def test_the_dockerfile_copies_what_exists_and_what_is_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    for path in copied():
        assert (ROOT / path).exists() and path in let_in, path
    assert set(let_in) == set(copied())


def test_the_dockerfile_copies_what_the_wheel_is_built_from():
    project = re.search(r"^PROJECT = (\(.*?\))$", (ROOT / "setup.py").read_text(), re.M | re.S)[1]
    needed = set(re.findall(r'"([^"]+)"', project)) | {"pyproject.toml", "setup.py", "jepa_steps"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed |= {settings["readme"], *settings["license-files"]}
    assert needed <= set(copied())


def test_the_extras_that_are_named_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    texts = [(ROOT / name).read_text() for name in ("Dockerfile", "README.md", "docs/projects.md")]
    named = {
        e
        for t in texts
        for group in re.findall(r"(?:jepa-steps|'\.)\[([\w,]+)\]", t)
        for e in group.split(",")
    }
    assert named and named <= set(extras)


def test_one_version_and_supported_pythons_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "type", "authors", "license"} <= set(citation)
    assert citation["version"] == jepa_steps.__version__
    sections = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert sections[0] == jepa_steps.__version__
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classified = [c.split(" :: ")[-1] for c in settings["classifiers"] if ":: Python :: 3." in c]
    tested = yaml.safe_load(WORKFLOWS[1].read_text())["jobs"]["fast"]["strategy"]["matrix"]["python"]
    assert tested == classified and settings["requires-python"] == f">={tested[0]}"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_the_workflow_files_call_what_exists(file: Path):
    flow = yaml.safe_load(file.read_text())
    assert flow["permissions"] == {"contents": "read"} and flow[True]  # YAML reads "on" as true
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = (*_MODULES, *_OF_THE_CONFIG)
    for job in flow["jobs"].values():
        assert fnmatch.fnmatch(job["runs-on"], "ubuntu-*")
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert "@" in step.get("uses", "@")
            for line in step.get("run", "").splitlines():
                words = shlex.split(line)
                if words[0] == "make":
                    assert set(words[1:]) <= targets, line
                if "jepa-steps" in words and words[1] != "build":
                    at = words.index("jepa-steps")
                    assert words[at + 1 :] == [] or words[at + 1] in commands, line
