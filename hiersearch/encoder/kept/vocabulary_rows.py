"""The vectors of a whole vocabulary by a model, kept in one file that is mapped into memory.

`VectorCache` has them too, text by text, which takes much longer to put together. The file can be
made again, so a damaged one is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Self
from urllib.parse import quote

import numpy as np

from hiersearch.config import cache_dir
from hiersearch.encoder.known import known_vectors
from hiersearch.errors import ModelError
from hiersearch.files import whole_file
from hiersearch.types import Floats

__all__ = ["KeptRows", "shipped_rows"]

logger = logging.getLogger(__name__)


class KeptRows:
    """Unit rows that are kept in a file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, model_id: str, vocabulary_id: str, environ: Mapping[str, str] = os.environ) -> Self:
        """Those of a vocabulary by a model, in the user's cache folder."""
        name = f"{quote(model_id, safe='')}-{quote(vocabulary_id, safe='')}.npy"
        return cls(cache_dir(environ) / "vocabularies" / name)

    def rows(self, shape: tuple[int, int], compute: Callable[[], Floats]) -> Floats:
        """The rows, computed where they are not kept.

        Args:
            shape: Theirs.
            compute: Returns them: (n, dim), float32, each of length 1.

        Returns:
            (n, dim) float32, not to be changed.
        """
        kept = self._mapped(shape)
        if kept is not None:
            return kept
        rows = compute()
        if rows.shape != shape:
            return rows  # whoever uses them says what is wrong
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as file:
                np.save(file, rows.astype("<f4"), allow_pickle=False)
        except OSError as error:
            logger.info("vectors cannot be kept in %s (%s)", self._path, error)
        return rows

    def _mapped(self, shape: tuple[int, int]) -> Floats | None:
        try:
            # Not `np.load`, which would take the file for whatever it begins like.
            rows = np.lib.format.open_memmap(self._path, mode="r")
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("%s cannot be read (%s); it is done without", self._path, error)
            return None
        except (ValueError, EOFError, SyntaxError, TokenError) as error:
            logger.warning("%s is damaged (%s); it is made again", self._path, error)
            return None
        if rows.dtype != np.dtype("<f4") or rows.shape != shape:
            logger.warning("%s holds other vectors; it is made again", self._path)
            return None
        # All of them, a few at a time: NaN fails, too.
        squares = np.einsum("nd,nd->n", rows, rows)
        if not (np.abs(squares - 1) < 1e-3).all():
            logger.warning("%s holds damaged vectors; it is made again", self._path)
            return None
        kept: Floats = rows
        return kept


def shipped_rows(model_id: str, vocabulary_id: str) -> Floats | None:
    """The vectors of a vocabulary that come with hiersearch; None where there are none.

    Args:
        model_id: The model.
        vocabulary_id: The vocabulary.

    Returns:
        (n, dim) float32 unit rows.

    Raises:
        ModelError: The file is damaged.
    """
    path = known_vectors(model_id, vocabulary_id)
    if path is None:
        return None
    try:
        rows: Floats = np.load(path, allow_pickle=False).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{path} is damaged: {error}", hint="Install hiersearch again") from error
    return rows
