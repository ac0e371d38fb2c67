"""Writes docs/reference/cli.md, the reference of the command line, from the commands themselves.

    python docs/generate_cli.py

The same commands give the same bytes, on every machine and at every width of a terminal.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from hiersearch.cli import app

__all__ = ["PAGE", "cli_reference"]

PAGE = Path(__file__).parent / "reference" / "cli.md"
"""The page that is written."""

_HEAD = """\
<!-- Written by docs/generate_cli.py; do not edit. -->

# Command line

Results go to stdout, everything else to stderr. Settings come from options, then the environment,
then `config.toml`, then defaults.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | wrong use |
| 3 | the store is out of reach |
| 130 | interrupted |
"""


def cli_reference() -> str:
    """The reference as Markdown: every command with its arguments, options and defaults."""
    group: Any = typer.main.get_command(app)
    top = typer.Context(group, info_name="hiersearch")
    parts = [_HEAD, f"## hiersearch\n\n{_page(group, top)}"]
    panels: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        context = typer.Context(command, info_name=name, parent=top)
        section = f"### hiersearch {name}\n\n{_page(command, context)}"
        panels.setdefault(command.rich_help_panel, []).append(section)
    for panel, sections in panels.items():
        parts += [f"## {panel}\n", *sections]
    return "\n".join(parts)


def _page(command: Any, context: Any) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    help_ = "\n\n".join(" ".join(text.split()) for text in command.help.split("\n\n"))
    parts = [f"{_marked(help_)}\n", f"```text\n{usage}\n```\n"]
    for kind in ("argument", "option"):
        rows = [
            f"| {names} | {_marked(text)} | {default} |"
            for names, text, default in _rows(command, context, kind)
        ]
        if rows:
            parts.append(
                "\n".join([f"| {kind} | meaning | default |", "| --- | --- | --- |", *rows, ""])
            )
    return "\n".join(parts)


def _rows(command: Any, context: Any, kind: str) -> list[tuple[str, str, str]]:
    rows = []
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is None or param.param_type_name != kind or "--help" in param.opts:
            continue
        names = param.metavar if kind == "argument" else record[0]
        rows.append((f"`{names}`", param.help, _marked(_default(param))))
    return rows


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if isinstance(param.show_default, str):
        return param.show_default
    unset = param.default is None or isinstance(param.default, bool)
    return "" if unset else str(param.default)


def _marked(text: str) -> str:
    """Text of a help page as Markdown: words of the command line as code, nothing as markup."""
    text = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
    word = r"(?<![\w`/])(--?[a-z][a-z-]*|\$[A-Z\\_]+|https?://[\w:./]*\w|'hiersearch [^']*')"

    def code(found: re.Match[str]) -> str:
        return f"`{found[0].strip(chr(39)).replace(chr(92), '')}`"

    return re.sub(word, code, text)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(cli_reference(), encoding="utf-8")
