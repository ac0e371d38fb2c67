"""What only a real server can show; `QDRANT_URL` names one."""

from __future__ import annotations

import pytest
from qdrant_client import QdrantClient, models

from hiersearch.errors import StoreError, StoreUnreachableError
from hiersearch.qdrant import CollectionOptions, HierarchicalCollection
from tests.qdrant.conftest import Cloud, no_server
from tests.qdrant.foreign import NAME, check_right, everything, label, their, theirs
from tests.qdrant.oracle import oracle_path

pytestmark = [
    no_server,
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]

STRICT = models.StrictModeConfig(
    enabled=True,
    max_query_limit=64,
    search_max_batchsize=7,
    search_allow_exact=False,
    search_max_hnsw_ef=64,
    upsert_max_batchsize=50,
    condition_max_size=16,
    unindexed_filtering_retrieve=False,
    unindexed_filtering_update=False,
)


def made(server: QdrantClient, cloud: Cloud, **options: int) -> HierarchicalCollection:
    collection = HierarchicalCollection(server, "hiersearch-test", root=cloud.root)
    collection.create(options=CollectionOptions(**options))
    collection.upsert(cloud.ids, cloud.vectors, [{"concepts": ["all"]}] * len(cloud.ids))
    return collection


def check_answers(collection: HierarchicalCollection, cloud: Cloud) -> None:
    rows = list(range(len(cloud.ids)))
    for query in Cloud.make(4, seed=41).vectors:
        wanted = oracle_path(cloud, query, rows)
        assert [hit.id for hit in collection.radial_path(query)] == wanted
        sampled = [collection.radial_path(query, radii=20, by=by) for by in ("descent", "batch")]
        assert sampled[0] == sampled[1]
        for rank in (collection.descendants_of, collection.ancestors_of):
            hits = rank(query, limit=9)
            assert len(hits) == 9
            assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)
    assert collection.facets(limit=10) == {"all": len(rows)}


def test_everything_works_within_strict_mode(server: QdrantClient, cloud: Cloud) -> None:
    made(server, cloud)
    server.update_collection("hiersearch-test", strict_mode_config=STRICT)
    collection = HierarchicalCollection(server, "hiersearch-test", root=cloud.root, hnsw_ef=128)
    check_answers(collection, cloud)
    with pytest.raises(StoreError, match="exact"):
        collection.nearest(cloud.root, limit=1, exact=True)
    with pytest.raises(StoreError, match="at most 64"):
        collection.nearest(cloud.root, limit=65)


@pytest.mark.parametrize("exact", [False, True])
def test_attaching_works_within_strict_mode(
    server: QdrantClient, cloud: Cloud, exact: bool
) -> None:
    theirs(server, cloud)
    before = everything(server)
    strict = STRICT.model_copy(update={"search_allow_exact": exact})
    server.update_collection(NAME, strict_mode_config=strict)
    their(server, cloud.root).attach(label=label)
    their(server, cloud.root).detach()
    their(server, cloud.root).attach()
    server.update_collection(NAME, strict_mode_config=models.StrictModeConfig(enabled=False))
    check_right(server, before, cloud.root)


def test_two_shards_answer_as_one(server: QdrantClient, cloud: Cloud) -> None:
    collection = made(server, cloud, shard_number=2)
    assert server.get_collection("hiersearch-test").config.params.shard_number == 2
    check_answers(collection, cloud)


def test_metadata_is_kept_and_removed_by_null(server: QdrantClient, cloud: Cloud) -> None:
    theirs(server, cloud)
    server.update_collection(NAME, metadata={"mine": {"x": 1}})
    their(server, cloud.root).attach(model="clip")
    kept = server.get_collection(NAME).config.metadata or {}
    assert kept.keys() == {"mine", "hiersearch"}
    assert kept["hiersearch"]["model"] == "clip"
    assert HierarchicalCollection.attached(server, NAME).radial_path(cloud.vectors[3])
    their(server, cloud.root).detach()
    assert server.get_collection(NAME).config.metadata == {"mine": {"x": 1}}


def test_the_index_is_principal(server: QdrantClient, cloud: Cloud) -> None:
    made(server, cloud)
    theirs(server, cloud)
    their(server, cloud.root).attach()
    for name in ("hiersearch-test", NAME):
        index = server.get_collection(name).payload_schema["root_distance"]
        assert index.data_type == models.PayloadSchemaType.FLOAT
        assert isinstance(index.params, models.FloatIndexParams)
        assert index.params.is_principal


def test_a_key_that_may_read_only(server: QdrantClient, reader: QdrantClient, cloud: Cloud) -> None:
    made(server, cloud)
    check_answers(HierarchicalCollection(reader, "hiersearch-test", root=cloud.root), cloud)
    theirs(server, cloud)
    assert their(reader, cloud.root).attach(dry_run=True).attached == len(cloud.ids)
    with pytest.raises(StoreUnreachableError, match="lacks a right"):
        their(reader, cloud.root).attach()
    assert not server.get_collection(NAME).config.metadata
