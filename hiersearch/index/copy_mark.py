"""The note that lies at a place while an index is being copied there: it is no index until then."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass

from hiersearch.errors import StoreError
from hiersearch.index.records import Records

__all__ = ["CopyMark", "forget_mark", "read_mark", "refuse_half_copy", "write_mark"]

_DOCUMENT = "hiersearch-copy.json"


@dataclass(frozen=True)
class CopyMark:
    """Which copy is under way.

    Attributes:
        source: Where the copied index lies.
        model_id: What its model is.
        vocabulary_id: What its vocabulary is.
    """

    source: str
    model_id: str
    vocabulary_id: str


def read_mark(records: Records) -> tuple[CopyMark, bool] | None:
    """The copy that is under way, and whether what lay there before it is out of its way.

    Raises:
        StoreError: The note is damaged.
    """
    content = records.read(_DOCUMENT)
    if content is None:
        return None
    try:
        stored = json.loads(content.decode())
        return (
            CopyMark(
                source=str(stored["source"]),
                model_id=str(stored["model_id"]),
                vocabulary_id=str(stored["vocabulary_id"]),
            ),
            bool(stored["cleared"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{records.where(_DOCUMENT)} is damaged ({error!r})",
            hint=f"{records.how_to_remove} and copy the index again",
        ) from error


def write_mark(records: Records, mark: CopyMark, *, cleared: bool) -> None:
    """Notes that a copy is under way.

    Args:
        records: Where it goes.
        mark: Which copy it is.
        cleared: Whether the points there are of this copy or of an earlier state of it; False
            while the collections of something else may still be there.
    """
    records.write(_DOCUMENT, json.dumps({**asdict(mark), "cleared": cleared}, indent=1).encode())


def forget_mark(records: Records) -> None:
    """Notes that no copy is under way any more."""
    records.delete([_DOCUMENT])


def refuse_half_copy(records: Records) -> None:
    """Sees that no copy is under way.

    Raises:
        StoreError: One is.
    """
    found = read_mark(records)
    if found is not None:
        mark, _ = found
        raise StoreError(
            f"a copy to {records.place} is under way, or was cut off",
            hint=f"Finish it with 'hiersearch copy {shlex.join([mark.source, records.place])}'",
        )
