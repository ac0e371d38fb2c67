"""`hiersearch detach`: takes back what `hiersearch attach` added to a Qdrant collection."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from hiersearch.cli.attach import CollectionOption, PlaceOption, UrlOption, open_store
from hiersearch.cli.options import JsonFlag

__all__ = ["detach"]


def detach(
    collection: CollectionOption,
    url: UrlOption = None,
    store: PlaceOption = None,
    json_: JsonFlag = False,
) -> None:
    """Remove what 'hiersearch attach' added to a Qdrant collection, and nothing else."""
    from hiersearch.cli.progress import progress_on_stderr
    from hiersearch.qdrant import HierarchicalCollection

    with open_store(url, store) as client, progress_on_stderr() as progress:
        theirs = HierarchicalCollection.attached(client, collection)
        summary = theirs.detach(on_progress=progress)
    if json_:
        typer.echo(json.dumps({"version": 1, **asdict(summary)}, indent=1))
        return
    noun = "point" if summary.points == 1 else "points"
    what = ", ".join(summary.fields) or "nothing that was added"
    typer.echo(f"removed {what} from {summary.points} {noun}")
