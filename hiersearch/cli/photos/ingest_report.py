"""What `hiersearch index` tells of a run: a summary, the first skips, and a report of them all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hiersearch.cli.terminal import escaped, json_text, printable, tell

if TYPE_CHECKING:
    from hiersearch.config import IndexPlace
    from hiersearch.index import MoveSummary
    from hiersearch.index.results import IngestSummary

__all__ = ["Outcome", "Report", "counted", "wrapped"]

_SHOWN = 20
_FIRST_LINE = "hiersearch index: what was skipped"
_LONGEST_NAME = 40


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        model: The model that the index was moved to, if it was.
        moved: What the move did; None if there was none.
        added: What adding photos did; None if none were to be added.
    """

    model: str = ""
    moved: MoveSummary | None = None
    added: IngestSummary | None = None

    @property
    def skipped(self) -> list[tuple[Path, str]]:
        """What could not be read, and why: by the move, then by adding."""
        moved = () if self.moved is None else self.moved.skipped
        added = [] if self.added is None else self.added.skipped
        return [*moved, *((skip.path, skip.reason) for skip in added)]

    @property
    def notes(self) -> list[tuple[Path, str]]:
        """What is to be known of photos that were kept, likewise."""
        moved = () if self.moved is None else self.moved.notes
        added = [] if self.added is None else self.added.notes
        return [*moved, *((one.path, one.note) for one in added)]

    def lines(self) -> Iterator[str]:
        """The summary for people; `added` alone is told in its second half."""
        if self.moved is not None:
            yield moved_line(self.moved, self.model)
        if self.added is not None:
            yield added_line(self.added)
            if self.added.passed_over:
                yield self.added.passed_over.sentence()
        if self.moved is None and self.added is None:
            yield "nothing to do"

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data; the numbers are 0 where nothing was to be added."""
        from hiersearch.index.results import IngestSummary

        told = (self.added or IngestSummary()).to_json()
        return {**told, "move": None if self.moved is None else self._move_json(self.moved)}

    def _move_json(self, moved: MoveSummary) -> dict[str, Any]:
        from hiersearch.photos import path_to_text

        return {
            "model": self.model,
            "photos": moved.photos,
            "dropped": list(moved.dropped),
            **{
                name: [
                    {word: text, "paths": [path_to_text(path) for path in paths]}
                    for text, paths in _grouped(pairs).items()
                ]
                for name, word, pairs in (
                    ("skipped", "reason", moved.skipped),
                    ("notes", "note", moved.notes),
                )
            },
        }


def moved_line(moved: MoveSummary, model: str) -> str:
    """What a move did."""
    parts = [
        (moved.photos, f"moved to {model}"),
        (len(moved.dropped), "no longer there"),
        (len(moved.skipped), "skipped"),
    ]
    return counted(parts) or "no photos"


def added_line(summary: IngestSummary) -> str:
    """What adding photos did."""
    parts = [
        (summary.added, "added"),
        (summary.updated, "updated"),
        (summary.moved, "moved"),
        (summary.copies, "copies of others"),
        (summary.removed, "removed"),
        (summary.relabelled, "labelled again"),
        (summary.unchanged, "unchanged"),
        (len(summary.skipped), "skipped"),
    ]
    return counted(parts) or "nothing to do"


def counted(parts: Iterable[tuple[int, str]]) -> str:
    """What a run did, without the parts that are zero."""
    return ", ".join(f"{count} {what}" for count, what in parts if count)


def wrapped(line: str) -> str:
    """A line broken between words where stdout is a terminal that is narrower."""
    if not sys.stdout.isatty():
        return line
    columns = max(shutil.get_terminal_size().columns, 20)
    return textwrap.fill(line, columns, subsequent_indent="  ", break_on_hyphens=False)


@dataclass(frozen=True)
class Report:
    """The file that lists all skips of a run.

    Attributes:
        place: The index.
        file: Where to write it; None: in the user's data folder, and only if there are more skips
            or notes than are shown.
        environ: The environment, for the data folder.
    """

    place: IndexPlace
    file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def check(self) -> None:
        """Makes sure, before hours of work, that a file that was named can be a report.

        Raises:
            UsageError: It is something else that would be lost, or lies in no folder.
        """
        from hiersearch.errors import UsageError

        if self.file is None:
            return
        hint = "Name another file for --report"
        if self.file.is_dir():
            raise UsageError(f"{self.file} is a folder, not a file for a report", hint=hint)
        if not self.file.parent.is_dir():
            raise UsageError(f"there is no folder {self.file.parent} for a report", hint=hint)
        if not self.file.is_file():
            return
        try:
            with self.file.open("rb") as there:
                begin = there.read(len(_FIRST_LINE))
        except OSError as error:
            raise UsageError(
                f"cannot read {self.file}, which a report would replace: {error.strerror or error}",
                hint=hint,
            ) from error
        if begin and begin != _FIRST_LINE.encode():
            raise UsageError(
                f"{self.file} is no report, and what is in it would be lost", hint=hint
            )

    def tell(self, outcome: Outcome, *, json_: bool = False) -> None:
        """Tells people or programs what a run did, and writes the report.

        Args:
            outcome: What it did.
            json_: Whether to print JSON, which lists everything, instead of lines.

        Raises:
            StoreError: A file that was named cannot be written.
        """
        if json_:
            typer.echo(json_text(outcome.to_json()))
        else:
            _show_first("skipped", outcome.skipped)
            _show_first("kept", outcome.notes)
            for line in outcome.lines():
                typer.echo(wrapped(line))
        most = max(len(outcome.skipped), len(outcome.notes))
        if self.file is None and (json_ or most <= _SHOWN):
            return
        written = self.write(outcome)
        if written is not None:
            what = "All that was skipped is listed" if most else "The report is"
            sys.stderr.write(f"{what} in {printable(written)}\n")

    def write(self, outcome: Outcome) -> Path | None:
        """Writes the file; None if that failed and nobody has named it.

        Raises:
            StoreError: A file that was named cannot be written.
        """
        from hiersearch.errors import StoreError
        from hiersearch.files import whole_file

        file = self.file or _default_file(self.place, self.environ)
        content = "".join(f"{line}\n" for line in self._lines(outcome)).encode()
        try:
            if self.file is None:
                file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists() and not file.is_file():
                file.write_bytes(content)  # a pipe or a terminal, which cannot be replaced
            else:
                with whole_file(file.resolve()) as stream:
                    stream.write(content)
        except OSError as error:
            message = f"the report cannot be written to {file}: {error.strerror or error}"
            if self.file is not None:
                raise StoreError(
                    message, hint="The photos are indexed; name another file for --report"
                ) from error
            tell(message)
            return None
        return file

    def _lines(self, outcome: Outcome) -> Iterator[str]:
        yield f"{_FIRST_LINE}, {datetime.now().astimezone():%Y-%m-%d %H:%M}"
        yield f"index: {escaped(str(self.place))}"
        yield ""
        if outcome.moved is not None:
            yield moved_line(outcome.moved, outcome.model)
        if outcome.added is not None:
            yield added_line(outcome.added)
            if outcome.added.passed_over:
                yield outcome.added.passed_over.sentence(shown=sys.maxsize)
        for word, found in (("skipped", outcome.skipped), ("kept", outcome.notes)):
            for reason, paths in _grouped(found).items():
                yield ""
                yield f"{len(paths)} {word}: {escaped(reason)}"
                yield from (f"  {escaped(path)}" for path in paths)
        if outcome.moved is not None and outcome.moved.dropped:
            yield ""
            yield f"{len(outcome.moved.dropped)} no longer there"
            yield from (f"  {escaped(path)}" for path in outcome.moved.dropped)


def _show_first(word: str, found: Sequence[tuple[Path, str]]) -> None:
    for path, reason in found[:_SHOWN]:
        sys.stderr.write(f"{word} {printable(path)}: {printable(reason)}\n")
    rest = found[_SHOWN:]
    if rest:
        sys.stderr.write(f"{word} {len(rest)} more: {printable(_reasons(rest))}\n")


def _default_file(place: IndexPlace, environ: Mapping[str, str]) -> Path:
    """One file for each index, replaced by each run: no folder of photos or of an index has it."""
    from hiersearch.config import data_dir

    where = str(place.resolve() if isinstance(place, Path) else place)
    digest = hashlib.sha256(where.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", place.name)[:_LONGEST_NAME]
    return data_dir(environ) / "reports" / f"{name}-{digest}.txt"


def _grouped(pairs: Iterable[tuple[Path, str]]) -> dict[str, list[Path]]:
    """Paths by their reason, the most frequent first."""
    from hiersearch.index.results import paths_by_text

    return paths_by_text((text, path) for path, text in pairs)


def _reasons(pairs: Sequence[tuple[Path, str]]) -> str:
    return ", ".join(f"{len(paths)} {reason}" for reason, paths in _grouped(pairs).items())
