"""Snakemake, forked from a process that has imported it once: half of a dry run's time is that import.

    code, said = snakemake_server.run("-n", cwd=folder)

The package is not imported before the fork, so that each run plans with the code of its own folder.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LOOP = """
import contextlib, importlib, json, os, sys, traceback
import snakemake.cli
for module in ("snakemake_executor_plugin_slurm", "pydantic", "numpy", "pandas"):
    with contextlib.suppress(ImportError):  # the first is an extra
        importlib.import_module(module)
assert not any(name.split(".")[0] == "jepa_steps" for name in sys.modules)
for line in sys.stdin:
    arguments, folder, environment, out = json.loads(line)
    child = os.fork()
    if child == 0:
        file = os.open(out, os.O_WRONLY)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["snakemake", *arguments]
        sys.path[0] = folder  # as "python -m" has it
        code = 1
        try:
            snakemake.cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@functools.cache
def _server() -> subprocess.Popen:
    """Ends when its input does, with this process."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", LOOP], text=True, **pipes)


def run(*arguments: object, cwd: Path) -> tuple[int, str]:
    """(exit code, what was printed) of ``snakemake ARGUMENTS`` in a folder."""
    server = _server()
    with tempfile.NamedTemporaryFile("r") as out:
        asked = [list(map(str, arguments)), str(cwd), dict(os.environ), out.name]
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = server.stdout.readline()
        assert code, "Snakemake's server ended"
        return int(code), out.read()
