"""Vocabulary files, and the vocabulary that comes with hiersearch.

There are four formats, recognised by the file's suffix and its content. Text is UTF-8.

* One concept per line::

      dog
      a red bicycle

* Paths, in any text file in which a line holds " > ". A name means the same concept wherever it
  stands, so that several paths to it are several parents::

      fruit > apple > granny smith
      fruit > pear

* CSV, `concept,parent` (suffix .csv, or that as the first line of any file). Several lines for
  one concept give it several parents; a parent needs no line of its own::

      concept,parent
      tomato,vegetable
      tomato,fruit
      fruit,

* JSON (suffix .json, or content that starts with `[` or `{`). A list of names; a list of objects
  `{"name": "tomato", "id": "t1", "parents": ["fruit"], "familiarity": 3.5, "synonyms": ["love
  apple"]}`, where only the name is required, parents are ids or names in the list, and synonyms are
  other words for it that a query may use; `{"concepts": [...]}` around such a list; or a mapping
  from each name to its parent, a list of parents, or null.

In the text formats lines that start with "#" are comments. Empty lines and repeated concepts are
errors. The id of a concept is its name in lower case, unless JSON gives one.
"""

from __future__ import annotations

import codecs
import csv
import functools
import gzip
import itertools
import json
import math
import unicodedata
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiersearch.concepts.vocabulary import Concept, Vocabulary, check_name, cycle_error, find_cycle
from hiersearch.errors import VocabularyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "BUILTIN",
    "MAX_BYTES",
    "MAX_LINE",
    "builtin_vocabulary",
    "chosen_vocabulary",
    "parse_vocabulary",
    "read_vocabulary",
]

MAX_BYTES = 64 * 2**20
"""The largest vocabulary file that is read."""

MAX_LINE = 1000
"""The longest line of a text format, in characters: several names of a path."""

_HEADER = "concept,parent"

_FORMS = (
    'Give a list of names, a list of {"name": ..., "parents": [...]}, '
    "or a mapping from names to parents"
)

BUILTIN = "builtin"
"""What the built-in vocabulary is called, on the command line too."""


@functools.cache
def builtin_vocabulary() -> Vocabulary:
    """About 10,000 things that a camera can see, from WordNet 3.0, most familiar first.

    `training/vocabulary` makes the file; WORDNET_LICENSE beside it is its licence. Which words are
    familiar, and what they mean in a photo, is taken from counts of words in human captions: COCO's
    (CC BY 4.0) and Flickr8k's (for research). No caption is in the file.

    An id is "n" and the offset of a noun in WordNet 3.0 ("n02084071", dog); "top:" and a word for
    the roots for which WordNet has no single synset ("top:object"); or "x:" and the name for what
    people photograph and WordNet lacks ("x:skate park").
    """
    packed = resources.files("hiersearch.concepts").joinpath("wordnet.tsv.gz").read_bytes()
    _, *lines = gzip.decompress(packed).decode().splitlines()
    return Vocabulary(map(_builtin_concept, lines), name=BUILTIN)


def chosen_vocabulary(concepts: str | Path | Vocabulary) -> Vocabulary:
    """The vocabulary that a user means.

    Args:
        concepts: `BUILTIN`, a file as for `read_vocabulary`, or a vocabulary, which is returned as
            it is. `~` is the home folder.

    Raises:
        VocabularyError: The file cannot be read or breaks a rule.
    """
    if isinstance(concepts, Vocabulary):
        return concepts
    if str(concepts) == BUILTIN:
        return builtin_vocabulary()
    return read_vocabulary(Path(concepts).expanduser())


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Read a vocabulary from a file, in one of the formats that this module describes.

    Args:
        path: The file.

    Raises:
        VocabularyError: The file cannot be read or breaks a rule; `line` says where.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise VocabularyError(
            f"the vocabulary {path} cannot be read: {error.strerror}",
            hint="Give the path of a readable text, CSV or JSON file",
        ) from error
    if len(content) > MAX_BYTES:
        raise VocabularyError(
            f"the vocabulary {path} is larger than {MAX_BYTES >> 20} MB",
            hint="Keep to concepts that photos can show",
        )
    return parse_vocabulary(content, name=path.name)


