from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.concepts import Concept, Vocabulary, builtin_vocabulary
from hiersearch.concepts.formats import parse_vocabulary
from hiersearch.data.hierarchies import ConceptGraph, Hierarchy
from hiersearch.data.sampling import sample_hierarchies
from hiersearch.errors import UsageError

SHOP = parse_vocabulary(
    b"""# Google_Product_ConceptGraph_Version: 2021-09-21
Animals & Pet Supplies
Animals & Pet Supplies > Live Animals
Animals & Pet Supplies > Pet Supplies
Animals & Pet Supplies > Pet Supplies > Bird Supplies
Animals & Pet Supplies > Pet Supplies > Cat Supplies
Animals & Pet Supplies > Pet Supplies > Cat Supplies > Cat Beds
Animals & Pet Supplies > Pet Supplies > Cat Supplies > Cat Food
Apparel & Accessories
Apparel & Accessories > Clothing
Apparel & Accessories > Clothing > Dresses
Apparel & Accessories > Shoes
Hardware
""",
    name="shop.txt",
)

NAMES = ["a", "A", "b", "c", "d ", "D", "e", "f"]


@st.composite
def taxonomies(draw) -> ConceptGraph:
    """Small graphs in which names recur, concepts have several parents and several names."""
    size = draw(st.integers(2, 12))
    concepts = []
    for at in range(size):
        above = draw(st.sets(st.integers(0, at - 1), max_size=3)) if at else set()
        name = draw(st.sampled_from(NAMES)) + draw(st.sampled_from(["", "1", "2"]))
        concepts.append(Concept(str(at), name, tuple(map(str, sorted(above)))))
    concepts = draw(st.permutations(concepts))
    synonyms = draw(
        st.dictionaries(
            st.integers(0, size - 1).map(str), st.tuples(st.sampled_from(["x", "y", "B"]))
        )
    )
    return ConceptGraph(Vocabulary(concepts, "made"), synonyms)


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def related_texts(taxonomy: ConceptGraph) -> set[tuple[str, str]]:
    """Slowly and obviously: (lower, upper or equal) for every pair of texts."""
    vocabulary = taxonomy.vocabulary

    def names(concept: str) -> list[str]:
        return [plain(vocabulary[concept].name), *map(plain, taxonomy.synonyms.get(concept, ()))]

    return {
        (low, high)
        for concept in vocabulary
        for above in {concept.id} | vocabulary.ancestors(concept.id)
        for low in names(concept.id)
        for high in names(above)
    }


def check(taxonomy: ConceptGraph, hierarchies: tuple[Hierarchy, ...]) -> None:
    related = related_texts(taxonomy)
    texts = {text for pair in related for text in pair}
    for hierarchy in hierarchies:
        for high, low in itertools.combinations(map(plain, hierarchy.positive), 2):
            assert (low, high) in related
            assert low != high
        for text, negative in zip(hierarchy.positive, hierarchy.negative, strict=False):
            assert plain(negative) in texts
            assert plain(text) != plain(negative)
            assert (plain(text), plain(negative)) not in related
            assert (plain(negative), plain(text)) not in related


@settings(deadline=None, max_examples=100)
@given(
    taxonomies().filter(lambda t: t.vocabulary.has_parents),
    st.integers(0, 100),
    st.sampled_from([None, 2, 3]),
    st.floats(0, 1),
)
def test_no_negative_is_an_ancestor_or_descendant(taxonomy, seed, tiers, siblings):
    drawn = sample_hierarchies(taxonomy, seed=seed, count=20, tiers=tiers, siblings=siblings)
    check(taxonomy, drawn)
    assert all(len(h.negative) == len(h.positive) for h in drawn)
    assert all(tiers is None or len(h.positive) <= tiers for h in drawn)
    again = sample_hierarchies(taxonomy, seed=seed, count=20, tiers=tiers, siblings=siblings)
    assert drawn == again


