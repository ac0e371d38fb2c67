"""`hiersearch info` and `hiersearch concepts`: what an index holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.cli.options import (
    JsonFlag,
    NameOption,
    StoreOption,
    TimeoutOption,
    WhereOption,
    suggest_better,
)
from hiersearch.cli.terminal import json_text, printable

if TYPE_CHECKING:
    from hiersearch.concepts import Vocabulary
    from hiersearch.config import IndexPlace
    from hiersearch.index.results import IndexInfo

__all__ = ["concepts", "info", "tree_lines"]


def info(
    store: StoreOption = None,
    name: NameOption = None,
    json_: JsonFlag = False,
    timeout: TimeoutOption = None,
) -> None:
    """Show the size, model and vocabulary of an index."""
    from hiersearch.config import index_place
    from hiersearch.photos import path_to_text
    from hiersearch.resident.asking import ask

    place = index_place(store, os.environ, name, timeout)
    found, has_parents = ask(
        place,
        lambda there: (there.info(), there.about().has_parents),
        lambda: _read_info(place),
    )
    if not json_:
        suggest_better(found.model, found.model_id, found.trees, lambda: has_parents)
    if json_:
        store_text = found.store if isinstance(found.store, str) else path_to_text(found.store)
        typer.echo(json_text({"version": 1, **asdict(found), "store": store_text}))
        return
    copies = f" in {found.files} files" if found.files != found.photos else ""
    unnamed = found.photos - found.chained
    rows = {
        "store": printable(found.store),
        "photos": f"{found.photos}{copies}",
        "unnamed": f"{unnamed} that no concept fits" if unnamed else "",
        "model": f"{found.model} ({found.model_id}), {found.dimension} dimensions",
        "vocabulary": f"{found.vocabulary}, {found.concepts} concepts",
    }
    for key, value in rows.items():
        if value:
            typer.echo(f"{key:<12}{value}")


def _read_info(place: IndexPlace) -> tuple[IndexInfo, bool]:
    """What an index holds, and whether its vocabulary has parents."""
    from hiersearch.index import PhotoIndex

    with PhotoIndex.open(place, read_only=True) as index:
        found = index.info()
        # Only what has parents has trees; reading the vocabulary takes a moment.
        return found, found.trees is not None or index.vocabulary.has_parents


def concepts(
    depth: Annotated[
        int | None,
        typer.Option("--depth", metavar="N", min=1, help="Levels to show.", show_default="all"),
    ] = None,
    at_least: Annotated[
        int,
        typer.Option(
            "--at-least", metavar="N", min=1, help="Only concepts with at least N photos."
        ),
    ] = 1,
    where: WhereOption = None,
    json_: JsonFlag = False,
    store: StoreOption = None,
    name: NameOption = None,
    timeout: TimeoutOption = None,
) -> None:
    """Show the concepts in an index as a tree with photo counts."""
    from hiersearch.config import index_place
    from hiersearch.resident.asking import ask

    place = index_place(store, os.environ, name, timeout)
    found, vocabulary = ask(
        place,
        lambda there: there.concept_counts(where or ()),
        lambda: _count_concepts(place, where or ()),
    )
    counts = {concept: count for concept, count in found.items() if count >= at_least}
    if json_:
        listed = [
            {
                "concept": vocabulary[concept].name,
                "parents": [vocabulary[parent].name for parent in vocabulary[concept].parents],
                "count": count,
            }
            for concept, count in counts.items()
        ]
        typer.echo(json_text({"version": 1, "concepts": listed}))
        return
    for line in tree_lines(counts, vocabulary, depth):
        typer.echo(line)


def _count_concepts(place: IndexPlace, where: Sequence[str]) -> tuple[dict[str, int], Vocabulary]:
    from hiersearch.index import PhotoIndex

    with PhotoIndex.open(place, read_only=True) as index:
        return index.concept_counts(where), index.vocabulary


def tree_lines(
    counts: Mapping[str, int], vocabulary: Vocabulary, depth: int | None = None
) -> Iterator[str]:
    """The concepts as indented lines, most photos first.

    A concept with several parents is listed under each of them.

    Args:
        counts: Number of photos by concept id; includes all ancestors of a concept.
        vocabulary: Where the ids come from.
        depth: The most levels; None for all.
    """
    width = max((len(str(count)) for count in counts.values()), default=1)
    below: dict[str | None, list[str]] = {}
    for concept in sorted(counts, key=lambda one: (-counts[one], vocabulary[one].name)):
        for parent in vocabulary[concept].parents or (None,):
            below.setdefault(parent, []).append(concept)

    def walk(parent: str | None, level: int) -> Iterator[str]:
        if depth is not None and level >= depth:
            return
        for concept in below.get(parent, ()):
            yield f"{counts[concept]:>{width}}  {'  ' * level}{vocabulary[concept].name}"
            yield from walk(concept, level + 1)

    return walk(None, 0)
