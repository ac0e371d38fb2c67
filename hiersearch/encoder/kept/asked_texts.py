"""Texts that were asked before: their vectors, and what the model makes of their words.

One small SQLite file a model; several processes may use it at once. It holds no text that anybody
asked, but hashes of them, and the latest only. Everything in it can be computed again, so a damaged
file is replaced.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import numpy as np

from hiersearch.config import cache_dir
from hiersearch.encoder.kept.vector_cache import is_damage
from hiersearch.encoder.words import Knowledge, ReadWord
from hiersearch.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiersearch.encoder.encoder import HierarchicalEncoder

__all__ = ["AskedTexts"]

KEPT = 2000
"""Answers that are kept, the latest: two for each text, some 2 KB together."""

WAIT_SECONDS = 5.0
"""For another process that is writing; computing takes no longer than that."""

_VERSION = 1
"""Of what is kept: what was kept by another is not seen."""

logger = logging.getLogger(__name__)


class AskedTexts:
    """Reads single texts, and remembers what was read.

    Args:
        path: The file, made when something is first kept; None keeps nothing.
        model_id: The model that reads; what others read is not seen.
        encoder: Called only for a text that is not remembered.
    """

    def __init__(
        self, path: Path | None, model_id: str, encoder: Callable[[], HierarchicalEncoder]
    ) -> None:
        self._path = path
        self._model_id = model_id
        self._encoder = encoder

    @classmethod
    def of_model(
        cls,
        model_id: str,
        encoder: Callable[[], HierarchicalEncoder],
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """Of a model, in the user's cache folder."""
        folder = cache_dir(environ) / "asked"
        return cls(folder / f"{quote(model_id, safe='')}.sqlite", model_id, encoder)

    def vector(self, text: str) -> Floats:
        """(dim,) float32, of length 1: as `HierarchicalEncoder.encode_texts` gives it."""
        key = self._key("vector", text)
        kept = _vector(self._kept(key))
        if kept is None:
            kept = self._encoder().encode_texts([text])[0]
            self._keep(key, kept.astype("<f4").tobytes())
        return kept

    def words(self, text: str) -> tuple[ReadWord, ...]:
        """As `HierarchicalEncoder.read_words` gives them."""
        key = self._key("words", text)
        kept = _words(self._kept(key), text)
        if kept is None:
            kept = self._encoder().read_words(text)
            # The words themselves stand in the text.
            spans = [(word.start, word.end, word.knowledge.value) for word in kept]
            if _words(json.dumps(spans).encode(), text) == kept:
                self._keep(key, json.dumps(spans).encode())
        return kept

    def _key(self, kind: str, text: str) -> bytes:
        content = f"{_VERSION}\0{self._model_id}\0{kind}\0{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=16).digest()

    def _kept(self, key: bytes) -> object:
        """What is kept under a key; None if nothing is, or if it cannot be read."""
        if self._path is None:
            return None
        try:
            if not self._path.exists():
                return None
            with closing(_connected(self._path)) as store:
                row = store.execute("SELECT value FROM asked WHERE key = ?", [key]).fetchone()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return None
        return None if row is None else row[0]

    def _keep(self, key: bytes, value: bytes) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(_connected(self._path)) as store, store:
                # What is replaced counts as the latest, too.
                store.execute(
                    "INSERT OR REPLACE INTO asked (key, value) VALUES (?, ?)", [key, value]
                )
                store.execute(
                    "DELETE FROM asked WHERE number <= (SELECT max(number) FROM asked) - ?", [KEPT]
                )
        except (sqlite3.Error, OSError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Goes on without the file, for which nobody has to wait or to worry."""
        assert self._path is not None
        if isinstance(error, sqlite3.Error) and is_damage(error):
            logger.warning("%s is damaged (%s); it is made again", self._path, error)
            self._path.unlink(missing_ok=True)
            return
        logger.info("queries cannot be kept in %s (%s)", self._path, error)
        self._path = None


def _connected(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=WAIT_SECONDS)
    try:
        store.execute(
            "CREATE TABLE IF NOT EXISTS asked "
            "(number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, value BLOB)"
        )
    except sqlite3.Error:
        store.close()
        raise
    return store


def _vector(value: object) -> Floats | None:
    """A kept vector; None if it is none."""
    if not isinstance(value, bytes) or not value or len(value) % 4:
        return None
    vector: Floats = np.frombuffer(value, dtype="<f4").astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector if abs(length - 1.0) < 1e-3 else None


def _words(value: object, text: str) -> tuple[ReadWord, ...] | None:
    """Kept words of a text; None if they are none."""
    if not isinstance(value, bytes):
        return None
    try:
        spans: Sequence[tuple[int, int, str]] = json.loads(value)
        return tuple(
            ReadWord(text[start:end], start, end, Knowledge(known)) for start, end, known in spans
        )
    except (ValueError, TypeError):
        return None
