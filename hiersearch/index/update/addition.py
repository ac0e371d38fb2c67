"""One run of `PhotoIndex.add`: find files, take a vocabulary, ingest, calibrate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hiersearch.concepts import Vocabulary
from hiersearch.config import absolute
from hiersearch.errors import PhotosNotFoundError
from hiersearch.index.labelling import CALIBRATION_SAMPLE, LazyLabeller, trees_of
from hiersearch.index.model_check import LoadEncoder
from hiersearch.index.results import IngestSummary
from hiersearch.index.storage import IndexStore
from hiersearch.index.update.catalogue import Plan, StoredFiles, make_plan, read_stored_files
from hiersearch.index.update.ingest import Ingest, batches
from hiersearch.index.update.sharing import Sharing
from hiersearch.photos import PassedOver, find_photos
from hiersearch.photos.passed_over import LINK
from hiersearch.progress import Progress
from hiersearch.qdrant import HierarchicalCollection, Record
from hiersearch.qdrant.points import PointId
from hiersearch.trees import LIKELY, Labeller, Tally

__all__ = ["Addition", "relabel", "require_photos"]

_PAGE = 512

_Problem: TypeAlias = tuple[Path, str]
"""A path that could not be searched, and why."""


@dataclass(frozen=True)
class _Look:
    """What was found below some paths, and what to do about it."""

    stored: StoredFiles
    plan: Plan
    problems: list[_Problem]
    passed_over: PassedOver


class Addition:
    """One run over an index.

    Args:
        store: The index.
        labeller: Its labeller.
        encoder: Its encoder.
        on_progress: Told about work that takes time.
        sharing: How it gets along with threads that read the index.
    """

    def __init__(
        self,
        store: IndexStore,
        labeller: LazyLabeller,
        encoder: LoadEncoder,
        on_progress: Progress,
        sharing: Sharing,
    ) -> None:
        self._store = store
        self._sharing = sharing
        self._labeller = labeller
        self._encoder = encoder
        self._on_progress = on_progress

    def run(
        self,
        roots: Sequence[Path],
        vocabulary: Vocabulary | None,
        *,
        follow_links: bool,
        prune: bool,
    ) -> IngestSummary:
        """Does what `PhotoIndex.add` describes.

        Args:
            roots: Absolute files and folders.
            vocabulary: Another vocabulary for the index.
            follow_links: Whether to follow links to files and folders.
            prune: Also drop photos whose folder is missing or suddenly empty.
        """
        look = None
        if roots or vocabulary is None:
            look = self._look(roots, follow_links, prune)
        relabelled = 0
        if vocabulary is not None or not self._store.manifest.labelled:
            with self._sharing.alone():
                relabelled = self._use_vocabulary(vocabulary)
        relabelled += self._renew_trees(look)
        summary = IngestSummary() if look is None else self._ingest(look, prune)
        summary.relabelled = relabelled + self._recalibrate()
        if summary.changed:
            self._sharing.optimize(self._store.photos)
        return summary

    def _look(self, roots: Sequence[Path], follow_links: bool, prune: bool) -> _Look:
        """Finds out what to do below some paths, before anything is changed."""
        problems: list[_Problem] = []
        passed: list[PassedOver] = []
        self._store.make_photos()
        stored = read_stored_files(self._store.photos)
        # A folder that was indexed and is gone has no photos to find, but some to drop.
        gone = {root for root in roots if prune and not root.exists() and stored.knows_below(root)}
        found = list(
            find_photos(
                [root for root in roots if root not in gone],
                follow_links=follow_links,
                on_problem=lambda *problem: problems.append(problem),
                on_passed=passed.append,
            )
        )
        plan = make_plan(found, stored.catalogue, roots, [path for path, _ in problems])
        if not found and not plan.lost:
            raise _no_photos(roots, problems, passed[0])
        return _Look(stored, plan, problems, passed[0])

    def _ingest(self, look: _Look, prune: bool) -> IngestSummary:
        run = Ingest(
            self._store.photos,
            look.stored,
            encode=lambda batches: self._encoder().encode_photo_batches(batches),
            labeller=lambda vectors: self._labeller.get(vectors, self._on_progress),
            min_side=self._store.manifest.photo_size,
            on_progress=lambda done: self._on_progress(
                "indexing photos", done, len(look.plan.read)
            ),
        )
        summary = run.run(look.plan, prune=prune)
        summary.skip(look.problems)
        summary.passed_over = look.passed_over
        if run.tally is not None:
            with self._sharing.alone():
                self._keep_tally(run.tally)
        return summary

    def _keep_tally(self, tally: Tally) -> None:
        before = self._store.tally
        if before is not None:
            self._store.keep_tally(before + tally)
        elif 2 * tally.photos >= self._store.count():
            # A few that came later would tell nothing of the rest.
            self._store.keep_tally(tally)

    def _use_vocabulary(self, vocabulary: Vocabulary | None) -> int:
        """Takes a vocabulary, or finishes taking one if an earlier run was interrupted."""
        if vocabulary is not None:
            trees = trees_of(vocabulary, self._encoder())
            self._store.take_vocabulary(vocabulary, trees=trees)
            if trees is not None and self._store.tally is None and self._store.count():
                self._store.remember(labelled=False)  # the tally was damaged, or never finished
        if self._store.manifest.labelled:
            return 0
        if vocabulary is None and self._store.manifest.trees is not None:
            # The model may have newer statistics than the run that was interrupted.
            self._store.remember(trees=trees_of(self._store.vocabulary, self._encoder()))
        self._store.concepts.drop()
        return self._relabel()

    def _recalibrate(self) -> int:
        """Calibrates again if that was done on a few photos and there are many more now."""
        on = self._store.manifest.calibrated_on
        if on is None or on >= CALIBRATION_SAMPLE or self._store.count() < 2 * on:
            return 0
        with self._sharing.alone():
            self._store.remember(calibration=None, calibrated_on=None, labelled=False)
            return self._relabel()

    def _renew_trees(self, look: _Look | None) -> int:
        """Labels all photos again where new ones would get trees by other statistics than they."""
        trees = self._store.manifest.trees
        if trees is None or look is None or not look.plan.read:
            return 0
        now = trees_of(self._store.vocabulary, self._encoder())
        if now in (None, trees):
            return 0
        with self._sharing.alone():
            self._store.remember(trees=now, labelled=False)
            return self._relabel()

    def _relabel(self) -> int:
        self._labeller.forget()
        count = self._store.count()
        if count:
            self._store.make_photos()
            tally = relabel(
                self._store.photos,
                self._labeller.get(None, self._on_progress),
                on_progress=lambda done: self._on_progress("relabelling photos", done, count),
            )
            self._store.keep_tally(tally)
        self._store.remember(labelled=True)
        self._store.forget_vocabularies()
        return count


def relabel(
    photos: HierarchicalCollection, labeller: Labeller, *, on_progress: Callable[[int], None]
) -> Tally | None:
    """Gives every stored photo new labels, from its stored vector.

    Args:
        photos: The stored photos.
        labeller: Makes them.
        on_progress: Called with the number of photos that are done.

    Returns:
        The tally of all photos' memberships; None where they have none.
    """
    from threadpoolctl import threadpool_limits  # comes with whatever encodes

    done = 0
    total: Tally | None = None
    pages = batches(photos.scroll(payload=[], with_vectors=True), lambda: _PAGE)
    # Photos are shared out among threads: NumPy's own would only be in their way.
    with threadpool_limits(1, user_api="blas"):
        for ids, labels, tally in _labelled_ahead(pages, labeller):
            photos.set_payload(ids, [{LIKELY: []} | payload for payload in labels])
            if tally is not None:
                total = tally if total is None else total + tally
            done += len(ids)
            on_progress(done)
    return total


def _labelled_ahead(
    pages: Iterable[Sequence[Record]], labeller: Labeller
) -> Iterator[tuple[list[PointId], list[dict[str, Any]], Tally | None]]:
    """The ids of each page and their labels, made while the caller stores those before."""

    def label(page: Sequence[Record]) -> tuple[list[dict[str, Any]], Tally | None]:
        return labeller.labels(np.stack([one.vector for one in page if one.vector is not None]))

    with ThreadPoolExecutor(1) as worker:
        before: tuple[list[PointId], Future[Any]] | None = None
        for page in pages:
            made = worker.submit(label, page)
            if before is not None:
                yield before[0], *before[1].result()
            before = [record.id for record in page], made
        if before is not None:
            yield before[0], *before[1].result()


def require_photos(paths: Iterable[str | Path], *, follow_links: bool = False) -> None:
    """Makes sure that there is a photo file to index.

    Args:
        paths: Files and folders.
        follow_links: Whether to follow links to files and folders.

    Raises:
        PhotosNotFoundError: A path is not there, or there is no photo file below any of them.
    """
    roots = [absolute(path) for path in paths]
    problems: list[_Problem] = []
    passed: list[PassedOver] = []
    found = find_photos(
        roots,
        follow_links=follow_links,
        on_problem=lambda *problem: problems.append(problem),
        on_passed=passed.append,
    )
    if next(iter(found), None) is None:
        raise _no_photos(roots, problems, passed[0])


def _no_photos(
    roots: Sequence[Path], problems: Sequence[_Problem], passed_over: PassedOver
) -> PhotosNotFoundError:
    """The error for paths without photos; says what was found instead, if anything was."""
    instead = f"; {passed_over.sentence()}" if passed_over else ""
    if problems:
        path, reason = problems[0]
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        return PhotosNotFoundError(
            f"cannot look into {path}: {reason}{more}{instead}", hint="Check permissions"
        )
    hint = "Name a folder that holds JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF files"
    if LINK in passed_over.others:
        hint += ", or follow links with --follow-links"
    return PhotosNotFoundError(
        f"no photos in {', '.join(map(str, roots)) or 'nothing'}{instead}", hint=hint
    )
