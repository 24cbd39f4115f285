"""Being asked to stop: a flag, read by the loop after each step, and what follows.

Slurm sends SIGTERM before it ends a preempted, cancelled or overdue job. It queues the first of these
again by itself, unless the job ends on its own before; a job that queued itself again could not be
cancelled. So SIGTERM is waited out. SIGUSR2 comes ahead of the time limit (``--signal=USR2@180``),
where nothing but the job itself queues it again.
"""

import os
import signal
import subprocess
import sys
import time
from typing import Any, NoReturn

STOPPED = 75  # exit code (EX_TEMPFAIL): a checkpoint was written, run again to go on
NUMBERS = (signal.SIGTERM, signal.SIGUSR2)
WAIT = 120.0  # seconds until a job that Slurm said it would end ends by itself


def hold() -> None:
    """Let SIGTERM and SIGUSR2 wait until ``stop_on_signal``: by themselves they would end the process.

    What never calls that, the building of a floor, goes on to its end.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)


def stop_on_signal() -> dict[str, int]:
    """SIGTERM and SIGUSR2, waiting ones too, set ``signal`` of the returned dict to their number."""
    state = {"signal": 0}

    def note(number: int, _frame: Any) -> None:
        state["signal"] = number

    for number in NUMBERS:
        signal.signal(number, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, NUMBERS)
    return state


def in_slurm() -> bool:
    """Whether this process is a task of a Slurm job."""
    return "SLURM_JOB_ID" in os.environ and "SLURM_PROCID" in os.environ


def leave(number: int, step: int, requeue: bool, main: bool) -> NoReturn:
    """End after signal ``number``, a checkpoint of ``step`` being written; every rank must call it.

    Args:
        requeue: whether a job near its time limit may be queued again.
        main: whether this rank speaks, and queues.
    """
    if main:
        said = (
            f"stopped by a signal; saved a checkpoint of step {step}, from which the next start resumes"
        )
        print(said, file=sys.stderr, flush=True)
    if in_slurm() and (number != signal.SIGUSR2 or not main or (requeue and _requeue())):
        time.sleep(WAIT)
    sys.exit(STOPPED)


def _requeue() -> bool:
    command = ["scontrol", "requeue", os.environ["SLURM_JOB_ID"]]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        print(f"{' '.join(command)}: {reason}", file=sys.stderr, flush=True)
        return False
    return True
