"""What a server's strict mode refuses, for the server of the tests."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_jsonable_python
from qdrant_client.http import models

__all__ = ["RefusedError", "Strict"]


class RefusedError(Exception):
    """What a server answers with another status than 200.

    Attributes:
        status: Of HTTP.
        retry_after: What its header of that name says; without one if None.
    """

    def __init__(self, status: int, message: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class Strict:
    """The strict mode of one collection.

    Attributes:
        limits: Its settings; none are set where it is not enabled.
        indexes: The payload fields that have an index.
    """

    limits: models.StrictModeConfig = field(default_factory=models.StrictModeConfig)
    indexes: Collection[str] = ()

    def limit(self, key: str, value: float | None) -> None:
        most = getattr(self.limits, key)
        if most is not None and value is not None and value > most:
            raise RefusedError(400, f"Bad request: {value} exceeds the limit of {key}={most}")

    def exact(self, wanted: bool | None, what: str) -> None:
        if wanted and self.limits.search_allow_exact is False:
            raise RefusedError(400, f"Bad request: Exact {what} disabled!")

    def filter(self, condition: models.Filter | None) -> None:
        """An index may be asked for on every field that points are chosen by, and brevity."""
        data = to_jsonable_python(condition)
        for key in ("has_id", "any", "except"):
            for values in _under(data, key):
                if isinstance(values, list):
                    self.limit("condition_max_size", len(values))
        if self.limits.unindexed_filtering_retrieve is not False:
            return
        for key in _under(data, "key"):
            if isinstance(key, str) and key not in self.indexes:
                raise RefusedError(400, f'Bad request: Index required but not found for "{key}"')

    def search(self, search: models.QueryRequest | models.Prefetch) -> None:
        """One search and its prefetches."""
        self.limit("max_query_limit", search.limit)
        self.filter(search.filter)
        if search.params is not None:
            self.limit("search_max_hnsw_ef", search.params.hnsw_ef)
            self.exact(search.params.exact, "search")
            if search.params.quantization is not None:
                self.limit("search_max_oversampling", search.params.quantization.oversampling)
        inner = search.prefetch or []
        for prefetch in inner if isinstance(inner, list) else [inner]:
            self.search(prefetch)


def _under(data: Any, key: str) -> Iterator[Any]:
    """What stands under a key, anywhere."""
    if isinstance(data, list):
        for part in data:
            yield from _under(part, key)
    elif isinstance(data, dict):
        if key in data:
            yield data[key]
        yield from _under(list(data.values()), key)
