"""The `hiersearch` command: its subcommands, its exit codes and how it reports errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from hiersearch import __version__
from hiersearch.cli.collections.attach import attach, detach
from hiersearch.cli.photos.concepts import concepts
from hiersearch.cli.photos.copy import copy
from hiersearch.cli.photos.demo import demo
from hiersearch.cli.photos.index import index
from hiersearch.cli.photos.info import info
from hiersearch.cli.photos.query import query
from hiersearch.cli.research.evaluate import evaluate_command
from hiersearch.cli.research.train import train
from hiersearch.cli.terminal import printable
from hiersearch.errors import HiersearchError

__all__ = ["app", "main"]

_WRONG_USE = 2
_INTERRUPTED = 130

app = typer.Typer(
    name="hiersearch",
    help="Search photos from general to specific.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hiersearch {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(_WRONG_USE)


for _command in (index, query, info, concepts, copy, attach, detach, train, demo):
    app.command()(_command)
# `eval` is a name of Python's own.
app.command("eval")(evaluate_command)


def main() -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 wrong use, 3 store out of reach, 130."""
    # Results go down pipes too: a file name that is not UTF-8 must not stop them.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == _INTERRUPTED:
            _report("interrupted", "What was reported as stored is kept; run it again to go on")
        sys.exit(code)
    except BrokenPipeError:
        _stop_writing()
    except SystemExit as end:
        # Typer's own answer to a broken pipe is 1.
        if isinstance(end.__context__, BrokenPipeError):
            _stop_writing()
        raise
    except Exception as error:
        if "--debug" in sys.argv[1:2]:
            raise
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    """Says what happened and what to do next; returns the exit code."""
    if isinstance(error, HiersearchError):
        _report(error.message, error.hint)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        message, _, _ = error.format_message().rstrip(".").partition("\n")
        _report(message, "See 'hiersearch --help'")
        return error.exit_code
    _report(
        f"this should not have happened: {type(error).__name__}: {error}",
        "Run it as 'hiersearch --debug ...' and report what it shows",
    )
    return 1


def _stop_writing() -> NoReturn:
    """The reader of our output has seen enough; keeps the interpreter from flushing into it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
    sys.exit(0)


def _report(message: str, hint: str) -> None:
    line = printable(f"{message}. {hint}." if hint else message)
    sys.stderr.write(f"hiersearch: {line}\n")
