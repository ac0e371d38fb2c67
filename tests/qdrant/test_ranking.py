"""Rankings by exterior angle of collections that were never attached, on every store.

Nothing may be stored for them, and nothing is: the points carry what their owner gave them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from hiersearch import geometry
from hiersearch.errors import CollectionError
from hiersearch.qdrant import Client, equals
from hiersearch.qdrant.ranking import ancestor_formula, descendant_formula
from tests.qdrant.conftest import Cloud, unit
from tests.qdrant.foreign import NAME, add, number_of, their, theirs

EXACT = 1e-5
LIMIT = 10

pytestmark = [
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
]

RANKINGS = ("descendants_of", "ancestors_of")


def cosines(cloud: Cloud, query: np.ndarray, ranking: str) -> np.ndarray:
    """(n,): cos Ξ between the query and each point, by the definition."""
    vectors, root = cloud.vectors.astype(np.float64), cloud.root.astype(np.float64)
    query = query.astype(np.float64)
    pair = (query, vectors) if ranking == "descendants_of" else (vectors, query)
    return np.asarray(geometry.exterior_angle_cosine(*pair, root))


def well_defined(cloud: Cloud, query: np.ndarray, ranking: str) -> np.ndarray:
    """(n,): whether ‖v − t‖ and d_t are at least .1."""
    vectors, root = cloud.vectors.astype(np.float64), cloud.root.astype(np.float64)
    apart = np.linalg.norm(vectors - query, axis=1) >= 0.1
    parents = query[None] if ranking == "descendants_of" else vectors
    return apart & (np.linalg.norm(parents - root, axis=1) >= 0.1)


def check_hits(
    cloud: Cloud,
    hits: list,
    query: np.ndarray,
    ranking: str,
    rows: np.ndarray,
    *,
    offset: int = 0,
) -> None:
    """The best of the rows from the offset on, none missed, with the right numbers."""
    row_of = {number_of(cloud, row): row for row in range(len(cloud.ids))}
    true, sure = cosines(cloud, query, ranking), well_defined(cloud, query, ranking)
    found = [row_of[hit.id] for hit in hits]
    assert len(set(found)) == len(found) == min(LIMIT, len(rows) - offset)
    assert set(found) <= set(rows.tolist())
    wanted = np.sort(true[rows])[::-1][offset : offset + LIMIT]
    for hit, row, best in zip(hits, found, wanted, strict=True):
        assert hit.angle == pytest.approx(np.arccos(hit.score))
        assert hit.root_distance == pytest.approx(cloud.distances[row], abs=1e-4)
        if sure[row]:
            assert hit.score == pytest.approx(true[row], abs=EXACT)
            assert true[row] >= best - EXACT


def queries(cloud: Cloud, number: int) -> list[np.ndarray]:
    near = unit(cloud.vectors[:2].sum(axis=0))
    return [*Cloud.make(number, seed=21).vectors, cloud.vectors[5], near, -cloud.root]


def as_it_is(client: Client, vector: str) -> tuple[Any, np.ndarray]:
    """Payloads by id, payload indexes and metadata; and the vectors, in the same order."""
    points, _ = client.scroll(NAME, limit=10_000, with_vectors=True)
    info = client.get_collection(NAME)
    stored = {one.id: one.payload for one in points}
    rows = [one.vector[vector] if vector else one.vector for one in points]
    return (stored, dict(info.payload_schema), info.config.metadata), np.asarray(rows)


@pytest.fixture(params=["", "image"], ids=["unnamed", "named"])
def vector(request: pytest.FixtureRequest) -> str:
    return request.param


class TestNeverAttached:
    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_agrees_with_numpy_and_changes_nothing(
        self, client: Client, reader: Client, ranking: str, vector: str
    ) -> None:
        cloud = Cloud.make(350, seed=20)
        theirs(client, cloud, vector=vector)
        client.create_payload_index(NAME, "number", models.PayloadSchemaType.INTEGER)
        before, rows = as_it_is(client, vector)
        rank = getattr(their(reader, cloud.root, vector), ranking)
        every = np.arange(len(cloud.ids))
        third = models.Filter(
            must=[models.FieldCondition(key="number", range=models.Range(lt=170))]
        )
        for query in queries(cloud, 1):
            hits = rank(query, limit=LIMIT)
            check_hits(cloud, hits, query, ranking, every)
            check_hits(cloud, rank(query, limit=LIMIT, filter=third), query, ranking, every[:170])
            later = rank(query, limit=LIMIT, offset=7)
            check_hits(cloud, later, query, ranking, every, offset=7)
            least = hits[3].score - 1e-6
            above = rank(query, limit=LIMIT, score_threshold=least)
            assert above == [hit for hit in hits if hit.score >= least]
            assert len(above) >= 4
            [hit, *_] = rank(query, limit=1, payload=["caption"])
            assert set(hit.payload) == {"caption"}
        after, same_rows = as_it_is(client, vector)
        assert after == before
        # The client's local mode makes stored vectors unit ones again whenever it searches.
        np.testing.assert_allclose(same_rows, rows, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_points_added_a_moment_ago_are_found(
        self, client: Client, reader: Client, cloud: Cloud, ranking: str
    ) -> None:
        theirs(client, cloud)
        collection = their(reader, cloud.root)
        rank = getattr(collection, ranking)
        query = Cloud.make(1, seed=22).vectors[0]
        rank(query, limit=LIMIT)
        more = Cloud(
            cloud.root,
            np.concatenate([cloud.vectors, Cloud.make(40, seed=23).vectors]),
            [*cloud.ids, *(f"00000000-0000-0000-0001-{number:012d}" for number in range(40))],
        )
        add(client, more, range(len(cloud.ids), len(more.ids)))
        check_hits(more, rank(query, limit=LIMIT), query, ranking, np.arange(len(more.ids)))
        everyone = rank(query, limit=400, candidates=400)
        assert {hit.id for hit in everyone} == {number_of(more, row) for row in range(340)}

    def test_a_point_contains_itself_and_the_root_contains_all(
        self, client: Client, cloud: Cloud
    ) -> None:
        vectors = np.vstack([cloud.root[None], cloud.vectors[:50]])
        some = Cloud(cloud.root, vectors, cloud.ids[:51])
        theirs(client, some)
        collection = their(client, some.root)
        everything_below = collection.descendants_of(some.root, limit=60)
        assert len(everything_below) == 51
        assert {(hit.score, hit.angle) for hit in everything_below} == {(1.0, 0.0)}
        for row in range(1, 51, 7):
            parent = vectors[row]
            below = {hit.id: hit.angle for hit in collection.descendants_of(parent, limit=60)}
            assert below[number_of(some, row)] == 0.0
            above = {hit.id: hit.angle for hit in collection.ancestors_of(parent, limit=60)}
            assert above[number_of(some, 0)] == above[number_of(some, row)] == 0.0

    def test_squares_up_to_a_millionth_count_as_zero(self, client: Client, cloud: Cloud) -> None:
        """A float32 score holds no direction between points so close: they are one."""
        across = unit(cloud.vectors[7] - (cloud.vectors[7] @ cloud.root) * cloud.root)
        near = unit(np.stack([cloud.root + step * across for step in (0.0, 5e-4, 9e-4, 2e-3)]))
        some = Cloud(cloud.root, np.vstack([near, cloud.vectors[:20]]), cloud.ids[:24])
        theirs(client, some)
        collection = their(client, some.root)
        above = {hit.id: hit for hit in collection.ancestors_of(cloud.vectors[9], limit=60)}
        for row in (0, 1, 2):
            assert (above[number_of(some, row)].score, above[number_of(some, row)].angle) == (1, 0)
        assert above[number_of(some, 3)].score < 1
        for parent in near[:3]:
            assert {hit.score for hit in collection.descendants_of(parent, limit=60)} == {1.0}
        assert {hit.score for hit in collection.descendants_of(near[3], limit=60)} != {1.0}

    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_an_index_of_any_type_lies_on_root_distance(
        self, client: Client, cloud: Cloud, ranking: str
    ) -> None:
        query = Cloud.make(1, seed=24).vectors[0]
        for kind in (models.PayloadSchemaType.KEYWORD, models.PayloadSchemaType.INTEGER):
            theirs(client, cloud, name=NAME)
            client.create_payload_index(NAME, "root_distance", kind)
            hits = getattr(their(client, cloud.root), ranking)(query, limit=LIMIT)
            check_hits(cloud, hits, query, ranking, np.arange(len(cloud.ids)))
            client.delete_collection(NAME)

    def test_another_field_of_the_name_root_distance_does_not_count(
        self, client: Client, cloud: Cloud
    ) -> None:
        theirs(client, cloud)
        client.set_payload(NAME, {"root_distance": "far"}, equals("number", 3))
        query = Cloud.make(1, seed=25).vectors[0]
        for ranking in RANKINGS:
            hits = getattr(their(client, cloud.root), ranking)(query, limit=LIMIT, payload=False)
            check_hits(cloud, hits, query, ranking, np.arange(len(cloud.ids)))

    def test_vectors_without_length_are_never_hits(self, client: Client, cloud: Cloud) -> None:
        theirs(client, cloud)
        zero = [0.0] * cloud.vectors.shape[1]
        client.upsert(NAME, [models.PointStruct(id=number, vector=zero) for number in (1, 2)])
        collection = their(client, cloud.root)
        for query in queries(cloud, 1):
            for ranking in RANKINGS:
                hits = getattr(collection, ranking)(query, limit=400, candidates=400)
                assert len(hits) == len(cloud.ids)
                assert not {1, 2} & {hit.id for hit in hits}
        everyone = [hit.id for hit in collection.descendants_of(cloud.root, limit=400)]
        assert len(everyone) == len(cloud.ids)
        assert not {1, 2} & set(everyone)

    def test_vectors_at_right_angles_to_everything_are_hits(self, client: Client) -> None:
        """Their scores are 0, as those of vectors without length, which they are not."""
        first, *others = np.eye(6, dtype=np.float32)
        axes = Cloud(first, np.stack(others), [str(uuid.UUID(int=number)) for number in range(5)])
        theirs(client, axes)
        collection = their(client, axes.root)
        for ranking in RANKINGS:
            hits = getattr(collection, ranking)(axes.vectors[0], limit=9)
            assert len(hits) == 5
            by_row = {hit.id: hit for hit in hits}
            true = cosines(axes, axes.vectors[0], ranking)
            for row in range(5):
                hit = by_row[number_of(axes, row)]
                assert hit.score == pytest.approx(true[row], abs=EXACT)
                assert hit.root_distance == pytest.approx(2**0.5, abs=EXACT)
        assert len(collection.descendants_of(axes.root, limit=9)) == 5

    def test_empty_answers_are_empty(self, client: Client, cloud: Cloud) -> None:
        theirs(client, cloud)
        nothing = equals("caption", "no such")
        for query in (cloud.vectors[0], cloud.root):
            for ranking in RANKINGS:
                assert (
                    getattr(their(client, cloud.root), ranking)(query, limit=3, filter=nothing)
                    == []
                )


class TestDotProduct:
    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_unit_vectors_rank_as_by_cosine(
        self, client: Client, cloud: Cloud, ranking: str
    ) -> None:
        theirs(client, cloud, distance=models.Distance.DOT)
        for query in queries(cloud, 1):
            hits = getattr(their(client, cloud.root), ranking)(query, limit=LIMIT)
            check_hits(cloud, hits, query, ranking, np.arange(len(cloud.ids)))

    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_other_lengths_are_refused(self, client: Client, cloud: Cloud, ranking: str) -> None:
        theirs(client, cloud, distance=models.Distance.DOT, factor=1.5)
        with pytest.raises(CollectionError, match=r"length 1\.5"):
            getattr(their(client, cloud.root), ranking)(cloud.vectors[0], limit=3)


def test_attached_by_another_root_ranks_by_the_root_given(client: Client, cloud: Cloud) -> None:
    theirs(client, cloud)
    their(client, unit(cloud.vectors[3] + cloud.root)).attach()
    collection = their(client, cloud.root)
    with pytest.raises(CollectionError, match="root"):
        collection.radial_path(cloud.vectors[0])
    query = Cloud.make(1, seed=26).vectors[0]
    for ranking in RANKINGS:
        hits = getattr(collection, ranking)(query, limit=LIMIT)
        check_hits(cloud, hits, query, ranking, np.arange(len(cloud.ids)))


ALLOWED = {
    models.SumExpression: {"sum"},
    models.MultExpression: {"mult"},
    models.DivExpression: {"div"},
    models.SqrtExpression: {"sqrt"},
    models.AbsExpression: {"abs"},
}


def parts(expression: Any) -> Iterator[Any]:
    """The expression and everything that it is made of."""
    yield expression
    if isinstance(expression, models.DivExpression):
        inner = [expression.div.left, expression.div.right]
    elif type(expression) in ALLOWED:
        [name] = ALLOWED[type(expression)]
        value = getattr(expression, name)
        inner = value if isinstance(value, list) else [value]
    else:
        inner = []
    for one in inner:
        yield from parts(one)


class TestFormulas:
    """What reaches another node of a cluster unchanged.

    Decay expressions do not: their midpoints and scales come out as others.
    """

    @pytest.mark.parametrize(("formula", "ends"), [(descendant_formula, 1), (ancestor_formula, 2)])
    @pytest.mark.parametrize("distance", [1.1e-3, 0.4, 1.0, 2.0])
    def test_made_of_arithmetic_and_scores_alone(self, formula, ends, distance) -> None:
        query = formula(distance)
        assert not query.defaults
        found = list(parts(query.formula))
        scores = {part for part in found if isinstance(part, str)}
        assert scores == {f"$score[{place}]" for place in range(2 + ends)}
        for part in found:
            assert isinstance(part, (float, str)) or type(part) in ALLOWED, type(part)
            if isinstance(part, float):
                assert np.isfinite(part)

    @pytest.mark.parametrize("formula", [descendant_formula, ancestor_formula])
    def test_sent_as_nothing_else(self, formula) -> None:
        """As JSON, whatever types the client may make of it."""
        allowed = {"sum", "mult", "div", "sqrt", "abs", "left", "right", "by_zero_default"}

        def check(value: Any) -> None:
            if isinstance(value, dict):
                assert value.keys() <= allowed
                for one in value.values():
                    check(one)
            elif isinstance(value, list):
                for one in value:
                    check(one)
            else:
                assert isinstance(value, float) or value[:7] == "$score["

        check(formula(0.7).model_dump(exclude_none=True)["formula"])
