"""Two machines whose own name is 127.0.1.1, as Debian writes it, still find each other.

The machines are network namespaces of this one; needs root and iproute2.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

pytestmark = pytest.mark.cluster

SETUP = """
set -e
for n in a b; do ip netns add jepa-$n; done
ip link add jepa-va type veth peer name jepa-vb
for n in a b; do ip link set jepa-v$n netns jepa-$n; done
ip netns exec jepa-a ip addr add 10.97.0.1/24 dev jepa-va
ip netns exec jepa-b ip addr add 10.97.0.2/24 dev jepa-vb
for n in a b; do ip netns exec jepa-$n ip link set jepa-v$n up; ip netns exec jepa-$n ip link set lo up; done
"""
RANK = """
import os
from datetime import timedelta
from jepa_steps.cli import run
from jepa_steps.engine import distributed
distributed.MEETING = distributed.TIMEOUT = timedelta(seconds=40)
def main():
    with distributed.world() as w:
        print("smallest", w.smallest(w.rank + 5), os.environ.get("GLOO_SOCKET_IFNAME"), flush=True)
run(main)
"""


def _namespaces() -> str:
    """Why there can be none, or nothing."""
    if os.geteuid() or not (shutil.which("ip") and shutil.which("unshare")):
        return "needs root, ip and unshare"
    done = subprocess.run(["bash", "-c", SETUP], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"no network namespaces here: {done.stderr.strip()}"


@pytest.fixture
def machines():
    _remove()
    reason = _namespaces()
    if reason:
        _remove()
        pytest.skip(reason)
    yield {"a": "10.97.0.1", "b": "10.97.0.2"}
    _remove()


def _remove() -> None:
    for name in ("a", "b"):
        subprocess.run(["ip", "netns", "del", f"jepa-{name}"], capture_output=True)


def _start(folder: Path, machine: str, rank: int, hosts: str, **environment: str) -> subprocess.Popen:
    (folder / f"hosts-{machine}").write_text(f"127.0.0.1 localhost\n{hosts}\n")
    (folder / "rank.py").write_text(RANK)
    setup = f"hostname node{machine} && mount --bind hosts-{machine} /etc/hosts && exec $PYTHON rank.py"
    env = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    env |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_PORT": "29511"}
    return subprocess.Popen(
        ["ip", "netns", "exec", f"jepa-{machine}", "unshare", "-u", "-m", "bash", "-c", setup],
        cwd=folder,
        env={**env, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _answers(folder: Path, master: str, names: dict[str, str], **environment: str) -> list[str]:
    ranks = [
        _start(folder, machine, rank, names[machine], MASTER_ADDR=master, **environment)
        for rank, machine in enumerate("ab")
    ]
    return [process.communicate(timeout=150)[0] for process in ranks]


@pytest.mark.parametrize("master", ["10.97.0.1", "nodea"], ids=["by address", "by name"])
def test_machines_that_are_called_127_0_1_1_meet(machines, tmp_path, master):
    """By name the meeting point is 127.0.1.1 on its own machine, and its address on the other."""
    names = {"a": "127.0.1.1 nodea\n10.97.0.2 nodeb", "b": "127.0.1.1 nodeb\n10.97.0.1 nodea"}
    a, b = _answers(tmp_path, master, names)
    assert "smallest 5 jepa-va" in a and "smallest 5 jepa-vb" in b, a + b


def test_what_the_user_says_of_the_interface_stays(machines, tmp_path):
    names = {"a": "10.97.0.1 nodea\n10.97.0.2 nodeb", "b": "10.97.0.2 nodeb\n10.97.0.1 nodea"}
    env = {"GLOO_SOCKET_IFNAME": "no-such-interface"}
    a, b = _answers(tmp_path, "10.97.0.1", names, **env)
    assert "smallest" not in a + b and "no-such-interface" in a + b
