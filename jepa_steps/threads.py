"""How OpenMP's threads wait for each other, which libgomp reads once, when torch loads it.

By default they spin, long enough to keep a core from the thread they wait for where another process is
busy. A short spin is nearly twice as fast there and a quarter slower alone
(benchmarks/busy_neighbour.py), so it is set only where others run and no core is left for them.
"""

import os
import time
from pathlib import Path

SHORT = "1000"  # turns of libgomp's loop; its own number is 300,000
_LOOKS, _BETWEEN = 3, 0.003  # seconds; what runs at every look is busy, not passing by


def wait_briefly_beside_others() -> None:
    """Set a short spin where other processes are busy; what a user says of waiting stays."""
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return
    if _others_running() + _cores() > (os.cpu_count() or 1):
        os.environ["GOMP_SPINCOUNT"] = SHORT


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _others_running() -> int:
    """Processes and threads beside this one that run or wait for a core, at least."""
    source, counts = Path("/proc/loadavg"), []
    if not source.exists():  # not Linux; libgomp is not used there either
        return 0
    for look in range(_LOOKS):
        time.sleep(_BETWEEN * (look > 0))
        # Fourth field: running/all, this process among them.
        counts.append(int(source.read_text().split()[3].partition("/")[0]) - 1)
    return min(counts)