def parse_vocabulary(content: bytes, *, name: str) -> Vocabulary:
    """Read a vocabulary from the bytes of a file.

    Args:
        content: The bytes.
        name: The file's name; the suffixes .csv and .json decide the format.

    Raises:
        VocabularyError: The content breaks a rule; `line` says where.
    """
    text = _decode(content, name)
    suffix = Path(name).suffix.lower()
    if not text.strip():
        raise VocabularyError(f"{name} is empty", hint="Write one concept per line")
    if suffix == ".json" or (suffix != ".csv" and text.lstrip()[0] in "[{"):
        return Vocabulary(_read_json(text), name)
    lines = list(_lines(text))
    if not lines:
        raise VocabularyError(f"{name} holds only comments", hint="Write one concept per line")
    collected = _Collected()
    if suffix == ".csv" or "".join(lines[0][1].split()).lower() == _HEADER:
        _read_csv(lines, collected)
    elif any(" > " in line for _, line in lines):
        _read_paths(lines, collected)
    else:
        for at, line in lines:
            collected.add_once(line, None, line=at)
    return collected.vocabulary(name)


def _decode(content: bytes, name: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise VocabularyError(f"{name} is UTF-16 text", hint="Save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{name} is not UTF-8 text: byte 0x{content[error.start]:02x}",
            line=content.count(b"\n", 0, error.start) + 1,
            hint="Save it as UTF-8",
        ) from error


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments; white space at the end of the file is no line."""
    # Not splitlines: that also splits at characters that may stand inside a name.
    unified = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    for at, line in enumerate(unified.split("\n"), start=1):
        if not line.strip():
            raise VocabularyError("an empty line", line=at, hint="Remove it")
        if len(line) > MAX_LINE:
            raise VocabularyError(
                f"{len(line)} characters ({line[:30]!r}...)",
                line=at,
                hint=f"Keep lines to {MAX_LINE} characters",
            )
        if not line.lstrip().startswith("#"):
            yield at, line


class _Collected:
    """The concepts of a text file, and the line of each link to a parent."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.links: dict[tuple[str, str | None], int] = {}

    def add(self, name: str, *, line: int) -> str:
        """The id of a name, whose first spelling is kept."""
        name = " ".join(name.split())
        check_name(name, line=line)
        key = _name_key(name)
        self.names.setdefault(key, name)
        return key

    def add_once(self, name: str, parent: str | None, *, line: int) -> None:
        """A line that must not be repeated: a concept, or a concept and its parent."""
        child = self.add(name, line=line)
        above = None if parent is None else self.add(parent, line=line)
        before = self.links.setdefault((child, above), line)
        if before != line:
            what = repr(self.names[child])
            if above is not None:
                what += f" with the parent {self.names[above]!r}"
            raise VocabularyError(
                f"{what} stands on line {before} already",
                line=line,
                hint="Remove one of the two lines",
            )

    def vocabulary(self, name: str) -> Vocabulary:
        parents: dict[str, list[str]] = {key: [] for key in self.names}
        for child, parent in self.links:
            if parent is not None:
                parents[child].append(parent)
        cycle = find_cycle(parents)
        if cycle:
            around = zip(cycle, [*cycle[1:], cycle[0]], strict=True)
            # The last of its links closes the cycle as the file is read.
            raise cycle_error(
                [self.names[key] for key in cycle], line=max(self.links[link] for link in around)
            )
        concepts = (Concept(key, self.names[key], tuple(parents[key])) for key in self.names)
        return Vocabulary(concepts, name)


def _read_csv(lines: list[tuple[int, str]], collected: _Collected) -> None:
    for at, line in lines:
        try:
            # One line at a time: a quote that is left open must not swallow the lines below it.
            row = next(csv.reader([line], strict=True, skipinitialspace=True))
        except csv.Error as error:
            raise VocabularyError(
                f"not readable as CSV: {error}", line=at, hint="Close each quote on its line"
            ) from error
        fields = [" ".join(field.split()) for field in row]
        if at == lines[0][0] and ",".join(fields).lower() == _HEADER:
            continue
        if len(fields) > 2:
            raise VocabularyError(
                f"{len(fields)} columns",
                line=at,
                hint='Write concept,parent, one line per parent; put names with commas in "quotes"',
            )
        parent = fields[1] if len(fields) == 2 and fields[1] else None
        collected.add_once(fields[0], parent, line=at)


def _read_paths(lines: list[tuple[int, str]], collected: _Collected) -> None:
    whole: dict[tuple[str, ...], int] = {}
    for at, line in lines:
        path = tuple(collected.add(name, line=at) for name in line.split(">"))
        if len(set(path)) < len(path):
            raise VocabularyError(
                "a concept stands above itself", line=at, hint="Name each concept once in a path"
            )
        if path in whole:
            raise VocabularyError(
                f"the same path as on line {whole[path]}",
                line=at,
                hint="Remove one of the two lines",
            )
        whole[path] = at
        for parent, child in itertools.pairwise(path):
            collected.links.setdefault((child, parent), at)


def _name_key(name: str) -> str:
    """The id of a concept without an id of its own."""
    return unicodedata.normalize("NFC", name.casefold())


def _read_json(text: str) -> list[Concept]:
    """The concepts of a JSON text.

    Raises:
        VocabularyError: The text is not JSON, or none of the forms.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise VocabularyError(
            f"not readable as JSON: {error.msg}", line=error.lineno, hint="Correct the JSON"
        ) from error
    except (ValueError, RecursionError) as error:  # absurd numbers, absurd nesting
        raise VocabularyError("not readable as JSON", hint=_FORMS) from error
    if isinstance(content, dict):
        if isinstance(content.get("concepts"), list):
            return _from_list(content["concepts"])
        return _from_mapping(content)
    if isinstance(content, list):
        return _from_list(content)
    raise VocabularyError("the JSON holds neither a list nor a mapping", hint=_FORMS)


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
        key = _name_key(name)
        if key in parents:
            raise VocabularyError(f"{name!r} occurs twice", hint="Join the two entries")
        names.setdefault(key, name)
        parents[key] = []
        given = [] if above is None else [above] if isinstance(above, str) else above
        for parent_name in _names(given, "parent", name):
            names.setdefault(_name_key(parent_name), parent_name)
            parents[key].append(_name_key(parent_name))
    return [Concept(key, name, tuple(parents.get(key, ()))) for key, name in names.items()]


def _from_list(entries: Sequence[Any]) -> list[Concept]:
    drafts = [_draft(entry, at) for at, entry in enumerate(entries, start=1)]
    ids = {draft.id for draft in drafts}
    by_name = {_name_key(draft.name): draft.id for draft in drafts}
    # An id wins over a name; unknown parents stay as written, and the vocabulary refuses them.
    return [
        Concept(
            draft.id,
            draft.name,
            tuple(p if p in ids else by_name.get(_name_key(p), p) for p in draft.parents),
            draft.familiarity,
            draft.synonyms,
        )
        for draft in drafts
    ]


def _draft(entry: Any, at: int) -> Concept:
    if isinstance(entry, str):
        name = _name(entry, f"concept {at}")
        return Concept(_name_key(name), name)
    if not isinstance(entry, dict) or "name" not in entry:
        raise VocabularyError(f"concept {at} of the list has no name", hint=_FORMS)
    unknown = sorted(set(entry) - {"name", "id", "parents", "familiarity", "synonyms"})
    if unknown:
        raise VocabularyError(
            f"concept {at} has the unknown field {unknown[0]!r}",
            hint="Fields are name, id, parents, familiarity and synonyms",
        )
    name = _name(entry["name"], f"the name of concept {at}")
    parents = _names(entry.get("parents") or [], "parent", name)
    familiarity = entry.get("familiarity")
    if familiarity is not None and not _is_number(familiarity):
        raise VocabularyError(
            f"the familiarity of {name!r} is not a finite number", hint="Give a number"
        )
    return Concept(
        id=_name(entry["id"], f"the id of {name!r}") if "id" in entry else _name_key(name),
        name=name,
        parents=parents,
        familiarity=None if familiarity is None else float(familiarity),
        synonyms=_names(entry.get("synonyms") or [], "synonym", name),
    )


def _names(given: Any, kind: str, name: str) -> tuple[str, ...]:
    """The parents or the synonyms of a name."""
    if not isinstance(given, list):
        raise VocabularyError(f"the {kind}s of {name!r} are not a list of names", hint=_FORMS)
    return tuple(_name(one, f"a {kind} of {name!r}") for one in given)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise VocabularyError(f"{what} is not text", hint=_FORMS)
    name = " ".join(value.split())
    check_name(name)
    return name


def _builtin_concept(line: str) -> Concept:
    concept_id, name, parents, familiarity, *more = line.split("\t")
    above = tuple(parents.split(",")) if parents else ()
    synonyms = tuple(word for words in more for word in words.split(",") if word)
    return Concept(concept_id, name, above, float(familiarity), synonyms)
