"""Answers as plain data that JSON keeps exactly, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiersearch.index.results import (
    Answer,
    IndexInfo,
    IngestSummary,
    KeptNote,
    Level,
    PhotoHit,
    Skip,
)
from hiersearch.photos import PassedOver

__all__ = [
    "Facts",
    "answer_from_plain",
    "answer_to_plain",
    "info_from_plain",
    "info_to_plain",
    "summary_from_plain",
    "summary_to_plain",
]


@dataclass(frozen=True)
class Facts:
    """What commands want to know of an index before they begin.

    Attributes:
        model: The name or folder that its model is loaded by.
        model_id: What tells the model's weights from others.
        trees: The id of the statistics that its trees were made with; None without trees.
        has_parents: Whether its vocabulary has.
        photos: Number of different photos.
    """

    model: str
    model_id: str
    trees: str | None
    has_parents: bool
    photos: int


def answer_to_plain(answer: Answer) -> dict[str, Any]:
    """All of an answer; unlike `Answer.to_json`, nothing is rounded or left out."""
    return {
        **vars(answer),
        "levels": [
            {**vars(level), "photos": [_hit(photo) for photo in level.photos]}
            for level in answer.levels
        ],
        "photos": [_hit(photo) for photo in answer.photos],
    }


def answer_from_plain(plain: Mapping[str, Any]) -> Answer:
    """The answer that `answer_to_plain` made plain."""
    return Answer(
        query=plain["query"],
        levels=tuple(
            Level(**{**level, "photos": tuple(map(_hit_back, level["photos"]))})
            for level in plain["levels"]
        ),
        photos=tuple(map(_hit_back, plain["photos"])),
        branches=tuple(
            tuple((concept, mass) for concept, mass in branch) for branch in plain["branches"]
        ),
        notes=tuple(plain["notes"]),
    )


def summary_to_plain(summary: IngestSummary) -> dict[str, Any]:
    """All of what a run did."""
    return {
        **vars(summary),
        "skipped": [[str(skip.path), skip.reason] for skip in summary.skipped],
        "notes": [[str(note.path), note.note] for note in summary.notes],
        "passed_over": summary.passed_over.to_json(),
        "lost": [[str(folder), count] for folder, count in summary.lost.items()],
    }


def summary_from_plain(plain: Mapping[str, Any]) -> IngestSummary:
    """The summary that `summary_to_plain` made plain."""
    kept = {
        "skipped": [Skip(Path(path), reason) for path, reason in plain["skipped"]],
        "notes": [KeptNote(Path(path), note) for path, note in plain["notes"]],
        "passed_over": PassedOver.from_json(plain["passed_over"]),
        "lost": {Path(folder): count for folder, count in plain["lost"]},
    }
    return IngestSummary(**{**plain, **kept})


def info_to_plain(info: IndexInfo) -> dict[str, Any]:
    """All of what an index holds."""
    return {**asdict(info), "store": str(info.store), "folder": isinstance(info.store, Path)}


def info_from_plain(plain: Mapping[str, Any]) -> IndexInfo:
    """The info that `info_to_plain` made plain."""
    values = dict(plain)
    store = Path(values["store"]) if values.pop("folder") else values["store"]
    return IndexInfo(**{**values, "store": store})


def _hit(hit: PhotoHit) -> dict[str, Any]:
    return {
        "path": str(hit.path),
        "copies": [str(copy) for copy in hit.copies],
        "score": hit.score,
    }


def _hit_back(plain: Mapping[str, Any]) -> PhotoHit:
    return PhotoHit(Path(plain["path"]), tuple(map(Path, plain["copies"])), plain["score"])
