"""COCO and Flickr30K: do captions find their photos, photos their captions, captions each other?

Recall among the first 1, 5 and 10 by cosine, over all photos and captions of a set, as is usual
(Alper & Averbuch-Elor 2024, tables 1 and 4). The first five captions of a photo count, as in the
usual splits. Sibling captions: each caption asks for the other captions of its photo; it takes no
photos, so it also measures a text tower alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.data.caption_sets import SOURCES, CaptionSet, caption_files, read_captions
from hiersearch.data.data_files import checksum, photos_checksum
from hiersearch.errors import MissingDataError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.metrics import best_ranks, chance_recall, recall_at
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats, Integers


__all__ = [
    "BENCHMARK",
    "KS",
    "Retrieval",
    "evaluate",
    "group_ranks",
    "retrieval_chance",
    "retrieval_scores",
    "sibling_scores",
]

KS = (1, 5, 10)

SCORES_AT_ONCE = 2**24
"""The most scores in memory: 64 MB."""


def retrieval_scores(
    photos: Floats, captions: Floats, photo_of: Sequence[int] | Integers
) -> dict[str, Scores]:
    """Recall from text to image and from image to text.

    Args:
        photos: (n, dim) rows of length 1.
        captions: (m, dim) rows of length 1.
        photo_of: (m,), the row of each caption's photo.

    Returns:
        "text_to_image" and "image_to_text", each with "recall_at_1", "_5" and "_10" from 0 to 1;
        None if there are no captions.
    """
    numbers = np.arange(len(photos))
    return {
        "text_to_image": _recalls(group_ranks(captions, photos, photo_of, numbers)),
        "image_to_text": _recalls(group_ranks(photos, captions, numbers, photo_of)),
    }


def sibling_scores(
    captions: Floats, photo_of: Sequence[int] | Integers, ks: Sequence[int] = KS
) -> dict[str, float | None]:
    """How often a caption finds another one of its photo; captions without siblings are left out.

    Args:
        captions: (m, dim) rows of length 1.
        photo_of: (m,), the photo of each caption.
        ks: Each at least 1.

    Returns:
        "recall_at_k" for each k, from 0 to 1; None if no photo has two captions.
    """
    ranks = group_ranks(captions, captions, photo_of, photo_of, among_themselves=True)
    return _recalls(ranks[_others(photo_of) > 0], ks)


def retrieval_chance(n_photos: int, photo_of: Sequence[int] | Integers) -> dict[str, Scores]:
    """Expected scores, including "siblings", if everything is ordered at random."""
    captions_of = np.bincount(np.asarray(photo_of, dtype=np.int64), minlength=n_photos)
    others = _others(photo_of)
    return {
        "text_to_image": _chances(np.ones(len(photo_of), dtype=np.int64), n_photos),
        "image_to_text": _chances(captions_of, len(photo_of)),
        "siblings": _chances(others[others > 0], len(photo_of) - 1),
    }


def group_ranks(
    queries: Floats,
    candidates: Floats,
    query_groups: Sequence[int] | Integers,
    candidate_groups: Sequence[int] | Integers,
    *,
    among_themselves: bool = False,
) -> Integers:
    """The rank by cosine of each query's best correct candidate: one of the query's group.

    Args:
        queries: (q, dim) rows of length 1.
        candidates: (c, dim) rows of length 1.
        query_groups: (q,).
        candidate_groups: (c,).
        among_themselves: Whether the candidates are the queries themselves; none finds itself.

    Returns:
        (q,) from 1, ties counting against the query; c + 1 if no candidate is correct.
    """
    own, theirs = np.asarray(query_groups), np.asarray(candidate_groups)
    ranks = np.empty(len(queries), dtype=np.int64)
    size = max(1, SCORES_AT_ONCE // max(1, len(candidates)))
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        scores = queries[part] @ candidates.T
        right = own[part, None] == theirs[None, :]
        if among_themselves:
            rows = np.arange(len(scores))
            scores[rows, start + rows] = -np.inf
            right[rows, start + rows] = False
        ranks[part] = best_ranks(scores, right)
    return ranks


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    on_progress: Progress = tell_nobody,
    per_photo: int | None = 5,
) -> Result:
    """Run retrieval on the available sets; one without its photos is left out, with a note.

    Args:
        embedder: The model. One without an image tower is measured on siblings only.
        data: The folder of all benchmarks' data, or of this benchmark's; or a captions file.
        on_progress: Called while photos are encoded.
        per_photo: Use the first so many captions of each photo; None for all.

    Raises:
        MissingDataError: There are no captions, or no set has photos.
        UsageError: A file is invalid.
        UnreadablePhotoError: A photo cannot be decoded.
    """
    scores: dict[str, Scores] = {}
    chance: dict[str, Scores] = {}
    notes: list[str] = []
    files: dict[str, str] = {}
    left_out: list[MissingDataError] = []
    paths = caption_files(data)
    for name, path in paths.items():
        try:
            found = read_captions(path, per_photo=per_photo, need_photos=embedder.has_photos)
        except MissingDataError as error:
            left_out.append(error)
            notes.append(f"{name}: left out: {error.message}")
            continue
        scores[name], chance[name] = _run(embedder, found, on_progress)
        files[path.name] = checksum(path)
        if embedder.has_photos:
            files[f"{name}/photos"] = photos_checksum(found.photos, found.folder)
        notes += [f"{name}: {note}" for note in _notes(embedder, found)]
    if not scores:
        raise left_out[0]
    notes += [f"{name}: not there, so not measured" for name in SOURCES if name not in paths]
    return Result(
        benchmark="retrieval", scores=scores, chance=chance, notes=tuple(notes), files=files
    )


class Retrieval:
    """This benchmark for the registry; see `evaluate`."""

    name = "retrieval"
    measures = "Whether captions find their photos, photos their captions, and captions each other."
    needs = "Captions of COCO or Flickr30K, and their photos."
    options: Mapping[str, str] = {
        "per_photo": "How many captions of a photo count; None for all.",
    }
    compares_with_baseline = False

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """See `Benchmark.run`."""
        return evaluate(
            embedder,
            inputs.data,
            on_progress=inputs.on_progress,
            **options,
        )


BENCHMARK: Benchmark = Retrieval()


def _run(embedder: Embedder, found: CaptionSet, on_progress: Progress) -> tuple[Scores, Scores]:
    captions = embedder.texts(found.captions)
    chance = retrieval_chance(len(found.photos), found.photo_of)
    scores: dict[str, Scores | int | None] = {"text_to_image": None, "image_to_text": None}
    if embedder.has_photos:
        photos = embedder.photos(found.photos, on_progress)
        scores |= retrieval_scores(photos, captions, found.photo_of)
    scores["siblings"] = sibling_scores(captions, found.photo_of)
    scores["n_photos"], scores["n_captions"] = len(found.photos), len(found.captions)
    return scores, {name: chance[name] for name in chance if scores[name] is not None}


def _notes(embedder: Embedder, found: CaptionSet) -> list[str]:
    notes = []
    if not embedder.has_photos:
        notes.append("the model reads texts only, so captions are asked for their siblings only")
    if found.missing:
        notes.append(
            f"{found.missing} photos are not there; measured over {len(found.photos)}, which is "
            "easier than over all"
        )
    if len(set(found.photo_of)) == len(found.photo_of):
        notes.append("no photo has two captions, so there are no siblings to find")
    return notes


def _others(groups: Sequence[int] | Integers) -> Integers:
    """(m,) the number of others in the group of each."""
    _, inverse, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    others: Integers = counts[inverse] - 1
    return others


def _recalls(ranks: Integers, ks: Sequence[int] = KS) -> dict[str, float | None]:
    return {f"recall_at_{k}": recall_at(ranks, k) if len(ranks) else None for k in ks}


def _chances(right: Integers, candidates: int) -> dict[str, float | None]:
    return {
        f"recall_at_{k}": chance_recall(right, candidates, k) if len(right) else None for k in KS
    }
