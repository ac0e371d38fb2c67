"""Vectors that were computed once, kept on disk: of texts and photos, by model.

One SQLite file; several processes may use it at once. What it holds can always be made again, so
a damaged file is replaced.

The vectors of a vocabulary, kept on disk for each model.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.errors import HiersearchError
from hiersearch.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hiersearch.concepts.vocabulary import Vocabulary


__all__ = [
    "VectorCache",
    "embed_vocabulary",
]

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


logger = logging.getLogger(__name__)


def embed_vocabulary(
    vocabulary: Vocabulary,
    encode_texts: Callable[[Sequence[str]], Floats],
    *,
    model_id: str,
    cache: Path | None,
) -> Floats:
    """Embed the names of all concepts, or read their vectors from the cache.

    Args:
        vocabulary: The concepts.
        encode_texts: Maps n texts to n unit rows.
        model_id: What the model is; vectors are kept per model and vocabulary.
        cache: The folder they are kept in, made where it is missing; None to keep nothing. A
            damaged file in it is written again; a folder that cannot be written is passed over
            with a warning in the log.

    Returns:
        (n, dim) float32, row i for concept i.
    """
    file = _cache_file(cache, vocabulary, model_id) if cache is not None else None
    if file is not None:
        kept = _read(file, rows=len(vocabulary))
        if kept is not None:
            return kept
    vectors = np.ascontiguousarray(encode_texts(vocabulary.names), dtype=np.float32)
    if file is not None:
        _write(file, vectors)
    return vectors


def _cache_file(cache: Path, vocabulary: Vocabulary, model_id: str) -> Path:
    model = hashlib.sha256(model_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return cache / f"concepts-{vocabulary.id}-{model}.npy"


def _read(file: Path, *, rows: int) -> Floats | None:
    try:
        vectors = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        logger.warning("%s is damaged (%s); embedding the vocabulary again", file, error)
        return None
    if (
        not isinstance(vectors, np.ndarray)
        or vectors.dtype != np.float32
        or vectors.ndim != 2
        or vectors.shape[0] != rows
        or not np.isfinite(vectors).all()
    ):
        logger.warning("%s does not fit its vocabulary; embedding it again", file)
        return None
    return vectors


def _write(file: Path, vectors: Floats) -> None:
    """Write beside the file and rename: another process sees all of it or nothing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
    except OSError as error:
        logger.warning("%s cannot be written (%s); it is embedded again next time", file, error)
        return
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).replace(file)
    except OSError as error:
        logger.warning("%s cannot be written (%s); it is embedded again next time", file, error)
    finally:
        Path(beside).unlink(missing_ok=True)
