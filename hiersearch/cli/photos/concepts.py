"""`hiersearch concepts`: the concepts of an index as a tree, with numbers of photos."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.cli.options import JsonFlag, NameOption, StoreOption, WhereOption

if TYPE_CHECKING:
    from hiersearch.concepts import Vocabulary

__all__ = ["concepts", "tree_lines"]


def concepts(
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=1, help="Levels to show. [default: all]", show_default=False),
    ] = None,
    at_least: Annotated[
        int, typer.Option("--at-least", min=1, help="Only concepts with that many photos.")
    ] = 1,
    where: WhereOption = None,
    json_: JsonFlag = False,
    store: StoreOption = None,
    name: NameOption = None,
) -> None:
    """Show the concepts in an index as a tree, with the number of photos under each."""
    from hiersearch.config import index_place
    from hiersearch.index import PhotoIndex

    with PhotoIndex.open(index_place(store, os.environ, name)) as index:
        counts = {
            concept: count
            for concept, count in index.concept_counts(where or ()).items()
            if count >= at_least
        }
        vocabulary = index.vocabulary
    if json_:
        listed = [
            {
                "concept": vocabulary[concept].name,
                "parents": [vocabulary[parent].name for parent in vocabulary[concept].parents],
                "count": count,
            }
            for concept, count in counts.items()
        ]
        typer.echo(json.dumps({"version": 1, "concepts": listed}, ensure_ascii=False, indent=1))
        return
    for line in tree_lines(counts, vocabulary, depth):
        typer.echo(line)


def tree_lines(
    counts: Mapping[str, int], vocabulary: Vocabulary, depth: int | None = None
) -> Iterator[str]:
    """The concepts as indented lines, most photos first.

    A concept with several parents stands below each of them.

    Args:
        counts: Number of photos by concept id; all ancestors of a concept are there too.
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
