"""The folder of a training run: what it holds until the trained model is in place.

    OUTPUT/run/settings.json     the settings of the run, and which data it uses
    OUTPUT/run/losses.jsonl      a line for each step
    OUTPUT/run/checkpoint-N/     the newest checkpoint, and the best
    OUTPUT/run/finished/         the trained model, before its files are moved to OUTPUT

A run that was killed resumes from here. The folder `run` is removed at the end.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hiersearch.errors import HiersearchError, UsageError
from hiersearch.files import whole_file

__all__ = ["LAST_WRITTEN", "RunFolder", "unwritable"]

LAST_WRITTEN = "trainer_state.json"
"""The trainer writes this file last: a checkpoint that has it is complete."""

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


class RunFolder:
    """The folder of an unfinished run.

    Args:
        output: The folder that the trained model will be in.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output / "run"
        self._settings = self.path / "settings.json"
        self._losses = self.path / "losses.jsonl"

    def begin(self, settings: Mapping[str, Any]) -> Path | None:
        """Create the folder, or reopen that of an unfinished run.

        Args:
            settings: Everything that decides what the run computes, as JSON.

        Returns:
            The checkpoint to resume from; None to begin at the first step.

        Raises:
            UsageError: The folder holds something else, or a run with other settings.
            HiersearchError: The folder cannot be written to.
        """
        try:
            if self._settings.exists():
                self._require_same(settings)
                checkpoint = self.newest()
                self._forget_after(0 if checkpoint is None else _step(checkpoint))
                return checkpoint
            if self.output.exists() and (not self.output.is_dir() or any(self.output.iterdir())):
                raise UsageError(
                    f"{self.output} already exists and holds no unfinished run",
                    hint="Name a new folder with --output",
                )
            self.path.mkdir(parents=True, exist_ok=True)
            with whole_file(self._settings) as file:
                file.write(json.dumps(settings, indent=1).encode() + b"\n")
        except OSError as error:
            raise unwritable(self.output, error) from error
        return None

    def newest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = [path for path in self.path.iterdir() if _CHECKPOINT.fullmatch(path.name)]
        whole = [path for path in found if (path / LAST_WRITTEN).is_file()]
        return max(whole, key=_step, default=None)

    def note_losses(self, step: int, losses: Mapping[str, float]) -> None:
        """Append a step's losses; steps are counted from 1."""
        with self._losses.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **losses}) + "\n")

    def losses(self) -> list[dict[str, float]]:
        """The losses of all steps so far, in order; an incomplete last line is ignored."""
        if not self._losses.exists():
            return []
        found = []
        for line in self._losses.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def finish(self, write: Callable[[Path], None]) -> None:
        """Put the trained model in place and remove the folder.

        If it is interrupted, the run is still unfinished, and can be repeated.

        Args:
            write: Writes the trained model's files to a folder.

        Raises:
            HiersearchError: The folder cannot be written to.
        """
        finished = self.path / "finished"
        try:
            shutil.rmtree(finished, ignore_errors=True)
            finished.mkdir()
            write(finished)
            for path in sorted(finished.iterdir()):
                target = self.output / path.name
                if target.is_dir():  # of an interrupted attempt
                    shutil.rmtree(target)
                path.replace(target)
        except OSError as error:
            raise unwritable(self.output, error) from error
        self.end()

    def end(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _require_same(self, settings: Mapping[str, Any]) -> None:
        try:
            before = json.loads(self._settings.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(
                f"{self._settings} cannot be read: {error}", hint=f"Delete {self.output}"
            ) from error
        now = json.loads(json.dumps(settings))
        changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
        if changed:
            raise UsageError(
                f"{self.output} holds an unfinished run with another {', '.join(changed)}",
                hint="Repeat that run's command to finish it, or name another folder with --output",
            )

    def _forget_after(self, step: int) -> None:
        kept = [line for line in self.losses() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        with whole_file(self._losses) as file:
            file.write(text.encode())


def unwritable(folder: Path, error: OSError) -> HiersearchError:
    """The error for a folder that cannot be written to."""
    return HiersearchError(
        f"{folder} cannot be written: {error.strerror or error}",
        hint="Make room there, or name another folder with --output",
    )


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
