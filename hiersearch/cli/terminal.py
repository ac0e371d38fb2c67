"""What commands print: progress on stderr, JSON, and foreign names made safe for a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hiersearch.progress import Progress

__all__ = ["escaped", "json_text", "printable", "progress_on_stderr", "tell"]

_SECONDS_BETWEEN_LINES = 10.0
_BAR_FROM = 64


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """A `Progress` that shows the task, its rate and the time left.

    A bar on a terminal; elsewhere a line now and then.
    """
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.0f}/s" if task.speed else "")

    console = Console(stderr=True)
    # On a narrow terminal the numbers matter more than the bar.
    bar = [BarColumn(bar_width=None)] if console.width >= _BAR_FROM else []
    with Bars(
        TextColumn("{task.description}"),
        *bar,
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        expand=bool(bar),
    ) as bars:
        tasks = {}

        def on_progress(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total)
            bars.update(tasks[task], completed=done, total=total)
            if done >= total:
                bars.remove_task(tasks.pop(task))

        yield on_progress


class _Lines:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._task = ""
        self._begun = self._shown = time.monotonic()

    def __call__(self, task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if task != self._task:
            self._task, self._begun, self._shown = task, now, now
        elif done < total and now - self._shown < _SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        rate = done / (now - self._begun) if now > self._begun else 0.0
        left = (
            f", {rate:.0f}/s, {(total - done) / rate:.0f} s left" if rate and done < total else ""
        )
        sys.stderr.write(f"{task}: {done} of {total}{left}\n")


def tell(note: str) -> None:
    """Writes a sentence for people to stderr, beside the results."""
    sys.stderr.write(f"note: {printable(note)}\n")


# Control and format characters, lone surrogates, line and paragraph separators; emoji joiners stay.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")


def printable(text: Path | str) -> str:
    """A name without characters that would garble a terminal or fake a line of output."""
    read = os.fsencode(text).decode(errors="replace")
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unsafe(char) else char for char in read)


def escaped(text: Path | str) -> str:
    r"""A name with an escape such as `\x1b` for each character that would garble a terminal.

    Unlike `printable`, it tells such names apart; bytes that are not UTF-8 are escaped, too.
    """
    read = os.fsencode(text).decode(errors="backslashreplace")
    return "".join(_escape(char) if _is_unsafe(char) else char for char in read)


def json_text(value: Any, *, allow_nan: bool = True) -> str:
    """Indented JSON whose text is readable, but for what would garble a terminal: that is escaped.

    Args:
        value: Plain data.
        allow_nan: Whether a number may be one that is not finite, which JSON has no word for.

    Raises:
        ValueError: One is, and may not.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=allow_nan)
    # Line breaks are the layout's own: those of texts are escaped already.
    return _NOT_PLAIN.sub(_json_escape, text)


_NOT_PLAIN = re.compile(r"[^\n -~]")


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if _is_unsafe(found[0]) else found[0]


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _is_unsafe(char: str) -> bool:
    return unicodedata.category(char) in _UNSAFE and char not in _JOINERS
