"""Zero-shot classification: is a photo nearest to the name of its class?

For any data set with a folder for each class or a CSV file, CIFAR-10 and CIFAR-100 among them. A
class's vector is the mean over its prompts (Radford et al. 2021, section 3.1.4): the single default
prompt, and an ensemble, for CIFAR of CLIP's 18 prompts (Alper & Averbuch-Elor 2024, tables 1 and
4), else of its 80 for ImageNet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.data.class_sets import (
    RELEASES,
    ClassPhotos,
    chosen_sets,
    class_name,
    class_sets,
    find_release,
    read_class_folders,
    read_class_table,
    unpack,
)
from hiersearch.data.data_files import checksum, is_table, photos_checksum
from hiersearch.errors import MissingDataError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.embedder import DEFAULT_PROMPT, named_prompts, prompt_vectors
from hiersearch.evaluation.metrics import best_ranks, chance_recall, recall_at
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats


__all__ = ["BENCHMARK", "Classify", "class_chance", "class_scores", "evaluate"]

TOP = 5


def class_scores(photos: Floats, classes: Floats, labels: Sequence[int]) -> Scores:
    """How often a photo's class is the nearest, or among the five nearest.

    Args:
        photos: (n, dim) rows of length 1, at least one.
        classes: (c, dim) rows of length 1, one for each class.
        labels: (n,), each photo's class.

    Returns:
        "accuracy", "accuracy_top_5", and "accuracy_class_mean", the mean over the classes that have
        photos, however few; each from 0 to 1. Ties count against the photo.
    """
    given = np.asarray(labels)
    ranks = best_ranks(photos @ classes.T, given[:, None] == np.arange(len(classes)))
    return {
        "accuracy": recall_at(ranks, 1),
        "accuracy_top_5": recall_at(ranks, TOP),
        "accuracy_class_mean": float(
            np.mean([recall_at(ranks[given == label], 1) for label in np.unique(given)])
        ),
    }


def class_chance(n_classes: int) -> Scores:
    """Expected `class_scores` if classes are guessed at random."""
    one, five = (chance_recall([1], n_classes, k) for k in (1, TOP))
    return {"accuracy": one, "accuracy_top_5": five, "accuracy_class_mean": one}


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    on_progress: Progress = tell_nobody,
    prompts: Mapping[str, str | Sequence[str]] | None = None,
    sets: Sequence[str] | None = None,
    fetch: Callable[[str], Path] | None = None,
) -> Result:
    """Run classification on the data sets that are available.

    One without its photos is left out, with a note, unless it is named in `sets`.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or of this benchmark's; or a folder of
            classes, or a CSV file.
        on_progress: Called while photos are encoded.
        prompts: For each row of scores the name of an ensemble (`ENSEMBLES`), a prompt, or several
            prompts; None for "single" and "ensemble".
        sets: The data sets to run, such as "cifar10"; None for all that are available.
        fetch: Downloads CIFAR if it is in `sets` and missing, such as
            `hiersearch.data.fetching.fetch_part`; None to do without.

    Raises:
        MissingDataError: There is no data set, or one of `sets` is missing.
        UsageError: A file is invalid, a prompt has no "{}", or a name in `sets` is unknown.
        UnreadablePhotoError: A photo cannot be decoded.
        ModelError: The model has no image tower.
    """
    scores: dict[str, Scores] = {}
    chance: dict[str, Scores] = {}
    notes: list[str] = []
    files: dict[str, str] = {}
    left_out: list[MissingDataError] = []
    paths = class_sets(data) if sets is None else chosen_sets(data, sets, fetch)
    for name, path in paths.items():
        chosen = prompts or {
            "single": DEFAULT_PROMPT,
            "ensemble": "cifar" if name in RELEASES else "imagenet",
        }
        with ExitStack() as stack:
            try:
                found, of_set = _read(name, path, stack)
            except MissingDataError as error:
                if sets is not None:
                    raise
                left_out.append(error)
                notes.append(f"{name}: left out: {error.message}")
                continue
            scores[name], chance[name] = _run(embedder, found, chosen, on_progress)
        files |= of_set
        few = [label for label in range(len(found.classes)) if found.labels.count(label) == 1]
        if few:
            notes.append(
                f"{name}: {len(few)} classes of one photo, such as {found.classes[few[0]]}"
            )
        if found.missing:
            notes.append(f"{name}: {found.missing} rows left out: their photos are not there")
    if not scores and left_out:
        raise left_out[0]
    if sets is None:
        notes += [f"{name}: not there, so not measured" for name in RELEASES if name not in paths]
    return Result(
        benchmark="classify", scores=scores, chance=chance, notes=tuple(notes), files=files
    )


class Classify:
    """This benchmark for the registry; see `evaluate`."""

    name = "classify"
    measures = "Whether a photo is nearest to the name of its class."
    needs = (
        "Data sets with a folder of photos for each class, or a CSV file; CIFAR is downloaded on "
        "request."
    )
    options: Mapping[str, str] = {
        "prompts": "The prompts of each row of scores.",
        "sets": "The data sets to run, such as cifar10.",
    }
    compares_with_baseline = False

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """See `Benchmark.run`."""
        return evaluate(
            embedder,
            inputs.data,
            fetch=inputs.fetch,
            on_progress=inputs.on_progress,
            **options,
        )


BENCHMARK: Benchmark = Classify()


def _read(name: str, path: Path, stack: ExitStack) -> tuple[ClassPhotos, dict[str, str]]:
    """A data set, and the checksums of what was read."""
    files: dict[str, str] = {}
    source = find_release(path, name) if name in RELEASES else None
    if source is not None:
        # As PNG files, which keep the pixels, so that the cache recognises them.
        target = Path(stack.enter_context(TemporaryDirectory(prefix="hiersearch-")))
        unpack(source, name, target)
        files[f"{name}/{RELEASES[name].images}"] = checksum(source / RELEASES[name].images)
        path = target
    found = read_class_table(path) if is_table(path) else read_class_folders(path)
    if found is None:
        raise MissingDataError(
            f"{path} has no two classes with photos", hint="Give a folder with one for each class"
        )
    if is_table(path):
        files[path.name] = checksum(path)
    if source is None:
        files[f"{name}/photos"] = photos_checksum(found.photos, found.folder)
    return found, files


def _run(
    embedder: Embedder,
    found: ClassPhotos,
    prompts: Mapping[str, str | Sequence[str]],
    on_progress: Progress,
) -> tuple[Scores, Scores]:
    photos = embedder.photos(found.photos, on_progress)
    names = [class_name(folder) for folder in found.classes]
    scores: dict[str, Scores | int] = {}
    for row, chosen in prompts.items():
        classes = prompt_vectors(embedder.texts, names, named_prompts(chosen))
        scores[row] = class_scores(photos, classes, found.labels)
    scores["n"], scores["n_classes"] = len(found.photos), len(names)
    return scores, dict.fromkeys(prompts, class_chance(len(names)))
