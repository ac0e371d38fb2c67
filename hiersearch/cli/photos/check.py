"""`hiersearch check`: whether an index is whole."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from hiersearch.cli.options import JsonFlag, NameOption, StoreOption, TimeoutOption
from hiersearch.cli.terminal import json_text, printable

__all__ = ["check"]


def check(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    json_: JsonFlag = False,
    store: StoreOption = None,
    name: NameOption = None,
    timeout: TimeoutOption = None,
) -> None:
    """Check that an index is whole, and mend it.

    Exits with 0 if it is whole or was mended, with 1 if damage is left. Photo files that are not
    there are told, and are no damage of the index.
    """
    from hiersearch.config import index_place
    from hiersearch.index import PhotoIndex

    place = index_place(store, os.environ, name, timeout)
    with PhotoIndex.open(place) as index:
        report = index.check(repair=repair)
    if json_:
        typer.echo(json_text(report.to_json()))
    else:
        for one in report.findings:
            typer.echo(f"{'mended: ' if one.mended else ''}{one.count} {one.kind}")
            for example in one.examples:
                typer.echo(f"    {printable(example)}")
            if one.advice:
                typer.echo(f"  {printable(one.advice)}")
        state = "whole" if report.is_whole else "damaged"
        typer.echo(
            f"{printable(report.store)} is {state}: {report.photos} photos in {report.files} files"
        )
    if not report.is_whole:
        raise typer.Exit(1)
