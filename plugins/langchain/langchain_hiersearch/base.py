"""What the retrievers share: how many documents and levels, and taking turns."""

from __future__ import annotations

from abc import abstractmethod
from threading import Lock

from hiersearch.errors import UsageError
from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.config import run_in_executor
from pydantic import Field, PrivateAttr

__all__ = ["HierarchicalRetriever"]


class HierarchicalRetriever(BaseRetriever):
    """A retriever whose documents say how general they are.

    Every document's metadata has `level` (1 is the most general; 0 where no level fits), `concept`
    (what that level is called), `angle` (the exterior angle in radians: small where the query is a
    kind of it) and `score` (what documents are compared by, greater is better).

    Queries of one retriever take turns, so `batch` and the async calls, which run in LangChain's
    threads, are safe. `invoke` and `ainvoke` take a `k` of their own.

    Attributes:
        k: The most documents, at least 1.
        levels: The most levels that the documents are spread over, at least 1.
    """

    k: int = Field(default=4, ge=1)
    levels: int = Field(default=4, ge=1)

    # Stores and models open on first use, which two threads must not do at once.
    _turn: Lock = PrivateAttr(default_factory=Lock)

    @abstractmethod
    def _documents(self, query: str, k: int) -> list[Document]:
        """At most k documents, most relevant first."""

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain looks for it
        k: int | None = None,
    ) -> list[Document]:
        wanted = self.k if k is None else k
        if wanted < 1:
            raise UsageError(f"k is {wanted}, not at least 1")
        with self._turn:
            return self._documents(query, wanted)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await run_in_executor(
            None, self._get_relevant_documents, query, run_manager=run_manager.get_sync(), k=k
        )