def test_every_way_from_root_to_leaf_has_its_turn():
    drawn = sample_hierarchies(SHOP, seed=0)
    check(ConceptGraph(SHOP), drawn)
    assert sorted(h.positive for h in drawn) == [
        ("Animals & Pet Supplies", "Live Animals"),
        ("Animals & Pet Supplies", "Pet Supplies", "Bird Supplies"),
        ("Animals & Pet Supplies", "Pet Supplies", "Cat Supplies", "Cat Beds"),
        ("Animals & Pet Supplies", "Pet Supplies", "Cat Supplies", "Cat Food"),
        ("Apparel & Accessories", "Clothing", "Dresses"),
        ("Apparel & Accessories", "Shoes"),
    ]
    rounds = sample_hierarchies(SHOP, seed=0, count=14)
    assert rounds[:6] != rounds[6:12]
    assert {h.positive for h in rounds[:6]} == {h.positive for h in rounds[6:12]}
    assert len(rounds) == 14
    assert sample_hierarchies(SHOP, seed=0, count=0) == ()


def test_negatives_are_siblings_or_cousins():
    near = {h.positive[-1]: h for h in sample_hierarchies(SHOP, seed=1, siblings=1)}
    assert near["Cat Food"].negative[1:] == ("Live Animals", "Bird Supplies", "Cat Beds")
    assert near["Cat Food"].negative[0] in {"Apparel & Accessories", "Hardware"}
    # Where there are neither, those further off: here, of the generation before.
    assert near["Dresses"].negative[1:] == ("Shoes", "Shoes")
    far = {h.positive[-1]: h for h in sample_hierarchies(SHOP, seed=1, siblings=0)}
    assert far["Live Animals"].negative[1] in {"Clothing", "Shoes"}
    assert far["Cat Food"].negative[3] == "Cat Beds"  # it has no cousin


def test_positives_only():
    drawn = sample_hierarchies(SHOP, seed=0, negatives=False, tiers=2)
    assert {h.negative for h in drawn} == {()}
    assert ("Animals & Pet Supplies", "Cat Food") in {h.positive for h in drawn}


def test_a_single_root_is_left_out_where_negatives_are_wanted():
    vocabulary = parse_vocabulary(b"thing > animal > dog\nthing > plant > tree", name="a.txt")
    for tiers in (None, 2):
        drawn = sample_hierarchies(vocabulary, seed=0, tiers=tiers)
        assert sorted(h.positive for h in drawn) == [("animal", "dog"), ("plant", "tree")]
    drawn = sample_hierarchies(vocabulary, seed=0, negatives=False)
    assert {h.positive[0] for h in drawn} == {"thing"}
    alone = parse_vocabulary(b"thing > animal > dog", name="a.txt")
    assert sample_hierarchies(alone, seed=0) == ()


def test_a_concept_of_the_same_name_elsewhere_is_no_negative():
    entries = [
        {"name": "club", "id": "club"},
        {"name": "animal", "id": "animal"},
        {"name": "bat", "id": "bat1", "parents": ["animal"]},
        {"name": "cat", "id": "cat", "parents": ["animal"]},
        {"name": "BAT", "id": "bat2", "parents": ["club"]},
    ]
    vocabulary = parse_vocabulary(json.dumps(entries).encode(), name="a.json")
    drawn = sample_hierarchies(vocabulary, seed=0, count=40)
    bats = {h.negative for h in drawn if h.positive[-1].lower() == "bat"}
    assert bats == {("club", "cat")} | {("animal", "cat")}


def test_names_are_drawn_from_synonyms():
    vocabulary = parse_vocabulary(b"animal > dog\nanimal > cat\nplant > tree", name="a.txt")
    taxonomy = ConceptGraph(vocabulary, {"dog": ("hound",), "plant": ("flora",)})
    drawn = sample_hierarchies(taxonomy, seed=0, count=60)
    check(taxonomy, drawn)
    assert {t for h in drawn for t in h.positive} == {
        *("animal", "dog", "hound", "cat", "plant", "flora", "tree")
    }


def test_siblings_are_drawn_by_what_goes_through_them():
    lines = [
        "thing > animal > dog",
        "thing > rock > pebble",
        *(f"thing > odd {n}" for n in range(8)),
    ]
    lines += [f"thing > plant > herb > herb {number}" for number in range(12)]
    vocabulary = parse_vocabulary("\n".join(lines).encode(), name="a.txt")
    drawn = sample_hierarchies(vocabulary, seed=0, count=4000, siblings=1)
    beside = [h.negative[0] for h in drawn if h.positive[0] == "animal"]
    # plant has 12 of the other 21 ways, rock 1, each odd one 1
    assert beside.count("plant") / len(beside) == pytest.approx(12 / 21, abs=0.08)
    assert beside.count("rock") / len(beside) == pytest.approx(1 / 21, abs=0.04)


