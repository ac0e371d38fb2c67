"""`hiersearch query`: what a text or a photo shows, from general to specific, with photos.

People get a table where the terminal is wide enough for one, and a list where it is not.
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

from hiersearch.cli.options import JsonFlag, ModelOption, NameOption, StoreOption, WhereOption
from hiersearch.cli.terminal import printable

if TYPE_CHECKING:
    from hiersearch.index.answer import Answer, Level, PhotoHit

__all__ = ["answer_lines", "query"]

_PHOTOS_PER_LEVEL = 3
_PATHS = 10

_TABLE_FROM = 72
_PIPE_WIDTH = 120
_LEAST_NAME = 16


def query(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to look for, in words.", show_default=False),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            "--image",
            metavar="FILE",
            help="Find photos similar to this one, instead of TEXT.",
            show_default=False,
        ),
    ] = None,
    levels: Annotated[
        int, typer.Option("--levels", metavar="N", min=1, help="Show at most N levels.")
    ] = 4,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Show at most N photos per level.",
            show_default=f"{_PHOTOS_PER_LEVEL}, or {_PATHS} with --paths",
        ),
    ] = None,
    where: WhereOption = None,
    paths: Annotated[
        bool, typer.Option("--paths", help="Print only paths, one per line, nearest first.")
    ] = False,
    json_: JsonFlag = False,
    store: StoreOption = None,
    name: NameOption = None,
    model: ModelOption = None,
) -> None:
    """Find photos by a text or a photo, from general to specific."""
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
            # The exact bytes of the name, whether or not they are valid UTF-8.
            sys.stdout.buffer.write(os.fsencode(photo.path) + b"\n")
    else:
        width = shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns
        if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
            width = _PIPE_WIDTH
        for line in answer_lines(answer, width, Path.cwd()):
            typer.echo(line)  # which drops the styles where stdout is no terminal


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
        "photos": [str(level.count) for level in levels],
    }
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
        lines.append(f"  {_facts(level)}")
        lines += [_photo_line(photo, width, here) for photo in level.photos]
    return lines


def _facts(level: Level) -> str:
    noun = "photo" if level.count == 1 else "photos"
    mass = [] if level.mass is None else [f"mass {_percent(level.mass)}"]
    return ", ".join([*mass, f"angle {_degrees(level.angle)}", f"{level.count} {noun}"])


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
