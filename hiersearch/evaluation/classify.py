"""Zero-shot classification: is a photo nearest to the name of its class.

On any data set with a folder for each class, CIFAR-10 and CIFAR-100 among them. A class's vector is
the mean over its prompts (Radford et al. 2021, section 3.1.4): the single default prompt, and an
ensemble, for CIFAR of CLIP's 18 prompts (Alper & Averbuch-Elor 2024, tables 1 and 4), else of its
80 for ImageNet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hiersearch.errors import MissingDataError
from hiersearch.evaluation.cifar import RELEASES, find_release, unpack
from hiersearch.evaluation.class_folders import (
    ClassFolders,
    class_name,
    photos_digest,
    read_class_folders,
)
from hiersearch.evaluation.files import checksum, data_folder
from hiersearch.evaluation.metrics import best_ranks, chance_recall, recall_at
from hiersearch.evaluation.prompts import DEFAULT_PROMPT, named_prompts, prompt_vectors
from hiersearch.evaluation.result import Result
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.evaluation.result import Scores

    Floats: TypeAlias = NDArray[np.float32]

__all__ = ["class_chance", "class_scores", "class_sets", "evaluate"]

CIFAR_SPELLINGS = {
    "cifar10": ("cifar10", "cifar-10", "CIFAR10", "CIFAR-10"),
    "cifar100": ("cifar100", "cifar-100", "CIFAR100", "CIFAR-100"),
}

TOP = 5


def class_sets(data: Path | None) -> dict[str, Path]:
    """The data sets that are there.

    Args:
        data: The folder of all benchmarks' data, or of this one's; or a folder of classes.

    Returns:
        By name: CIFAR-10 and CIFAR-100 in a folder `cifar10` and `cifar100`, whether as folders of
        classes or as released; every other folder of such folders in `classify`; and where there
        is none of these, the given folder itself.

    Raises:
        MissingDataError: There are none.
        UsageError: The folder is not there, or cannot be read.
    """
    folder = data_folder(data, "classify")
    places = list(dict.fromkeys((folder, folder if data is None else data)))
    found: dict[str, Path] = {}
    for name, spellings in CIFAR_SPELLINGS.items():
        own = [place / spelling for place in places for spelling in spellings]
        here = [path for path in own if find_release(path, name) or _is_set(path)]
        here += [path for path in places if find_release(path, name)]
        if here:
            found[name] = here[0]
    if folder.name == "classify" and folder.is_dir():
        known = set(found.values())
        others = [path for path in sorted(folder.iterdir()) if path.is_dir() and path not in known]
        found |= {path.name: path for path in others if path.name not in found and _is_set(path)}
    if not found and _is_set(folder):
        found = {folder.name: folder}
    if not found:
        raise MissingDataError(
            f"there is nothing to classify in {folder}: no cifar10, no cifar100, no folders of "
            "classes that hold photos",
            hint="Get the binary version of CIFAR from https://www.cs.toronto.edu/~kriz/cifar.html "
            "and put it into cifar10 and cifar100 there, or give a folder with one for each class",
        )
    return found


def class_scores(photos: Floats, classes: Floats, labels: Sequence[int]) -> Scores:
    """How often a photo's class is the nearest of all, or among the five nearest.

    Args:
        photos: (n, dim) rows of length 1, at least one.
        classes: (c, dim) rows of length 1, one for each class.
        labels: (n,), each photo's class.

    Returns:
        "accuracy", "accuracy_top_5", and "accuracy_class_mean", which is the mean over the classes
        that have photos, however few; each from 0 to 1. A tie counts against the photo.
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
    """What `class_scores` comes to on average where classes are guessed blindly."""
    one, five = (chance_recall([1], n_classes, k) for k in (1, TOP))
    return {"accuracy": one, "accuracy_top_5": five, "accuracy_class_mean": one}


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
    progress: Progress = tell_nobody,
    prompts: Mapping[str, str | Sequence[str]] | None = None,
) -> Result:
    """Run classification on the data sets that are there.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or of this one's; or a folder of classes.
        seed: Not used: nothing is drawn.
        progress: Told of photos as they are encoded.
        prompts: For each row of scores the name of an ensemble (`ENSEMBLES`), a prompt, or several;
            None for "single" and "ensemble".

    Raises:
        MissingDataError: No data set is there.
        UsageError: A file is not what it should be, or a prompt has no "{}".
        UnreadablePhotoError: A photo cannot be decoded.
        ModelError: The model has no image tower.
    """
    scores: dict[str, Scores] = {}
    chance: dict[str, Scores] = {}
    notes: list[str] = []
    files: dict[str, str] = {}
    paths = class_sets(data)
    for name, path in paths.items():
        chosen = prompts or {
            "single": DEFAULT_PROMPT,
            "ensemble": "cifar" if name in RELEASES else "imagenet",
        }
        with ExitStack() as stack:
            found = _read(name, path, stack, files)
            scores[name], chance[name] = _run(embedder, found, chosen, progress)
        few = [label for label in range(len(found.classes)) if found.labels.count(label) == 1]
        if few:
            notes.append(
                f"{name}: {len(few)} classes of one photo, such as {found.classes[few[0]]}"
            )
    notes += [f"{name}: not there, so not measured" for name in RELEASES if name not in paths]
    return Result(
        benchmark="classify", scores=scores, chance=chance, notes=tuple(notes), files=files
    )


def _read(name: str, path: Path, stack: ExitStack, files: dict[str, str]) -> ClassFolders:
    source = find_release(path, name) if name in RELEASES else None
    if source is not None:
        # As PNG files with the pixels as they are, so that the cache knows them again.
        target = Path(stack.enter_context(TemporaryDirectory(prefix="hiersearch-")))
        unpack(source, name, target)
        files[f"{name}/{RELEASES[name].images}"] = checksum(source / RELEASES[name].images)
        path = target
    found = read_class_folders(path)
    if found is None:
        raise MissingDataError(
            f"{path} has no two classes with photos", hint="Give a folder with one for each class"
        )
    if source is None:
        files[name] = photos_digest(found.photos, found.folder)
    return found


def _run(
    embedder: Embedder,
    found: ClassFolders,
    prompts: Mapping[str, str | Sequence[str]],
    progress: Progress,
) -> tuple[Scores, Scores]:
    photos = embedder.photos(found.photos, progress)
    names = [class_name(folder) for folder in found.classes]
    scores: dict[str, Scores | int] = {}
    for row, chosen in prompts.items():
        classes = prompt_vectors(embedder.texts, names, named_prompts(chosen))
        scores[row] = class_scores(photos, classes, found.labels)
    scores["n"], scores["n_classes"] = len(found.photos), len(names)
    return scores, dict.fromkeys(prompts, class_chance(len(names)))


def _is_set(folder: Path) -> bool:
    return folder.is_dir() and read_class_folders(folder) is not None
