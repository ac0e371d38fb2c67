"""Every way in which a collection may be laid out: answers equal to NumPy's, or a refusal.

With `QDRANT_URL` set, and in one process, each server for which all hold is added to
docs/reference/layouts.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from hiersearch import geometry
from hiersearch.errors import CollectionError, VectorError
from hiersearch.qdrant import Client, HierarchicalCollection
from hiersearch.qdrant.filters import attached
from tests.qdrant.conftest import Cloud, Floats, unit

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "layouts.md"
NAME = "hiersearch-test-layout"
RIGHT = "right"
KEYS = ("de", "fr", "it")
LIMIT = 10
MANY = 1200
"""Points: enough for an optimiser that is told to index few."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Qdrant 1.18 sometimes loses"),
]


@dataclass(frozen=True)
class Layout:
    """A way to lay out a collection, and what is to happen.

    Attributes:
        name: As the table calls it.
        vectors: How its vector is stored.
        settings: How the collection is laid out.
        vector: The name of its vector.
        lengths: What the unit vectors are multiplied by.
        index: The payload index that somebody made on `root_distance`.
        size: Numbers of the vector.
        numbers: Whether ids are numbers.
        extra: Vectors that each point has besides.
        error: How far stored cosines may be off.
        since: The first version of Qdrant that has this.
        alias: Whether to ask by another name of the collection.
        ranks: Of the rankings: that they are right, or words of the refusal.
        attaches: The same of attaching, and of the paths, radii and counts that it is for.
    """

    name: str
    vectors: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    vector: str = ""
    lengths: float = 1.0
    index: str | None = None
    size: int = 32
    numbers: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    error: float = 1e-5
    since: str = ""
    alias: bool = False
    ranks: str = RIGHT
    attaches: str = RIGHT

    @property
    def sharded(self) -> bool:
        """Whether points are stored under keys."""
        return "sharding_method" in self.settings


def quantized(**options: Any) -> dict[str, Any]:
    [(kind, config)] = options.items()
    wrapped = {
        "scalar": (models.ScalarQuantization, models.ScalarQuantizationConfig),
        "product": (models.ProductQuantization, models.ProductQuantizationConfig),
        "binary": (models.BinaryQuantization, models.BinaryQuantizationConfig),
        "turbo": (models.TurboQuantization, models.TurboQuantQuantizationConfig),
    }
    outer, inner = wrapped[kind]
    return {"quantization_config": outer(**{kind: inner(**config)})}


def refused_index(kind: str) -> Layout:
    return Layout(
        f"`{kind}` index on `root_distance`",
        index=kind,
        attaches=f"an index of type {kind}",
    )


COSINE = {"distance": models.Distance.COSINE}
LOCAL = (
    Layout("cosine, one unnamed vector"),
    Layout("cosine, a named vector", vector="image"),
    Layout("cosine, ids are UUIDs", numbers=False),
    Layout("cosine, vectors of other lengths", lengths=3.0),
    Layout("dot product, lengths 1", {"distance": models.Distance.DOT}),
    Layout(
        "dot product, other lengths",
        {"distance": models.Distance.DOT},
        lengths=1.5,
        ranks="has the length 1.5, not 1",
        attaches="has the length 1.5, not 1",
    ),
    *(
        Layout(
            f"{one.value} distance",
            {"distance": one},
            ranks=f"compares vectors by {one.value} distance",
            attaches=f"compares vectors by {one.value} distance",
        )
        for one in (models.Distance.EUCLID, models.Distance.MANHATTAN)
    ),
)
SERVED = (
    Layout("`float16` vectors", {"datatype": "float16"}, error=1e-3),
    *(
        Layout(f"`{kind}` vectors", {"datatype": kind}, error=2e-2, since=since)
        for kind, since in (("turbo4", "1.19"), ("turbo8", "1.20"), ("turbo16", "1.20"))
    ),
    Layout(
        "`uint8` vectors",
        {"datatype": "uint8"},
        lengths=127.0,
        ranks="stored as bytes",
        attaches="stored as bytes",
    ),
    Layout(
        "multivectors",
        {
            "multivector_config": models.MultiVectorConfig(
                comparator=models.MultiVectorComparator.MAX_SIM
            )
        },
        ranks="stored as several to a point",
        attaches="stored as several to a point",
    ),
    Layout(
        "`int8` quantisation",
        settings=quantized(scalar={"type": models.ScalarType.INT8, "always_ram": True}),
    ),
    Layout(
        "product quantisation",
        settings=quantized(product={"compression": models.CompressionRatio.X16}),
    ),
    Layout("binary quantisation", settings=quantized(binary={})),
    Layout(
        "binary quantisation, two bits",
        settings=quantized(binary={"encoding": models.BinaryQuantizationEncoding.TWO_BITS}),
    ),
    Layout("turbo quantisation", settings=quantized(turbo={})),
    Layout("vectors on disk", {"on_disk": True}),
    Layout("payload on disk", settings={"on_disk_payload": True}),
    Layout("graph on disk", settings={"hnsw_config": models.HnswConfigDiff(on_disk=True)}),
    Layout(
        "no graph but one per tenant (`m=0`, `payload_m`)",
        settings={"hnsw_config": models.HnswConfigDiff(m=0, payload_m=16)},
    ),
    Layout("an alias", alias=True),
    Layout("four shards", settings={"shard_number": 4}),
    Layout(
        "shard keys of its own (on a cluster)",
        settings={"sharding_method": models.ShardingMethod.CUSTOM, "shard_number": 1},
    ),
    Layout(
        "sparse vectors besides",
        settings={"sparse_vectors_config": {"words": models.SparseVectorParams()}},
        vector="image",
        extra={"words": models.SparseVector(indices=[1, 5], values=[0.5, 1.0])},
    ),
    Layout("`float` index on `root_distance`", index="float"),
    *(
        refused_index(one.value)
        for one in models.PayloadSchemaType
        if one != models.PayloadSchemaType.FLOAT
    ),
)
ALL = (*LOCAL, *SERVED)


