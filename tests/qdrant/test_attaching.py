"""Collections that others made: attached, repaired, detached, cut off."""

from __future__ import annotations

import numpy as np
import pytest
from qdrant_client import models

from hiersearch.errors import CollectionError, ModelMismatchError, VectorError
from hiersearch.qdrant import Client, HierarchicalCollection
from tests.qdrant.conftest import Cloud, unit
from tests.qdrant.foreign import (
    COSINE,
    DOT,
    NAME,
    add,
    check_right,
    everything,
    label,
    number_of,
    their,
    theirs,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]


@pytest.fixture
def client(attaching_client: Client) -> Client:
    return attaching_client


@pytest.mark.parametrize("page", [1, 7, 512])
def test_every_point_gets_its_distance_and_nothing_else_changes(client, page):
    cloud = Cloud.make(90)
    theirs(client, cloud, factor=3.0)
    before = everything(client)
    told = []
    done = their(client, cloud.root).attach(page=page, on_progress=lambda *one: told.append(one))
    assert (done.points, done.attached, done.already, done.missing) == (90, 90, 0, 0)
    assert not done.verified
    assert not done.dry_run
    assert told[-1][1:] == (90, 90)
    check_right(client, before, cloud.root)


def test_it_can_be_run_again(client, cloud):
    theirs(client, cloud)
    collection = their(client, cloud.root)
    collection.attach()
    before = everything(client)
    done = collection.attach()
    assert (done.attached, done.already) == (0, 300)
    after = everything(client)
    assert {key: value[0] for key, value in after.items()} == {
        key: value[0] for key, value in before.items()
    }


def test_a_collection_that_was_attached_answers_as_one_that_was_made(client, cloud):
    theirs(client, cloud)
    their(client, cloud.root).attach()
    attached = HierarchicalCollection.attached(client, NAME)
    made = HierarchicalCollection(client, "hiersearch-test-made", root=cloud.root)
    made.create()
    made.upsert(
        [number_of(cloud, row) for row in range(len(cloud.ids))],
        cloud.vectors,
        [{"number": row} for row in range(len(cloud.ids))],
    )
    for row in (3, 77, 250):
        ours, same = (c.radial_path(cloud.vectors[row]) for c in (attached, made))
        assert [hit.id for hit in ours] == [hit.id for hit in same]
        ours, same = (c.descendants_of(cloud.vectors[row], limit=9) for c in (attached, made))
        assert [hit.id for hit in ours] == [hit.id for hit in same]


def test_an_empty_collection_is_fine(client):
    cloud = Cloud.make(5)
    theirs(client, cloud)
    client.delete(NAME, [number_of(cloud, row) for row in range(5)])
    collection = their(client, cloud.root)
    assert collection.attach(check=lambda _: pytest.fail("there is nothing to check")) == (
        type(collection.attach())(points=0)
    )
    assert HierarchicalCollection.attached(client, NAME).radial_path(cloud.root) == []


def test_a_dry_run_counts_and_writes_nothing(client, cloud):
    theirs(client, cloud)
    before, info = everything(client), client.get_collection(NAME)
    done = their(client, cloud.root).attach(dry_run=True, label=label, check=lambda _: True)
    assert done.dry_run
    assert (done.attached, done.labelled, done.verified) == (300, 300, True)
    after = everything(client)
    assert {key: value[0] for key, value in after.items()} == {
        key: value[0] for key, value in before.items()
    }
    assert client.get_collection(NAME).payload_schema == info.payload_schema
    assert not client.get_collection(NAME).config.metadata


def test_unit_vectors_may_be_compared_by_dot_product(client, cloud):
    theirs(client, cloud, distance=DOT, vector="image")
    before = {key: (p, v.item()["image"]) for key, (p, v) in everything(client).items()}
    their(client, cloud.root, "image").attach()
    for number, (payload, vector) in everything(client).items():
        slow = np.linalg.norm(np.asarray(vector.item()["image"], np.float64) - cloud.root)
        assert payload.pop("root_distance") == pytest.approx(slow, abs=6e-6)
        assert payload == before[number][0]


