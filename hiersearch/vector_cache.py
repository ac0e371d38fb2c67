"""Vectors that were computed once, kept on disk: of texts and photos, by model.

One SQLite file; several processes may use it at once. What it holds can always be made again, so
a damaged file is replaced.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hiersearch.errors import HiersearchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

__all__ = ["VectorCache"]

PART = 1024
"""Vectors that are computed before they are kept: what a kill may cost."""

ASKED_AT_ONCE = 500
WAIT_SECONDS = 60.0


class VectorCache:
    """Vectors by key, for one model.

    Args:
        path: The file, made when the first vector is kept; None keeps nothing.
        model_id: What the vectors are of; others' are not seen.
    """

    def __init__(self, path: Path | None, model_id: str) -> None:
        self._path = path
        self._model_id = model_id

    def vectors(
        self, keys: Sequence[str], compute: Callable[[Sequence[str]], Floats], *, kind: str = "text"
    ) -> Floats:
        """The vector of each key, computed where it is not kept.

        Args:
            keys: Texts, or whatever else stands for what a vector is of; repeats cost nothing.
            compute: From distinct keys, at least one, to (n, dim) float32 rows.
            kind: Keeps keys of one kind apart from equal ones of another.

        Returns:
            (len(keys), dim) float32; (0, 0) for no keys.

        Raises:
            HiersearchError: If the file cannot be written.
        """
        distinct = list(dict.fromkeys(keys))
        if not distinct:
            return np.empty((0, 0), dtype=np.float32)
        if self._path is None:
            found = compute(distinct)
        else:
            try:
                found = self._kept_or_computed(self._path, distinct, compute, kind)
            except (sqlite3.Error, OSError) as error:
                raise HiersearchError(
                    f"vectors cannot be kept in {self._path}: {error}",
                    hint="Make room there, or set HIERSEARCH_CACHE to another folder",
                ) from error
        row_of = {key: row for row, key in enumerate(distinct)}
        return found[[row_of[key] for key in keys]]

    def _kept_or_computed(
        self,
        path: Path,
        distinct: list[str],
        compute: Callable[[Sequence[str]], Floats],
        kind: str,
    ) -> Floats:
        digests = [self._digest(kind, key) for key in distinct]
        with closing(_opened(path)) as store:
            kept = _kept(store, digests)
            missing = [at for at, digest in enumerate(digests) if digest not in kept]
            for start in range(0, len(missing), PART):
                part = missing[start : start + PART]
                computed = np.asarray(compute([distinct[at] for at in part]), dtype="<f4")
                rows = {digests[at]: row.tobytes() for at, row in zip(part, computed, strict=True)}
                with store:
                    store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows.items())
                kept |= rows
        return np.frombuffer(b"".join(kept[digest] for digest in digests), dtype="<f4").reshape(
            len(digests), -1
        )

    def _digest(self, kind: str, key: str) -> bytes:
        content = f"{self._model_id}\0{kind}\0{key}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=16).digest()


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, read-only, no room: not damaged
            raise
        path.unlink()
        return _connected(path)


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


def _kept(store: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for start in range(0, len(digests), ASKED_AT_ONCE):
        part = digests[start : start + ASKED_AT_ONCE]
        marks = ",".join("?" * len(part))
        found.update(store.execute(f"SELECT * FROM vectors WHERE key IN ({marks})", part))
    return found
