"""What a run over some folders did."""

from __future__ import annotations

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

    def raise_for_lost(self) -> None:
        """Raises MissingPhotosError if a folder of the index is missing or suddenly empty."""
        if not self.lost:
            return
        folder, count = next(iter(self.lost.items()))
        more = f" (and {len(self.lost) - 1} more folders)" if len(self.lost) > 1 else ""
        state = "holds no photo any more" if folder.is_dir() else "is missing"
        raise MissingPhotosError(
            f"{folder} {state}{more}; its {count} indexed photos were kept",
            hint="Connect its disk and run again, or drop them with 'hiersearch index --prune'",
        )
