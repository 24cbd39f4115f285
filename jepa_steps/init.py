"""Write a project folder: the workflow, its profiles, a config that runs, and what DVC needs.

    jepa-steps init FOLDER
    jepa-steps init FOLDER --example series
    jepa-steps init FOLDER --renew

FOLDER must be new or empty; a .git in it is welcome. The folder keeps to the version of jepa-steps that
wrote it: with another one installed, snakemake stops with one line that says so. --renew then takes over
Snakefile, workflow/, profiles/default, dvc.yaml and code.json of the installed version; config/ and the
other profiles stay as they are. Changes of your own in the files taken over are lost: commit first.
"""

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from . import __version__
from .cli import parser, run
from .errors import InputError
from .files import read_json, staged, write_json
from .modalities import MODALITIES
from .provenance import CODE, OF_NO_KIND, code_digest

# What says, in a project folder, which code its results are of. DVC compares these digests; in the
# repository it compares the source files themselves.
CODE_FILE = "code.json"
_PACKAGE = Path(__file__).parent
_RENEWED = ("Snakefile", "workflow", "profiles/default", "dvc.yaml", CODE_FILE)
_COPIED = ("Snakefile", "workflow", "profiles", ".dvc/config", ".dvc/plots", ".dvc/.gitignore")
_COPIED += (".dvcignore", ".gitignore", "config/cards")
_HEAD = """\
# The ledger of the pipeline in Snakefile, by "jepa-steps init". Each stage runs exactly one rule, on the
# same files, with the same block of config/config.yaml; code.json has digests of the code.
"""


def project_files() -> Path:
    """The folder with Snakefile, workflow/, profiles/ and config/: in the package, or the repository."""
    inside = _PACKAGE / "project"
    return inside if inside.is_dir() else _PACKAGE.parent


def examples() -> list[str]:
    """Names of the shipped configs that ``--example`` takes."""
    return sorted(f.stem for f in (project_files() / "config").glob("*.yaml") if f.stem != "config")


def init(folder: Path, example: str = "digits") -> None:
    """Write a project into a new or empty folder, all of it or nothing.

    Raises:
        InputError: an unknown example, or a folder with other contents.
    """
    if example not in examples():
        raise InputError(f"--example: found {example!r}, expected one of {', '.join(examples())}")
    if folder.exists() and (not folder.is_dir() or {p.name for p in folder.iterdir()} - {".git"}):
        raise InputError(
            f"{folder}: found other contents, expected a new or empty folder; --renew takes a project "
            "to the installed version"
        )
    with staged(folder.resolve()) as temporary:
        _write(temporary, example)


def renew(folder: Path) -> None:
    """Replace the files of a project that belong to a version of the package by the installed one's.

    Raises:
        InputError: the folder is no project.
    """
    if not (folder / CODE_FILE).is_file():
        raise InputError(f"{folder}: found no {CODE_FILE}, expected a folder that jepa-steps init wrote")
    with staged(folder.resolve()) as temporary:
        _write(temporary, "digits")
        for profile in (folder / "profiles").glob("*/"):
            if profile.name != "default":
                shutil.copytree(profile, temporary / "profiles" / profile.name, dirs_exist_ok=True)
        for path in temporary.iterdir():
            if path.name not in {name.split("/")[0] for name in _RENEWED}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def check_version(folder: Path) -> None:
    """Compare the version of a project with the installed one; a folder without ``code.json`` has none.

    Raises:
        InputError: another version wrote the folder.
    """
    if not (folder / CODE_FILE).is_file():
        return
    wrote = read_json(folder / CODE_FILE, "version")["version"]
    if wrote != __version__:
        raise InputError(
            f"{folder / CODE_FILE}: version: found {wrote}, expected the installed {__version__}; call "
            f"'jepa-steps init {folder} --renew', or 'pip install jepa-steps=={wrote}'"
        )


def code_digests() -> dict[str, Any]:
    """The version, and digests of the code of every step, by kind of data where that matters."""
    return {"version": __version__, **{step: _digests(step) for step in CODE}}


def _digests(step: str) -> str | dict[str, str]:
    if step in OF_NO_KIND:
        return code_digest(step)
    if step == "report":  # a page of all experiments
        return code_digest(step, *MODALITIES)
    return {modality: code_digest(step, modality) for modality in MODALITIES}


def ledger(text: str) -> str:
    """The repository's ``dvc.yaml`` for a project folder: digests in the place of source files.

    The source files are those of an installed package there, whose path differs between machines.
    """
    content = yaml.safe_load(text)
    del content["artifacts"]  # of an experiment that a project need not have
    for name, stage in content["stages"].items():
        step, _, modality = name.partition("_")
        of_no_kind = step in OF_NO_KIND or "foreach" not in stage
        kind = "" if of_no_kind else f".{modality or '${item.modality}'}"
        body = stage.get("do", stage)
        body["deps"] = [path for path in body["deps"] if not path.startswith("jepa_steps/")]
        body["params"] = [*body.get("params", []), {CODE_FILE: [f"{step}{kind}"]}]
    return _HEAD + yaml.safe_dump(content, sort_keys=False, width=1000)


def _write(out: Path, example: str) -> None:
    source = project_files()
    for name in _COPIED:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, out / name)
        else:
            shutil.copy(source / name, out / name)
    text = (source / "config" / f"{example}.yaml").read_text(encoding="utf-8")
    # Commands at the top are for the repository, where a config lies beside others.
    (out / "config" / "config.yaml").write_text(re.sub(r"(?m)^#(   .*)?\n", "", text), encoding="utf-8")
    (out / "dvc.yaml").write_text(ledger((source / "dvc.yaml").read_text(encoding="utf-8")))
    write_json(out / CODE_FILE, code_digests())


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    p.add_argument("folder", type=Path, metavar="FOLDER", help="folder to write")
    group = p.add_mutually_exclusive_group()
    group.add_argument("--example", default="digits", metavar="NAME", help=", ".join(examples()))
    group.add_argument("--renew", action="store_true", help="take a project to the installed version")
    args = p.parse_args(argv)
    if args.renew:
        renew(args.folder)
        print(f"renewed {', '.join(_RENEWED)} in {args.folder}; see what changed: git diff")
        return
    init(args.folder, args.example)
    print(f"wrote a project into {args.folder}; next:\n\n  cd {args.folder}\n  snakemake\n")
    print("The report will be results/report/report.html. With DVC: git init, then dvc repro.")


if __name__ == "__main__":
    run(main)
