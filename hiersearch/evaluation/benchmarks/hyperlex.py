"""HyperLex: how far people's word that X is a kind of Y agrees with the model's angles.

2616 pairs of words rated by people (Vulić et al. 2017). The model's word for "X is a kind of Y" is
−Ξ(parent = Y, child = X), and the measure is Spearman's correlation of the two, over all pairs and
over the nouns, as in Alper & Averbuch-Elor 2024, section 6.1 and table 6; here also over the verbs
and for each relation that WordNet says the two words are in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.data.data_files import checksum, data_folder
from hiersearch.data.hyperlex_pairs import SOURCE, WordPair, hyperlex_files, read_hyperlex
from hiersearch.errors import MissingDataError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.metrics import spearman
from hiersearch.geometry import exterior_angle
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats


__all__ = ["ALL_PAIRS", "PROMPTS", "evaluate", "hyperlex_scores", "pair_vectors"]

PROMPTS: Mapping[str, str] = {"word": "{}", "picture": "a picture of a {}"}
"""The word alone, and the paper's prompt (supplement, 0.B.6)."""

ALL_PAIRS = 2616
"""Pairs in the whole release; scores over fewer are of a part of it."""

LEAST = 2


def pair_vectors(
    texts: Callable[[Sequence[str]], Floats], pairs: Sequence[WordPair], prompt: str = "{}"
) -> tuple[Floats, Floats]:
    """Embed the two words of each pair.

    Args:
        texts: From n texts to (n, dim) rows of length 1.
        pairs: At least one.
        prompt: What the words are put into, at "{}".

    Returns:
        (n, dim) of the children, (n, dim) of the parents.
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
        "all", "nouns", "verbs" and, by their names, "relations": each from −1 to 1, 0 where the
        angles or the ratings are all the same, None where there are fewer than two pairs.
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
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
    progress: Progress = tell_nobody,
    prompts: Mapping[str, str] = PROMPTS,
) -> Result:
    """Run HyperLex.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or this one's.
        seed: Not used: nothing is drawn.
        progress: Told of each prompt.
        prompts: Names and texts with "{}" in the word's place.

    Raises:
        MissingDataError: The data is not there.
        UsageError: A file is not what it should be.
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
        progress("HyperLex", done, len(prompts))
        children, parents = pair_vectors(embedder.texts, pairs, prompt)
        found = hyperlex_scores(children, parents, embedder.root, pairs)
        scores[name] = {"prompt": prompt, **found}
        chance[name] = _zeros(found)
    progress("HyperLex", len(prompts), len(prompts))
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


def _zeros(found: Scores) -> Scores:
    """What unrelated scores come to on average: no correlation."""
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
