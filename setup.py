"""Put the workflow, the profiles and the configs into the built package, as jepa_steps/project.

They stand at the root of the repository, where Snakemake, DVC and the workflow catalog look for them. An
editable install reads them from there; ``jepa_steps.init.project_files`` finds either.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PROJECT = ("Snakefile", "dvc.yaml", "workflow", "profiles", "config", ".gitignore", ".dvcignore", ".dvc")
# Local files of DVC: its cache and its own settings of a machine.
LEFT_OUT = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")


class BuildWithProject(build_py):
    """``build_py`` that adds the project's files to a built package."""

    def run(self) -> None:
        """Build the modules, then copy the files."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "jepa_steps", "project")
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build
        target.mkdir(parents=True)
        for name in PROJECT:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=LEFT_OUT)
            else:
                shutil.copy(ROOT / name, target / name)


setup(cmdclass={"build_py": BuildWithProject})
