"""Vocabularies written as JSON; `reading` describes the forms."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import TYPE_CHECKING, Any

from hiersearch.concepts.vocabulary import Concept, check_name
from hiersearch.errors import VocabularyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["name_key", "read_json"]

FORMS = (
    'Give a list of names, a list of {"name": ..., "parents": [...]}, '
    "or a mapping from names to parents"
)


def name_key(name: str) -> str:
    """The id of a concept that is known by its name alone."""
    return unicodedata.normalize("NFC", name.casefold())


def read_json(text: str) -> list[Concept]:
    """The concepts of a JSON text.

    Raises:
        VocabularyError: The text is not JSON, or none of the forms.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise VocabularyError(
            f"not readable as JSON: {error.msg}", line=error.lineno, hint="Mend the JSON"
        ) from error
    except (ValueError, RecursionError) as error:  # absurd numbers, absurd nesting
        raise VocabularyError("not readable as JSON", hint=FORMS) from error
    if isinstance(content, dict):
        if isinstance(content.get("concepts"), list):
            return _from_list(content["concepts"])
        return _from_mapping(content)
    if isinstance(content, list):
        return _from_list(content)
    raise VocabularyError("the JSON holds neither a list nor a mapping", hint=FORMS)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise VocabularyError(f"{key!r} occurs twice", hint="Join the two entries")
        found[key] = value
    return found


def _from_mapping(content: Mapping[str, Any]) -> list[Concept]:
    names: dict[str, str] = {}
    parents: dict[str, list[str]] = {}
    for raw, above in content.items():
        name = _name(raw, "a key of the mapping")
        key = name_key(name)
        if key in parents:
            raise VocabularyError(f"{name!r} occurs twice", hint="Join the two entries")
        names.setdefault(key, name)
        parents[key] = []
        given = [] if above is None else [above] if isinstance(above, str) else above
        if not isinstance(given, list):
            raise VocabularyError(f"the parents of {name!r} are no list of names", hint=FORMS)
        for parent in given:
            parent_name = _name(parent, f"a parent of {name!r}")
            names.setdefault(name_key(parent_name), parent_name)
            parents[key].append(name_key(parent_name))
    return [Concept(key, name, tuple(parents.get(key, ()))) for key, name in names.items()]


def _from_list(entries: Sequence[Any]) -> list[Concept]:
    drafts = [_draft(entry, at) for at, entry in enumerate(entries, start=1)]
    ids = {draft.id for draft in drafts}
    by_name = {name_key(draft.name): draft.id for draft in drafts}
    # An id wins over a name; what is neither stays as written, and the vocabulary refuses it.
    return [
        Concept(
            draft.id,
            draft.name,
            tuple(p if p in ids else by_name.get(name_key(p), p) for p in draft.parents),
            draft.familiarity,
        )
        for draft in drafts
    ]


def _draft(entry: Any, at: int) -> Concept:
    if isinstance(entry, str):
        name = _name(entry, f"concept {at}")
        return Concept(name_key(name), name)
    if not isinstance(entry, dict) or "name" not in entry:
        raise VocabularyError(f"concept {at} of the list has no name", hint=FORMS)
    unknown = sorted(set(entry) - {"name", "id", "parents", "familiarity"})
    if unknown:
        raise VocabularyError(
            f"concept {at} has the unknown field {unknown[0]!r}",
            hint="Fields are name, id, parents and familiarity",
        )
    name = _name(entry["name"], f"the name of concept {at}")
    given = entry.get("parents") or []
    if not isinstance(given, list):
        raise VocabularyError(f"the parents of {name!r} are no list of names", hint=FORMS)
    familiarity = entry.get("familiarity")
    if familiarity is not None and not _is_number(familiarity):
        raise VocabularyError(
            f"the familiarity of {name!r} is not a finite number", hint="Give a number"
        )
    return Concept(
        id=_name(entry["id"], f"the id of {name!r}") if "id" in entry else name_key(name),
        name=name,
        parents=tuple(_name(parent, f"a parent of {name!r}") for parent in given),
        familiarity=None if familiarity is None else float(familiarity),
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise VocabularyError(f"{what} is not a text", hint=FORMS)
    name = " ".join(value.split())
    check_name(name)
    return name