def test_other_lengths_compared_by_dot_product_are_refused_before_anything_is_written(client):
    cloud = Cloud.make(40)
    theirs(client, cloud, distance=DOT)
    client.upsert(NAME, [models.PointStruct(id=5_000_000, vector=(cloud.vectors[0] * 2).tolist())])
    with pytest.raises(VectorError, match=r"5000000 has the length 2, not 1"):
        their(client, cloud.root).attach(page=8)
    assert all("root_distance" not in payload for payload, _ in everything(client).values())
    assert not client.get_collection(NAME).config.metadata


@pytest.mark.parametrize("distance", [models.Distance.EUCLID, models.Distance.MANHATTAN])
def test_other_distances_are_refused(client, distance):
    cloud = Cloud.make(3)
    theirs(client, cloud, distance=distance)
    with pytest.raises(CollectionError, match=f"by {distance.value} distance"):
        their(client, cloud.root).attach()


def test_what_is_not_there_is_named(client):
    cloud = Cloud.make(3)
    with pytest.raises(CollectionError):
        their(client, cloud.root).attach()
    theirs(client, cloud, vector="image")
    with pytest.raises(CollectionError, match=r"no vector 'text'.*'image'"):
        their(client, cloud.root, "text").attach()
    with pytest.raises(CollectionError, match="no vector without a name"):
        their(client, cloud.root).attach()
    with pytest.raises(CollectionError, match="of 16 numbers, the root has 8"):
        their(client, unit(np.ones(8)), "image").attach()
    with pytest.raises(CollectionError, match="not attached"):
        their(client, cloud.root, "image").detach()
    with pytest.raises(CollectionError, match="not attached"):
        HierarchicalCollection.attached(client, NAME)
    with pytest.raises(CollectionError, match="Attach it first"):
        their(client, cloud.root, "image").repair()


def test_points_without_that_vector_are_counted_and_passed_over(client):
    cloud = Cloud.make(20)
    params = models.VectorParams(size=16, distance=COSINE)
    client.create_collection(NAME, vectors_config={"image": params, "text": params})
    client.upsert(
        NAME,
        [
            models.PointStruct(
                id=row, vector={"text" if row % 4 == 0 else "image": vector.tolist()}, payload={}
            )
            for row, vector in enumerate(cloud.vectors)
        ],
    )
    collection = their(client, cloud.root, "image")
    for attached, already in ((15, 0), (0, 15)):
        done = collection.attach(page=3)
        assert (done.attached, done.already, done.without_vector) == (attached, already, 5)
        assert done.missing == 0
    assert collection.count_without_distance() == 5
    assert all(hit.id % 4 for hit in collection.radial_path(cloud.vectors[0]))


def test_vectors_without_a_direction_are_counted(client):
    cloud = Cloud.make(10)
    theirs(client, cloud)
    client.upsert(NAME, [models.PointStruct(id=7, vector=[0.0] * 16)])
    done = their(client, cloud.root).attach()
    assert (done.attached, done.unusable, done.points) == (10, 1, 11)


def test_the_check_decides(client, cloud):
    theirs(client, cloud)
    collection = their(client, cloud.root)
    seen = []
    with pytest.raises(ModelMismatchError, match="not made by clip"):
        collection.attach(model="clip", check=lambda sample: seen.extend(sample) or False)
    assert 0 < len(seen) <= 64
    assert all(record.payload["caption"] and record.vector is not None for record in seen)
    assert not client.get_collection(NAME).config.metadata
    assert collection.count_without_distance() == 300
    assert not collection.attach(check=lambda _: None).verified
    assert collection.attach(check=lambda _: True, model="clip").verified
    assert collection.attach().verified
    remembered = client.get_collection(NAME).config.metadata["hiersearch"]
    assert (remembered["verified"], remembered["model"]) == (True, "clip")


