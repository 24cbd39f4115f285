"""Work shared by several processes, its results in order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Any


def in_order(work: Callable[..., Any], tasks: Iterator[tuple], workers: int) -> Iterator[Any]:
    """``work(*task)`` of every task, in the order of the tasks.

    At most two tasks a worker are in flight, so memory stays bounded. With one worker there is no other
    process.
    """
    if workers == 1:
        yield from (work(*task) for task in tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(work, *task) for task in islice(tasks, 2 * workers)]
        try:
            while pending:
                yield pending.pop(0).result()
                pending += [pool.submit(work, *task) for task in islice(tasks, 1)]
        finally:
            pool.shutdown(cancel_futures=True)
