"""The protocols against a slow reference, written from their description alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hiersearch.errors import UsageError
from hiersearch.evaluation import protocols


def reference(photos, listed, vectors, root, truth, protocol):
    """Chains and scores, photo by photo and radius by radius.

    `listed` are all texts as a file lists them, with repeats; `vectors` is a vector by text.
    """
    texts = np.stack([vectors[text] for text in listed])
    distances = np.linalg.norm(texts - root, axis=1)
    chains = []
    for photo in photos:
        cosines = [float(text @ photo) for text in texts]
        if protocol == "official":
            radii = np.linspace(distances.min(), distances.max(), 50)
        else:
            radii = np.linspace(0.0, distances[int(np.argmax(cosines))], 50)
        chain = []
        for radius in radii:
            best = None
            for at, cosine in enumerate(cosines):
                if distances[at] <= radius and (best is None or cosine > cosines[best]):
                    best = at
            if best is not None and (not chain or chain[-1] != listed[best]):
                chain.append(listed[best])
        chains.append(chain if protocol == "official" else chain[1:])
    precision, recall, tau = [], [], []
    for chain, texts_of_photo in zip(chains, truth, strict=True):
        right = set(chain) & set(texts_of_photo)
        precision.append(len(right) / len(set(chain)) if chain else 0.0)
        recall.append(len(right) / len(set(texts_of_photo)))
        own = [np.linalg.norm(vectors[text] - root) for text in texts_of_photo]
        defined = len(set(own)) > 1
        tau.append(stats.kendalltau(own, range(len(own))).statistic if defined else 0.0)
    return [tuple(c) for c in chains], np.mean(precision), np.mean(recall), np.mean(tau)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def agrees(photos, listed, vectors, root, truth, protocol):
    chains, precision, recall, tau = reference(photos, listed, vectors, root, truth, protocol)
    names = list(dict.fromkeys(listed))
    found = getattr(protocols, protocol)(
        photos, np.stack([vectors[name] for name in names]), root, truth, names
    )
    assert found.chains == tuple(chains)
    assert found.precision == pytest.approx(precision, abs=1e-9)
    assert found.recall == pytest.approx(recall, abs=1e-9)
    assert found.tau == pytest.approx(tau, abs=1e-9)
    assert found.n == len(truth)
    tiers = range(max(map(len, truth)))
    for tier, share in zip(tiers, found.recall_per_tier, strict=True):
        hits = [row[tier] in c for row, c in zip(truth, chains, strict=True) if len(row) > tier]
        assert share == pytest.approx(np.mean(hits), abs=1e-9)
    both = precision + recall
    assert found.f1 == pytest.approx(2 * precision * recall / both if both else 0.0, abs=1e-9)


@pytest.mark.parametrize("protocol", ["official", "paper"])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_reference_on_random_vectors(protocol, seed):
    random = np.random.default_rng(seed)
    words = [f"text {number}" for number in range(90)]
    vectors = dict(zip(words, unit(random.normal(size=(90, 6))), strict=True))
    # The same text stands in several items, in other tiers too, and twice in one item.
    truth = [random.choice(words, size=4).tolist() for _ in range(40)]
    listed = [text for row in truth for text in row]
    photos = unit(random.normal(size=(40, 6)))
    photos[7] = photos[3]  # a photo with two items
    agrees(photos, listed, vectors, unit(random.normal(size=6)), truth, protocol)


# Few directions, all of whose products are exact: ties in distance, in cosine, and of vectors.
GRID = [
    *np.eye(4, dtype=np.float32),
    *-np.eye(4, dtype=np.float32),
    *(np.array(signs, dtype=np.float32) - 0.5 for signs in np.ndindex(2, 2, 2, 2)),
]


@st.composite
def tied(draw):
    words = [f"t{number}" for number in range(draw(st.integers(1, 12)))]
    vectors = {word: draw(st.sampled_from(GRID)) for word in words}
    tiers = st.lists(st.sampled_from(words), min_size=1, max_size=5)
    truth = draw(st.lists(tiers, min_size=1, max_size=6))
    listed = [text for row in truth for text in row]
    photos = np.stack([draw(st.sampled_from(GRID)) for _ in truth])
    return photos, listed, vectors, draw(st.sampled_from(GRID)), truth


@pytest.mark.parametrize("protocol", ["official", "paper"])
@given(case=tied())
@settings(max_examples=150, deadline=None)
def test_agrees_with_the_reference_where_everything_ties(protocol, case):
    agrees(*case, protocol)


def test_float64_vectors_are_taken_as_they_are():
    random = np.random.default_rng(5)
    rows = random.normal(size=(60, 5))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = {f"t{number}": row for number, row in enumerate(rows[:50])}
    truth = [[f"t{5 * row + tier}" for tier in range(4)] for row in range(9)]
    agrees(rows[51:], list(vectors), vectors, rows[50], truth, "official")


def at_angle(degrees):
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]


# The root at 0°, four texts on one side of it, and a photo at 60°.
ROOT = np.array(at_angle(0), dtype=np.float32)
NAMES = ["wide", "near", "right", "beyond"]
TEXTS = np.array([at_angle(angle) for angle in (10, 35, 58, 80)], dtype=np.float32)
PHOTO = np.array([at_angle(60)], dtype=np.float32)


def test_official_goes_through_all_radii():
    found = protocols.official(PHOTO, TEXTS, ROOT, [["wide", "right"]], NAMES)
    assert found.chains == (("wide", "near", "right"),)
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), 1.0)
    assert found.f1 == pytest.approx(0.8)
    assert found.recall_per_tier == (1.0, 1.0)
    assert found.tau == 1.0


def test_paper_leaves_out_the_prediction_nearest_to_the_root():
    found = protocols.paper(PHOTO, TEXTS, ROOT, [["right", "wide"]], NAMES)
    assert found.chains == (("near", "right"),)
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert found.recall_per_tier == (1.0, 0.0)
    assert found.tau == -1.0


def test_paper_may_retrieve_nothing():
    found = protocols.paper(TEXTS[:1], TEXTS, ROOT, [["wide"]], NAMES)
    assert found.chains == ((),)
    assert (found.precision, found.recall, found.f1) == (0.0, 0.0, 0.0)


def test_of_equal_vectors_the_first_is_retrieved_and_all_count_for_the_order():
    texts = np.concatenate([TEXTS, TEXTS[:1]])
    names = [*NAMES, "wide again"]
    found = protocols.official(PHOTO, texts, ROOT, [["wide", "wide again", "right"]], names)
    assert found.chains == (("wide", "near", "right"),)
    assert found.recall == pytest.approx(2 / 3)
    assert found.tau == pytest.approx(stats.kendalltau([1, 1, 2], range(3)).statistic)


def test_a_name_that_is_listed_twice_is_one_text():
    texts = np.concatenate([TEXTS, np.array([at_angle(59)], dtype=np.float32)])
    found = protocols.official(PHOTO, texts, ROOT, [["wide", "right"]], [*NAMES, "right"])
    assert found.chains == (("wide", "near", "right"),)


def test_candidates_are_ordered_by_distance_without_repeated_vectors():
    texts = np.concatenate([TEXTS[::-1], TEXTS[1:2], TEXTS[2:3]])
    given = protocols.candidates(PHOTO, texts, ROOT, [*NAMES[::-1], "near again", "beyond"])
    assert given.names == tuple(NAMES)
    assert given.listed.tolist() == [3, 2, 1, 0]
    distances = np.linalg.norm(TEXTS - ROOT, axis=1)
    assert given.distances.tolist() == pytest.approx(distances.tolist())
    np.testing.assert_allclose(given.scores, TEXTS @ PHOTO.T, atol=1e-6)
    # Of a name that is listed twice the first counts; one with another's vector is still known.
    expected = [*distances.tolist(), distances[1]]
    numbers = [given.number_of[name] for name in [*NAMES, "near again"]]
    assert numbers == [3, 2, 1, 0, 4]
    assert given.text_distances[numbers].tolist() == pytest.approx(expected)


def test_one_text_and_constant_vectors_are_defined():
    same = np.repeat(PHOTO, 3, axis=0)
    for protocol in (protocols.official, protocols.paper):
        found = protocol(same, same, PHOTO[0], [["a"], ["b"], ["c", "a"]], ["a", "b", "c"])
        numbers = [found.precision, found.recall, found.f1, found.tau, *found.recall_per_tier]
        assert np.isfinite(numbers).all()
        assert found.tau == 0.0
    assert protocols.official(PHOTO, PHOTO, ROOT, [["a"]], ["a"]).chains == (("a",),)


@pytest.mark.parametrize(
    ("photos", "texts", "names", "truth"),
    [
        (PHOTO, TEXTS, NAMES[:3], [["wide"]]),
        (PHOTO, TEXTS[:, :1], NAMES, [["wide"]]),
        (PHOTO[:0], TEXTS, NAMES, []),
        (PHOTO, TEXTS[:0], [], [[]]),
        (PHOTO, TEXTS, NAMES, [["wide"], ["near"]]),
        (PHOTO, TEXTS, NAMES, []),
        (PHOTO, TEXTS, NAMES, [["elsewhere"]]),
        (PHOTO * np.nan, TEXTS, NAMES, [["wide"]]),
        (PHOTO * np.float32(np.inf), TEXTS, NAMES, [["wide"]]),
        (PHOTO, TEXTS * np.float32(np.inf), NAMES, [["wide"]]),
    ],
)
@pytest.mark.parametrize("protocol", [protocols.official, protocols.paper])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_does_not_fit_is_refused(protocol, photos, texts, names, truth):
    with pytest.raises(UsageError):
        protocol(photos, texts, ROOT, truth, names)
