"""What an index answers: values without any of its machinery, so that they are quick to import."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hiersearch.errors import MissingPhotosError
from hiersearch.photos import PassedOver, path_to_text

__all__ = [
    "Answer",
    "IndexInfo",
    "IngestSummary",
    "KeptNote",
    "Level",
    "PhotoHit",
    "Skip",
    "paths_by_text",
]

_ANSWER_VERSION = 1
_SUMMARY_VERSION = 1


@dataclass(frozen=True)
class PhotoHit:
    """A photo of the index.

    Attributes:
        path: Its file.
        copies: Further files of equal content.
        score: Cosine to the query, in [−1, 1].
    """

    path: Path
    copies: tuple[Path, ...]
    score: float


@dataclass(frozen=True)
class Level:
    """One step of a coarse-to-fine answer.

    Attributes:
        level: 1 is the coarsest.
        concept: The concept's name.
        concept_id: Its id in the vocabulary.
        mass: How probably the query's photo shows the concept, in [0, 1]; 1 if a text names it; of
            other texts, and where photos have no trees, the share of the posterior on the concept
            and all below it; None for vocabularies without parents.
        angle: Exterior angle from the concept to the query, in radians in [0, pi]: small if the
            query is a kind of it.
        count: How many photos of the index are expected to show the concept.
        sure: How many surely do; where photos have no trees, the same as `count`.
        photos: The best of them: those that surely show it before those that perhaps do, each
            nearest first.
    """

    level: int
    concept: str
    concept_id: str
    mass: float | None
    angle: float
    count: int
    sure: int
    photos: tuple[PhotoHit, ...]


@dataclass(frozen=True)
class Answer:
    """The answer to a query, from general to specific.

    Attributes:
        query: The text, or the path of the query's photo.
        levels: From coarse to fine; empty where nothing in the vocabulary fits, and where the
            query means nothing to the model.
        photos: The photos nearest to the query in the whole index, nearest first.
        branches: Of a photo, all that it surely shows: lines of concepts with their
            probabilities, general to specific, the levels' line first. Empty for a text.
        notes: What of the query was not understood, and what to do: sentences for people.
    """

    query: str
    levels: tuple[Level, ...]
    photos: tuple[PhotoHit, ...]
    branches: tuple[tuple[tuple[str, float], ...], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data, in the documented format, version 1."""
        return {
            "version": _ANSWER_VERSION,
            "query": self.query,
            "levels": [
                {
                    "level": level.level,
                    "concept": level.concept,
                    "mass": None if level.mass is None else round(level.mass, 4),
                    "angle": round(level.angle, 4),
                    "count": level.count,
                    "sure": level.sure,
                    "photos": [_photo_json(photo) for photo in level.photos],
                }
                for level in self.levels
            ],
            "photos": [_photo_json(photo) for photo in self.photos],
            "branches": [
                [{"concept": concept, "mass": round(mass, 4)} for concept, mass in branch]
                for branch in self.branches
            ],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Skip:
    """A file or folder that was skipped, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class KeptNote:
    """What is to be known of a photo that was kept, such as that it is damaged at the end."""

    path: Path
    note: str


@dataclass
class IngestSummary:
    """What a run over some folders did, in numbers of files.

    Attributes:
        unchanged: Files that have not changed since the last run.
        added: New photos.
        copies: New files with the content of a photo that is still in its place.
        updated: Files whose content has changed.
        moved: Photos recognised by their content at a new path.
        removed: Photos that were dropped because their file was deleted.
        relabelled: Stored photos that were given new chains.
        skipped: What could not be read.
        notes: What is to be known of photos that were kept.
        passed_over: What was found in the folders and not taken for photos.
        lost: For each folder that is missing or suddenly empty, how many known photos were kept.
    """

    unchanged: int = 0
    added: int = 0
    copies: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    relabelled: int = 0
    skipped: list[Skip] = field(default_factory=list)
    notes: list[KeptNote] = field(default_factory=list)
    passed_over: PassedOver = field(default_factory=PassedOver)
    lost: dict[Path, int] = field(default_factory=dict)

    def skip(self, problems: Iterable[tuple[Path, str]]) -> None:
        """Adds files and folders that were skipped, each with the reason."""
        self.skipped.extend(Skip(path, reason) for path, reason in problems)

    def note(self, path: Path, note: str) -> None:
        """Adds what is to be known of a photo that was kept."""
        self.notes.append(KeptNote(path, note))

    @property
    def skips_by_reason(self) -> dict[str, list[Path]]:
        """What was skipped, by the reason; the most frequent reason first."""
        return paths_by_text((skip.reason, skip.path) for skip in self.skipped)

    @property
    def notes_by_text(self) -> dict[str, list[Path]]:
        """The photos that were kept and have a note, by the note; the most frequent first."""
        return paths_by_text((note.note, note.path) for note in self.notes)

    def to_json(self) -> dict[str, Any]:
        """The summary as plain data, in the documented format, version 1."""
        counts = ("added", "updated", "moved", "copies", "removed", "relabelled", "unchanged")
        return {
            "version": _SUMMARY_VERSION,
            **{name: getattr(self, name) for name in counts},
            "skipped": [
                {"reason": reason, "paths": [path_to_text(path) for path in paths]}
                for reason, paths in self.skips_by_reason.items()
            ],
            "notes": [
                {"note": note, "paths": [path_to_text(path) for path in paths]}
                for note, paths in self.notes_by_text.items()
            ],
            "passed_over": self.passed_over.to_json(),
            "lost": [
                {"folder": path_to_text(folder), "photos": count}
                for folder, count in self.lost.items()
            ],
        }

    @property
    def changed(self) -> bool:
        """Whether the run changed what is stored."""
        return bool(
            self.added
            or self.copies
            or self.updated
            or self.moved
            or self.removed
            or self.relabelled
        )

    def raise_for_lost(self) -> None:
        """Raises MissingPhotosError if a folder of the index is missing or suddenly empty."""
        if not self.lost:
            return
        folder = next(iter(self.lost))
        count = sum(self.lost.values())
        photos = "1 indexed photo was" if count == 1 else f"{count} indexed photos were"
        state = "holds no photo any more" if folder.is_dir() else "is missing"
        more = f", nor do {len(self.lost) - 1} other folders" if len(self.lost) > 1 else ""
        raise MissingPhotosError(
            f"{folder} {state}{more}; {photos} kept",
            hint="Connect the disk and run again, or drop the photos with "
            f"'hiersearch index --prune {shlex.quote(str(folder))}'",
        )


@dataclass(frozen=True)
class IndexInfo:
    """What an index holds.

    Attributes:
        store: The index's folder, or its URL.
        photos: Number of different photos.
        files: Number of files; equal files are one photo.
        chained: Number of photos that some concept fits.
        model: The name or folder that the model was loaded by.
        model_id: The model's id.
        dimension: Length of a vector.
        vocabulary: Name of the vocabulary.
        concepts: Number of its concepts.
        trees: The id of the statistics that the photos' trees were made with; None if they have
            chains alone.
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
    trees: str | None


def paths_by_text(pairs: Iterable[tuple[str, Path]]) -> dict[str, list[Path]]:
    """Paths by their text, the most frequent text first; paths in their order."""
    found: dict[str, list[Path]] = {}
    for text, path in pairs:
        found.setdefault(text, []).append(path)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _photo_json(photo: PhotoHit) -> dict[str, Any]:
    stored: dict[str, Any] = {"path": path_to_text(photo.path), "score": round(photo.score, 4)}
    if photo.copies:
        stored["copies"] = [path_to_text(copy) for copy in photo.copies]
    return stored
