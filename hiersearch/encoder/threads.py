"""Shares whole parts of a batch among threads, instead of single operations.

torch splits every operation among its threads, which wait for each other after each one. With small
operations, or when another program uses one of the cores, that can be many times slower than one
thread.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = ["spread", "spread_ahead", "torch_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Lets this thread's torch operations use a number of threads, and restores it afterwards.

    Args:
        count: At least 1.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def spread(
    compute: Callable[[Sequence[Item]], Result],
    parts: Sequence[Sequence[Item]],
    *,
    workers: int,
    threads: int | None,
) -> list[Result]:
    """Computes parts side by side.

    Args:
        compute: Computes a part; must be safe to run in several threads.
        parts: At least one.
        workers: How many parts are computed at once, at least 1.
        threads: How many threads each may use inside torch's operations, at least 1; None if torch
            has no part in them.

    Returns:
        The results in the order of the parts; the first error is raised.
    """
    return next(spread_ahead(compute, [parts], workers=workers, threads=threads))


def spread_ahead(
    compute: Callable[[Sequence[Item]], Result],
    batches: Iterable[Sequence[Sequence[Item]]],
    *,
    workers: int,
    threads: int | None,
) -> Generator[list[Result]]:
    """Computes batches of parts, each while the caller uses the results of the one before.

    The parts of two batches share one queue, so that no worker waits for another's last part.
    Closing the iterator drops the parts that have not started.

    Args:
        compute: Computes a part; must be safe to run in several threads.
        batches: The parts of each batch; read one batch ahead, in the caller's thread.
        workers: How many parts are computed at once, at least 1.
        threads: How many threads each may use inside torch's operations, at least 1; None if torch
            has no part in them.

    Yields:
        The results of each batch, in the order of its parts; the first error is raised.
    """
    if threads is None:
        pool = ThreadPoolExecutor(workers, "hiersearch")
        kept: AbstractContextManager[None] = nullcontext()
    else:
        import torch

        pool = ThreadPoolExecutor(
            workers, "hiersearch", initializer=torch.set_num_threads, initargs=(threads,)
        )
        # What a pool's thread sets for itself also becomes the default of threads that start
        # later; leaving torch_threads undoes that.
        kept = torch_threads(torch.get_num_threads())
    before: list[Future[Result]] | None = None
    with kept:
        try:
            for parts in batches:
                ahead = [pool.submit(compute, part) for part in parts]
                if before is not None:
                    yield [part.result() for part in before]
                before = ahead
            if before is not None:
                yield [part.result() for part in before]
        finally:
            pool.shutdown(cancel_futures=True)
