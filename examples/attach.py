"""Make a Qdrant collection that exists hierarchical, and search it from general to specific.

python examples/attach.py
"""

from __future__ import annotations

from qdrant_client import QdrantClient, models

from hiersearch import HierarchicalCollection, HierarchicalEncoder
from hiersearch.index import ModelCheck

TEXTS = ["something", "an animal", "a bird", "a parrot", "a green parrot on a branch", "a sofa"]


def written_by_others(encoder: HierarchicalEncoder) -> QdrantClient:
    """A collection of texts, with nothing of hiersearch in it; yours may lie on a server."""
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=encoder.dimension, distance=models.Distance.COSINE)
    client.create_collection("texts", vectors_config=params)
    vectors = encoder.encode_texts(TEXTS).tolist()
    payload = [{"text": text} for text in TEXTS]
    client.upload_collection("texts", vectors, payload=payload, ids=range(len(TEXTS)), wait=True)
    return client


def main() -> None:
    encoder = HierarchicalEncoder("mini")  # the model that made the vectors
    client = written_by_others(encoder)

    texts = HierarchicalCollection(client, "texts", root=encoder.root, vector_name="")
    summary = texts.attach(check=ModelCheck(encoder), model=encoder.name)
    told = "verified" if summary.verified else "not verified"
    print(f"{summary.attached} of {summary.points} points attached, model {told}")
    query = encoder.encode_texts(["a green parrot"])[0]
    for hit in texts.radial_path(query):
        print(f"{hit.root_distance:.2f}  {hit.payload['text']}")


if __name__ == "__main__":
    main()