def test_the_check_looks_for_points_with_the_vector(client):
    cloud = Cloud.make(120)
    params = models.VectorParams(size=16, distance=COSINE)
    client.create_collection(NAME, vectors_config={"image": params, "text": params})
    client.upsert(
        NAME,
        [
            models.PointStruct(id=row, vector={"text" if row < 100 else "image": vector.tolist()})
            for row, vector in enumerate(cloud.vectors)
        ],
    )
    seen = []
    with pytest.raises(ModelMismatchError):
        their(client, cloud.root, "image").attach(check=lambda some: seen.extend(some) or False)
    assert [record.id for record in seen] == list(range(100, 120))


def test_another_root_is_refused_until_detached_or_recomputed(client, cloud):
    theirs(client, cloud)
    other = unit(cloud.root + 0.3)
    before = everything(client)
    their(client, other).attach(model="other", check=lambda _: True)
    for again in (their(client, cloud.root).attach, their(client, cloud.root).repair):
        with pytest.raises(CollectionError, match=r"another root, that of other.*[Dd]etach"):
            again()
    done = their(client, cloud.root).repair(recompute=True, model="right")
    assert (done.attached, done.corrected, done.verified) == (0, 300, False)
    check_right(client, before, cloud.root)
    their(client, other).detach()
    their(client, other).attach()
    check_right(client, before, other)


def test_another_vector_is_refused(client):
    cloud = Cloud.make(9)
    params = models.VectorParams(size=16, distance=COSINE)
    client.create_collection(NAME, vectors_config={"image": params, "text": params})
    their(client, cloud.root, "image").attach()
    with pytest.raises(CollectionError, match="by its vector 'image', not 'text'"):
        their(client, cloud.root, "text").attach()


def test_a_field_of_that_name_that_says_something_else_is_not_overwritten(client):
    cloud = Cloud.make(30)
    theirs(client, cloud)
    client.set_payload(NAME, {"root_distance": 1.9999}, [1000])
    with pytest.raises(CollectionError, match="not their distance"):
        their(client, cloud.root).attach()
    client.set_payload(NAME, {"root_distance": "far"}, [1000])
    with pytest.raises(CollectionError, match="not their distance"):
        their(client, cloud.root).attach()
    client.delete_payload(NAME, ["root_distance"], [1000])
    client.set_payload(NAME, {"concepts": ["mine"]}, [1000])
    with pytest.raises(CollectionError, match="'concepts' of their own"):
        their(client, cloud.root).attach(label=label)
    assert everything(client)[1000][0]["concepts"] == ["mine"]
    their(client, cloud.root).attach()
    their(client, cloud.root).detach()
    assert everything(client)[1000][0]["concepts"] == ["mine"]


def test_labels_make_facets(client, cloud):
    theirs(client, cloud)
    collection = their(client, cloud.root)
    collection.attach()
    done = collection.attach(label=label, vocabulary="signs", page=50)
    assert (done.attached, done.already, done.labelled) == (0, 300, 300)
    wanted = [one["concepts"] for one in label(cloud.vectors)]
    assert collection.facets() == {"all": sum(map(bool, wanted))}
    done = collection.attach(label=lambda _: pytest.fail("all have labels"), vocabulary="signs")
    assert done.labelled == 0
    with pytest.raises(CollectionError, match="another vocabulary"):
        collection.attach(label=label, vocabulary="words")
    assert collection.repair(label=label, vocabulary="words", recompute=True).labelled == 0
    collection.detach()
    assert all(
        payload.keys() == {"number", "caption", "tags"}
        for payload, _ in everything(client).values()
    )


