"""`hiersearch export`: a folder of graphs that takes the place of a model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hiersearch.encoder.graphs.graph_folder import NOTES
from hiersearch.encoder.model_folder import Sidecar, fingerprint, write_sidecar
from hiersearch.encoder.registry import IN_MEMORY
from hiersearch.errors import ModelError, UsageError
from hiersearch.trees import MEMBERSHIP_FILE, write_statistics

if TYPE_CHECKING:
    from hiersearch.encoder.encoder import HierarchicalEncoder

__all__ = ["export_model"]


def export_model(encoder: HierarchicalEncoder, folder: Path) -> float:
    """Writes a folder of graphs that gives the same vectors as a model, under the same id.

    Args:
        encoder: The model, on the CPU.
        folder: Where to: a new folder, an empty one, or one that an earlier export made.

    Returns:
        The least cosine between vectors of the model and of its graphs, over some samples.

    Raises:
        UsageError: The folder holds something else, or the model has graphs already, or no name.
        MissingPackageError: What writes graphs is not installed.
        ModelError: The model cannot be exported, or the folder cannot be written to.
    """
    from hiersearch.encoder.graphs.exporting import export_graphs

    if encoder.has_graphs:
        raise UsageError(
            f"{encoder.name} has its graphs already, and needs no export",
            hint="Name it with --model as it is",
        )
    if encoder.name == IN_MEMORY:
        raise UsageError(
            f"graphs name the model that they are of, and {IN_MEMORY} has no name",
            hint="Save it first, and export the folder",
        )
    folder = folder.absolute()
    is_other = folder.exists() and not (folder / NOTES).is_file()
    if is_other and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something else", hint="Name a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            least = export_graphs(encoder.model, made, source=encoder.name)
            sidecar = Sidecar(
                root=tuple(map(float, encoder.root)),
                temperature=encoder.temperature,
                id=encoder.id,
                weights=fingerprint(encoder.model.state_dict()),
            )
            write_sidecar(made, sidecar)
            if encoder.shipped_statistics is not None:
                write_statistics(made / MEMBERSHIP_FILE, encoder.shipped_statistics)
            if folder.exists():
                folder.rename(Path(scratch) / "replaced")
            made.rename(folder)
    except OSError as error:
        raise ModelError(
            f"the graphs cannot be written to {folder}: {error.strerror or error}",
            hint="Choose a folder that can be written to, with room for the model's weights",
        ) from error
    return least
