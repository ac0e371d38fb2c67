"""`hiersearch query`: what a text or a photo is, from general to specific, and the photos there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hiersearch.cli.options import JsonFlag, ModelOption, NameOption, StoreOption, WhereOption

__all__ = ["query"]

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
    from hiersearch.cli.answer_table import print_answer
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