@pytest.mark.parametrize("labelled", [False, True])
def test_detach_leaves_the_collection_as_it_was(client, cloud, labelled):
    theirs(client, cloud)
    client.create_payload_index(NAME, "number", models.PayloadSchemaType.INTEGER)
    client.update_collection(NAME, metadata={"mine": {"x": 1}})
    before, info = everything(client), client.get_collection(NAME)
    collection = their(client, cloud.root)
    collection.attach(label=label if labelled else None)
    done = collection.detach(page=64)
    assert done.points == 300
    assert set(done.fields) == {"root_distance"} | (
        {"chain", "masses", "concepts"} if labelled else set()
    )
    after, left = everything(client), client.get_collection(NAME)
    assert {key: value[0] for key, value in after.items()} == {
        key: value[0] for key, value in before.items()
    }
    assert left.payload_schema.keys() == info.payload_schema.keys()
    assert left.config.metadata == {"mine": {"x": 1}}
    with pytest.raises(CollectionError, match="not attached"):
        collection.detach()


def test_what_we_made_ourselves_keeps_its_distances(client, cloud):
    collection = HierarchicalCollection(client, NAME, root=cloud.root)
    collection.create()
    collection.upsert(cloud.ids[:200], cloud.vectors[:200], [{}] * 200)
    client.upsert(
        NAME,
        [
            models.PointStruct(id=row, vector={"hiersearch": cloud.vectors[row].tolist()})
            for row in range(200, 300)
        ],
    )
    assert collection.repair().attached == 100
    assert collection.count_without_distance() == 0
    assert collection.detach().points == 0
    assert collection.count_without_distance() == 0


def test_repair_fills_and_corrects(client, cloud):
    theirs(client, cloud)
    collection = their(client, cloud.root)
    client.delete(NAME, [number_of(cloud, row) for row in range(100)])
    collection.attach()
    add(client, cloud, range(50))
    assert collection.count_without_distance() == 50
    done = collection.repair()
    assert (done.attached, done.already, done.corrected) == (50, 200, 0)
    # Vectors that others replace, while the payload stays.
    changed = [number_of(cloud, row) for row in (3, 120)]
    for number, row in zip(changed, (200, 201), strict=True):
        payload = everything(client)[number][0]
        client.upsert(
            NAME,
            [models.PointStruct(id=number, vector=cloud.vectors[row].tolist(), payload=payload)],
        )
    assert collection.repair().attached == 0
    looked = collection.repair(recompute=True, dry_run=True)
    assert (looked.corrected, looked.already) == (2, 250)
    done = collection.repair(recompute=True)
    assert (done.corrected, done.already, done.attached) == (2, 250, 0)
    assert collection.repair(recompute=True).corrected == 0
    check_right(
        client,
        {
            key: ({k: v for k, v in payload.items() if k != "root_distance"}, vector)
            for key, (payload, vector) in everything(client).items()
        },
        cloud.root,
    )


def test_points_that_come_and_go_meanwhile_are_right_or_counted(client):
    cloud = Cloud.make(200)
    theirs(client, cloud)
    collection = their(client, cloud.root)
    busy = iter(range(0, 200, 2))

    def meanwhile(task: str, done: int, total: int) -> None:
        if 0 < done < 150:
            client.delete(NAME, [1000 + next(busy)])
            client.upsert(NAME, [models.PointStruct(id=done, vector=[1.0] * 16, payload={})])

    done = collection.attach(page=10, on_progress=meanwhile)
    assert done.missing == collection.count_without_distance()
    assert collection.repair().missing == 0
    assert collection.count_without_distance() == 0


def test_metadata_that_cannot_be_read_is_not_guessed_at(client):
    cloud = Cloud.make(5)
    theirs(client, cloud)
    for data, reason in (({"version": 99}, "later version"), ({"root": "x"}, "cannot be read")):
        client.update_collection(NAME, metadata={"hiersearch": data})
        with pytest.raises(CollectionError, match=reason):
            their(client, cloud.root).attach()
