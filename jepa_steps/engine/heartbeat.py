"""A rank that vanished ends the others, even where its machine no longer answers.

A process that dies closes its connections, and Gloo's next collective fails at once. A machine that
loses power closes nothing: the others would wait for the timeout of the process group, which must be
longer than the longest step. So every rank counts up in the store of the rendezvous; rank 0 watches
the counts, the others whether the store answers.
"""

import os
import socket
import sys
import threading
import time
from datetime import timedelta

import torch.distributed as dist

BEAT = 5.0  # seconds between signs of life
SILENT = 35.0  # seconds without one after which a rank counts as dead
GRACE = 10.0  # seconds in which a rank whose store has gone may end by itself


class Heartbeat:
    """Signs of life of this rank, from its creation to ``end``.

    Args:
        store: of the rendezvous; a connection of its own is opened.
        rank: this rank.
        size: number of ranks.
    """

    def __init__(self, store: dist.Store, rank: int, size: int):
        self._rank, self._size, self._over = rank, size, threading.Event()
        self._store = dist.PrefixStore("heartbeat", store.clone())
        self._store.set_timeout(timedelta(seconds=SILENT))
        self._store.set(f"host {rank}", socket.gethostname())
        self._deadline = time.monotonic() + SILENT
        self._seen = dict.fromkeys(range(1, size), (0, self._deadline))
        for work in (self._beat, self._guard):  # two, since a call to a dead machine may not return
            threading.Thread(target=work, daemon=True).start()

    def _beat(self) -> None:
        watch = self._watch if self._rank == 0 else self._show
        while not self._over.wait(BEAT):
            try:
                watch()
            except RuntimeError:  # the store has gone, and rank 0 with it
                self._deadline = time.monotonic() + GRACE
                return
            self._deadline = time.monotonic() + SILENT

    def _show(self) -> None:
        self._store.add(f"beats {self._rank}", 1)

    def _watch(self) -> None:
        for rank, (count, deadline) in self._seen.items():
            now, beats = time.monotonic(), self._store.add(f"beats {rank}", 0)
            if beats != count:
                self._seen[rank] = (beats, now + SILENT)
            elif now > deadline:
                host = self._store.get(f"host {rank}").decode()
                _die(f"rank {rank} of {self._size} on {host} has been silent for {SILENT:.0f} s")

    def _guard(self) -> None:
        while not self._over.wait(1):
            if time.monotonic() > self._deadline:
                _die(f"rank {self._rank}: rank 0 does not answer")

    def end(self) -> None:
        """Stop, all ranks together, before the store goes with rank 0."""
        dist.barrier()
        self._over.set()


def _die(reason: str) -> None:
    print(f"error: {reason}; this process ends, run again to go on", file=sys.stderr, flush=True)
    os._exit(1)
