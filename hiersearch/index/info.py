"""What an index holds, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hiersearch.index.storage import IndexStore

__all__ = ["IndexInfo", "read_info"]


@dataclass(frozen=True)
class IndexInfo:
    """What an index holds.

    Attributes:
        store: The index's folder, or its URL.
        photos: Number of different photos.
        files: Number of files; equal files are one photo.
        chained: Number of photos that some concept fits.
        model: The name or folder that the model was loaded by.
        model_id: What the model is.
        dimension: Length of a vector.
        vocabulary: Name of the vocabulary.
        concepts: Number of its concepts.
    """

    store: Path | str
    photos: int
    files: int
    chained: int
    model: str
    model_id: str
    dimension: int
    vocabulary: str
    concepts: int


def read_info(store: IndexStore) -> IndexInfo:
    """Counts what is stored."""
    records = store.photos.scroll(payload=["path", "chain"]) if store.photos.exists() else ()
    photos = files = chained = 0
    for record in records:
        photos += 1
        files += len(record.payload["path"])
        chained += bool(record.payload["chain"])
    return IndexInfo(
        store=store.place if isinstance(store.place, Path) else str(store.place),
        photos=photos,
        files=files,
        chained=chained,
        model=store.manifest.model,
        model_id=store.manifest.model_id,
        dimension=store.dimension,
        vocabulary=store.vocabulary.name,
        concepts=len(store.vocabulary),
    )
