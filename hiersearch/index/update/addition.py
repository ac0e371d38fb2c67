"""One run that brings an index up to date: look, take a vocabulary, ingest, calibrate.

The photo files below some paths, and what to say if there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hiersearch.concepts import Vocabulary
from hiersearch.config import absolute
from hiersearch.errors import PhotosNotFoundError
from hiersearch.index.fields import PHOTO_INDEXES
from hiersearch.index.labels import CALIBRATION_SAMPLE, Labels, LoadEncoder
from hiersearch.index.storage import IndexStore
from hiersearch.index.update.catalogue import Plan, StoredFiles, make_plan, read_stored_files
from hiersearch.index.update.run import Ingest, relabel
from hiersearch.index.update.summary import IngestSummary
from hiersearch.photos import find_photos
from hiersearch.progress import Progress

__all__ = [
    "Addition",
    "Problem",
    "no_photos",
    "require_photos",
]


@dataclass(frozen=True)
class _Look:
    """What was found below some paths, and what is to be done about it."""

    stored: StoredFiles
    plan: Plan
    problems: list[Problem]


class Addition:
    """One run over an index.

    Args:
        store: The index.
        labels: Its labeller.
        encoder: Its encoder.
        tell: Told about work that takes time.
    """

    def __init__(
        self, store: IndexStore, labels: Labels, encoder: LoadEncoder, tell: Progress
    ) -> None:
        self._store = store
        self._labels = labels
        self._encoder = encoder
        self._tell = tell

    def run(
        self,
        roots: Sequence[Path],
        vocabulary: Vocabulary | None,
        *,
        follow_links: bool,
        prune: bool,
    ) -> IngestSummary:
        """Carries out what `PhotoIndex.add` describes.

        Args:
            roots: Absolute files and folders.
            vocabulary: Another vocabulary for the index.
            follow_links: Whether to follow links to files and folders.
            prune: Also drop photos whose folder is missing or suddenly empty.
        """
        look = None
        if roots or vocabulary is None:
            look = self._look(roots, follow_links, prune)
        relabelled = self._use_vocabulary(vocabulary)
        summary = IngestSummary() if look is None else self._ingest(look, prune)
        summary.relabelled = relabelled + self._recalibrate()
        if summary.changed:
            self._store.photos.optimize()
        return summary

    def _look(self, roots: Sequence[Path], follow_links: bool, prune: bool) -> _Look:
        """Finds what there is to do below some paths, before anything is changed."""
        problems: list[Problem] = []
        self._store.photos.create(payload_indexes=PHOTO_INDEXES)
        stored = read_stored_files(self._store.photos)
        # A folder that was indexed and is gone has no photos to find, but some to drop.
        gone = {root for root in roots if prune and not root.exists() and stored.knows_below(root)}
        found = list(
            find_photos(
                [root for root in roots if root not in gone],
                follow_links=follow_links,
                on_problem=lambda *problem: problems.append(problem),
            )
        )
        plan = make_plan(found, stored.catalogue, roots, [path for path, _ in problems])
        if not found and not plan.lost:
            raise no_photos(roots, problems)
        return _Look(stored, plan, problems)

    def _ingest(self, look: _Look, prune: bool) -> IngestSummary:
        run = Ingest(
            self._store.photos,
            look.stored,
            encode=lambda batches: self._encoder().encode_photo_batches(batches),
            labeller=lambda vectors: self._labels.labeller(vectors, self._tell),
            min_side=self._store.manifest.photo_size,
            on_progress=lambda done: self._tell("indexing photos", done, len(look.plan.read)),
        )
        summary = run.run(look.plan, prune=prune)
        summary.skip(look.problems)
        return summary

    def _use_vocabulary(self, vocabulary: Vocabulary | None) -> int:
        """Takes a vocabulary, or finishes taking one where a run was cut off."""
        if vocabulary is not None:
            self._store.take_vocabulary(vocabulary)
        if self._store.manifest.labelled:
            return 0
        self._store.concepts.drop()
        return self._relabel()

    def _recalibrate(self) -> int:
        """Calibrates again, if that was done on few photos and there are many more now."""
        on = self._store.manifest.calibrated_on
        if on is None or on >= CALIBRATION_SAMPLE or self._store.count() < 2 * on:
            return 0
        self._store.remember(calibration=None, calibrated_on=None, labelled=False)
        return self._relabel()

    def _relabel(self) -> int:
        self._labels.forget()
        count = self._store.count()
        if count:
            relabel(
                self._store.photos,
                self._labels.labeller(None, self._tell),
                on_progress=lambda done: self._tell("relabelling photos", done, count),
            )
        self._store.remember(labelled=True)
        self._store.forget_vocabularies()
        return count


Problem: TypeAlias = tuple[Path, str]
"""What could not be searched, and why."""


def require_photos(paths: Iterable[str | Path]) -> None:
    """Looks for one photo file.

    Raises:
        PhotosNotFoundError: A path is not there, or there is no photo file below any of them.
    """
    roots = [absolute(path) for path in paths]
    problems: list[Problem] = []
    found = find_photos(roots, on_problem=lambda *problem: problems.append(problem))
    if next(iter(found), None) is None:
        raise no_photos(roots, problems)


def no_photos(roots: Sequence[Path], problems: Sequence[Problem]) -> PhotosNotFoundError:
    """The error that says so, and why if something was in the way."""
    if problems:
        path, reason = problems[0]
        return PhotosNotFoundError(f"cannot look into {path}: {reason}", hint="Check permissions")
    return PhotosNotFoundError(
        f"no photos in {', '.join(map(str, roots)) or 'nothing'}",
        hint="Name a folder that holds JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF files",
    )
