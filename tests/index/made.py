"""What the tests of an index share."""

from __future__ import annotations

import math
from uuid import UUID

import numpy as np

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.config import IndexPlace
from hiersearch.index import PhotoIndex
from hiersearch.index.fields import PHOTO_INDEXES
from hiersearch.index.manifest import Manifest
from hiersearch.index.storage import IndexStore
from hiersearch.trees import Calibration

__all__ = [
    "VOCABULARY",
    "CountingEncoder",
    "add",
    "make_index",
    "same_contents",
    "stored",
]


VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("cat", "cat", ("animal",)),
        Concept("dog", "dog", ("animal",)),
        Concept("vehicle", "vehicle"),
        Concept("motorcycle", "motorcycle", ("vehicle",)),
        Concept("drink", "drink"),
        Concept("coffee", "coffee", ("drink",)),
    ],
    "test",
)


def stored(index: PhotoIndex) -> dict[str, dict]:
    """Every stored photo's payload by the names of its files."""
    return {
        " ".join(sorted(record.payload["name"])): record.payload
        for record in index._store.photos.scroll()
    }


def add(index: PhotoIndex, *paths, **options) -> dict[str, int]:
    """What a run did, without what it did not do."""
    summary = index.add(*paths, **options)
    lists = {name: len(getattr(summary, name)) for name in ("skipped", "notes", "lost")}
    counts = vars(summary) | lists
    return {key: value for key, value in counts.items() if value}


class CountingEncoder:
    """The real encoder, counting the photos that it sees."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.photos = 0

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode_photos(self, photos):
        self.photos += len(photos)
        return self._encoder.encode_photos(photos)

    def encode_photo_batches(self, batches):
        return self._encoder.encode_photo_batches(map(self._counted, batches))

    def _counted(self, batch):
        self.photos += len(batch)
        return batch


def make_index(
    place: IndexPlace,
    photos: range,
    *,
    dim: int = 8,
    model: str = "made",
    version: int = 0,
    vocabulary: Vocabulary = VOCABULARY,
) -> None:
    """An index without a model: photos with made vectors and every kind of payload.

    Args:
        place: Where to make it.
        photos: Numbers of its photos.
        dim: Length of a vector.
        model: Name of the model, which its id is made of.
        version: Every third photo differs between versions.
        vocabulary: Its vocabulary.
    """
    root, centre = np.eye(dim, dtype=np.float32)[:2]
    manifest = Manifest(
        model=model,
        model_id=f"{model}-{dim}",
        root=root,
        vocabulary_id=vocabulary.id,
        photo_size=224,
        labelled=True,
        calibration=Calibration(centre, 0.1, 0.2),
        calibrated_on=len(photos),
    )
    store = IndexStore.create(place, manifest, vocabulary)
    try:
        for collection, numbers in (
            (store.concepts, range(len(vocabulary))),
            (store.photos, photos),
        ):
            if not numbers:
                continue
            collection.create(payload_indexes=PHOTO_INDEXES if collection is store.photos else None)
            vectors = [np.random.default_rng(number).normal(size=dim) for number in numbers]
            collection.upsert(
                [str(UUID(int=number * 7919)) for number in numbers],
                np.stack(vectors),
                [_payload(number, version * (number % 3 == 0)) for number in numbers],
            )
    finally:
        store.close()


def _payload(number: int, version: int) -> dict:
    return {
        "path": [f"/photos/{number}.jpg", f"/photos/caf\u00e9 {version}.jpg"],
        "size": number,
        "mtime": [1700000000.12345 + number, 1.5],
        "masses": [round(1 / (number + 1), 4)],
        "chain": ["animal"] if number % 2 else [],
        "concepts": ["animal"] if number % 2 else [],
        "long": 1 / (number + 3),
    }


def _contents(place: IndexPlace) -> dict[str, dict]:
    """All that an index holds, by what it is, with vectors as lists; the same twice fails."""
    store = IndexStore.open(place)
    try:
        everything = {"manifest": _plain(store.manifest), "vocabulary": store.vocabulary.to_json()}
        for name in ("photos", "concepts"):
            collection = getattr(store, name)
            records = list(collection.scroll(with_vectors=True)) if collection.exists() else []
            everything[name] = {record.id: (record.vector, record.payload) for record in records}
            assert len(records) == len(everything[name])
        return everything
    finally:
        store.close()


def _plain(manifest: Manifest) -> dict:
    plain = {**vars(manifest), "root": manifest.root.tolist()}
    calibration = manifest.calibration
    plain["calibration"] = {**vars(calibration), "centre": calibration.centre.tolist()}
    return plain


def same_contents(one: IndexPlace, other: IndexPlace) -> bool:
    """Whether two indexes hold the same, by comparison of everything."""
    mine, theirs = _contents(one), _contents(other)
    assert mine["manifest"] == theirs["manifest"]
    assert mine["vocabulary"] == theirs["vocabulary"]
    for name in ("photos", "concepts"):
        assert mine[name].keys() == theirs[name].keys()
        for number, (_, payload) in mine[name].items():
            other = theirs[name][number][1]
            assert payload.keys() == other.keys()
            for key, value in payload.items():
                if isinstance(value, float):
                    assert math.isclose(other[key], value, rel_tol=1e-12, abs_tol=1e-12)
                else:
                    assert other[key] == value
        if mine[name]:
            rows = [
                np.stack([held[number][0] for number in mine[name]])
                for held in (mine[name], theirs[name])
            ]
            np.testing.assert_allclose(*rows, atol=1e-6)
    return True
