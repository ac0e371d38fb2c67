"""Expected counts, against slow loops over every photo."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.trees import PERHAPS, SURE, Tally, expected_counts

IDS = ("animal", "dog", "terrier", "cat", "food", "tomato")
VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("dog", "dog", ("animal",)),
        Concept("terrier", "terrier", ("dog",)),
        Concept("cat", "cat", ("animal",)),
        Concept("food", "food"),
        Concept("tomato", "tomato", ("food", "plant")),
        Concept("plant", "plant"),
    ],
    "test",
)

edges = st.sampled_from([0.0, PERHAPS, SURE, 1.0])
shares = edges | st.floats(0, 1)


@st.composite
def memberships(draw: st.DrawFn, least: int = 0) -> np.ndarray:
    """(b, 6) float32, of up to 12 photos; many of them at the very edges."""
    count = draw(st.integers(least, 12))
    rows = [draw(st.lists(shares, min_size=6, max_size=6)) for _ in range(count)]
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def slow(members: np.ndarray) -> list[list[float]]:
    """The table of a tally, one photo and concept at a time."""
    table = [[0.0] * 5 for _ in range(members.shape[1])]
    for row in members:
        for concept, member in zip(table, map(float, row), strict=True):
            if member >= SURE:
                concept[0] += 1
                concept[1] += member
            elif member >= PERHAPS:
                concept[2] += 1
                concept[3] += member
            else:
                concept[4] += member
    return table


def slow_expected(row: list[float], all_photos: int, sure: int, likely: int, photos: int) -> float:
    """The formula of the module, from a row of the table; not rounded."""
    kinds = (
        (sure, row[0], row[1], 1.0),
        (likely, row[2], row[3], 1.0),
        (max(photos - sure - likely, 0), all_photos - row[0] - row[2], row[4], 0.0),
    )
    number = sum(
        count * (whole / of_all if of_all else unknown) for count, of_all, whole, unknown in kinds
    )
    return max(sure, min(number, photos)) if sure or likely else 0


def rounded(number: float) -> set[int]:
    """Both ways, where it is as good as halfway between."""
    return {round(number - 1e-5), round(number + 1e-5)}


def assert_same(one: Tally, other: Tally) -> None:
    assert one.photos == other.photos
    np.testing.assert_allclose(one.table, other.table, atol=1e-9)


@settings(deadline=None)
@given(memberships())
def test_memberships_are_summed(members):
    found = Tally.of(members)
    assert found.photos == len(members)
    assert found.table.shape == (6, 5)
    np.testing.assert_allclose(found.table, slow(members), atol=1e-5)
    assert (found.table >= 0).all()


@settings(deadline=None)
@given(memberships(), memberships())
def test_two_tallies_are_that_of_all_photos(one, other):
    assert_same(Tally.of(one) + Tally.of(other), Tally.of(np.concatenate([one, other])))


@settings(deadline=None)
@given(memberships(least=1))
def test_of_the_whole_collection_as_many_are_expected_as_memberships_add_up_to(members):
    tally, count = Tally.of(members), len(members)
    for at, (sure, _, likely, *_) in enumerate(tally.table.astype(int).tolist()):
        whole = float(members[:, at].sum(dtype=np.float64))
        wanted = {max(sure, number) for number in rounded(whole)} if sure or likely else {0}
        assert tally.expected(at, sure, likely, count) in wanted


@st.composite
def parts(draw: st.DrawFn) -> tuple[int, int, int]:
    """Of some photos: how many surely show a concept, how many perhaps, and how many they are."""
    sure, likely, others = (draw(st.integers(0, 30)) for _ in range(3))
    return sure, likely, sure + likely + others


@settings(deadline=None)
@given(memberships(), st.integers(0, 5), parts())
def test_each_kind_counts_with_the_mean_of_its_kind(members, at, part):
    sure, likely, photos = part
    found = Tally.of(members).expected(at, *part)
    assert type(found) is int
    assert found in rounded(slow_expected(slow(members)[at], len(members), *part))
    assert sure <= found <= photos
    assert sure or likely or not found


def test_many_photos_that_hardly_show_it_have_some_that_do_among_them():
    # One of ten photos perhaps shows a dog; nine hardly do, and yet there may be two among them.
    tally = Tally.of(np.array([[0.5], *[[0.2]] * 9], np.float32))
    assert tally.expected(0, 0, 1, 10) == 2  # 0.5 + 9 * 0.2
    assert tally.expected(0, 0, 10, 100) == 23  # 5 + 90 * 0.2
    # Under a condition that all who perhaps show it meet, there are no others.
    assert tally.expected(0, 0, 10, 10) == 5


def test_those_who_perhaps_show_it_count_alike_however_many_others_there_are():
    few = Tally.of(np.array([[0.5]] * 4, np.float32))
    many = Tally.of(np.array([[0.5]] * 4 + [[0.1]] * 400, np.float32))
    assert few.expected(0, 0, 4, 4) == many.expected(0, 0, 4, 4) == 2


def test_what_the_collection_says_nothing_of_counts_whole():
    nothing = Tally.of(np.zeros((3, 1), np.float32))
    assert nothing.expected(0, 4, 3, 9) == 7
    assert nothing.expected(0, 4, 3, 7) == 7
    assert nothing.expected(0, 0, 0, 9) == 0
    none = Tally.of(np.zeros((0, 1), np.float32))
    assert none.expected(0, 4, 3, 9) == 7


def test_counts_that_do_not_fit_each_other_give_no_more_than_there_are_photos():
    # Photos may come and go between one count and the next.
    tally = Tally.of(np.array([[0.9], [0.5], [0.1]], np.float32))
    assert tally.expected(0, 0, 9, 3) == 3
    assert tally.expected(0, 5, 4, 6) == 6
    assert tally.expected(0, 0, 1, 0) == 0


@settings(deadline=None)
@given(memberships(least=1))
def test_rows_give_a_tally_back_to_two_decimals(members):
    tally = Tally.of(members)
    rows = tally.to_rows(IDS)
    shown = (members >= PERHAPS).any(axis=0)
    assert set(rows) == {one for one, there in zip(IDS, shown, strict=True) if there}
    again = Tally.from_rows(tally.photos, rows, IDS)
    assert again.photos == len(members)
    np.testing.assert_allclose(again.table, np.where(shown[:, None], tally.table, 0), atol=0.006)
    assert again.to_rows(IDS) == rows


def test_rows_of_concepts_that_are_there_no_more_are_left_out():
    rows = {"dog": [1, 0.9, 2, 1.1, 0.3], "gone": [5, 4.5, 0, 0, 0.2]}
    tally = Tally.from_rows(8, rows, ["cat", "dog"])
    assert tally.to_rows(["cat", "dog"]) == {"dog": [1, 0.9, 2, 1.1, 0.3]}


counts = st.dictionaries(st.sampled_from([one.id for one in VOCABULARY]), st.integers(1, 30))


def slow_counts(
    sure: dict[str, int], likely: dict[str, int], photos: int, tally: Tally | None
) -> dict[str, int]:
    """For each concept the greatest number of any kind of it that is there."""
    own = {}
    for at, concept in enumerate(VOCABULARY):
        one = concept.id
        if one in sure or one in likely:
            both = sure.get(one, 0), likely.get(one, 0)
            own[one] = tally.expected(at, *both, photos) if tally else min(photos, sum(both))
    found = {}
    for concept in VOCABULARY:
        kinds = [
            number
            for one, number in own.items()
            if one == concept.id or concept.id in VOCABULARY.ancestors(one)
        ]
        if kinds:
            found[concept.id] = max(kinds)
    return found


@settings(deadline=None)
@given(counts, counts, st.integers(30, 80), memberships(least=1) | st.none())
def test_counts_are_expected_bounded_and_greater_for_what_is_above(sure, likely, photos, members):
    # The vocabulary's seventh concept has the memberships of the first.
    tally = None if members is None else Tally.of(np.concatenate([members, members[:, :1]], axis=1))
    found = expected_counts(sure, likely, photos, tally, VOCABULARY)
    assert found == slow_counts(sure, likely, photos, tally)
    assert all(sure.get(one, 0) <= number <= photos for one, number in found.items())
    for one, number in found.items():
        assert all(found[above] >= number for above in VOCABULARY.ancestors(one))


def test_of_no_photos_nothing_is_expected():
    assert expected_counts({}, {}, 0, None, VOCABULARY) == {}
    assert expected_counts({}, {}, 5, Tally.of(np.ones((2, 7), np.float32)), VOCABULARY) == {}
