"""HyperLex: do the model's angles agree with people's ratings of "X is a kind of Y"?

2616 pairs of words rated by people (Vulić et al. 2017). The model's score of "X is a kind of Y" is
−Ξ(parent = Y, child = X), and the measure is Spearman's correlation of scores and ratings, over all
pairs and over the nouns, as in Alper & Averbuch-Elor 2024, section 6.1 and table 6; here also over
the verbs and over each WordNet relation between the two words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.data.data_files import checksum, data_folder
from hiersearch.data.hyperlex_pairs import SOURCE, WordPair, hyperlex_files, read_hyperlex
from hiersearch.errors import MissingDataError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.metrics import spearman
from hiersearch.geometry import exterior_angle
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats


__all__ = [
    "ALL_PAIRS",
    "BENCHMARK",
    "PROMPTS",
    "HyperLex",
    "evaluate",
    "hyperlex_scores",
    "pair_vectors",
]

PROMPTS: Mapping[str, str] = {"word": "{}", "picture": "a picture of a {}"}
"""The word alone, and the paper's prompt (supplement, 0.B.6)."""

ALL_PAIRS = 2616
"""Pairs in the whole release."""

LEAST = 2
"""The fewest pairs that have a correlation."""


def pair_vectors(
    texts: Callable[[Sequence[str]], Floats], pairs: Sequence[WordPair], prompt: str = "{}"
) -> tuple[Floats, Floats]:
    """Embed the two words of each pair.

    Args:
        texts: Maps n texts to (n, dim) rows of length 1.
        pairs: At least one.
        prompt: A text with "{}" for the word.

    Returns:
        (n, dim) vectors of the children, and (n, dim) of the parents.
    """
    words = list(dict.fromkeys(word for pair in pairs for word in (pair.word, pair.broader)))
    vectors = texts([prompt.replace("{}", word) for word in words])
    row = {word: at for at, word in enumerate(words)}
    return (
        vectors[[row[pair.word] for pair in pairs]],
        vectors[[row[pair.broader] for pair in pairs]],
    )


def hyperlex_scores(
    children: Floats, parents: Floats, root: Floats, pairs: Sequence[WordPair]
) -> Scores:
    """Spearman's correlation of −Ξ(parent, child) with the ratings.

    Args:
        children: (n, dim), of the first words.
        parents: (n, dim), of the second words.
        root: (dim,).
        pairs: n pairs.

    Returns:
        "all", "nouns", "verbs" and, by their names, "relations": each from −1 to 1; 0 if all
        angles or all ratings are equal, None if there are fewer than two pairs.
    """
    scores = -np.asarray(exterior_angle(parents, children, root), dtype=np.float64)
    ratings = np.array([pair.rating for pair in pairs], dtype=np.float64)

    def over(chosen: Sequence[bool]) -> float | None:
        mask = np.array(chosen, dtype=bool)
        return spearman(scores[mask], ratings[mask]) if mask.sum() >= LEAST else None

    return {
        "all": over([True] * len(pairs)),
        "nouns": over([pair.part_of_speech == "N" for pair in pairs]),
        "verbs": over([pair.part_of_speech == "V" for pair in pairs]),
        "relations": {
            relation: over([pair.relation == relation for pair in pairs])
            for relation in sorted({pair.relation for pair in pairs})
        },
    }


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    on_progress: Progress = tell_nobody,
    prompts: Mapping[str, str] = PROMPTS,
) -> Result:
    """Run HyperLex.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or this benchmark's.
        on_progress: Called for each prompt.
        prompts: Prompts by name, with "{}" for the word.

    Raises:
        MissingDataError: The data is missing.
        UsageError: A file is invalid.
    """
    paths = hyperlex_files(data_folder(data, "hyperlex"))
    pairs = tuple(dict.fromkeys(pair for path in paths for pair in read_hyperlex(path)))
    if not pairs:
        raise MissingDataError(
            f"{paths[0]} holds no pair", hint=f"Get the file again from {SOURCE}"
        )
    scores: dict[str, Scores | int] = {}
    chance: dict[str, Scores] = {}
    for done, (name, prompt) in enumerate(prompts.items()):
        on_progress("HyperLex", done, len(prompts))
        children, parents = pair_vectors(embedder.texts, pairs, prompt)
        found = hyperlex_scores(children, parents, embedder.root, pairs)
        scores[name] = {"prompt": prompt, **found}
        chance[name] = _zeros(found)
    on_progress("HyperLex", len(prompts), len(prompts))
    parts = Counter(pair.part_of_speech for pair in pairs)
    scores["n"] = len(pairs)
    scores["n_nouns"], scores["n_verbs"] = parts["N"], parts["V"]
    scores["n_relations"] = dict(sorted(Counter(pair.relation for pair in pairs).items()))
    return Result(
        benchmark="hyperlex",
        scores=scores,
        chance=chance,
        notes=_notes(paths, pairs),
        files={path.name: checksum(path) for path in paths},
    )


class HyperLex:
    """This benchmark for the registry; see `evaluate`."""

    name = "hyperlex"
    measures = 'Whether angles between words agree with people\'s ratings of "X is a kind of Y".'
    needs = "HyperLex's rated pairs of words, which are downloaded."
    options: Mapping[str, str] = {
        "prompts": 'Names and prompts, with "{}" for the word.',
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


BENCHMARK: Benchmark = HyperLex()


def _zeros(found: Scores) -> Scores:
    """What unrelated scores get on average: no correlation."""
    return {
        name: _zeros(value) if isinstance(value, Mapping) else 0.0
        for name, value in found.items()
        if value is not None
    }


def _notes(paths: Sequence[Path], pairs: Sequence[WordPair]) -> tuple[str, ...]:
    notes = []
    if len(pairs) < ALL_PAIRS:
        names = ", ".join(path.name for path in paths)
        notes.append(
            f"{len(pairs)} of HyperLex's {ALL_PAIRS} pairs ({names}): "
            "not to be set beside figures over all of them"
        )
    few = [relation for relation, n in Counter(p.relation for p in pairs).items() if n < LEAST]
    for part, name in (("N", "nouns"), ("V", "verbs")):
        if sum(pair.part_of_speech == part for pair in pairs) < LEAST:
            few.append(name)
    if few:
        notes.append(f"Fewer than {LEAST} pairs, so no correlation: {', '.join(sorted(few))}")
    return tuple(notes)
