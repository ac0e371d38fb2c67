"""The `hiersearch` command: its subcommands, its exit codes and how it reports errors."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from hiersearch import __version__
from hiersearch.cli.collections.attach import attach, detach
from hiersearch.cli.photos.calibrate import calibrate
from hiersearch.cli.photos.check import check
from hiersearch.cli.photos.contents import concepts, info
from hiersearch.cli.photos.demo import demo
from hiersearch.cli.photos.index import copy, index
from hiersearch.cli.photos.query import query
from hiersearch.cli.photos.serve import serve
from hiersearch.cli.research.evaluate import evaluate_command
from hiersearch.cli.research.export import export
from hiersearch.cli.research.train import train
from hiersearch.cli.terminal import printable
from hiersearch.errors import HiersearchError

__all__ = ["app", "main"]

_WRONG_USE = 2
_INTERRUPTED = 130
_DEBUG = "--debug"


class _Command(TyperCommand):
    """A command with plain help: no Python types, no brackets of little meaning."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            rows = [
                (param.metavar if kind == "argument" else record[0], _plain(record[1]))
                for param in self.get_params(ctx)
                if param.param_type_name == kind and (record := param.get_help_record(ctx))
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class _Panels(TyperGroup):
    """Lists commands by panel in plain help, with the whole first paragraph of each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            summary = (command.help or "").partition("\n\n")[0]
            panels.setdefault(getattr(command, "rich_help_panel", ""), []).append((name, summary))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def _plain(text: str) -> str:
    """Typer puts a default that is told in words into parentheses: takes them out."""
    return re.sub(r"\[default: \((.*)\)(?=;|\])", r"[default: \1", text)


app = typer.Typer(
    name="hiersearch",
    cls=_Panels,
    help="Search photos from general to specific.",
    epilog="'hiersearch COMMAND --help' explains a command. Start with 'hiersearch demo', or with "
    "'hiersearch index FOLDER' and 'hiersearch query \"a parrot\"'.",
    # Plain help stays readable on narrow terminals, and takes no [brackets] for markup.
    rich_markup_mode=None,
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
    debug: Annotated[
        bool,
        typer.Option(
            _DEBUG, help="Show the traceback of an error. Works anywhere on the command line."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(_WRONG_USE)


_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Photos": {
        "demo": demo,
        "index": index,
        "query": query,
        "info": info,
        "check": check,
        "concepts": concepts,
        "serve": serve,
        "copy": copy,
        "calibrate": calibrate,
    },
    "Qdrant collections": {"attach": attach, "detach": detach},
    "Research": {"train": train, "eval": evaluate_command, "export": export},
}
for _panel, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        _help = inspect.getdoc(_command)
        app.command(_name, cls=_Command, help=_help, rich_help_panel=_panel)(_command)


def main() -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 wrong use, 3 store out of reach, 130."""
    # Results go down pipes too: a file name that is not UTF-8 must not stop them.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    debug = _take_debug(sys.argv)
    try:
        code = app(prog_name="hiersearch", standalone_mode=False)
        sys.stdout.flush()
        if code == _INTERRUPTED:
            _report("interrupted", "Run the same command again to resume; what was stored is kept")
        sys.exit(code)
    except BrokenPipeError:
        _stop_writing()
    except SystemExit as end:
        # Typer's own answer to a broken pipe is 1.
        if isinstance(end.__context__, BrokenPipeError):
            _stop_writing()
        raise
    except Exception as error:
        if debug:
            raise
        sys.exit(_explain(error))


def _take_debug(words: list[str]) -> bool:
    """Removes `--debug` from a command line, in place, and tells whether it was there.

    What follows `--` are arguments, and stays.
    """
    end = words.index("--") if "--" in words else len(words)
    options = words[:end]
    words[:end] = [word for word in options if word != _DEBUG]
    return _DEBUG in options


def _explain(error: Exception) -> int:
    """Says what happened and what to do next; returns the exit code."""
    if isinstance(error, HiersearchError):
        _report(error.message, error.hint)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        _report(*_wrong_use(error))
        return error.exit_code
    _report(
        f"unexpected error: {type(error).__name__}: {error}",
        f"Please report it with the output of the same command with {_DEBUG}",
    )
    return 1


def _wrong_use(error: typer.TyperException) -> tuple[str, str]:
    """Typer's own message in the form of ours."""
    context = getattr(error, "ctx", None)
    hint = f"See '{context.command_path if context else 'hiersearch'} --help'"
    message = error.format_message()
    if nearest := getattr(error, "possibilities", None):
        message, hint = error.message, f"Did you mean {nearest[0]}? {hint}"
    message, question, _ = message.partition(". Did you mean ")
    if question:
        hint = f"{error.message.removeprefix(f'{message}. ')} {hint}"
    message = message.partition("\n")[0].rstrip(".")
    return message[:1].lower() + message[1:], hint


def _stop_writing() -> NoReturn:
    """The reader of our output has seen enough; keeps the interpreter from flushing into it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
    sys.exit(0)


def _report(message: str, hint: str) -> None:
    line = printable(f"{message}. {hint}." if hint else f"{message}.")
    sys.stderr.write(f"hiersearch: {line}\n")
