"""What captions say that photos show.

A caption names what its photo shows at several levels at once: *a man riding a wave on a surfboard*
names a man, hence a person, a wave and a surfboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from hiersearch.concepts.naming import ConceptNames
from hiersearch.concepts.spelling import fold, words_of
from hiersearch.concepts.vocabulary import Vocabulary
from hiersearch.errors import UsageError

__all__ = ["MISLEADING", "PEOPLE", "Mentions"]

PEOPLE = (
    *("adult", "baby", "babies", "batter", "bicyclist", "biker", "bikers", "boy", "boys"),
    *("catcher", "child", "children", "couple", "crowd", "cyclist", "female", "gentleman"),
    *("girl", "girls", "guy", "guys", "kid", "kids", "ladies", "lady", "male", "man", "men"),
    *("motorcyclist", "pedestrian", "pedestrians", "people", "person", "persons", "pitcher"),
    *("player", "players", "rider", "riders", "skateboarder", "skater", "skier", "snowboarder"),
    *("someone", "toddler", "toddlers", "woman", "women"),
)
"""Words of captions that say that people are there."""

MISLEADING = (
    *("aerial", "bank", "bar", "black and white", "block", "body part", "brush", "cage", "camera"),
    *("can", "cap", "clothes", "cone", "counter", "cross", "dish", "engine", "event", "eye"),
    *("face", "fan", "fighter", "fire", "float", "floating", "fly", "hand", "head", "intersection"),
    *("jumping", "material", "mouse", "mouth", "nature", "night", "object", "orange", "paint"),
    *("photograph", "pick", "picture", "place", "plant", "platform", "race", "riding", "running"),
    *("screen", "seal", "sheet", "shore", "slide", "stage", "string", "stripe", "structure"),
    *("suit", "swimming", "swing", "tackle", "tie", "turkey", "watch", "wheel", "wind", "wing"),
    *("wire", "wood"),
)
"""Names of the built-in vocabulary that captions mostly use for something else: "orange" is a
colour, "can" a verb, "the bank" a river's, "a photograph" every photo."""


class Mentions:
    """Finds a vocabulary's concepts, and all above them, in texts.

    Args:
        vocabulary: Its names and synonyms are looked for, as `ConceptNames` finds them; but *the
            dog's bowl* does not show a dog, and a synonym never beats a name.
        leave_out: Names that texts mostly use for something else, such as *orange* for a colour.
        also: Words that name a concept which is called otherwise, such as *guy* for *person*.

    Raises:
        UsageError: A name of `leave_out` or `also` is not in the vocabulary.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        leave_out: Iterable[str] = (),
        also: Mapping[str, str] | None = None,
    ) -> None:
        self._parents = vocabulary.parent_positions
        place = {name.casefold(): at for at, name in enumerate(vocabulary.names)}
        left_out = {name.casefold() for name in leave_out}
        more = {fold(word): name.casefold() for word, name in (also or {}).items()}
        for name in (*left_out, *more.values()):
            if name not in place:
                raise UsageError(
                    f"the vocabulary has no concept {name!r}", hint="See 'hiersearch concepts'"
                )
        self._more = {word: place[name] for word, name in more.items()}
        self._names = ConceptNames(
            vocabulary, leave_out=left_out, possessives=False, names_first=True
        )
        self._lineage = cache(self._with_ancestors)

    def __call__(self, text: str) -> frozenset[int]:
        """Positions in the vocabulary of what a text names, and of everything above it."""
        found: set[int] = set()
        for named in self._names.find(text):
            for at in named.concepts:
                found |= self._lineage(at)
        if self._more:
            for word in words_of(text):
                if word.owner is None and word.key in self._more:
                    found |= self._lineage(self._more[word.key])
        return frozenset(found)

    def _with_ancestors(self, at: int) -> frozenset[int]:
        found, waiting = {at}, [at]
        while waiting:
            for parent in self._parents[waiting.pop()]:
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return frozenset(found)
