"""`hiersearch query`: what a text or a photo shows, from general to specific, with photos.

With `--collection` it ranks a Qdrant collection instead (`hiersearch.cli.collections.search`).

People get a table where the terminal is wide enough for one, and a list where it is not.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size

from hiersearch.cli.options import (
    COLLECTION_MODELS,
    MODEL_HELP,
    STORE_HELP,
    JsonFlag,
    NameOption,
    TimeoutOption,
    complete_from,
)
from hiersearch.cli.terminal import escaped, json_text, printable, tell
from hiersearch.encoder import MODEL_NAMES

if TYPE_CHECKING:
    from hiersearch.config import IndexPlace
    from hiersearch.index.results import Answer, Level, PhotoHit

__all__ = ["answer_lines", "query"]

_LEVELS = 4
_PHOTOS_PER_LEVEL = 3
_PATHS = 10

_TABLE_FROM = 72
_PIPE_WIDTH = 120
_LEAST_NAME = 16


def _option(name: str, metavar: str, help_: str, default: bool | str = False) -> Any:
    return typer.Option(name, metavar=metavar, help=help_, show_default=default)


def query(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to look for, in words.", show_default=False),
    ] = None,
    image: Annotated[
        Path | None, _option("--image", "FILE", "Find what is similar to this photo.")
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(
            "--levels",
            metavar="N",
            min=1,
            help="Photos: show at most N levels.",
            show_default=str(_LEVELS),
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Show at most N photos per level, or N points of a collection.",
            show_default=f"{_PHOTOS_PER_LEVEL}; {_PATHS} with --paths or --collection",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        _option(
            "--where",
            "CONDITION",
            "Only what meets this condition: photos by taken>=2020-05, folder=Holidays, width>1000 "
            "or name=cat.jpg; points of a collection by any payload field, as lang=en or "
            "year>=2000. Can be repeated; all must hold.",
        ),
    ] = None,
    risk: Annotated[
        float | None,
        _option(
            "--risk",
            "SHARE",
            "Photos, with --image: go down only so far that at most this share of answers, such as "
            "0.1, ends with a concept that is false.",
        ),
    ] = None,
    min_mass: Annotated[
        float | None,
        _option("--min-mass", "SHARE", "Photos: show only levels of this mass or more, as 0.9."),
    ] = None,
    paths: Annotated[
        bool, typer.Option("--paths", help="Photos: print only paths, one per line, nearest first.")
    ] = False,
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Photos: as --paths, with a null character after each, for xargs -0.",
        ),
    ] = False,
    json_: JsonFlag = False,
    store: Annotated[
        str | None,
        _option(
            "--store",
            "STORE",
            f"Where the index or the collection is. {STORE_HELP} For an index on a server, add its "
            "name: http://localhost:6333/NAME.",
            "$HIERSEARCH_STORE, else config.toml, else --name in your data folder; with "
            "--collection the server of --url",
        ),
    ] = None,
    name: NameOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help=f"The model that made the vectors: {MODEL_HELP} {COLLECTION_MODELS}",
            show_default="the index's own, or the one that the collection was attached with",
            autocompletion=complete_from(lambda: MODEL_NAMES),
        ),
    ] = None,
    collection: Annotated[
        str | None,
        _option("--collection", "NAME", "Rank this Qdrant collection instead of photos."),
    ] = None,
    url: Annotated[
        str | None,
        _option("--url", "URL", "Collection: URL of the Qdrant server.", "$QDRANT_URL"),
    ] = None,
    rank: Annotated[
        str | None,
        typer.Option(
            "--rank",
            metavar="ORDER",
            help="Collection: nearest (most similar), below (what the query contains) or above "
            "(what contains the query).",
            show_default="nearest",
            autocompletion=complete_from(lambda: ("nearest", "below", "above")),
        ),
    ] = None,
    vector: Annotated[
        str | None,
        _option(
            "--vector",
            "NAME",
            "Collection: name of the vector to use, where points have several.",
            "the only one",
        ),
    ] = None,
    fields: Annotated[
        str | None,
        _option("--fields", "A,B", "Collection: payload fields to show.", "all"),
    ] = None,
    root: Annotated[
        Path | None,
        _option(
            "--root",
            "FILE.npy",
            "Collection: use this root, a vector of length 1 saved by numpy.save, instead of the "
            "model's.",
        ),
    ] = None,
    vector_file: Annotated[
        Path | None,
        _option(
            "--vector-file",
            "FILE.npy",
            "Collection: look for this vector instead of TEXT. With --root, no model is needed.",
        ),
    ] = None,
    unverified: Annotated[
        bool,
        typer.Option(
            "--unverified",
            help="Collection: skip the check that the model made these vectors.",
        ),
    ] = False,
    timeout: TimeoutOption = None,
) -> None:
    """Find photos by a text or a photo, from general to specific.

    With --collection, rank a Qdrant collection as it is: it need not be attached, and a key that
    may only read is enough. Options marked Photos or Collection are for one of the two.
    """
    for_photos = {
        "--levels": levels,
        "--risk": risk,
        "--min-mass": min_mass,
        "--paths": paths or None,
        "--null": null or None,
        "--name": name,
    }
    for_collections = {
        "--url": url,
        "--rank": rank,
        "--vector": vector,
        "--fields": fields,
        "--root": root,
        "--vector-file": vector_file,
        "--unverified": unverified or None,
    }
    if collection is None:
        from hiersearch.config import index_place

        _refuse(for_collections, "for a collection", "Add --collection NAME, or leave it out")
        wanted = {
            "image": image,
            "levels": levels or _LEVELS,
            "limit": limit if limit is not None else _PATHS if paths or null else _PHOTOS_PER_LEVEL,
            "where": where or (),
            "risk": risk,
            "min_mass": min_mass,
        }
        end = "\0" if null else "\n" if paths else None
        place = index_place(store, os.environ, name, timeout)
        _query_photos(text, wanted, end, json_, place, model)
        return
    from hiersearch.cli.collections.search import CollectionQuery, search_collection

    _refuse(for_photos, "for photos", "Leave it out, or leave out --collection")
    ranked = CollectionQuery(
        collection=collection,
        url=url,
        store=store,
        text=text,
        image=image,
        vector_file=vector_file,
        model=model,
        root=root,
        rank=rank or "nearest",
        vector=vector,
        where=where or (),
        fields=fields,
        limit=limit,
        unverified=unverified,
        timeout=timeout,
    )
    search_collection(ranked, width=_width(), json_=json_)


def _refuse(options: Mapping[str, object], what: str, hint: str) -> None:
    from hiersearch.errors import UsageError

    for option, value in options.items():
        if value is not None:
            raise UsageError(f"{option} is {what}", hint=hint)


def _query_photos(
    text: str | None,
    wanted: Mapping[str, Any],
    end: str | None,
    json_: bool,
    place: IndexPlace,
    model: str | None,
) -> None:
    from hiersearch.errors import UsageError
    from hiersearch.resident.asking import ask

    if (text is None) == (wanted["image"] is None):
        raise UsageError(
            "a query is a text or a photo",
            hint="Give one of the two: 'hiersearch query \"a parrot\"' or --image FILE",
        )
    answer = ask(
        place,
        lambda there: there.query(text, **wanted, model=model, on_note=tell),
        lambda: _open_and_query(place, text, wanted, model),
    )
    for note in answer.notes:
        tell(note)
    if json_:
        typer.echo(json_text(answer.to_json()))
    elif end is not None:
        _print_paths([photo.path for photo in answer.photos], end)
    else:
        for line in answer_lines(answer, _width(), Path.cwd()):
            typer.echo(line)  # which drops the styles where stdout is no terminal


def _print_paths(paths: Sequence[Path], end: str) -> None:
    """Prints paths, each followed by `end`: a program gets their exact bytes, people no others."""
    for path in paths:
        if sys.stdout.isatty():
            sys.stdout.write(escaped(path) + end)
        else:
            sys.stdout.buffer.write(os.fsencode(path) + os.fsencode(end))


def _open_and_query(
    place: IndexPlace, text: str | None, wanted: Mapping[str, Any], model: str | None
) -> Answer:
    from hiersearch.index import PhotoIndex

    with PhotoIndex.open(place, model=model, read_only=True) as index:
        return index.query(text, **wanted)


def _width() -> int:
    """Columns of a table: the terminal's; a wide table's where stdout is none."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return _PIPE_WIDTH
    return shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns


