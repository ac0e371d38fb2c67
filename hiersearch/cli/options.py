"""Options that several commands share: their help, how the shell completes them, what they mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.config import TIMEOUT
from hiersearch.encoder import MODEL_CHOICES, MODEL_NAMES

if TYPE_CHECKING:
    from hiersearch.concepts import Vocabulary

__all__ = [
    "COLLECTION_MODELS",
    "MODEL_DEFAULT",
    "MODEL_HELP",
    "STORE_HELP",
    "VOCABULARY_HELP",
    "JsonFlag",
    "ModelOption",
    "NameOption",
    "StoreOption",
    "TimeoutOption",
    "WhereOption",
    "choose_model",
    "complete_from",
    "read_concepts",
    "require_choice",
    "suggest_better",
]

MODEL_HELP = f"{MODEL_CHOICES}."
COLLECTION_MODELS = "For a collection also fastembed:NAME, a model of fastembed's."
MODEL_DEFAULT = (
    "$HIERSEARCH_MODEL, else config.toml, else hierarcaps-clip-b if it is on this machine, else "
    "mini"
)
STORE_HELP = (
    "A folder on this machine, or the URL of a Qdrant server such as http://localhost:6333 "
    "(API key in $QDRANT_API_KEY)."
)
VOCABULARY_HELP = (
    "A file (text with one concept per line or lines like 'fruit > apple', CSV with the columns "
    "concept and parent, or JSON), or 'builtin'."
)


def complete_from(choices: Callable[[], Iterable[str]]) -> Callable[[], list[str]]:
    """A shell completion that offers some words; called only while the shell completes."""
    return lambda: list(choices())


def _index_names() -> list[str]:
    from hiersearch.config import data_dir

    folder = data_dir(os.environ) / "indexes"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help=f"Where the index is. {STORE_HELP} On a server, add the index's name: "
        "http://localhost:6333/NAME.",
        show_default="$HIERSEARCH_STORE, else config.toml, else --name in your data folder",
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Name of an index in your data folder, instead of --store.",
        show_default="photos",
        autocompletion=complete_from(_index_names),
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help=f"{MODEL_HELP} An index keeps the model it was made with.",
        show_default=f"the index's own, for a new index {MODEL_DEFAULT}",
        autocompletion=complete_from(lambda: MODEL_NAMES),
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only photos that meet this condition, such as taken>=2020-05, folder=Holidays, "
        "width>1000 or name=cat.jpg. Can be repeated; all must hold.",
        show_default=False,
    ),
]
TimeoutOption = Annotated[
    int | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=1,
        help="How long to wait for each answer of a Qdrant server.",
        show_default=str(TIMEOUT),
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def choose_model(model: str | None, *, environ: Mapping[str, str] = os.environ) -> str:
    """The model to use where no index remembers one: flag > environment > config > default.

    Suggests a better model on stderr if the default is used and there is one.
    """
    from hiersearch.config import read_settings

    chosen = model or read_settings(environ).model
    if chosen:
        return chosen
    from hiersearch.encoder import default_model

    chosen, note = default_model(environ)
    if note:
        sys.stderr.write(f"{note}\n")
    return chosen


def suggest_better(
    model: str, model_id: str, trees: str | None, has_parents: Callable[[], bool]
) -> None:
    """Says on stderr that an index would gain from another model or new labels, if it would.

    Args:
        model: The name or folder that its model is loaded by.
        model_id: What tells the model's weights from others.
        trees: The id of the statistics that its trees were made with; None without trees.
        has_parents: Whether its vocabulary has parents; asked only if it matters.
    """
    from hiersearch.encoder import better_model
    from hiersearch.encoder.known import better_labels

    note = better_model(model)
    if note is None:
        labels = better_labels(model, model_id, trees)
        # Without parents there are no trees; a vocabulary takes a moment to read.
        note = labels if labels and has_parents() else None
    if note:
        sys.stderr.write(f"{note}\n")


def read_concepts(concepts: Path) -> Vocabulary:
    """The vocabulary that `--concepts` names.

    Raises:
        VocabularyError: The file breaks a rule of its format.
        UsageError: The file cannot be read.
    """
    from hiersearch.concepts import builtin_vocabulary, read_vocabulary

    if str(concepts) == "builtin":
        return builtin_vocabulary()
    return read_vocabulary(concepts.expanduser())


def require_choice(what: str, word: str, choices: Iterable[str]) -> None:
    """Checks that a word is one of several.

    Args:
        what: What the word names, such as "benchmark".
        word: What was typed.
        choices: What can be meant.

    Raises:
        UsageError: It is none of them; the hint suggests the nearest.
    """
    from hiersearch.errors import UsageError

    choices = list(choices)
    if word in choices:
        return
    nearest = get_close_matches(word, choices, n=1)
    meant = f"Did you mean {nearest[0]}? " if nearest else ""
    raise UsageError(f"no {what} is called {word}", hint=f"{meant}Choose from {', '.join(choices)}")
