"""LangChain's own tests of retrievers, on both."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests

from langchain_hiersearch import CollectionRetriever, PhotoRetriever


class TestPhotoRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _source(self, index) -> None:
        self._params = {"index": index}

    @property
    def retriever_constructor(self) -> type[PhotoRetriever]:
        return PhotoRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return self._params

    @property
    def retriever_query_example(self) -> str:
        return "a cat"


class TestCollectionRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True, params=["path", "descendants", "ancestors"])
    def _source(self, request, collection, encoder) -> None:
        self._params = {"collection": collection, "encoder": encoder, "search": request.param}

    @property
    def retriever_constructor(self) -> type[CollectionRetriever]:
        return CollectionRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return self._params

    @property
    def retriever_query_example(self) -> str:
        return "a parrot"
