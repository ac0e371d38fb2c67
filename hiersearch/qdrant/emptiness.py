"""Whether an answer of nothing, or none at all, means what it seems to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from qdrant_client import models

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, VectorError
from hiersearch.qdrant.connect import client_errors
from hiersearch.qdrant.limits import filterable
from hiersearch.qdrant.points import ROOT_DISTANCE
from hiersearch.qdrant.schema import CollectionSchema

__all__ = ["LABEL", "EmptyAnswers"]

Answer = TypeVar("Answer")

LABEL = "concepts"
"""The payload field that a vocabulary gives to points, with the concepts that they lie under."""


class EmptyAnswers(CollectionSchema):
    """The part of a `HierarchicalCollection` that tells "nothing matches" from "not attached".

    Asked only where an answer is empty, and no more once a point with a root distance was seen.
    """

    def _explained(
        self, ask: Callable[[], list[Answer]], explain: Callable[[], None]
    ) -> list[Answer]:
        """What is found. Where that is nothing, or a refusal, `explain` raises what it knows."""
        try:
            with client_errors(self.client):
                found = ask()
        except (CollectionError, VectorError, StoreUnreachableError):
            raise
        except StoreError:
            explain()
            raise
        if not found:
            explain()
        return found

    def _check_labelled(self, key: str) -> None:
        """Make sure that no counts of concepts means that no concept is counted."""
        if key != LABEL:
            return
        known = self._attachment()
        if known is None:
            self._check_placed()
        elif ROOT_DISTANCE in known.fields and key not in known.fields:
            raise CollectionError(
                f"the points of the collection {self.name!r} have no concepts",
                hint="Attach it with a vocabulary",
            )

    def _check_placed(self) -> None:
        """Make sure that an empty answer means that nothing matches.

        Raises:
            CollectionError: There are points, and none has a root distance.
        """
        if self._placed:
            return
        with client_errors(self.client):
            info = self.client.get_collection(self.name)
            having = models.IsEmptyCondition(is_empty=models.PayloadField(key=ROOT_DISTANCE))
            # Without the index that attaching begins with, no point can be chosen by that field.
            self._placed = filterable(info, ROOT_DISTANCE) and self._any(
                models.Filter(must_not=[having])
            )
            if not self._placed and self._any(None):
                raise CollectionError(
                    f"no point of the collection {self.name!r} has a root distance",
                    hint="Attach it first, or repair it where that was done",
                )

    def _any(self, condition: models.Filter | None) -> bool:
        points, _ = self.client.scroll(
            self.name, scroll_filter=condition, limit=1, with_payload=False
        )
        return bool(points)
