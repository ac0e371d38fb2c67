"""Computes vectors from a folder of graphs with ONNX Runtime; needs no torch."""

from __future__ import annotations

import os
from functools import cached_property
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.encoder.graphs.graph_folder import PHOTO_GRAPH, TEXT_GRAPH, GraphNotes
from hiersearch.encoder.preparation import prepared
from hiersearch.encoder.words import read_words
from hiersearch.errors import MissingPackageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from hiersearch.encoder.words import ReadWord

__all__ = ["GraphRuntime"]

FEW_TEXTS = 8
"""Up to this many, a graph that is loaded quickly is sooner done than one that computes quickly."""


class GraphRuntime:
    """The towers of a folder of graphs; each is loaded when it is first needed.

    Every part of a batch is computed in one thread; several parts may be, side by side.

    Args:
        folder: The folder.
        notes: What it says of itself.

    Raises:
        MissingPackageError: What computes graphs is not installed.
    """

    def __init__(self, folder: Path, notes: GraphNotes) -> None:
        for package in ("onnxruntime", "tokenizers"):
            if find_spec(package) is None:
                raise MissingPackageError(package, extra="mini", purpose=f"the model in {folder}")
        self._folder = folder
        self._notes = notes
        self._loading = Lock()
        self._sessions: dict[tuple[str, bool], Any] = {}
        self._texts = 0
        self.has_photos = notes.photo is not None
        self.photo_batch = notes.photo_batch

    @property
    def photo_size(self) -> int:
        """Pixels of a photo's shortest edge that the model uses; only for models of photos."""
        assert self._notes.photo is not None
        return self._notes.photo.edge

    @cached_property
    def budget(self) -> int:
        """How many parts are computed at once: a processor each, or $OMP_NUM_THREADS."""
        wanted = os.environ.get("OMP_NUM_THREADS", "")
        if wanted.isdecimal() and int(wanted):
            return int(wanted)
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    def read_words(self, text: str) -> tuple[ReadWord, ...]:
        """The words of a text, and how well the model knows each."""
        tells = type(self._tokenizer.model).__name__ == "WordPiece"
        return read_words(self._tokenizer if tells else None, text)

    def threads(self, _: int, /) -> None:
        """None: torch has no part in it."""
        return

    def embed_texts(self, texts: Sequence[str]) -> NDArray[Any]:
        """(n, dim) vectors of texts, as the graph gives them."""
        how = self._notes.text
        read = self._tokenizer.encode_batch([how.prompt + text for text in texts])
        longest = how.padded_to or max(len(one.ids) for one in read)
        tokens = np.full((len(read), longest), how.pad, dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, one in enumerate(read):
            tokens[row, : len(one.ids)] = one.ids
            mask[row, : len(one.ids)] = 1
        with self._loading:
            self._texts += len(texts)
            quickly = self._texts <= FEW_TEXTS
        known = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": mask * 0}
        inputs = {name: known[name] for name in how.inputs}
        return self._computed(TEXT_GRAPH, inputs, quickly=quickly)

    def embed_photos(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """(n, dim) vectors of upright RGB images, as the graph gives them."""
        how = self._notes.photo
        assert how is not None
        pixels = prepared(images, how).transpose(0, 3, 1, 2)
        return self._computed(PHOTO_GRAPH, {"pixel_values": np.ascontiguousarray(pixels)})

    def _computed(
        self, graph: str, inputs: dict[str, NDArray[Any]], *, quickly: bool = False
    ) -> NDArray[Any]:
        with self._loading:
            quickly = quickly and (graph, False) not in self._sessions
            if (graph, quickly) not in self._sessions:
                self._sessions.pop((graph, True), None)
                self._sessions[graph, quickly] = _loaded(self._folder / graph, quickly=quickly)
            session = self._sessions[graph, quickly]
        try:
            (vectors,) = session.run(None, inputs)
        except Exception as error:  # the library raises classes of its own
            raise _unreadable(self._folder / graph, error) from error
        found: NDArray[Any] = vectors
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        path = self._folder / self._notes.text.tokenizer
        try:
            tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise _unreadable(path, error) from error
        tokenizer.enable_truncation(self._notes.text.length)
        tokenizer.no_padding()
        return tokenizer


def _loaded(path: Path, *, quickly: bool) -> Any:
    """A graph, ready to compute: an `onnxruntime.InferenceSession`.

    Args:
        path: The graph; its weights are mapped from the file beside it.
        quickly: Whether to load it in a fifth of the time, and compute at a tenth of the speed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone; they are raised as well
    if quickly:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises classes of its own, for any damage
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ModelError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return ModelError(
        f"{path} cannot be used: {reason[0]}",
        hint="Export the model again with 'hiersearch export'; or install hiersearch again",
    )