def answer_lines(answer: Answer, width: int, here: Path) -> list[str]:
    """The lines of an answer, styled for a terminal.

    Args:
        answer: What to show.
        width: Columns to fill at most.
        here: Paths below it are shown relative to it.
    """
    if answer.levels:
        lines = _table(answer, width) if width >= _TABLE_FROM else _list(answer, width, here)
    else:
        lines = ["Nothing in the vocabulary fits."]
    if len(answer.branches) > 1:
        lines += ["", typer.style("The photo also shows", bold=True)]
        lines += _branch_lines(answer.branches[1:], width)
    if answer.photos:
        lines += ["", typer.style("Nearest of all photos", bold=True)]
        lines += [_photo_line(photo, width, here) for photo in answer.photos]
    return lines


def _table(answer: Answer, width: int) -> list[str]:
    # Not rich.Table, which pads lines with spaces and cannot show as many whole names as fit.
    levels = answer.levels
    columns = {
        "level": [str(level.level) for level in levels],
        "concept": [f"{'  ' * (level.level - 1)}{level.concept}" for level in levels],
        "mass": [_percent(level.mass) for level in levels],
        "angle": [_degrees(level.angle) for level in levels],
        "sure": [str(level.sure) for level in levels],
        "about": [str(level.count) for level in levels],
    }
    if columns["sure"] == columns["about"]:
        columns["photos"] = columns.pop("about")
        del columns["sure"]
    if not any(columns["mass"]):
        del columns["mass"]
    room = width
    lines = [""] * (len(levels) + 1)
    for title, cells in columns.items():
        size = max(map(cell_len, (title, *cells)))
        room -= size + 2
        for row, cell in enumerate((title, *cells)):
            padding = " " * (size - cell_len(cell))
            if title == "concept":
                lines[row] += (typer.style(cell, bold=True) if row else cell) + padding + "  "
            else:
                lines[row] += padding + cell + "  "
    head, *rows = lines
    return [
        typer.style(f"{head}nearest", dim=True),
        *(f"{row}{_names(level.photos, room)}" for row, level in zip(rows, levels, strict=True)),
    ]


