"""The collection for programs with an event loop: the same methods, awaited.

There is only one implementation. Each method of `HierarchicalCollection` runs in a thread, over a
client whose calls the `AsyncQdrantClient` carries out on the event loop of the caller.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast

from numpy.typing import ArrayLike

from hiersearch.qdrant.clients.client_calls import Client
from hiersearch.qdrant.collection import HierarchicalCollection

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

__all__ = ["AsyncHierarchicalCollection"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

THREADS = 16
"""Calls that one collection runs at a time. It has threads of its own, not the event loop's shared
ones: the client itself needs one of those to look up a host."""

CHUNK = 256
"""Points that an iterator fetches at a time."""


def _twin(
    method: Callable[Concatenate[HierarchicalCollection, Arguments], Result],
) -> Callable[Concatenate[AsyncHierarchicalCollection, Arguments], Coroutine[Any, Any, Result]]:
    """The method, awaited."""

    @functools.wraps(method)
    async def awaited(
        self: AsyncHierarchicalCollection, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        return await self._run(functools.partial(method, self._collection, *args, **kwargs))

    return awaited


def _iterated(
    method: Callable[Concatenate[HierarchicalCollection, Arguments], Iterator[Result]],
) -> Callable[Concatenate[AsyncHierarchicalCollection, Arguments], AsyncIterator[Result]]:
    """The method, iterated over with `async for`."""

    @functools.wraps(method)
    async def iterated(
        self: AsyncHierarchicalCollection, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> AsyncIterator[Result]:
        items = method(self._collection, *args, **kwargs)
        while chunk := await self._run(lambda: list(itertools.islice(items, CHUNK))):
            for item in chunk:
                yield item

    return iterated


class AsyncHierarchicalCollection:
    """A `HierarchicalCollection` over an `AsyncQdrantClient`.

    Methods, arguments, answers and errors are those of `HierarchicalCollection`. A cancelled call
    sends nothing more; what it wrote stays. Functions that you pass in run in another thread.

    Args:
        client: For a server, or `":memory:"`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector that root distances are measured from.
        vector_name: Which of a point's vectors to use; "" is the unnamed one.
        hnsw_ef: Width of searches in a graph; None: the store's default.

    Raises:
        VectorError: The root is not a unit vector.
    """

    def __init__(
        self,
        client: AsyncQdrantClient,
        name: str,
        *,
        root: ArrayLike,
        vector_name: str = "hiersearch",
        hnsw_ef: int | None = None,
    ) -> None:
        self.client = client
        self._bridge = _Bridge(client)
        self._collection = HierarchicalCollection(
            cast(Client, self._bridge),
            name,
            root=root,
            vector_name=vector_name,
            hnsw_ef=hnsw_ef,
        )
        self.name = name
        self.root = self._collection.root
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hiersearch")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client!r}, {self.name!r})"

    exists = _twin(HierarchicalCollection.exists)
    create = _twin(HierarchicalCollection.create)
    drop = _twin(HierarchicalCollection.drop)
    optimize = _twin(HierarchicalCollection.optimize)

    upsert = _twin(HierarchicalCollection.upsert)
    put = _twin(HierarchicalCollection.put)
    set_payload = _twin(HierarchicalCollection.set_payload)
    delete = _twin(HierarchicalCollection.delete)

    retrieve = _twin(HierarchicalCollection.retrieve)
    scroll = _iterated(HierarchicalCollection.scroll)
    scroll_ids = _iterated(HierarchicalCollection.scroll_ids)
    count = _twin(HierarchicalCollection.count)
    count_without_distance = _twin(HierarchicalCollection.count_without_distance)
    facets = _twin(HierarchicalCollection.facets)
    similarities_to_root = _twin(HierarchicalCollection.similarities_to_root)

    nearest = _twin(HierarchicalCollection.nearest)
    radial_path = _twin(HierarchicalCollection.radial_path)
    descendants_of = _twin(HierarchicalCollection.descendants_of)
    ancestors_of = _twin(HierarchicalCollection.ancestors_of)

    attach = _twin(HierarchicalCollection.attach)
    repair = _twin(HierarchicalCollection.repair)
    detach = _twin(HierarchicalCollection.detach)

    @classmethod
    async def attached(
        cls, client: AsyncQdrantClient, name: str, *, hnsw_ef: int | None = None
    ) -> Self:
        """A collection that was attached before, with the root and vector recorded then.

        Arguments and errors are those of `HierarchicalCollection.attached`.
        """
        bridge = _Bridge(client)
        find = functools.partial(
            HierarchicalCollection.attached, cast(Client, bridge), name, hnsw_ef=hnsw_ef
        )
        threads = ThreadPoolExecutor(1)
        try:
            known = await bridge.run(threads, find)
        finally:
            threads.shutdown(wait=False)
        return cls(client, name, root=known.root, vector_name=known.vector_name, hnsw_ef=hnsw_ef)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await self._bridge.run(self._threads, work)


class _Bridge:
    """Makes an async client look synchronous to the threads that do a caller's work."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client
        self._thread = threading.local()

    async def run(self, threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        """Do work in a thread, and the client's calls in it on the event loop that runs this."""
        loop = asyncio.get_running_loop()
        caller = _Caller(loop)

        def carried() -> Result:
            self._thread.caller = caller
            return work()

        try:
            return await loop.run_in_executor(threads, carried)
        except asyncio.CancelledError:
            caller.cancel()
            raise

    def __repr__(self) -> str:
        return repr(self._client)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            caller: _Caller = self._thread.caller
            return caller.call(functools.partial(attribute, *args, **kwargs))

        return call


class _Caller:
    """The event loop that waits for some work, until it is cancelled."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._future: Future[Any] | None = None
        self._gone = False

    def call(self, start: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Have the event loop carry out a call of the client, and wait for the result."""
        with self._lock:
            if self._gone:
                raise CancelledError
            future = self._future = asyncio.run_coroutine_threadsafe(start(), self._loop)
        return future.result()

    def cancel(self) -> None:
        """End the current call, and let no other start."""
        with self._lock:
            self._gone = True
            if self._future is not None:
                self._future.cancel()