def test_uses_decide_where_ways_begin_and_what_is_named():
    vocabulary = parse_vocabulary(b"animal > dog > pug\nanimal > cat\nplant > tree", name="a.txt")
    taxonomy = ConceptGraph(
        vocabulary,
        synonyms={"cat": ("feline",)},
        uses={"dog": (100,), "cat": (25, 4), "animal": (1000,)},
    )
    drawn = sample_hierarchies(taxonomy, seed=0, count=3000, negatives=False)
    ends = [h.positive[-1] for h in drawn]
    assert len(ends) == 3000
    for name, weight in {"dog": 10, "cat": 5, "feline": 2}.items():
        assert ends.count(name) / 3000 == pytest.approx(weight / 17, abs=0.03)
    # What is never used is on no way, and a negative only where there is nothing else.
    drawn = sample_hierarchies(taxonomy, seed=0, count=200)
    assert {h.negative for h in drawn if h.positive[-1] == "dog"} == {
        ("plant", "cat"),
        ("plant", "feline"),
    }


def test_the_widest_concepts_are_scaffolding():
    vocabulary = parse_vocabulary(
        b"thing > being > dog > pug\nthing > being > cat > tabby\n"
        b"thing > stone > pebble\nthing > cloud > nimbus",
        name="a.txt",
    )
    drawn = sample_hierarchies(vocabulary, seed=0, count=60, widest=0.4)
    assert {h.positive for h in drawn} == {
        *(("dog", "pug"), ("cat", "tabby"), ("stone", "pebble"), ("cloud", "nimbus"))
    }
    assert {text for h in drawn for text in h.negative}.isdisjoint({"thing", "being"})


def test_rounds():
    every = sample_hierarchies(SHOP, seed=0, rounds=3)
    assert len(every) == 18
    assert every == sample_hierarchies(SHOP, seed=0, count=18)


@pytest.mark.parametrize(
    "options", [{"tiers": 1}, {"widest": 2.0}, {"siblings": 1.5}, {"siblings": -1}, {"count": -1}]
)
def test_numbers_out_of_range(options):
    with pytest.raises(UsageError):
        sample_hierarchies(SHOP, seed=0, **options)


def test_no_parents():
    with pytest.raises(UsageError, match="have no parents"):
        sample_hierarchies(parse_vocabulary(b"dog\ncat", name="a.txt"), seed=0)


def test_the_builtin_vocabulary():
    vocabulary = builtin_vocabulary()
    drawn = sample_hierarchies(vocabulary, seed=0, count=1500)
    assert len(drawn) > 1490
    check(ConceptGraph(vocabulary), drawn)
    assert {len(h.negative) for h in drawn} == {len(h.positive) for h in drawn}
    assert drawn != sample_hierarchies(vocabulary, seed=1, count=1500)


def test_a_real_graph_with_several_parents(shared_data):
    folder = shared_data / "taxonomies"
    text = (folder / "class-descriptions-boxable.csv").read_text(encoding="utf-8")
    names = dict(line.split(",")[:2] for line in text.splitlines())
    links: list[str] = []

    def collect(node: dict) -> None:
        for child in node.get("Subcategory", []):
            pair = [names.get(node[k], "Entity") for k in ("LabelName",)]
            links.append(f'"{names[child["LabelName"]]}","{pair[0]}"')
            collect(child)

    collect(json.loads((folder / "bbox_labels_600_hierarchy.json").read_text(encoding="utf-8")))
    content = "\n".join(["concept,parent", *dict.fromkeys(links)])
    vocabulary = parse_vocabulary(content.encode(), name="open-images.csv")
    assert any(len(concept.parents) > 1 for concept in vocabulary)
    drawn = sample_hierarchies(vocabulary, seed=0)
    assert len(drawn) > 100
    check(ConceptGraph(vocabulary), drawn)
