"""Make a hierarchical collection with three shards and two copies of each, and search it.

QDRANT_API_KEY=... python examples/cluster/texts.py http://localhost:6333
"""

from __future__ import annotations

import sys

from hiersearch import HierarchicalCollection, HierarchicalEncoder
from hiersearch.qdrant import CollectionOptions, connect

TEXTS = ["something", "an animal", "a bird", "a parrot", "a green parrot on a branch", "a sofa"]


def main(url: str) -> None:
    encoder = HierarchicalEncoder("mini")
    client = connect(url)
    texts = HierarchicalCollection(client, "texts", root=encoder.root)
    texts.create(options=CollectionOptions(shard_number=3, replication_factor=2))
    payloads = [{"text": text} for text in TEXTS]
    texts.upsert(range(len(TEXTS)), encoder.encode_texts(TEXTS), payloads)

    params = client.get_collection("texts").config.params
    print(f"{params.shard_number or 1} shards, {params.replication_factor or 1} copies of each")
    parrot, animal = encoder.encode_texts(["a green parrot", "an animal"])
    answers = {
        "the path of a green parrot": texts.radial_path(parrot),
        "above a green parrot": texts.ancestors_of(parrot, limit=3),
        "below an animal": texts.descendants_of(animal, limit=3),
    }
    for title, hits in answers.items():
        print(title)
        for hit in hits:
            print(f"  {hit.root_distance:.2f}  {hit.payload['text']}")


if __name__ == "__main__":
    main(sys.argv[1])
