"""BREEDS: does a photo find its coarse and its fine label, in this order?

Four subsets of ImageNet with two tiers of labels (Santurkar et al. 2020; the draws of Novack et
al.), scored as Alper & Averbuch-Elor 2024 do (section 6.1, supplement 0.B.6 and 0.C.7): see
`label_pairs`. A label's vector is the mean over CLIP's 80 prompts. The baselines of table 7 put
both labels into one prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.data.breeds_labels import (
    LABELS_PART,
    SOURCE,
    SUBSETS,
    Subset,
    class_photos,
    read_classes,
    read_subset,
)
from hiersearch.data.data_files import checksum, data_folder, fetch_missing, photos_checksum
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.benchmarks.label_pairs import (
    CONSTANTS,
    cross_validated,
    pair_ranks,
    prompt_ranks,
)
from hiersearch.evaluation.embedder import PAIR_PROMPTS, named_prompts, prompt_vectors
from hiersearch.evaluation.metrics import recall_at
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats


__all__ = ["BENCHMARK", "KS", "Breeds", "breeds_chance", "breeds_scores", "evaluate"]

KS = (1, 5)

PHOTO_FOLDERS = (
    "images",
    "imagenet/val",
    "imagenet",
    "ILSVRC2012/val",
    "imagenette2/val",
    "imagenette/val",
    "imagenette",
    "photos/imagenette",
    "val",
    "",
)


def breeds_scores(
    photos: Floats,
    labels: Floats,
    root: Floats,
    truth: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    constants: Sequence[float] = CONSTANTS,
) -> Scores:
    """Cross-validated recall of the true pairs of labels.

    Args:
        photos: (n, dim) rows of length 1.
        labels: (m, dim) rows of length 1.
        root: (dim,).
        truth: For each photo the positions of its coarse and its fine label.
        seed: Random seed of the split into halves.
        constants: The values of c to try.

    Returns:
        "recall_at_1" and "recall_at_5" from 0 to 1, None for fewer than two photos; and the
        constants chosen for each half.
    """
    ranks = pair_ranks(photos, labels, root, truth, constants)
    scores: dict[str, Scores | float | None] = {}
    chosen: dict[str, Scores] = {}
    for k in KS:
        found = cross_validated(ranks, k, seed=seed, constants=constants)
        scores[f"recall_at_{k}"] = found.recall if found else None
        if found:
            chosen[f"recall_at_{k}"] = dict(zip(("half_1", "half_2"), found.constants, strict=True))
    return scores | {"constants": chosen}


def breeds_chance(n_labels: int) -> dict[str, float]:
    """Recall of the true pair if ordered pairs of distinct labels are guessed at random."""
    pairs = n_labels * (n_labels - 1)
    return {f"recall_at_{k}": min(1.0, k / pairs) for k in KS}


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    seed: int = 0,
    on_progress: Progress = tell_nobody,
    photos: Path | None = None,
    subsets: Sequence[str] = SUBSETS,
    prompts: str | Sequence[str] = "imagenet",
    baselines: Sequence[str] = (),
    constants: Sequence[float] = CONSTANTS,
    fetch: Callable[[str], Path] | None = None,
) -> Result:
    """Run BREEDS on the subsets for which there are photos.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or of this benchmark's.
        seed: Random seed of the split into halves.
        on_progress: Called while photos and texts are encoded.
        photos: A folder with a folder for each ImageNet class, named by WordNet id or class name;
            None for the usual places in `data`.
        subsets: Some of `SUBSETS`.
        prompts: The name of an ensemble, a prompt, or several prompts.
        baselines: Prompts with "{coarse}" and "{fine}" to compare with, such as `PAIR_PROMPTS`.
            Slow, since every pair of labels becomes a text.
        constants: The values of c to try.
        fetch: Downloads the labels if they are missing, such as
            `hiersearch.data.fetching.fetch_part`; None to do without.

    Raises:
        MissingDataError: The labels or the photos are missing.
        UsageError: A file is invalid, or a name is unknown.
        UnreadablePhotoError: A photo cannot be decoded.
        ModelError: The model has no image tower.
    """
    _require(subsets, baselines, constants)
    chosen_prompts = named_prompts(prompts)
    folder = data_folder(data, "breeds")
    lists = folder
    try:
        classes, files = read_classes(lists)
    except MissingDataError as missing:
        lists = fetch_missing(fetch, LABELS_PART, missing)
        classes, files = read_classes(lists)
    above = folder if data is None else data
    places = [photos] if photos else [b / p for b in (folder, above) for p in PHOTO_FOLDERS]
    taken, by_class, shared = class_photos(places, classes)
    if taken is None:
        raise MissingDataError(
            f"there are no photos of ImageNet classes in {photos or folder}",
            hint=f"Put ImageNet's validation photos, a folder for each class, into "
            f"{folder / PHOTO_FOLDERS[1]}",
        )
    notes = [
        "The range of the constant c is not known from the paper: "
        f"{len(constants)} values from {min(constants):g} to {max(constants):g}",
        "A model whose image tower was trained on ImageNet, such as mini, has seen these classes",
    ]
    if shared:
        notes.append(f"Left out, since several classes are called so: {', '.join(shared)}")
    scores: dict[str, Scores | None] = {}
    chance: dict[str, Scores] = {}
    used: dict[Path, None] = {}
    for name in subsets:
        subset = read_subset(lists, name, classes)
        if subset is None:
            scores[name] = None
            notes.append(f"{name}: its labels ({name}-true.json) are not there; get {SOURCE}")
            continue
        files = (*files, subset.file)
        present = [each for each in subset.truth if each in by_class]
        notes.append(f"{name}: photos of {len(present)} of its {len(subset.truth)} classes")
        if not present:
            scores[name] = None
            continue
        paths = [path for each in present for path in by_class[each]]
        used |= dict.fromkeys(paths)
        truth = [subset.truth[each] for each in present for _ in by_class[each]]
        vectors = embedder.photos(paths, on_progress)
        labels = prompt_vectors(embedder.texts, subset.labels, chosen_prompts)
        scores[name] = {
            **breeds_scores(vectors, labels, embedder.root, truth, seed=seed, constants=constants),
            **_baselines(vectors, embedder, subset, truth, baselines, on_progress),
            "n": len(paths),
            "n_classes": len(present),
            "n_labels": len(subset.labels),
        }
        guess = breeds_chance(len(subset.labels))
        chance[name] = guess | (
            {"single_prompts": dict.fromkeys(baselines, guess)} if baselines else {}
        )
        if len(paths) < 2:
            notes.append(f"{name}: one photo cannot be parted into halves")
    scores["mean"], chance["mean"] = _mean(scores, baselines), _mean(chance, baselines)
    return Result(
        benchmark="breeds",
        scores=scores,
        chance=chance,
        notes=tuple(notes),
        files={path.name: checksum(path) for path in files}
        | ({"photos": photos_checksum(used, taken)} if used else {}),
    )


class Breeds:
    """This benchmark for the registry; see `evaluate`."""

    name = "breeds"
    measures = "Whether a photo's coarse and fine ImageNet labels are found, in this order."
    needs = "Photos of ImageNet classes; the labels are downloaded."
    options: Mapping[str, str] = {
        "photos": "A folder with a folder of photos for each class.",
        "subsets": "The subsets to run.",
        "prompts": "The prompts of a label: an ensemble's name, a prompt, or several.",
        "baselines": 'Prompts with "{coarse}" and "{fine}" to compare with; slow.',
        "constants": "The values of c that are tried.",
    }
    compares_with_baseline = False

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """See `Benchmark.run`."""
        return evaluate(
            embedder,
            inputs.data,
            seed=inputs.seed,
            fetch=inputs.fetch,
            on_progress=inputs.on_progress,
            **options,
        )


BENCHMARK: Benchmark = Breeds()


def _require(subsets: Sequence[str], baselines: Sequence[str], constants: Sequence[float]) -> None:
    unknown = [name for name in subsets if name not in SUBSETS]
    if unknown or not subsets:
        raise UsageError(
            f"{', '.join(unknown) or 'nothing'} is no subset of BREEDS",
            hint=f"Choose from {', '.join(SUBSETS)}",
        )
    unfit = [each for each in baselines if "{coarse}" not in each or "{fine}" not in each]
    if unfit:
        raise UsageError(
            f"{unfit[0]!r} has no place for both labels", hint=f"Write it like {PAIR_PROMPTS[0]!r}"
        )
    if not constants:
        raise UsageError("there are no constants to try", hint="Give at least one")


def _baselines(
    photos: Floats,
    embedder: Embedder,
    subset: Subset,
    truth: Sequence[tuple[int, int]],
    prompts: Sequence[str],
    on_progress: Progress,
) -> dict[str, Scores]:
    if not prompts:
        return {}
    return {
        "single_prompts": {
            prompt: {f"recall_at_{k}": recall_at(ranks, k) for k in KS}
            for prompt in prompts
            for ranks in (
                prompt_ranks(photos, embedder.texts, subset.labels, truth, prompt, on_progress),
            )
        }
    }


def _mean(
    scores: Mapping[str, Scores | None], baselines: Sequence[str] = ()
) -> dict[str, float | Scores | None]:
    """The mean over the subsets that were measured, also for each single prompt."""
    found: dict[str, float | Scores | None] = {}
    if baselines:
        measured: list[Any] = [each["single_prompts"] for each in scores.values() if each]
        found["single_prompts"] = {
            prompt: _mean({str(at): each[prompt] for at, each in enumerate(measured)})
            for prompt in baselines
        }
    for name in (f"recall_at_{k}" for k in KS):
        values = [
            value for each in scores.values() if each and isinstance(value := each.get(name), float)
        ]
        found[name] = float(np.mean(values)) if values else None
    return found
