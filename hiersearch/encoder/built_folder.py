"""Models that are built once, into folders of the cache."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hiersearch.encoder.sidecar import SIDECAR_NAME, Sidecar, fingerprint, read_sidecar
from hiersearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

__all__ = ["built_folder", "sidecar_of"]

STALE_SECONDS = 3600.0
"""Age after which an unfinished build is taken for one that was killed."""


def built_folder(
    folder: Path, *, model_id: str, temperature: float | None, build: Callable[[Path], None]
) -> Path:
    """A model's folder, built if it is not there yet.

    Several processes may call this at once: each builds in a folder of its own, and the first to
    finish wins. What a killed build left behind is removed by a later one.

    Args:
        folder: Where the model lies.
        model_id: What its sidecar must say that it is; otherwise it is built again.
        temperature: The same.
        build: Makes the model in a folder that does not exist yet, with the sidecar of
            `sidecar_of` as its last file.

    Returns:
        The folder.

    Raises:
        ModelError: The cache folder cannot be written to.
    """
    if _is_whole(folder, model_id, temperature):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder.parent)
        with tempfile.TemporaryDirectory(
            prefix=".unfinished-", dir=folder.parent, ignore_cleanup_errors=True
        ) as scratch:
            built = Path(scratch) / folder.name
            build(built)
            if folder.exists() and not _is_whole(folder, model_id, temperature):
                folder.rename(Path(scratch) / "replaced")
            try:
                built.rename(folder)
            except OSError:
                # Another process was faster.
                if not _is_whole(folder, model_id, temperature):
                    raise
    except OSError as error:
        raise ModelError(
            f"the offline model cannot be written to {folder.parent}: {error.strerror or error}",
            hint="Make room there, or set HIERSEARCH_CACHE to a folder with 300 MB free",
        ) from error
    return folder


def sidecar_of(
    folder: Path, state: Mapping[str, torch.Tensor], *, model_id: str, temperature: float | None
) -> Sidecar:
    """The sidecar of a folder that was just built, with the sizes of its files."""
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Sidecar(temperature=temperature, id=model_id, weights=fingerprint(state), files=files)


def _is_whole(folder: Path, model_id: str, temperature: float | None) -> bool:
    """Whether the folder holds every file that was built; cache cleaners remove single ones."""
    if not (folder / SIDECAR_NAME).is_file():
        return False
    try:
        sidecar = read_sidecar(folder)
        return (sidecar.id, sidecar.temperature) == (model_id, temperature) and all(
            (folder / name).stat().st_size == size for name, size in (sidecar.files or {}).items()
        )
    except (ModelError, OSError):
        return False


def _remove_stale(models: Path) -> None:
    """Remove what killed builds left behind."""
    for scratch in models.glob(".unfinished-*"):
        try:
            stale = time.time() - scratch.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            continue
        if stale:
            shutil.rmtree(scratch, ignore_errors=True)
