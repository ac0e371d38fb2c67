"""English words that name nothing: what stands around nouns, and the verbs of captions.

The lists hold what people write about photos, not all of the language.
"""

from __future__ import annotations

__all__ = [
    "AUXILIARIES",
    "DETERMINERS",
    "FUNCTION_WORDS",
    "MEASURES",
    "ONE",
    "PICTURES",
    "PLAIN_ADJECTIVES",
    "PREPOSITIONS",
    "PRONOUNS",
    "STATES",
    "verb_of",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ONE = _words("a an the this that one each every another")
"""Words after which a noun can be singular, so that an -s after it is a verb's."""

DETERMINERS = ONE | _words(
    "these those some any no all both many several few much more most two three four five six "
    "seven eight nine ten my your his her its our their"
)
"""Words that begin a noun phrase."""

PREPOSITIONS = _words(
    "about above across after against along among around as at atop before behind below beneath "
    "beside besides between beyond by down during for from in inside into like near next of off "
    "on onto out outside over past per through to toward towards under underneath until up upon "
    "via with within without"
)

AUXILIARIES = _words("am are can could did do does had has have is was were will would")
"""Verbs between what a text is about and what it says of it."""

PRONOUNS = _words(
    "anybody anyone anything everybody everyone everything he him i it me nobody nothing she "
    "somebody someone something them they us we who which what you"
)
"""Words that stand for something without saying what it is."""

_OTHERS = _words(
    "also and be been being but get gets go goes got how if just nor not only or so than then "
    "there too very when where while why find please show"
)

FUNCTION_WORDS = DETERMINERS | PREPOSITIONS | PRONOUNS | AUXILIARIES | _OTHERS
"""Words that carry no meaning of their own in a query."""

MEASURES = _words(
    "assortment bag basket batch bottle bouquet bowl box bucket bunch can carton closeup "
    "cluster collection couple crate crowd cup display dozen flock glass group handful heap "
    "herd image jar jug kind lot mug number pack pair photo photograph pic picture piece pile "
    "pitcher plate plateful pot row selfie series set shot slice snapshot sort stack tray type "
    "variety view"
)
"""Words before "of" that say how much or in what, while what they are of is what is meant."""

PICTURES = _words("photo photograph pic picture image snapshot shot selfie wallpaper")
"""Words behind a noun that say no more than that a photo of it is wanted: dog photos."""

STATES = _words(
    "afar airborne alone apart asleep away awake back backwards caught downhill downstairs here "
    "indoors made midair nearby outdoors seen there today together tonight underwater uphill "
    "upright upstairs upside worn"
)
"""Words behind a noun that say how or where it is: a dog asleep."""

PLAIN_ADJECTIVES = _words(
    "big black blue brown cold dark dry gray green grey hard high large leather little long low "
    "new old orange pink purple red short small soft strong sweet tall warm wet white yellow"
)
"""A black bird is no blackbird, and a green house no greenhouse."""

_VERBS = _words(
    "bathe bike box camp carry catch chase chew climb cook crawl cross cut cycle dance dive "
    "drink drive eat face fight fish float fly graze hang head hike hit hold hunt iron jog jump "
    "kick knit land laugh lay lean leap lick lie look paddle park perch play point pose pull "
    "push race read rest ride roll row run sail sew shop sing sit skate skateboard ski sled "
    "sleep slide smile snowboard splash stand stare stop surf swim swing talk throw train "
    "travel trot use wait wake walk wash watch wear wind work wrestle"
)


def verb_of(word: str) -> tuple[str, str] | None:
    """The verb that a word can be a form of.

    Args:
        word: In lower case.

    Returns:
        The verb and the ending, one of "", "s" and "ing"; None for words that are no form of a
        verb that people use to say what goes on in a photo.
    """
    if word in _VERBS:
        return word, ""
    if word.endswith("ing"):
        stem = word[:-3]
        undoubled = stem[:-1] if stem[-2:-1] == stem[-1:] else stem
        for base in (stem, stem + "e", undoubled):
            if base in _VERBS:
                return base, "ing"
    if word.endswith("s"):
        for base in (word[:-1], word[:-2], word[:-3] + "y"):
            if base in _VERBS:
                return base, "s"
    return None
