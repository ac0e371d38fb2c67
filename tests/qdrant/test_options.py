"""What reaches a store: how collections are laid out, and what a server's strict mode allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from hiersearch import geometry
from hiersearch.errors import StoreError
from hiersearch.qdrant import CollectionOptions, EdgeClient, HierarchicalCollection, equals
from hiersearch.qdrant.limits import Limits
from hiersearch.trees import CONCEPTS
from tests.qdrant.conftest import Cloud
from tests.rest_server import serving

pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect", "ignore:Local mode performs exact"
)

GRAPH = models.HnswConfigDiff(m=8, ef_construct=64, payload_m=8)

QUANTIZATIONS = [
    models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.9)
    ),
    models.ProductQuantization(
        product=models.ProductQuantizationConfig(compression=models.CompressionRatio.X16)
    ),
    models.BinaryQuantization(
        binary=models.BinaryQuantizationConfig(
            encoding=models.BinaryQuantizationEncoding.ONE_AND_HALF_BITS,
            query_encoding=models.BinaryQuantizationQueryEncoding.SCALAR8BITS,
            always_ram=True,
        )
    ),
    models.TurboQuantization(
        turbo=models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS1_5)
    ),
]


class Server(QdrantClient):
    """The local mode, which keeps count of what it is asked, and refuses what strict mode would."""

    def __init__(self, strict: models.StrictModeConfigOutput | None = None) -> None:
        super().__init__(":memory:")
        self.strict = strict or models.StrictModeConfigOutput()
        self.quantization: models.QuantizationConfig | None = None
        self.created: dict[str, Any] = {}
        self.shard_keys: list[str] = []
        self.shards_written: list[Any] = []
        self.queries: list[models.QueryRequest] = []
        self.batches: list[int] = []
        self.asked = 0

    def create_collection(self, collection_name: str, **settings: Any) -> bool:
        self.created = settings
        return super().create_collection(collection_name, **settings)

    def create_shard_key(self, _collection_name: str, shard_key: Any) -> bool:
        self.shard_keys.append(shard_key)
        return True

    def list_shard_keys(self, _collection_name: str) -> models.ShardKeysResponse:
        keys = [models.ShardKeyDescription(key=key) for key in self.shard_keys]
        return models.ShardKeysResponse(shard_keys=keys)

    def get_collection(self, collection_name: str) -> models.CollectionInfo:
        self.asked += 1
        info = super().get_collection(collection_name)
        info.config.strict_mode_config = self.strict
        info.config.quantization_config = self.quantization
        return info

    def upsert(self, collection_name: str, points: Any, **settings: Any) -> models.UpdateResult:
        self._check(len(points), self.strict.upsert_max_batchsize)
        self.shards_written.append(settings.pop("shard_key_selector", None))
        return super().upsert(collection_name, points, **settings)

    def delete(self, collection_name: str, points_selector: Any, **settings: Any) -> Any:
        self.shards_written.append(settings.pop("shard_key_selector", None))
        return super().delete(collection_name, points_selector, **settings)

    def query_points(self, collection_name: str, **query: Any) -> Any:
        self._search(
            models.QueryRequest(
                query=query.get("query"),
                prefetch=query.get("prefetch"),
                params=query.get("search_params"),
                limit=query["limit"],
            )
        )
        return super().query_points(collection_name, **query)

    def query_batch_points(self, collection_name: str, requests: Any, **settings: Any) -> Any:
        self._check(len(requests), self.strict.search_max_batchsize)
        self.batches.append(len(requests))
        for request in requests:
            self._search(request)
        return super().query_batch_points(collection_name, requests, **settings)

    def scroll(self, collection_name: str, **settings: Any) -> Any:
        self._check(settings["limit"], self.strict.max_query_limit)
        return super().scroll(collection_name, **settings)

    def count(self, collection_name: str, **settings: Any) -> models.CountResult:
        self._check_exact(settings.get("exact", True))
        return super().count(collection_name, **settings)

    def facet(self, collection_name: str, key: str, **settings: Any) -> models.FacetResponse:
        self._check(settings["limit"], self.strict.max_query_limit)
        self._check_exact(settings["exact"])
        return super().facet(collection_name, key, **settings)

    def _search(self, request: models.QueryRequest) -> None:
        self.queries.append(request)
        for stage in stages(request):
            self._check(stage.limit, self.strict.max_query_limit)
            if stage.params is not None:
                self._check_exact(stage.params.exact)
                self._check(stage.params.hnsw_ef, self.strict.search_max_hnsw_ef)
                if stage.params.quantization is not None:
                    oversampling = stage.params.quantization.oversampling
                    self._check(oversampling, self.strict.search_max_oversampling)

    def _check(self, value: float | None, most: float | None) -> None:
        if self.strict.enabled and most is not None and (value or 0) > most:
            raise ValueError(f"Limit exceeded {value} > {most}")

    def _check_exact(self, exact: bool | None) -> None:
        if self.strict.enabled and self.strict.search_allow_exact is False and exact:
            raise ValueError("Exact search disabled!")


def stages(request: models.QueryRequest | models.Prefetch) -> list[Any]:
    """The query and all that it prefetches."""
    prefetch = request.prefetch or []
    inner = prefetch if isinstance(prefetch, list) else [prefetch]
    return [request, *(stage for one in inner for stage in stages(one))]


def vector_stages(client: Server) -> list[Any]:
    """Every stage of every query that scores points against a vector."""
    return [
        stage
        for request in client.queries
        for stage in stages(request)
        if not isinstance(stage.query, (models.FormulaQuery, models.OrderByQuery))
        and not looks_up(stage)
    ]


def looks_up(stage: Any) -> bool:
    """Whether a query asks for the exact scores of points that it names."""
    params = getattr(stage, "params", None)
    return bool(params and params.quantization and params.quantization.ignore)


def fill(collection: HierarchicalCollection, cloud: Cloud) -> HierarchicalCollection:
    collection.upsert(
        cloud.ids,
        cloud.vectors,
        [{"number": row, "concepts": ["all", f"c{row % 3}"]} for row in range(len(cloud.ids))],
    )
    return collection


def searches(collection: HierarchicalCollection, cloud: Cloud) -> list[Any]:
    """The answers of every kind of search."""
    query = Cloud.make(1, seed=21).vectors[0]
    under = equals(CONCEPTS, "c1")
    return [
        collection.nearest(query, limit=5),
        collection.nearest(cloud.vectors[3], limit=5, filter=under, offset=2),
        collection.radial_path(query),
        collection.radial_path(query, radii=20, by="descent"),
        collection.radial_path(query, radii=20, by="batch"),
        collection.descendants_of(query, limit=5),
        collection.descendants_of(cloud.root, limit=5, filter=under),
        collection.ancestors_of(query, limit=5),
        collection.facets(),
        collection.count(),
        collection.count_without_distance(),
        [record.id for record in collection.scroll()],
    ]


class TestOptions:
    def test_all_of_them_reach_a_server(self, cloud: Cloud) -> None:
        client = Server()
        options = CollectionOptions(
            shard_number=4,
            replication_factor=2,
            write_consistency_factor=1,
            shard_keys=("berlin", "paris"),
            on_disk=True,
            float16=True,
            hnsw=GRAPH,
            quantization=QUANTIZATIONS[0],
        )
        HierarchicalCollection(client, "cloud", root=cloud.root).create(options=options)
        assert client.created == {
            "vectors_config": {
                "hiersearch": models.VectorParams(
                    size=16,
                    distance=models.Distance.COSINE,
                    on_disk=True,
                    datatype=models.Datatype.FLOAT16,
                    hnsw_config=GRAPH,
                    quantization_config=QUANTIZATIONS[0],
                )
            },
            "shard_number": 4,
            "replication_factor": 2,
            "write_consistency_factor": 1,
            "sharding_method": models.ShardingMethod.CUSTOM,
        }
        assert client.shard_keys == ["berlin", "paris"]

    def test_the_graph_is_built_along_the_root_distance(self, cloud: Cloud) -> None:
        with serving() as server:
            client = QdrantClient(url=server.url, check_compatibility=False)
            HierarchicalCollection(client, "cloud", root=cloud.root).create()
            index = client.get_collection("cloud").payload_schema["root_distance"]
            assert index.params == models.FloatIndexParams(
                type=models.FloatIndexType.FLOAT, is_principal=True
            )
            client.close()

    def test_what_is_left_out_is_not_mentioned(self, cloud: Cloud) -> None:
        client = Server()
        HierarchicalCollection(client, "cloud", root=cloud.root, vector_name="").create()
        plain = models.VectorParams(size=16, distance=models.Distance.COSINE)
        assert client.created == {"vectors_config": plain}
        assert client.shard_keys == []

    def test_shard_keys_that_a_kill_left_out_are_added(self, cloud: Cloud) -> None:
        client = Server()
        collection = HierarchicalCollection(client, "cloud", root=cloud.root)
        collection.create(options=CollectionOptions(shard_keys=("berlin",)))
        collection.create(options=CollectionOptions(shard_keys=("berlin", "paris")))
        assert client.shard_keys == ["berlin", "paris"]

    def test_writes_name_their_shard(self, cloud: Cloud) -> None:
        client = Server()
        collection = HierarchicalCollection(client, "cloud", root=cloud.root)
        collection.create(options=CollectionOptions(shard_keys=("berlin",)))
        ids = cloud.ids[:300]
        collection.upsert(ids, cloud.vectors[:300], [{}] * 300, shard_key="berlin")
        collection.set_payload(ids[:2], [{"a": 1}, {"a": 2}], shard_key="berlin")
        collection.delete(ids[:1], shard_key="berlin")
        assert client.shards_written == ["berlin", "berlin", "berlin"]

    @pytest.mark.parametrize("quantization", QUANTIZATIONS, ids=lambda one: type(one).__name__)
    def test_the_embedded_engine_takes_what_it_can(
        self, tmp_path: Path, cloud: Cloud, quantization: Any
    ) -> None:
        options = CollectionOptions(
            on_disk=True, float16=True, hnsw=GRAPH, quantization=quantization
        )
        with EdgeClient(tmp_path) as client:
            HierarchicalCollection(client, "cloud", root=cloud.root).create(options=options)
        with EdgeClient(tmp_path) as client:
            vectors = client.get_collection("cloud").config.params.vectors
            assert isinstance(vectors, dict)
            params = vectors["hiersearch"]
            assert params.on_disk
            assert params.datatype == models.Datatype.FLOAT16
            assert params.hnsw_config is not None
            assert (params.hnsw_config.m, params.hnsw_config.payload_m) == (8, 8)
            assert (params.hnsw_config.ef_construct, params.hnsw_config.on_disk) == (64, None)
            assert params.quantization_config == quantization

    @pytest.mark.parametrize(
        "options",
        [
            CollectionOptions(shard_number=2),
            CollectionOptions(replication_factor=2),
            CollectionOptions(write_consistency_factor=1),
            CollectionOptions(shard_keys=("berlin",)),
        ],
    )
    def test_the_embedded_engine_refuses_the_rest(
        self, tmp_path: Path, cloud: Cloud, options: CollectionOptions
    ) -> None:
        with EdgeClient(tmp_path) as client:
            collection = HierarchicalCollection(client, "cloud", root=cloud.root)
            with pytest.raises(StoreError, match="does not take"):
                collection.create(options=options)
            assert not collection.exists()
            collection.create()
            with pytest.raises(StoreError, match="does not take"):
                collection.upsert(cloud.ids[:1], cloud.vectors[:1], [{}], shard_key="berlin")

    def test_the_local_mode_says_that_it_has_no_shards(self, cloud: Cloud) -> None:
        collection = HierarchicalCollection(QdrantClient(":memory:"), "cloud", root=cloud.root)
        with pytest.raises(StoreError, match="Sharding is not supported"):
            collection.create(options=CollectionOptions(shard_keys=("berlin",)))


class TestSearchParams:
    def test_the_width_reaches_every_search(self, cloud: Cloud) -> None:
        client = Server()
        collection = HierarchicalCollection(client, "cloud", root=cloud.root, hnsw_ef=300)
        collection.create()
        searches(fill(collection, cloud), cloud)
        assert {stage.params.hnsw_ef for stage in vector_stages(client)} == {300}
        assert {stage.params.quantization for stage in vector_stages(client)} == {None}

    @pytest.mark.parametrize("whole_collection", [False, True])
    def test_quantised_scores_are_never_used(self, cloud: Cloud, whole_collection: bool) -> None:
        client = Server()
        collection = HierarchicalCollection(client, "cloud", root=cloud.root)
        if whole_collection:
            client.quantization = QUANTIZATIONS[0]
            collection.create()
        else:
            collection.create(options=CollectionOptions(quantization=QUANTIZATIONS[1]))
        searches(fill(collection, cloud), cloud)
        for stage in vector_stages(client):
            assert stage.params.quantization.rescore
            assert stage.params.quantization.oversampling == 2.0
            assert not stage.params.quantization.ignore

    def test_the_configuration_is_read_once(self, cloud: Cloud) -> None:
        client = Server()
        HierarchicalCollection(client, "cloud", root=cloud.root).create()
        collection = HierarchicalCollection(client, "cloud", root=cloud.root)
        client.asked = 0
        searches(fill(collection, cloud), cloud)
        assert client.asked == 1

    @pytest.mark.parametrize("quantization", QUANTIZATIONS, ids=lambda one: type(one).__name__)
    def test_the_engine_scores_the_originals(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantization: Any
    ) -> None:
        # So that `optimize` builds a graph, and compresses, as it would above 100,000 points.
        for module in ("edge.client", "searching"):
            monkeypatch.setattr(f"hiersearch.qdrant.{module}.EXACT_UP_TO", 100)
        many = Cloud.make(3000, dim=32, seed=31)
        with EdgeClient(tmp_path) as client:
            collection = HierarchicalCollection(client, "cloud", root=many.root, hnsw_ef=200)
            collection.create(options=CollectionOptions(quantization=quantization))
            collection.upsert(many.ids, many.vectors, [{}] * len(many.ids))
            assert collection.optimize()
            assert client.get_collection("cloud").indexed_vectors_count
            rows = {number: row for row, number in enumerate(many.ids)}
            query = Cloud.make(1, dim=32, seed=32).vectors[0]
            vectors, wanted = many.vectors.astype(np.float64), query.astype(np.float64)
            raw = client.query_points(
                "cloud",
                query.tolist(),
                using="hiersearch",
                limit=20,
                search_params=models.SearchParams(
                    quantization=models.QuantizationSearchParams(rescore=False)
                ),
            ).points
            off = [abs(point.score - vectors[rows[str(point.id)]] @ wanted) for point in raw]
            assert max(off) > 1e-3  # the scores that must not be used
            for hit in [*collection.nearest(query, limit=20), *collection.radial_path(query)]:
                assert hit.score == pytest.approx(vectors[rows[str(hit.id)]] @ wanted, abs=1e-6)
            down = geometry.exterior_angle_cosine(wanted, vectors, many.root.astype(np.float64))
            up = geometry.exterior_angle_cosine(vectors, wanted, many.root.astype(np.float64))
            for cosines, hits in (
                (down, collection.descendants_of(query, limit=20)),
                (up, collection.ancestors_of(query, limit=20)),
            ):
                for hit in hits:
                    assert hit.score == pytest.approx(cosines[rows[str(hit.id)]], abs=1e-5)


STRICT = models.StrictModeConfigOutput(
    enabled=True,
    max_query_limit=40,
    search_max_batchsize=7,
    search_allow_exact=False,
    search_max_hnsw_ef=64,
    search_max_oversampling=1.5,
    upsert_max_batchsize=100,
)


class TestStrictMode:
    def test_everything_works_within_it(self, cloud: Cloud) -> None:
        free = HierarchicalCollection(Server(), "cloud", root=cloud.root)
        free.create()
        client = Server(STRICT)
        client.quantization = QUANTIZATIONS[0]
        strict = HierarchicalCollection(client, "cloud", root=cloud.root, hnsw_ef=128)
        strict.create()
        wanted, found = (searches(fill(one, cloud), cloud) for one in (free, strict))
        for place, (theirs, ours) in enumerate(zip(wanted, found, strict=True)):
            if place not in (5, 7):  # fewer candidates: nearly the same
                assert ours == theirs
        assert len(found[5]) == len(found[7]) == 5
        assert client.batches[-3:] == [7, 7, 6]
        assert {stage.params.hnsw_ef for stage in vector_stages(client)} == {64}
        assert {stage.params.exact for stage in vector_stages(client)} == {False}
        assert {stage.params.quantization.oversampling for stage in vector_stages(client)} == {1.5}

    def test_what_it_does_not_allow_is_said(self, cloud: Cloud) -> None:
        collection = HierarchicalCollection(Server(STRICT), "cloud", root=cloud.root)
        collection.create()
        fill(collection, cloud)
        with pytest.raises(StoreError, match="exact"):
            collection.nearest(cloud.root, limit=1, exact=True)
        with pytest.raises(StoreError, match="at most 40"):
            collection.nearest(cloud.root, limit=30, offset=11)
        assert len(collection.nearest(cloud.root, limit=30, offset=10)) == 30
        collection.set_payload(cloud.ids, [{"concepts": [str(row)]} for row in range(300)])
        with pytest.raises(StoreError, match="at most 40"):
            collection.facets()
        assert len(collection.facets(limit=40)) == 40

    def test_it_counts_only_where_it_is_enabled(self, cloud: Cloud) -> None:
        client = Server(STRICT.model_copy(update={"enabled": False}))
        collection = HierarchicalCollection(client, "cloud", root=cloud.root)
        collection.create()
        fill(collection, cloud)
        assert len(collection.nearest(cloud.root, limit=100, exact=True)) == 100

    def test_tiny_limits(self) -> None:
        tiny = models.StrictModeConfigOutput(
            enabled=True, max_query_limit=3, search_max_batchsize=1, upsert_max_batchsize=1
        )
        few = Cloud.make(30, seed=5)
        free = HierarchicalCollection(Server(), "cloud", root=few.root)
        strict = HierarchicalCollection(Server(tiny), "cloud", root=few.root)
        query = Cloud.make(1, seed=6).vectors[0]
        for collection in (free, strict):
            collection.create()
            fill(collection, few)
        for by in ("descent", "batch"):
            path = strict.radial_path(query, radii=9, by=by)
            assert path == free.radial_path(query, radii=9, by="descent")
        assert strict.radial_path(query) == free.radial_path(query)
        assert strict.descendants_of(query, limit=2)
        assert strict.ancestors_of(query, limit=2)
        assert strict.count() == 30

    def test_no_strict_mode_is_no_limit(self) -> None:
        limits = Limits()
        assert limits.page(10**9) == limits.written(10**9) == 10**9
        limits.check(10**9)
