"""Spends the processor's cores on purpose.

torch shares out every single operation among its threads, which wait for each other after each.
With small operations, or when another program takes one of the cores, that can be many times
slower than one thread. Here whole parts of a batch are shared out instead.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["spread", "torch_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let this thread's torch operations use so many threads, and what was set before afterwards.

    Args:
        count: At least 1.
    """
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
    threads: int,
) -> list[Result]:
    """Compute parts side by side.

    Args:
        compute: What to do with a part; must be safe to run in several threads.
        parts: At least one.
        workers: How many parts are computed at once, at least 1.
        threads: How many threads each may use inside torch's operations, at least 1.

    Returns:
        The results in the order of the parts; the first error is raised.
    """
    # What a pool's thread sets for itself also becomes the default of threads that start later:
    # leaving torch_threads puts that right.
    with (
        torch_threads(torch.get_num_threads()),
        ThreadPoolExecutor(
            workers, "hiersearch", initializer=torch.set_num_threads, initargs=(threads,)
        ) as pool,
    ):
        return list(pool.map(compute, parts))
