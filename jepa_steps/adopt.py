"""Make Snakemake accept what DVC restored.

    dvc pull && python -m jepa_steps.adopt

After dvc pull, dvc checkout, git checkout or dvc exp apply, files have new times, and Snakemake has
no record of how they were made. It would train everything again. If DVC confirms that the files
match dvc.lock, this command records them as made with the present settings. Otherwise it refuses.
"""

import logging
import subprocess
import sys
from pathlib import Path

from .cli import parser, run
from .errors import InputError


def restored_outputs() -> list[str]:
    """Outputs of stages whose outputs and dependencies are all present and as in dvc.lock.

    Raises:
        InputError: not a DVC project, or a stage differs from dvc.lock.
    """
    logging.getLogger("dvc").setLevel(logging.ERROR)
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            changed = _changed(repo.status())
            if changed:
                raise InputError(
                    f"dvc.lock does not match {', '.join(changed)}; nothing adopted. "
                    "Run 'dvc repro' (or 'snakemake'), or 'dvc checkout' the matching version first"
                )
            outputs: list[str] = []
            for stage in repo.index.stages:
                files = [Path(x.fs_path) for x in (*stage.outs, *stage.deps) if x.protocol == "local"]
                if all(file.exists() for file in files):
                    outputs += [str(Path(out.fs_path).relative_to(repo.root_dir)) for out in stage.outs]
            return outputs
    except DvcException as error:
        raise InputError(f"DVC: {error}") from None


def _changed(status: dict) -> list[str]:
    """Stages that differ in more than absent files.

    A folder that a stage depends on counts as changed as soon as one file in it is absent; that is
    excused, too.
    """
    entries = [
        (stage, path, kind)
        for stage, changes in status.items()
        for change in changes
        for path, kind in (_flat(change) if isinstance(change, dict) else [("", change)])
    ]
    absent = {path for _, path, kind in entries if kind in _ABSENT}
    return sorted(
        {
            stage
            for stage, path, kind in entries
            if kind not in _ABSENT and not any(other.startswith(path + "/") for other in absent)
        }
    )


_ABSENT = ("deleted", "not in cache")


def _flat(change: dict) -> list[tuple[str, str]]:
    """(path or setting, kind of change) of one entry of DVC's status, however nested."""
    pairs = []
    for key, value in change.items():
        pairs += _flat(value) if isinstance(value, dict) else [(key, value)]
    return pairs


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    parser(__doc__).parse_args(argv)
    outputs = restored_outputs()
    if not outputs:
        raise InputError("no stage has all of its files; run 'dvc pull' first")
    # --forceall records every job, not only those that would run; --keep-incomplete never deletes.
    command = [sys.executable, "-m", "snakemake", "--touch", "--forceall", "--keep-incomplete"]
    result = subprocess.run([*command, "--quiet", "all", "--", *outputs], capture_output=True, text=True)
    if result.returncode:
        raise InputError(f"snakemake --touch failed: {result.stderr.strip().splitlines()[-1]}")
    print(f"adopted {len(outputs)} files")


if __name__ == "__main__":
    run(main)
