"""Write the vectors of the built-in vocabulary that come with `mini`, beside its weights.

    python -m training.concept_vectors

They are what `mini` gives to the concepts' names, in half precision, so that no first index has to
wait for them. To be made again whenever the vocabulary or the weights change: those of another
vocabulary are not used, and then everyone waits.
"""

from __future__ import annotations

import numpy as np

from hiersearch.concepts import builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.mini.second_generation import concept_vectors_file, packed_folder


def main() -> None:
    vocabulary = builtin_vocabulary()
    vectors = HierarchicalEncoder("mini").encode_texts(vocabulary.names)
    for former in packed_folder().glob(concept_vectors_file("*").name):
        former.unlink()
    half = vectors.astype(np.float16)
    np.save(concept_vectors_file(vocabulary.id), half, allow_pickle=False)
    cosines = (half.astype(np.float64) * vectors).sum(axis=1) / np.linalg.norm(
        half.astype(float), axis=1
    )
    print(f"{len(half)} vectors, least cosine to single precision {cosines.min():.9f}")


if __name__ == "__main__":
    main()
