"""What pip installs is enough to work with: sdist, wheel, project folder, both doors."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from support import ROOT

from jepa_steps.init import project_files

pytestmark = pytest.mark.slow

SDIST = "import sys, setuptools.build_meta as b; b.build_sdist(sys.argv[1])"
WHEEL = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"


def python(code: str, *arguments: str, cwd: Path) -> None:
    """Run the build backend without a network; ``python -m build`` would fetch setuptools."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel that is built from the sdist that is built from what Git tracks."""
    folder = tmp_path_factory.mktemp("build")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "checkout" / name)
    python(SDIST, str(folder), cwd=folder / "checkout")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as file:
        file.extractall(folder, filter="data")
    python(WHEEL, str(folder), cwd=folder / sdist.name.removesuffix(".tar.gz"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def shell(wheel, tmp_path_factory):
    """Commands in an environment with the wheel, and beside it what the tests' own environment has."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (own / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    interpreter = folder / "bin" / "python"
    install = ["pip", "--python", str(interpreter), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", *install, str(wheel)], check=True)
    for name in ("snakemake", "dvc"):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {interpreter} -m {name} "$@"\n')
        script.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}

    def run(command: str, cwd: Path) -> str:
        done = subprocess.run(
            command, shell=True, cwd=cwd, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run


def test_the_wheel_has_every_file_of_the_project(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("workflow", "profiles", "config", ".dvc/plots"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file():
                assert f"jepa_steps/project/{file.relative_to(ROOT)}" in names
    assert not [name for name in names if name.startswith(("tests", "setup"))]


def test_a_checkout_and_an_editable_install_read_the_repository():
    assert project_files() == ROOT and not (ROOT / "jepa_steps" / "project").exists()


def test_both_doors_work_in_a_project_of_the_installed_package(shell, tmp_path):
    found = shell("python -c 'import jepa_steps; print(jepa_steps.__file__)'", tmp_path)
    assert str(ROOT) not in found
    shell("jepa-steps init mine", tmp_path)
    project = tmp_path / "mine"
    target = "results/train/digits-raw/encoder.json"
    shell(f"snakemake --quiet rules host reason -- {target}", project)
    assert (project / target).exists()
    shell("git init -q && dvc repro -q prepare_images@digits train@digits-raw", project)
    assert "up to date" in shell("dvc status train@digits-raw", project)
    assert "Nothing to be done" in shell(f"snakemake -n -- {target}", project)
    digests = project / "code.json"
    digests.write_text(digests.read_text().replace('"images": "', '"images": "0'))
    assert "code.json" in shell("dvc status train@digits-raw", project)
