"""The file of an edition: vectors, ids, payloads and an index of keywords, read in place.

After a head of fixed length come vectors (float32) and ids (16 bytes each), a row for each point by
id; payloads as JSON, one after another; where each of them ends; for some fields the rows that hold
each value; whole documents; and a table of contents, which the head points to. Numbers are
little-endian.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from hiersearch.errors import StoreError
from hiersearch.qdrant.layout import Layout, VectorLayout
from hiersearch.types import Floats

__all__ = [
    "Contents",
    "EditionFile",
    "Ids",
    "Places",
    "id_of",
    "ids_of",
    "write_edition",
]

Ids = NDArray[np.bytes_]
"""Ids of points as their 16 bytes, which sort as a store sorts them."""

Places = NDArray[np.int64]
"""Rows of points."""

_MAGIC = b"hiersearch edition 1\n"
_HEAD = struct.Struct("<24sQQI20x")
_ID = "S16"


@dataclass(frozen=True)
class Contents:
    """What an edition holds besides its points.

    Attributes:
        layout: How the collection is kept.
        fields: Payload fields with lists of keywords, whose values are indexed.
        documents: Whole documents by name, as they were when it was published.
    """

    layout: Layout
    fields: Sequence[str] = ()
    documents: Mapping[str, bytes] = field(default_factory=dict)


def ids_of(numbers: Iterable[str]) -> Ids:
    """UUIDs as their bytes.

    Raises:
        ValueError: One is no UUID.
    """
    return np.array([UUID(number).bytes for number in numbers], dtype=_ID)


def id_of(row: bytes) -> str:
    """The UUID of 16 bytes, of which NumPy drops zeros at the end."""
    return str(UUID(bytes=bytes(row).ljust(16, b"\0")))


class EditionFile:
    """An edition, mapped into memory.

    It stays as it is while another one takes its place.

    Args:
        path: The file.

    Attributes:
        layout: How the collection was kept.
        ids: (n,), sorted.
        vectors: (n, dim).
        made: When it was published, in seconds since 1970.

    Raises:
        FileNotFoundError: There is none.
        StoreError: It is damaged, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                size, self.made = status.st_size, status.st_mtime
                if size < _HEAD.size:
                    raise self._damaged("it is cut short")
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(
                f"cannot read {path}: {error.strerror or error}", hint="Check its permissions"
            ) from error
        self._table = self._contents(size)
        vectors = {name: VectorLayout(**one) for name, one in self._table["vectors"].items()}
        self.layout = Layout(vectors, self._table["indexes"], self._table["metadata"])
        count, dimension = self._table["count"], self._table["dimension"]
        self.vectors: Floats = self._array("rows", np.float32).reshape(count, dimension)
        self.ids: Ids = self._array("ids", np.dtype(_ID))
        self._ends: NDArray[np.uint64] = self._array("ends", np.dtype("<u8"))

    def close(self) -> None:
        """Lets go of the file; nothing can be read from it any more."""
        self.vectors, self.ids = np.empty((0, 0), np.float32), ids_of(())
        self._ends = np.empty(0, np.uint64)
        self._bytes.close()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fields(self) -> list[str]:
        """The payload fields whose values are indexed."""
        return list(self._table["values"])

    def text(self, row: int) -> bytes:
        """The payload of a point as JSON."""
        start = int(self._ends[row - 1]) if row else 0
        begin = int(self._table["sections"]["payloads"][0])
        return self._bytes[begin + start : begin + int(self._ends[row])]

    def payload(self, row: int) -> dict[str, Any]:
        """The payload of a point.

        Raises:
            StoreError: The file is damaged there.
        """
        try:
            payload = json.loads(self.text(row))
        except ValueError as error:
            raise self._damaged(f"a payload is no JSON: {error}") from error
        if not isinstance(payload, dict):
            raise self._damaged("a payload is no object")
        return payload

    def values(self, key: str) -> dict[str, Places]:
        """The rows, ascending, that hold each value of an indexed field."""
        values: Sequence[str] = self._table["values"][key]
        rows: NDArray[np.uint32] = self._array(f"rows of {key}", np.dtype("<u4"))
        ends: NDArray[np.uint64] = self._array(f"ends of {key}", np.dtype("<u8"))
        starts = [0, *ends.tolist()]
        return {
            value: rows[start:end].astype(np.int64)
            for value, start, end in zip(values, starts, starts[1:], strict=False)
        }

    def document(self, name: str) -> bytes | None:
        """A document, as it was when the edition was published; None if there was none."""
        place = self._table["documents"].get(name)
        return None if place is None else self._bytes[place[0] : place[0] + place[1]]

    def documents(self) -> dict[str, bytes]:
        """All documents by name."""
        return {name: self.document(name) or b"" for name in self._table["documents"]}

    def find(self, ids: Ids) -> Places:
        """The rows of some ids; -1 for those that are not there."""
        if not len(self.ids):
            return np.full(len(ids), -1, dtype=np.int64)
        rows = np.searchsorted(self.ids, ids)
        there = self.ids[np.minimum(rows, len(self.ids) - 1)] == ids
        return np.where(there, rows, -1).astype(np.int64)

    def _contents(self, size: int) -> dict[str, Any]:
        magic, start, length, checksum = _HEAD.unpack_from(self._bytes)
        if magic.rstrip(b"\0") != _MAGIC:
            raise StoreError(
                f"{self.path} is of another version of hiersearch, or something else",
                hint="Run 'hiersearch index FOLDER' again, or use the version that made it",
            )
        text = self._bytes[start : start + length]
        if start + length != size or zlib.crc32(text) != checksum:
            raise self._damaged("it is not as it was written")
        table: dict[str, Any] = json.loads(text)
        return table

    def _array(self, name: str, kind: Any) -> Any:
        start, length = self._table["sections"][name]
        kind = np.dtype(kind)
        return np.frombuffer(self._bytes, kind, length // kind.itemsize, start)

    def _damaged(self, reason: str) -> StoreError:
        return StoreError(
            f"{self.path} is damaged ({reason})",
            hint="Delete that file: the index does not depend on it, and 'hiersearch index FOLDER' "
            "makes it again",
        )


def write_edition(
    file: BinaryIO,
    ids: Ids,
    pages: Iterable[tuple[Floats, Sequence[bytes]]],
    contents: Contents,
    values_of: Callable[[str], Mapping[str, Places]],
) -> None:
    """Writes an edition.

    Args:
        file: Empty, and to be read nowhere before this is done.
        ids: (n,), sorted, without repetition.
        pages: Vectors, (k, dim), and payloads as JSON, of the points in that order.
        contents: What else it holds.
        values_of: Returns the rows that hold each value of an indexed field. Called after the
            pages, so that they can be found on the way.

    Raises:
        OSError: It cannot be written.
    """
    dimension = next(iter(contents.layout.vectors.values())).size
    sections: dict[str, tuple[int, int]] = {}
    start = _HEAD.size
    sections["rows"] = (start, 4 * len(ids) * dimension)
    start += sections["rows"][1]
    sections["ids"] = (start, 16 * len(ids))
    file.seek(start)
    file.write(ids.astype(_ID).tobytes())
    begin = start = file.tell()
    row, ends = _HEAD.size, np.zeros(len(ids), dtype="<u8")
    done = 0
    for vectors, payloads in pages:
        file.seek(row)
        file.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
        row = file.tell()
        file.seek(start)
        for text in payloads:
            file.write(text)
            start += len(text)
            ends[done] = start - begin
            done += 1
    sections["payloads"] = (begin, start - begin)
    file.seek(start)
    sections["ends"] = _section(file, ends.tobytes())
    documents = {
        name: _section(file, content) for name, content in sorted(contents.documents.items())
    }
    values = {key: values_of(key) for key in contents.fields}
    for key, by_value in values.items():
        held = list(by_value.values())
        lengths = np.array([len(rows) for rows in held], dtype="<u8")
        joined = np.concatenate([*held, np.empty(0, dtype=np.int64)])
        sections[f"rows of {key}"] = _section(file, joined.astype("<u4").tobytes())
        sections[f"ends of {key}"] = _section(file, np.cumsum(lengths, dtype="<u8").tobytes())
    layout = contents.layout
    table = {
        "count": len(ids),
        "dimension": dimension,
        "vectors": {name: asdict(one) for name, one in layout.vectors.items()},
        "indexes": dict(layout.indexes),
        "metadata": dict(layout.metadata),
        "sections": sections,
        "documents": documents,
        "values": {key: list(by_value) for key, by_value in values.items()},
    }
    text = json.dumps(table).encode()
    start, length = _section(file, text)
    file.seek(0)
    file.write(_HEAD.pack(_MAGIC, start, length, zlib.crc32(text)))


_ALIGNED = 64


def _section(file: BinaryIO, content: bytes) -> tuple[int, int]:
    """Appends a section at an aligned place; where it begins, and its length."""
    start = file.seek(0, os.SEEK_END)
    file.write(b"\0" * (-start % _ALIGNED))
    start = file.tell()
    file.write(content)
    return start, len(content)