def cloud_of(layout: Layout) -> Cloud:
    return Cloud.make(MANY, dim=layout.size, seed=31)


def id_of(cloud: Cloud, layout: Layout, row: int) -> int | str:
    return row + 1 if layout.numbers else cloud.ids[row]


def lay_out(client: Client, layout: Layout, cloud: Cloud) -> None:
    """Make and fill the collection, as its owner would."""
    params = models.VectorParams(size=layout.size, **{**COSINE, **layout.vectors})
    settings = dict(layout.settings)
    if isinstance(client, QdrantClient) and not client.init_options.get("location"):
        settings["optimizers_config"] = models.OptimizersConfigDiff(indexing_threshold=20)
    client.create_collection(
        NAME, vectors_config={layout.vector: params} if layout.vector else params, **settings
    )
    for key in KEYS if layout.sharded else ():
        client.create_shard_key(NAME, key)
    if layout.index:
        client.create_payload_index(NAME, "root_distance", models.PayloadSchemaType(layout.index))
    several = params.multivector_config is not None
    for first in range(0, MANY, 300):
        points = []
        for row in range(first, first + 300):
            values = (cloud.vectors[row] * layout.lengths).tolist()
            given: Any = [values, values] if several else values
            points.append(
                models.PointStruct(
                    id=id_of(cloud, layout, row),
                    vector={layout.vector: given, **layout.extra} if layout.vector else given,
                    payload={"number": row},
                )
            )
        if not layout.sharded:
            client.upsert(NAME, points)
            continue
        for place, key in enumerate(KEYS):
            client.upsert(NAME, points[place::3], shard_key_selector=key)
    deadline = time.monotonic() + 30
    while client.get_collection(NAME).status != models.CollectionStatus.GREEN:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def stored(client: Client, layout: Layout) -> tuple[list[int | str], Floats, list[dict]]:
    """Ids, unit rows and payloads as the store gives them back."""
    points, _ = client.scroll(NAME, limit=2 * MANY, with_vectors=True)
    assert len({point.id for point in points}) == len(points) == MANY
    rows = [point.vector[layout.vector] if layout.vector else point.vector for point in points]
    vectors = np.asarray(rows, dtype=np.float64)
    return [point.id for point in points], unit(vectors), [point.payload for point in points]


def check_rankings(collection: HierarchicalCollection, layout: Layout, cloud: Cloud) -> None:
    ids, rows, _ = stored(collection.client, layout)
    root, vectors = cloud.root.astype(np.float64), rows.astype(np.float64)
    place = {number: row for row, number in enumerate(ids)}
    for query in Cloud.make(4, dim=layout.size, seed=32).vectors:
        query = query.astype(np.float64)
        for rank, pair in (
            (collection.descendants_of, (query, vectors)),
            (collection.ancestors_of, (vectors, query)),
        ):
            true = np.asarray(geometry.exterior_angle_cosine(*pair, root))
            hits = rank(query, limit=LIMIT)
            assert len({hit.id for hit in hits}) == LIMIT
            best = np.sort(true)[::-1][:LIMIT]
            for hit, wanted in zip(hits, best, strict=True):
                assert hit.score == pytest.approx(true[place[hit.id]], abs=layout.error)
                assert true[place[hit.id]] >= wanted - layout.error


def check_attached(collection: HierarchicalCollection, layout: Layout, cloud: Cloud) -> None:
    *_, before = stored(collection.client, layout)
    collection.attach()
    ids, rows, payloads = stored(collection.client, layout)
    distances = np.linalg.norm(rows.astype(np.float64) - cloud.root, axis=1)
    for payload, distance, given in zip(payloads, distances, before, strict=True):
        assert payload.pop("root_distance") == pytest.approx(distance, abs=layout.error)
        assert payload == given
    exact = layout.error <= 1e-5
    for query in Cloud.make(3, dim=layout.size, seed=33).vectors:
        path = collection.radial_path(query)
        similar = rows.astype(np.float64) @ query
        place = {number: row for row, number in enumerate(ids)}
        found = [place[hit.id] for hit in path]
        assert found
        assert (np.diff(similar[found]) > -layout.error).all()
        if exact:
            assert found == path_of(similar, np.round(distances, 5))
    middle = float(np.median(distances))
    within = collection.count(attached(up_to=middle))
    assert within == pytest.approx((distances <= middle).sum(), abs=1 if exact else 10)
    collection.detach()
    *_, after = stored(collection.client, layout)
    assert after == before


