"""Checks that an index is whole, photo by photo, and mends what can be mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hiersearch.index.checks.findings import CheckReport, Finding, Findings
from hiersearch.index.checks.missing_files import moved_folder, moving_command
from hiersearch.index.checks.one_photo import (
    derived_fields,
    distance_is_right,
    has_direction,
    labels_are_right,
    wrong_fields,
)
from hiersearch.index.fields import PATH
from hiersearch.index.storage import IndexStore
from hiersearch.photos import text_to_path
from hiersearch.qdrant import Record
from hiersearch.trees import concept_payload

__all__ = ["check_store"]

_VECTOR = "vectors that are not finite or not of unit length"
_DISTANCE = "root distances that are not those of the vectors"
_FIELDS = "photos that lack a field, or have one of a wrong type"
_NAMES = "photos whose names or folders are not those of their paths"
_LABELS = "photos with labels that are missing or not of the vocabulary"
_CONCEPTS = "concepts that are not stored as the vocabulary has them"
_TWICE = "paths of two photos"
_MISSING = "files that are not there"
_HALF = "a labelling that was cut off"

_DROPPED = (_VECTOR, _FIELDS)
"""What is mended by dropping a photo whose file is there, so that it is read again."""

_REPAIR = "Mend it with 'hiersearch check --repair'"
_INDEX = "Run 'hiersearch index FOLDER' with the photos' folder"
_READ_AGAIN = "They were dropped: 'hiersearch index FOLDER' reads them again"
_STAYS = "It could not be mended: index the photos again into another store"
_UNREAD = "Their files are not there to be read again: connect the disk that they are on"


def check_store(store: IndexStore, *, relabel: Callable[[], object], repair: bool) -> CheckReport:
    """Checks an index.

    Args:
        store: The index; open for writing if it is to be repaired.
        relabel: Gives all photos new labels, and stores the concepts again.
        repair: Whether to mend what can be mended.
    """
    tried = _looked_through(store, repair=repair)
    if not repair or not tried.findings:
        return tried
    if {_LABELS, _CONCEPTS, _HALF} & {one.kind for one in tried.findings}:
        store.remember(labelled=False)
        relabel()
    # What was mended is what is no longer found.
    now = _looked_through(store, repair=False)
    left = {one.kind: one for one in now.findings}
    findings = [one for kind in tried.findings for one in _mended(kind, left.get(kind.kind))]
    findings += (
        replace(one, advice=_UNREAD if one.kind in _DROPPED else _STAYS)
        if one.advice == _REPAIR
        else one
        for one in now.findings
    )
    return replace(now, findings=tuple(findings))


def _mended(before: Finding, left: Finding | None) -> list[Finding]:
    """What became of one kind of finding, as far as it was put right."""
    count = before.count - (0 if left is None else left.count)
    if count <= 0:
        return []
    examples = before.examples if left is None else ()
    advice = _READ_AGAIN if before.kind in _DROPPED else ""
    return [replace(before, count=count, examples=examples, mended=True, advice=advice)]


def _looked_through(store: IndexStore, *, repair: bool) -> CheckReport:
    """Looks at everything; `repair` mends each photo for itself on the way."""
    found = Findings()
    photos, owners, missing = _check_photos(store, found, repair)
    if not store.manifest.labelled:
        found.add(_HALF, str(store.place))
    if photos and store.connection.edition is None:  # which has no concepts
        _check_concepts(store, found)
    findings = [
        finding
        for kind in (_DISTANCE, _NAMES, _LABELS, _CONCEPTS, _HALF, *_DROPPED)
        for finding in found.finding(kind, advice=_REPAIR)
    ]
    findings += found.finding(_TWICE, advice=_INDEX)
    findings += _missing(found, missing, str(store.place))
    return CheckReport(
        str(store.place), photos, len(owners), len(store.vocabulary), tuple(findings)
    )


def _check_photos(
    store: IndexStore, found: Findings, repair: bool
) -> tuple[int, set[str], list[Path]]:
    """Looks at each photo once: how many there are, their paths, and those without a file."""
    count, owners, missing = 0, set[str](), list[Path]()
    for record in store.photos.scroll(with_vectors=True) if store.photos.exists() else ():
        count += 1
        _check_photo(store, record, found, repair)
        paths = record.payload.get(PATH)
        for text in paths if isinstance(paths, list) else ():
            if not isinstance(text, str):
                continue
            if text in owners:
                found.add(_TWICE, text)
            owners.add(text)
            if not text_to_path(text).is_file():
                found.add(_MISSING, text)
                missing.append(text_to_path(text))
    return count, owners, missing


def _check_photo(store: IndexStore, record: Record, found: Findings, repair: bool) -> None:
    paths = record.payload.get(PATH)
    name = str(paths[0]) if isinstance(paths, list) and paths else str(record.id)
    root = store.manifest.root
    wrong = wrong_fields(record)
    has_vector = has_direction(record.vector, store.dimension)
    derived = {} if wrong else derived_fields(record)
    if wrong:
        found.add(_FIELDS, f"{name} ({', '.join(wrong)})")
    if derived:
        found.add(_NAMES, name)
    trees = store.manifest.trees is not None
    if not labels_are_right(record.payload, store.vocabulary, trees):
        found.add(_LABELS, name)
    if not has_vector:
        found.add(_VECTOR, name)
    if repair and (wrong or not has_vector) and _can_be_read_again(paths):
        store.photos.delete([record.id])
        return
    if record.vector is None or not has_vector:
        return
    is_right = distance_is_right(record, root)
    if not is_right:
        found.add(_DISTANCE, name)
    if repair and (derived or not is_right):
        # Storing a photo again is what gives it its root distance.
        payload = {**record.payload, **derived}
        store.photos.upsert([record.id], record.vector[None], [payload])


def _can_be_read_again(paths: object) -> bool:
    """Whether nothing is lost with a photo: one of its files is there, or none is known."""
    known = [one for one in paths if isinstance(one, str)] if isinstance(paths, list) else []
    return not known or any(text_to_path(one).is_file() for one in known)


def _check_concepts(store: IndexStore, found: Findings) -> None:
    if not store.concepts.exists():
        return  # they are stored when they are next needed
    wanted = {one.id: concept_payload(one) for one in store.vocabulary}
    for record in store.concepts.scroll(with_vectors=True):
        name = str(record.payload.get("concept"))
        right = wanted.pop(name, None)
        stored = {key: record.payload.get(key) or [] for key in right or ()}
        if (
            right is None
            or stored != {key: value or [] for key, value in right.items()}
            or not has_direction(record.vector, store.dimension)
            or not distance_is_right(record, store.manifest.root)
        ):
            found.add(_CONCEPTS, name)
    for name in wanted:
        found.add(_CONCEPTS, name)


def _missing(found: Findings, missing: list[Path], store: str) -> list[Finding]:
    advice = "Connect the disk that they are on, or drop them with 'hiersearch index --prune'"
    moved = moved_folder(missing)
    if moved is not None:
        gone, there = moved
        command = moving_command(gone, there, store)
        advice = f"{gone} seems to be {there} now: run '{command}'"
    return found.finding(_MISSING, is_damage=False, advice=advice)
