"""Move an index to another model: read its photos again, then replace it.

The new index is made in the user's cache folder while the old one goes on answering, and is then
copied over it. A move that is cut off goes on when it is run again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from hiersearch.concepts import Vocabulary
from hiersearch.config import IndexPlace, cache_dir, index_place
from hiersearch.errors import IndexNotFoundError, MissingPhotosError
from hiersearch.index.copying import copy_index
from hiersearch.index.photo_index import PhotoIndex
from hiersearch.photos import text_to_path
from hiersearch.progress import Progress, tell_nobody

__all__ = ["MoveSummary", "is_moving", "move_index"]

READ = "read"
"""The file that says that all photos are in the new index, which only has to be copied."""


@dataclass(frozen=True)
class MoveSummary:
    """What a move did.

    Attributes:
        photos: The number of different photos that the index holds now.
        dropped: Files that were indexed and are no longer there.
        skipped: Files that could not be read, and why.
        notes: Files that were kept, and what is to be known of them.
    """

    photos: int
    dropped: tuple[str, ...]
    skipped: tuple[tuple[Path, str], ...]
    notes: tuple[tuple[Path, str], ...] = ()


def is_moving(
    place: str | IndexPlace, model: str, *, environ: Mapping[str, str] = os.environ
) -> bool:
    """Whether a move to a model was cut off while it replaced the index."""
    return (_workplace(index_place(place, environ), model, environ) / READ).exists()


def move_index(
    place: str | IndexPlace,
    model: str,
    *,
    prune: bool = False,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> MoveSummary:
    """Moves an index to another model: its photo files are read again.

    Args:
        place: The index's folder, or a server and the index's name there.
        model: A short name, a Hugging Face name, or a folder.
        prune: Drop the photos whose files are no longer there, instead of refusing.
        on_progress: Told about work that takes time.
        environ: The environment, for the user's settings and folders.

    Raises:
        IndexNotFoundError: There is no index there.
        MissingPhotosError: Some of its files are no longer there; nothing was changed.
        ModelNotFoundError: The model is not on this machine.
        StoreError: A store failed. Run it again to go on.
    """
    target = index_place(place, environ)
    work = _workplace(target, model, environ)
    dropped: tuple[str, ...] = ()
    skipped: tuple[tuple[Path, str], ...] = ()
    notes: tuple[tuple[Path, str], ...] = ()
    if not (work / READ).exists():
        with PhotoIndex.open(target, environ=environ) as old:
            vocabulary, known = old.vocabulary, old.files()
        there = {text: path for text in known if (path := text_to_path(text)).is_file()}
        dropped = tuple(text for text in known if text not in there)
        if dropped and not prune:
            raise MissingPhotosError(
                f"{len(dropped)} photos of the index at {target} are not there to be read again, "
                f"{dropped[0]} the first",
                hint="Connect the disk that they are on, or drop them with --prune",
            )
        if _is_of_other(work / "index", there, vocabulary, environ):
            shutil.rmtree(work)  # what an earlier move left, before the index changed
        with PhotoIndex.create(
            work / "index", model=model, concepts=vocabulary, exist_ok=True, environ=environ
        ) as new:
            if there:
                summary = new.add(*there.values(), on_progress=on_progress)
                skipped = tuple((skip.path, skip.reason) for skip in summary.skipped)
                notes = tuple((one.path, one.note) for one in summary.notes)
        (work / READ).touch()
    copied = copy_index(
        work / "index", target, overwrite=True, on_progress=on_progress, environ=environ
    )
    shutil.rmtree(work)
    return MoveSummary(copied.copied + copied.unchanged, dropped, skipped, notes)


def _is_of_other(
    place: Path, files: Collection[str], vocabulary: Vocabulary, environ: Mapping[str, str]
) -> bool:
    """Whether an unfinished index holds other files than these, or another vocabulary."""
    try:
        with PhotoIndex.open(place, environ=environ) as there:
            return there.vocabulary != vocabulary or not set(there.files()) <= set(files)
    except IndexNotFoundError:
        return False


def _workplace(place: IndexPlace, model: str, environ: Mapping[str, str]) -> Path:
    """Where the new index is made; another one for each place and model."""
    where = str(place.resolve() if isinstance(place, Path) else place)
    name = hashlib.sha256(f"{where}\0{model}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return cache_dir(environ) / "moving" / name