def path_of(similar: np.ndarray, distances: np.ndarray) -> list[int]:
    """Each row that is more similar than every row at or below its distance; equal ones once."""
    path: list[int] = []
    best = -2.0
    for row in np.lexsort((-similar, distances)):
        if similar[row] > best + 1e-7:
            path.append(int(row))
        best = max(best, similar[row])
    return path


def outcomes(client: Client, layout: Layout) -> tuple[str, str]:
    """What rankings and attaching come to: "right", or the refusal."""
    cloud = cloud_of(layout)
    lay_out(client, layout, cloud)
    name = NAME
    if layout.alias:
        name = f"{NAME}-alias"
        create = models.CreateAlias(collection_name=NAME, alias_name=name)
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
    collection = HierarchicalCollection(client, name, root=cloud.root, vector_name=layout.vector)
    found = []
    for check in (check_rankings, check_attached):
        try:
            check(collection, layout, cloud)
            found.append(RIGHT)
        except (CollectionError, VectorError) as error:
            found.append(str(error))
    client.delete_collection(NAME)
    ranks, attaches = found
    return ranks, attaches


def check(client: Client, layout: Layout) -> None:
    ranks, attaches = outcomes(client, layout)
    assert layout.ranks in ranks, ranks
    assert layout.attaches in attaches, attaches


def name_of(layout: Layout) -> str:
    return re.sub(r"\W+", "-", layout.name).strip("-")


Held = dict[str, set[tuple[str, str]]]
"""The layouts that hold and the protocols by which they do, by server."""


def server_of(client: Client) -> str:
    """As the page names it."""
    assert isinstance(client, QdrantClient)
    peers = getattr(client.cluster_status(), "peers", None) or [None]
    return f"{client.info().version} ({len(peers)} node{'s' * (len(peers) > 1)})"


@pytest.fixture(scope="module")
def held() -> Iterator[Held]:
    held: Held = {}
    yield held
    wanted = {(one.name, protocol) for one in ALL for protocol in ("rest", "grpc")}
    whole = {server for server, names in held.items() if names >= wanted}
    if whole and PAGE.exists():
        tried = tried_in(PAGE.read_text(encoding="utf-8"))
        PAGE.write_text(page(sorted({*tried, *whole})), encoding="utf-8")


def hold(held: Held, client: Client, layout: Layout, request: pytest.FixtureRequest) -> None:
    protocol = request.node.callspec.id[:4]
    held.setdefault(server_of(client), set()).add((layout.name, protocol))


@pytest.mark.parametrize("layout", LOCAL, ids=name_of)
def test_everywhere(client: Client, layout: Layout, held: Held, request) -> None:
    check(client, layout)
    if request.node.callspec.id.startswith(("rest", "grpc")):
        hold(held, client, layout, request)


@pytest.mark.parametrize("layout", SERVED, ids=name_of)
def test_on_a_server(server: QdrantClient, layout: Layout, held: Held, request) -> None:
    label = server_of(server)
    unknown = layout.since and version(label) < version(layout.since)
    if not unknown and not (layout.sharded and "(1 node)" in label):
        check(server, layout)
    hold(held, server, layout, request)


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


HEAD = """\
<!-- Written by tests/qdrant/test_layouts.py; do not edit. -->

# Layouts
What a collection on a server may look like, and what comes of it. *Right* means equal to NumPy over
all vectors, read back from the server: hits and cosines of the rankings, every stored root
distance, radial paths and counts; and everything as before once it is detached. Vectors of less
precision than float32 are right to that precision.

Tried, over REST and gRPC: Qdrant {tried}.

| collection | rankings, not attached | attached: paths, radii, counts |
| --- | --- | --- |
"""


def page(tried: Sequence[str]) -> str:
    """The table, for the servers on which all of it was seen."""

    newest = max(version(one) for one in tried)

    def cell(layout: Layout, words: str) -> str:
        if version(layout.since or "0") > newest:
            return "not tried"
        return words if words == RIGHT else f"refused: {words}"

    def name(layout: Layout) -> str:
        return layout.name + (f" (from {layout.since})" if layout.since else "")

    rows = [
        f"| {name(one)} | {cell(one, one.ranks)} | {cell(one, one.attaches)} |\n" for one in ALL
    ]
    return HEAD.format(tried=", ".join(tried)) + "".join(rows)


def tried_in(text: str) -> list[str]:
    found = re.search(r"^Tried, over REST and gRPC: Qdrant (.+)\.$", text, re.MULTILINE)
    return found[1].split(", ") if found else []


def test_the_page_says_what_these_tests_do() -> None:
    if not PAGE.exists():
        pytest.skip("docs/ does not come with this copy")
    text = PAGE.read_text(encoding="utf-8")
    tried = tried_in(text)
    assert len(tried) > 1
    assert text == page(tried), "run these tests with QDRANT_URL set"
