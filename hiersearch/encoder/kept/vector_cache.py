"""Vectors of texts and photos that were computed before, kept on disk for each model.

One SQLite file a model; several processes may use it at once. Everything in it can be computed
again, so a damaged file is replaced.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self, TypeAlias
from urllib.parse import quote

import numpy as np

from hiersearch.errors import HiersearchError
from hiersearch.types import Floats

__all__ = ["VectorCache", "is_damage"]

PART = 1024
"""Vectors that are computed before they are stored: a killed process loses no more than these."""

KEYS_PER_QUERY = 500
WAIT_SECONDS = 60.0

_VERSION = 2
"""Of what is kept: what was kept by another is not seen."""

_CHECKSUM_BYTES = 4

Compute: TypeAlias = Callable[[Sequence[str]], Floats]

logger = logging.getLogger(__name__)


class VectorCache:
    """Vectors by key, for one model.

    Args:
        path: The file, made when vectors are first asked for; None keeps nothing.
        model_id: The model that computes the vectors; those of other models are not seen.
        must_keep: Whether it is an error if the file cannot be used. If not, a warning is logged
            and the vectors are computed.

    Attributes:
        model_id: The model.
    """

    def __init__(self, path: Path | None, model_id: str, *, must_keep: bool = True) -> None:
        self._path = path
        self.model_id = model_id
        self._must_keep = must_keep

    @classmethod
    def of_model(cls, model_id: str, folder: Path | None, *, must_keep: bool = True) -> Self:
        """The cache of a model in the user's cache folder.

        Args:
            model_id: The model.
            folder: As `hiersearch.config.cache_dir` gives it; None keeps nothing.
            must_keep: Whether it is an error if the folder cannot be used.
        """
        path = None if folder is None else folder / "vectors" / f"{quote(model_id, safe='')}.sqlite"
        return cls(path, model_id, must_keep=must_keep)

    def vectors(self, keys: Sequence[str], compute: Compute, *, kind: str = "text") -> Floats:
        """The vector of each key, computed where it is not stored.

        Args:
            keys: Texts, or whatever else identifies what is encoded; repeats cost nothing.
            compute: Turns distinct keys, at least one, into (n, dim) float32 rows. Called with at
                most 1,024 at a time.
            kind: Keeps equal keys of different kinds apart.

        Returns:
            (len(keys), dim) float32; (0, 0) for no keys.

        Raises:
            HiersearchError: The file cannot be used, and `must_keep` was given.
        """
        distinct = list(dict.fromkeys(keys))
        if not distinct:
            return np.empty((0, 0), dtype=np.float32)
        digests = [self._digest(kind, key) for key in distinct]
        rows = self._stored(digests)
        missing = [at for at, digest in enumerate(digests) if digest not in rows]
        for start in range(0, len(missing), PART):
            part = missing[start : start + PART]
            computed = np.asarray(compute([distinct[at] for at in part]), dtype="<f4")
            fresh = {digests[at]: row.tobytes() for at, row in zip(part, computed, strict=True)}
            self._store(fresh)
            rows |= fresh
        row_of = dict(zip(distinct, digests, strict=True))
        content = b"".join(rows[row_of[key]] for key in keys)
        return np.frombuffer(content, dtype="<f4").reshape(len(keys), -1).astype(np.float32)

    def _digest(self, kind: str, key: str) -> bytes:
        content = f"{_VERSION}\0{self.model_id}\0{kind}\0{key}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=16).digest()

    def _stored(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is stored of some keys; nothing where any of it is damaged."""
        if self._path is None:
            return {}
        try:
            # Before anything is computed: where vectors cannot be kept, that is found out now.
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                rows = _read(self._path, digests)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if not is_damage(error):
                    raise
                self._remove(error)
                return {}
            whole = {key: row for key, value in rows.items() if (row := _unpacked(value))}
            if len(whole) < len(rows) or len({len(row) for row in whole.values()}) > 1:
                self._remove("a vector is not as it was stored")
                return {}
            return whole
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return {}

    def _remove(self, reason: object) -> None:
        """Removes a damaged file, which is made again."""
        assert self._path is not None
        logger.warning("%s is damaged (%s); it is made again", self._path, reason)
        for end in ("", "-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def _store(self, rows: dict[bytes, bytes]) -> None:
        if self._path is None:
            return
        kept = [(key, _packed(row)) for key, row in rows.items()]
        try:
            try:
                _write(self._path, kept)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._remove(error)
                _write(self._path, kept)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if self._must_keep:
            raise HiersearchError(
                f"vectors cannot be kept in {self._path}: {error}",
                hint="Make room there, or set HIERSEARCH_CACHE to another folder",
            ) from error
        logger.warning(
            "vectors cannot be kept in %s (%s); they are computed again next time",
            self._path,
            error,
        )
        self._path = None  # one warning is enough


_NO_DAMAGE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}


def is_damage(error: Exception) -> bool:
    """Whether an error of SQLite is the file's, not that of its disk, its folder or other users."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return (code & 0xFF) not in _NO_DAMAGE  # the low byte is the kind


def _connected(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=WAIT_SECONDS)
    try:
        store.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"
        )
    except sqlite3.Error:
        store.close()
        raise
    return store


def _write(path: Path, rows: Sequence[tuple[bytes, bytes]]) -> None:
    with closing(_connected(path)) as store, store:
        store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


def _read(path: Path, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    with closing(_connected(path)) as store:
        for start in range(0, len(digests), KEYS_PER_QUERY):
            part = digests[start : start + KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            found.update(store.execute(f"SELECT * FROM vectors WHERE key IN ({marks})", part))
    return found


def _packed(row: bytes) -> bytes:
    """A vector behind its checksum: what a disk has changed is not taken for a vector."""
    return zlib.crc32(row).to_bytes(_CHECKSUM_BYTES, "little") + row


def _unpacked(value: object) -> bytes | None:
    """The vector that was packed; None if it is not as it was."""
    if not isinstance(value, bytes) or len(value) <= _CHECKSUM_BYTES:
        return None
    row = value[_CHECKSUM_BYTES:]
    return row if _packed(row) == value and len(row) % 4 == 0 else None