def _list(answer: Answer, width: int, here: Path) -> list[str]:
    lines = []
    for level in answer.levels:
        lines.append(f"{level.level} {typer.style(level.concept, bold=True)}")
        lines += [f"  {fact}" for fact in _facts(level)]
        lines += [_photo_line(photo, width, here) for photo in level.photos]
    return lines


def _facts(level: Level) -> list[str]:
    mass = [] if level.mass is None else [f"mass {_percent(level.mass)}"]
    facts = [*mass, f"angle {_degrees(level.angle)}"]
    if level.sure == level.count:
        return [", ".join([*facts, f"{level.count} {'photo' if level.count == 1 else 'photos'}"])]
    return [", ".join(facts), f"{level.sure} surely, about {level.count} in all"]


def _branch_lines(branches: Sequence[Sequence[tuple[str, float]]], width: int) -> list[str]:
    """Lines of concepts, each with how probable the last of it is; roots alone share the last."""
    lines = [
        f"  {_percent(branch[-1][1]):>5}  {' > '.join(concept for concept, _ in branch)}"
        for branch in branches
        if len(branch) > 1
    ]
    roots = [f"{branch[0][0]} {_percent(branch[0][1])}" for branch in branches if len(branch) == 1]
    if roots:
        lines.append(f"{' ' * 9}{', '.join(roots)}")
    return [f"{line[:9]}{_short(line[9:], width - 9)}" for line in lines]


def _photo_line(photo: PhotoHit, width: int, here: Path) -> str:
    copies = f"  (+{len(photo.copies)} equal)" if photo.copies else ""
    score = f"  {photo.score:5.2f}  "
    room = max(width - len(score) - len(copies), _LEAST_NAME)
    return f"{score}{_short(_shown(photo.path, here), room)}{copies}"


def _names(photos: Sequence[PhotoHit], room: int) -> str:
    """As many file names as there is room for; a single long one is shortened."""
    names = [printable(photo.path.name) for photo in photos]
    if not names:
        return "-"
    shown = _short(names[0], max(room, _LEAST_NAME))
    for name in names[1:]:
        if cell_len(shown) + 2 + cell_len(name) > room:
            break
        shown = f"{shown}  {name}"
    return shown


def _shown(path: Path, here: Path) -> str:
    return printable(path.relative_to(here) if path.is_relative_to(here) else path)


def _short(text: str, room: int) -> str:
    """The end of a text that is too long, which is what tells paths apart."""
    if cell_len(text) <= room:
        return text
    tail = text
    while cell_len(tail) > room - 1:
        tail = tail[1:]
    return set_cell_size(f"…{tail}", min(room, cell_len(tail) + 1))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _degrees(angle: float) -> str:
    return f"{math.degrees(angle):.0f}°"
