"""Being asked to stop: a flag, read by the loop after each step."""

import signal
from typing import Any

STOPPED = 75  # exit code (EX_TEMPFAIL): a checkpoint was written, run again to go on


def stop_on_signal() -> dict[str, int]:
    """SIGTERM and SIGUSR1 set the flag ``signal`` of the returned dict to their number."""
    state = {"signal": 0}

    def note(number: int, _frame: Any) -> None:
        state["signal"] = number

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, note)
    return state
