"""RCME's tests: how well photos of living things are placed in their taxonomy.

After Sastry et al. 2025 (arXiv 2506.21476):

* zero-shot accuracy at each rank: is the photo nearest to its own name of all names of that rank;
* radial retrieval over the names of all ranks together, as HierarCaps' `official` protocol does it:
  precision, recall and F1 over a photo's path from kingdom to species, and Kendall's τ of the
  root distances of the path's names against their ranks;
* in the tree, from the species that is nearest to the photo: the share of its path that is right
  (hierarchical precision, which equals recall, since all paths are equally long: Silla & Freitas
  2011), how many ranks above the true species the lowest common ancestor is, and the
  tree-induced error, the edges between the two (Dekel et al. 2004).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from hiersearch.data.data_files import checksum, data_folder, photos_checksum
from hiersearch.data.taxonomies import (
    Taxonomy,
    Texts,
    find_taxonomy,
    read_taxonomy,
    shared_ranks,
)
from hiersearch.errors import UsageError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.metrics import best_ranks, recall_at
from hiersearch.evaluation.protocols import official
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats


__all__ = [
    "BENCHMARK",
    "Species",
    "evaluate",
    "rank_accuracy",
    "retrieval_over_ranks",
    "tree_chance",
    "tree_scores",
]


def rank_accuracy(photos: Floats, texts: Floats, own: Sequence[int]) -> float:
    """How often a photo is nearest to its own text; ties count against it.

    Args:
        photos: (n, dim) rows of length 1, at least one.
        texts: (m, dim) rows of length 1, of one rank's distinct texts.
        own: (n,), the row of each photo's text.

    Returns:
        From 0 to 1.
    """
    right = np.asarray(own)[:, None] == np.arange(len(texts))
    return recall_at(best_ranks(photos @ texts.T, right), 1)


def tree_scores(
    predicted: Sequence[int], true: Sequence[int], kinds: Sequence[Sequence[str]]
) -> dict[str, float]:
    """How far predicted kinds are from the true ones in the tree.

    Args:
        predicted: (n,) positions in `kinds`, at least one.
        true: (n,) positions in `kinds`.
        kinds: Names at r ranks each.

    Returns:
        "path_precision" from 0 to 1, which equals recall and F1; "lca_distance" from 0 to r, in
        ranks, r if not even the first is shared; "tree_induced_error" from 0 to 2r, in edges.
    """
    shared = shared_ranks(kinds)[np.asarray(predicted), np.asarray(true)]
    return _tree(float(shared.mean()), len(kinds[0]))


def tree_chance(true: Sequence[int], kinds: Sequence[Sequence[str]]) -> dict[str, float]:
    """Expected `tree_scores` if the kind is guessed at random."""
    return _tree(float(shared_ranks(kinds)[:, np.asarray(true)].mean()), len(kinds[0]))


def retrieval_over_ranks(
    photos: Floats,
    vectors: Floats,
    root: Floats,
    texts: Sequence[str],
    truth: Sequence[Sequence[str]],
) -> dict[str, float]:
    """Radial retrieval (HierarCaps' `official` protocol) over the texts of all ranks.

    Args:
        photos: (n, dim) rows of length 1, at least one.
        vectors: (m, dim) rows of length 1, of the texts.
        root: (dim,).
        texts: m distinct texts.
        truth: The texts of each photo, general to specific.

    Returns:
        "tau" from −1 to 1, "precision", "recall" and "f1" from 0 to 1.
    """
    found = official(photos, vectors, root, truth, texts)
    return {
        "tau": found.tau,
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
    }


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    seed: int = 0,
    on_progress: Progress = tell_nobody,
    texts: Texts = "path",
) -> Result:
    """Run the species tests.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or of this benchmark's; or the CSV file.
        seed: Random seed of the guesses behind the chance level of retrieval.
        on_progress: Called while photos are encoded.
        texts: How a rank is written: "path" or "name".

    Raises:
        MissingDataError: The CSV file, or all of its photos, are missing.
        UsageError: A file is invalid.
        UnreadablePhotoError: A photo cannot be decoded.
        ModelError: The model has no image tower.
    """
    if texts not in get_args(Texts):
        raise UsageError(f"{texts!r} is not a way to write a rank", hint="Use path or name")
    path = find_taxonomy(data_folder(data, "species"))
    given = read_taxonomy(path)
    photos = embedder.photos(given.photos, on_progress)
    worded = given.texts(texts)
    distinct = list(dict.fromkeys(text for row in worded for text in row))
    vectors = embedder.texts(distinct)
    row_of = {text: row for row, text in enumerate(distinct)}
    by_rank = [list(dict.fromkeys(row[at] for row in worded)) for at in range(len(given.ranks))]
    accuracy = {
        rank: rank_accuracy(
            photos,
            vectors[[row_of[text] for text in names]],
            [names.index(worded[label][at]) for label in given.labels],
        )
        for at, (rank, names) in enumerate(zip(given.ranks, by_rank, strict=True))
    }
    guesses = {rank: 1 / len(names) for rank, names in zip(given.ranks, by_rank, strict=True)}
    leaves = vectors[[row_of[row[-1]] for row in worded]]
    predicted = np.argmax(photos @ leaves.T, axis=1).tolist()
    truth = [worded[label] for label in given.labels]
    shuffled = [truth[at] for at in np.random.default_rng(seed).permutation(len(truth))]
    blind = retrieval_over_ranks(photos, vectors, embedder.root, distinct, shuffled)
    scores: dict[str, Scores | int | str] = {
        "texts": texts,
        "accuracy": accuracy | {"average": float(np.mean(list(accuracy.values())))},
        "retrieval": retrieval_over_ranks(photos, vectors, embedder.root, distinct, truth),
        "tree": tree_scores(predicted, given.labels, given.kinds),
        "n": len(given.photos),
        "n_kinds": len(given.kinds),
    }
    return Result(
        benchmark="species",
        scores=scores,
        chance={
            "accuracy": guesses | {"average": float(np.mean(list(guesses.values())))},
            "retrieval": blind | {"tau": 0.0},
            "tree": tree_chance(given.labels, given.kinds),
        },
        notes=_notes(given, by_rank),
        files={
            path.name: checksum(path),
            "photos": photos_checksum(given.photos, path.parent),
        },
        series={
            "root_distance_by_rank": {
                rank: np.linalg.norm(
                    vectors[[row_of[text] for text in names]] - embedder.root, axis=1
                ).tolist()
                for rank, names in zip(given.ranks, by_rank, strict=True)
            }
        },
    )


class Species:
    """This benchmark for the registry; see `evaluate`."""

    name = "species"
    measures = "How well photos of living things are placed in their taxonomy."
    needs = "A taxonomy.csv with a file and a name at each rank, and the photos."
    options: Mapping[str, str] = {
        "texts": 'How a rank is written: "path" or "name".',
    }
    compares_with_baseline = False

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """See `Benchmark.run`."""
        return evaluate(
            embedder,
            inputs.data,
            seed=inputs.seed,
            on_progress=inputs.on_progress,
            **options,
        )


BENCHMARK: Benchmark = Species()


def _tree(shared: float, ranks: int) -> dict[str, float]:
    # Every kind is at the same depth, so both ways down from the common ancestor are equally long.
    return {
        "path_precision": shared / ranks,
        "lca_distance": ranks - shared,
        "tree_induced_error": 2.0 * (ranks - shared),
    }


def _notes(given: Taxonomy, by_rank: Sequence[Sequence[str]]) -> tuple[str, ...]:
    notes = ["Chance of retrieval: the same chains against the paths of other photos"]
    alone = [rank for rank, names in zip(given.ranks, by_rank, strict=True) if len(names) == 1]
    if alone:
        notes.append(f"Only one name, so nothing to tell apart, at: {', '.join(alone)}")
    if given.missing:
        notes.append(f"{given.missing} rows left out: their photos are not there")
    if given.nameless:
        notes.append(f"{given.nameless} rows left out: no name at some rank")
    return tuple(notes)
