"""The vectors of a vocabulary, kept on disk for each model."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hiersearch.concepts.vocabulary import Vocabulary

__all__ = ["embed_vocabulary"]

Floats = NDArray[np.float32]

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
