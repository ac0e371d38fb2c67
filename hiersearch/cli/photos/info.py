"""`hiersearch info`: what an index holds."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import typer

from hiersearch.cli.options import JsonFlag, NameOption, StoreOption
from hiersearch.cli.terminal import printable

__all__ = ["info"]


def info(store: StoreOption = None, name: NameOption = None, json_: JsonFlag = False) -> None:
    """Show what an index holds and what it was made with."""
    from hiersearch.config import index_place
    from hiersearch.index import PhotoIndex
    from hiersearch.photos import path_to_text

    with PhotoIndex.open(index_place(store, os.environ, name)) as index:
        found = index.info()
    if json_:
        store_text = found.store if isinstance(found.store, str) else path_to_text(found.store)
        typer.echo(json.dumps({"version": 1, **asdict(found), "store": store_text}, indent=1))
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
