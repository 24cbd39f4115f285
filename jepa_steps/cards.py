"""The GPUs of this machine, each held by one training at a time.

A lock file per card, in the folder for temporary files; the kernel lets go of it when its process ends,
however it ends.
"""

import fcntl
import os
import tempfile
import time
from pathlib import Path

BETWEEN = 2.0  # seconds between looks at cards that others hold


def visible() -> list[str]:
    """Numbers or names of the GPUs that a process here may use."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is not None:
        return [name.strip() for name in seen.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def take(cards: list[str], count: int, wait: bool) -> list[str]:
    """``count`` of the cards, held until this process, or what it becomes, ends; where too few are free,
    it waits, or else takes none."""
    said = False
    while True:
        held = {card: lock for card in cards if (lock := _held(card)) is not None}
        chosen = list(held)[:count]
        for card, lock in held.items():
            if len(chosen) < count or card not in chosen:
                os.close(lock)
        if len(chosen) == count:
            return chosen
        if not wait:
            return []
        if not said:
            free = f"{len(held)} of {len(cards)} GPUs are free"
            print(f"launch: {free}, {count} requested; waiting for other trainings", flush=True)
            said = True
        time.sleep(BETWEEN)


def _held(card: str) -> int | None:
    """The open lock of a card, which survives exec; None where another process has it."""
    folder = Path(tempfile.gettempdir()) / "jepa-steps-gpus"
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)  # other people's trainings hold cards of this machine, too
    lock = os.open(folder / card.replace("/", "_"), os.O_CREAT | os.O_RDONLY, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    os.set_inheritable(lock, True)
    return lock
