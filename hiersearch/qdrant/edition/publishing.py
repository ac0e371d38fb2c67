"""Publishes collections of the embedded engine: writes what is stored as the next edition.

From the first change after that until the next time, a mark beside an edition says that it is of an
earlier state. What was changed is known by id, so that only that is asked of the engine, and the
rest taken from the edition before. After a kill everything is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.errors import StoreError
from hiersearch.files import whole_file
from hiersearch.qdrant.edge.failures import check_room
from hiersearch.qdrant.edge.shards import edition_path
from hiersearch.qdrant.edition.edition_file import (
    Contents,
    EditionFile,
    Ids,
    Places,
    id_of,
    ids_of,
    write_edition,
)
from hiersearch.qdrant.points import Record
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.qdrant.edge.client import EdgeClient

__all__ = ["Editions", "open_edition"]

_PAGE = 1000
_POINT_BYTES = 1024
"""About what a point takes in an edition beside its vector."""


def open_edition(folder: Path, name: str) -> EditionFile | None:
    """The edition of a collection; None if there is none.

    Raises:
        StoreError: It is damaged.
    """
    try:
        return EditionFile(edition_path(folder, name))
    except FileNotFoundError:
        return None


class Editions:
    """Publishes the collections in a folder.

    Args:
        client: The client that has them open.
    """

    def __init__(self, client: EdgeClient) -> None:
        self._shards = client.shards
        self._plain = client.plain

    def are_due(self, name: str, documents: Mapping[str, bytes]) -> bool:
        """Whether a collection has no edition, or one of other points or documents."""
        if self._shards.is_changed(name):
            return True
        try:
            present = open_edition(self._shards.path, name)
        except StoreError:
            return True
        return present is None or present.documents() != dict(documents)

    def withdraw(self, name: str) -> None:
        """Removes the edition of a collection that is gone.

        Raises:
            StoreError: It cannot be removed.
        """
        path = edition_path(self._shards.path, name)
        try:
            path.unlink(missing_ok=True)
            self._shards.forget_changes(name)
        except OSError as error:
            raise StoreError(
                f"cannot remove {path}: {error.strerror or error}",
                hint="Check the folder's permissions",
            ) from error

    def publish(self, name: str, *, fields: Sequence[str], documents: Mapping[str, bytes]) -> None:
        """Writes what a collection holds as its next edition. Nobody may change it meanwhile.

        Args:
            name: The collection; its points have one vector, and UUIDs.
            fields: Payload fields with lists of keywords, whose values are indexed.
            documents: What readers must find as it is now.

        Raises:
            StoreError: A point has no vector, or a number for an id; the disk is full, or the
                edition cannot be written. The one before stays as it was.
        """
        folder = self._shards.path
        contents = Contents(self._plain.layout(name), fields, documents)
        before = self._before(name, contents)
        try:
            kept = _Kept.of(before, None if before is None else self._shards.changes(name))
            changed = list(self._changed(name, kept))
            ids = np.sort(np.concatenate([kept.ids, *changed]))
        except ValueError:
            raise StoreError(
                f"the collection {name!r} in {folder} has points with numbers for ids",
                hint="Only the process that has the store open can read it",
            ) from None
        values = _Values(fields, kept, ids)
        ((vector_name, vector),) = contents.layout.vectors.items()
        check_room(folder, needed=len(ids) * (4 * vector.size + _POINT_BYTES))
        try:
            with whole_file(edition_path(folder, name)) as file:
                pages = self._pages(name, (vector_name, vector.size), ids, kept, values)
                write_edition(file, ids, pages, contents, values.of)
        except OSError as error:
            raise StoreError(
                f"cannot write {edition_path(folder, name)}: {error.strerror or error}",
                hint="Check the folder's permissions and the free space",
            ) from error
        self._shards.forget_changes(name)

    def _before(self, name: str, contents: Contents) -> EditionFile | None:
        """The edition before, if the next one can take points from it."""
        if self._shards.changes(name) is None:
            return None
        try:
            before = open_edition(self._shards.path, name)
        except StoreError:  # it is replaced by one that is whole
            return None
        usable = before is not None and before.layout.vectors == contents.layout.vectors
        return before if usable and before and before.fields == list(contents.fields) else None

    def _changed(self, name: str, kept: _Kept) -> Iterator[Ids]:
        """The ids of the points that the edition before does not have as they are now."""
        if kept.edition is None:
            following: Any = None
            while True:
                points, following = self._plain.scroll(
                    name, None, _PAGE, following, with_payload=False
                )
                yield ids_of(str(point.id) for point in points)
                if following is None:
                    return
        for start in range(0, len(kept.changed), _PAGE):
            part = kept.changed[start : start + _PAGE]
            points = self._plain.retrieve(name, part, with_payload=False)
            yield ids_of(str(point.id) for point in points)

    def _pages(
        self, name: str, vector: tuple[str, int], ids: Ids, kept: _Kept, values: _Values
    ) -> Iterator[tuple[Floats, list[bytes]]]:
        """Vectors, (k, dim), and payloads as JSON; `vector` is its name and length."""
        vector_name, size = vector
        for start in range(0, len(ids), _PAGE):
            part = ids[start : start + _PAGE]
            rows = kept.rows(part)
            fetched = self._fetched(name, vector_name, [id_of(one) for one in part[rows < 0]])
            vectors = np.empty((len(part), size), dtype=np.float32)
            is_kept = rows >= 0
            if kept.edition is not None:
                vectors[is_kept] = kept.edition.vectors[rows[is_kept]]
            payloads: list[bytes] = []
            new = iter(fetched)
            for place, row in enumerate(rows.tolist()):
                if row >= 0:
                    payloads.append(kept.text(row))
                    continue
                record = next(new)
                vectors[place] = record.vector
                payloads.append(json.dumps(record.payload, ensure_ascii=False).encode())
                values.add(start + place, record.payload)
            yield vectors, payloads

    def _fetched(self, name: str, vector_name: str, ids: Sequence[str]) -> list[Any]:
        """Points with all that they hold, in the order of their ids."""
        points = (
            self._plain.retrieve(name, ids, with_payload=True, with_vectors=True) if ids else ()
        )
        found = {one.id: one for one in (Record.of(point, vector_name) for point in points)}
        lacking = [one for one in ids if one not in found or found[one].vector is None]
        if lacking:
            raise StoreError(f"the point {lacking[0]} of the collection {name!r} has no vector")
        return [found[one] for one in ids]


class _Kept:
    """What the edition before has as it is now.

    Args:
        edition: It; None if nothing is taken from it.
        changed: The ids of what is not.
    """

    def __init__(self, edition: EditionFile | None, changed: Sequence[str]) -> None:
        self.edition = edition
        self.changed = changed
        self._gone = np.sort(ids_of(changed))

    @classmethod
    def of(cls, edition: EditionFile | None, changed: set[str] | None) -> _Kept:
        """Nothing where it is not known what was changed."""
        return (
            cls(None, ()) if edition is None or changed is None else cls(edition, sorted(changed))
        )

    @property
    def ids(self) -> Ids:
        """The ids of the points, sorted."""
        if self.edition is None:
            return ids_of(())
        kept: Ids = self.edition.ids[~np.isin(self.edition.ids, self._gone)]
        return kept

    def rows(self, ids: Ids) -> Places:
        """The rows of points in it; -1 for others."""
        if self.edition is None:
            return np.full(len(ids), -1, dtype=np.int64)
        rows: Places = np.where(np.isin(ids, self._gone), -1, self.edition.find(ids))
        return rows

    def text(self, row: int) -> bytes:
        """A point's payload as JSON."""
        assert self.edition is not None
        return self.edition.text(row)


class _Values:
    """The rows that hold each value of some fields: those that were kept, and what is added."""

    def __init__(self, fields: Sequence[str], kept: _Kept, ids: Ids) -> None:
        self._new: dict[str, dict[str, list[int]]] = {key: {} for key in fields}
        self._kept = kept
        self._ids = ids

    def add(self, row: int, payload: Mapping[str, Any]) -> None:
        """Notes what the payload of a row holds."""
        for key, rows in self._new.items():
            for value in dict.fromkeys(payload.get(key) or ()):
                rows.setdefault(value, []).append(row)

    def of(self, key: str) -> dict[str, Places]:
        """The rows, ascending, by the value of a field; once all pages were read."""
        found = {value: np.array(rows, dtype=np.int64) for value, rows in self._new[key].items()}
        edition = self._kept.edition
        if edition is not None:
            moved = np.full(len(edition), -1, dtype=np.int64)
            rows = self._kept.rows(self._ids)
            moved[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
            for value, held in edition.values(key).items():
                there = moved[held]
                both = np.concatenate([there[there >= 0], found.get(value, moved[:0])])
                if len(both):
                    found[value] = np.sort(both)
        return dict(sorted(found.items()))
