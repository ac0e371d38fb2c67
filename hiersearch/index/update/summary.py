"""What a run over some folders did."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hiersearch.errors import MissingPhotosError

__all__ = ["IngestSummary", "Skip"]


@dataclass(frozen=True)
class Skip:
    """A file or folder that was passed over, and why."""

    path: Path
    reason: str


@dataclass
class IngestSummary:
    """What a run did, in numbers of files.

    Attributes:
        unchanged: As they were.
        added: New photos.
        copies: New files equal in content to a photo that stays where it is.
        updated: Changed since the last run.
        moved: Recognised at a new path by their content.
        removed: Dropped, because their file was deleted.
        relabelled: Stored photos that were given a chain from another vocabulary.
        skipped: What could not be read.
        lost: Numbers of known photos by folder that is missing or suddenly empty; they were kept.
    """

    unchanged: int = 0
    added: int = 0
    copies: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    relabelled: int = 0
    skipped: list[Skip] = field(default_factory=list)
    lost: dict[Path, int] = field(default_factory=dict)

    def skip(self, problems: Iterable[tuple[Path, str]]) -> None:
        """Notes files and folders that were passed over, each with the reason."""
        self.skipped.extend(Skip(path, reason) for path, reason in problems)

    @property
    def changed(self) -> bool:
        """Whether the run changed what is stored."""
        return bool(
            self.added
            or self.copies
            or self.updated
            or self.moved
            or self.removed
            or self.relabelled
        )

    def raise_for_lost(self) -> None:
        """Raises MissingPhotosError if a folder of the index is missing or suddenly empty."""
        if not self.lost:
            return
        folder = next(iter(self.lost))
        count = sum(self.lost.values())
        photos = "1 indexed photo was" if count == 1 else f"{count} indexed photos were"
        state = "holds no photo any more" if folder.is_dir() else "is missing"
        more = f", nor do {len(self.lost) - 1} other folders" if len(self.lost) > 1 else ""
        raise MissingPhotosError(
            f"{folder} {state}{more}; {photos} kept",
            hint="Connect the disk and run again, or drop the photos with "
            f"'hiersearch index --prune {shlex.quote(str(folder))}'",
        )
