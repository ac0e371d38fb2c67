"""What a run leaves in its folder while it goes on, so that a killed one goes on where it was.

    OUTPUT/run/settings.json     what the run was told, and what its data was
    OUTPUT/run/losses.jsonl      a line for each step
    OUTPUT/run/checkpoint-N/     the newest checkpoint, and the best

The folder `run` is removed when the trained model is in place.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hiersearch.errors import HiersearchError, UsageError

__all__ = ["LAST_WRITTEN", "RunFolder", "unwritable"]

LAST_WRITTEN = "trainer_state.json"
"""The trainer writes this file last: a checkpoint that has it is whole."""

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


class RunFolder:
    """The folder of a run that has not ended.

    Args:
        output: The folder that the trained model will be in.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output / "run"
        self._settings = self.path / "settings.json"
        self._losses = self.path / "losses.jsonl"

    def begin(self, settings: Mapping[str, Any]) -> Path | None:
        """Take the folder for a run.

        Args:
            settings: All that decides what the run computes, as JSON has it.

        Returns:
            The checkpoint to go on from; None to begin at the first step.

        Raises:
            UsageError: The folder holds something else, or a run that was told otherwise.
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
                    f"{self.output} is there already, and no run that could go on",
                    hint="Name a new folder with --output",
                )
            self.path.mkdir(parents=True, exist_ok=True)
            unfinished = self._settings.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
            unfinished.replace(self._settings)
        except OSError as error:
            raise unwritable(self.output, error) from error
        return None

    def newest(self) -> Path | None:
        """The newest checkpoint that is whole."""
        found = [path for path in self.path.iterdir() if _CHECKPOINT.fullmatch(path.name)]
        whole = [path for path in found if (path / LAST_WRITTEN).is_file()]
        return max(whole, key=_step, default=None)

    def note_losses(self, step: int, losses: Mapping[str, float]) -> None:
        """Add a step's losses; steps are counted from 1."""
        with self._losses.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **losses}) + "\n")

    def losses(self) -> list[dict[str, float]]:
        """The losses of all steps so far, in order; a line that a kill cut off is left out."""
        if not self._losses.exists():
            return []
        found = []
        for line in self._losses.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def end(self) -> None:
        """Remove the folder: the trained model is in place."""
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
                f"{self.output} holds an unfinished run of another kind "
                f"({', '.join(changed)} differ)",
                hint="Repeat that run's command, or name another folder with --output",
            )

    def _forget_after(self, step: int) -> None:
        kept = [line for line in self.losses() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        unfinished = self._losses.with_suffix(".unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self._losses)


def unwritable(folder: Path, error: OSError) -> HiersearchError:
    """What to say where a folder cannot be written to."""
    return HiersearchError(
        f"{folder} cannot be written: {error.strerror or error}",
        hint="Make room there, or name another folder with --output",
    )


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
