"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from hiersearch.encoder import MODEL_CHOICES

__all__ = ["JsonFlag", "ModelOption", "NameOption", "StoreOption", "WhereOption"]

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="Folder of the index, or its place on a Qdrant server: http://localhost:6333/NAME, "
        "with the key in $QDRANT_API_KEY. [default: $HIERSEARCH_STORE, else a folder in your data "
        "folder]",
        show_default=False,
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Name of an index in your data folder. [default: photos]",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help=f"{MODEL_CHOICES}. An index keeps the model it was made with.",
        show_default=False,
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only photos for which this holds: taken>=2020-05, folder=Holidays, width>1000, "
        "name=cat.jpg. Repeat it to ask for more.",
        show_default=False,
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
