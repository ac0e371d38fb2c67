"""`hiersearch query`: what a text or a photo is, from general to specific, and the photos there.

An answer for people: a table where the terminal is wide enough, a list where it is not.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from hiersearch.cli.options import JsonFlag, ModelOption, NameOption, StoreOption, WhereOption
from hiersearch.cli.terminal import printable

if TYPE_CHECKING:
    from hiersearch.index.answer import Answer, Level, PhotoHit

__all__ = [
    "answer_lines",
    "print_answer",
    "query",
]

_PHOTOS_PER_LEVEL = 3
_PATHS = 10


def query(
    text: Annotated[
        str | None, typer.Argument(help="What to look for, in words.", show_default=False)
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            "--image", metavar="FILE", help="A photo to find the like of.", show_default=False
        ),
    ] = None,
    levels: Annotated[int, typer.Option("--levels", min=1, help="The most levels to show.")] = 4,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            help=f"Photos per level. [default: {_PHOTOS_PER_LEVEL}; {_PATHS} with --paths]",
            show_default=False,
        ),
    ] = None,
    where: WhereOption = None,
    paths: Annotated[
        bool, typer.Option("--paths", help="Print the nearest photos' paths, one per line.")
    ] = False,
    json_: JsonFlag = False,
    store: StoreOption = None,
    name: NameOption = None,
    model: ModelOption = None,
) -> None:
    """Find photos from general to specific, by a text or by a photo."""
    from hiersearch.cli.photos.query import print_answer
    from hiersearch.config import index_place
    from hiersearch.errors import UsageError
    from hiersearch.index import PhotoIndex

    if (text is None) == (image is None):
        raise UsageError(
            "a query is a text or a photo",
            hint="Give one of the two: 'hiersearch query \"a parrot\"' or --image FILE",
        )
    if limit is None:
        limit = _PATHS if paths else _PHOTOS_PER_LEVEL
    with PhotoIndex.open(index_place(store, os.environ, name), model=model) as index:
        answer = index.query(text, image=image, levels=levels, limit=limit, where=where or ())
    if json_:
        typer.echo(json.dumps(answer.to_json(), ensure_ascii=False, indent=1))
    elif paths:
        for photo in answer.photos:
            # The bytes of the name as they are, whatever they spell.
            sys.stdout.buffer.write(os.fsencode(photo.path) + b"\n")
    else:
        print_answer(answer)


_TABLE_FROM = 72
_PIPE_WIDTH = 120
_LEAST_NAME = 16


def print_answer(answer: Answer) -> None:
    """Prints an answer to stdout, as wide as the terminal; into a pipe, without colour."""
    width = shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = _PIPE_WIDTH
    console = Console(width=width, highlight=False, soft_wrap=True)
    for line in answer_lines(answer, width, Path.cwd()):
        console.print(line)


def answer_lines(answer: Answer, width: int, here: Path) -> list[Text]:
    """The lines of an answer.

    Args:
        answer: What to show.
        width: Columns to fill at most.
        here: Paths below it are shown relative to it.
    """
    if answer.levels:
        lines = _table(answer, width) if width >= _TABLE_FROM else _list(answer, width, here)
    else:
        lines = [Text("Nothing in the vocabulary fits.")]
    if answer.photos:
        lines += [Text(), Text("Nearest of all photos", style="bold")]
        lines += [_photo_line(photo, width, here) for photo in answer.photos]
    return lines


def _table(answer: Answer, width: int) -> list[Text]:
    levels = answer.levels
    concepts = [f"{'  ' * (level.level - 1)}{level.concept}" for level in levels]
    head = ["level", "concept", "mass", "angle", "photos", "nearest"]
    if all(level.mass is None for level in levels):
        head.remove("mass")
    columns = {
        "level": [str(level.level) for level in levels],
        "concept": concepts,
        "mass": [_percent(level.mass) for level in levels],
        "angle": [_degrees(level.angle) for level in levels],
        "photos": [str(level.count) for level in levels],
    }
    sizes = {
        key: max(cell_len(key), *(cell_len(value) for value in columns[key])) for key in head[:-1]
    }
    room = width - sum(sizes.values()) - 2 * len(sizes)
    rows = [head[:-1], *([columns[key][row] for key in head[:-1]] for row in range(len(levels)))]
    nearest = ["nearest", *(_names(level.photos, room) for level in levels)]
    lines = []
    for row, (cells, names) in enumerate(zip(rows, nearest, strict=True)):
        line = Text()
        for key, cell in zip(head, cells, strict=False):
            padding = " " * (sizes[key] - cell_len(cell))
            style = "dim" if row == 0 else "bold" if key == "concept" else ""
            line.append(cell + padding if key == "concept" else padding + cell, style).append("  ")
        lines.append(line.append(names, "dim" if row == 0 else ""))
    return lines


def _list(answer: Answer, width: int, here: Path) -> list[Text]:
    lines = []
    for level in answer.levels:
        lines.append(Text(f"{level.level} ").append(level.concept, "bold"))
        lines.append(Text(f"  {_facts(level)}"))
        lines += [_photo_line(photo, width, here) for photo in level.photos]
    return lines


def _facts(level: Level) -> str:
    noun = "photo" if level.count == 1 else "photos"
    mass = [] if level.mass is None else [f"mass {_percent(level.mass)}"]
    return ", ".join([*mass, f"angle {_degrees(level.angle)}", f"{level.count} {noun}"])


def _photo_line(photo: PhotoHit, width: int, here: Path) -> Text:
    copies = f"  (+{len(photo.copies)} equal)" if photo.copies else ""
    score = f"  {photo.score:5.2f}  "
    room = max(width - len(score) - len(copies), _LEAST_NAME)
    return Text(f"{score}{_short(_shown(photo.path, here), room)}{copies}")


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
