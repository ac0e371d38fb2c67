"""Vectors to measure on: made ones in clusters, and real ones repeated with noise to any size.

Both are cached below a folder, as float32 rows of length 1 (`numpy.load` with `mmap_mode`), and are
the same wherever they are made: every block of rows has its own seed.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Real", "clustered", "clustered_queries", "clustered_root", "repeated", "unit"]

Floats = NDArray[np.float32]

DIM = 512
BRANCHES = (20, 30, 40)
"""Clusters, clusters in each of these, and in each of those: 24,000 of the finest kind."""

BLOCK = 10_000
NOISE = 0.3
"""Length of the noise added to a real vector of length 1: the cosine between the two is about .96,
as between two captions of one photo."""


def unit(rows: NDArray[np.floating]) -> Floats:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / lengths, dtype=np.float32)


def clustered_root(dim: int = DIM) -> Floats:
    return unit(np.random.default_rng(1).standard_normal(dim))


def clustered(cache: Path, size: int, dim: int = DIM) -> Floats:
    """(size, dim): a tree of clusters in which the general lies nearer to the root.

    A point is of a kind from 1 (a coarse cluster alone) to 4 (a cluster of each size, and noise of
    its own). The more specific the kind, the less of the root is in it: root distances from .6 to
    1.3. Smaller sizes are the first rows of greater ones.
    """
    return _cached(
        cache / f"clustered-{size}x{dim}.npy",
        size,
        dim,
        (_clustered_block(seed, dim) for seed in range(size // BLOCK + 1)),
    )


def clustered_queries(number: int, dim: int = DIM) -> Floats:
    """(number, dim): drawn as the points are, but not among them."""
    return _clustered_block(10**6, dim)[:number]


def _clustered_block(seed: int, dim: int) -> Floats:
    root, levels = clustered_root(dim), _cluster_directions(dim)
    random = np.random.default_rng((7, seed))
    kind = random.integers(1, 5, size=BLOCK)
    rows = np.sqrt(0.75 - 0.15 * kind)[:, None] * root
    at = np.zeros(BLOCK, dtype=np.int64)
    for level, (branches, directions) in enumerate(zip(BRANCHES, levels, strict=True), start=1):
        at = at * branches + random.integers(0, branches, size=BLOCK)
        rows += np.where(kind >= level, 0.5, 0.0)[:, None] * directions[at]
    spread = random.uniform(0.3, 0.6, size=BLOCK) * np.where(kind == 4, 1.3, 1.0)
    rows += spread[:, None] * random.standard_normal((BLOCK, dim), dtype=np.float32) / np.sqrt(dim)
    return unit(rows)


_DIRECTIONS: dict[int, list[Floats]] = {}


def _cluster_directions(dim: int) -> list[Floats]:
    if dim not in _DIRECTIONS:
        random = np.random.default_rng(2)
        sizes = np.cumprod(BRANCHES)
        _DIRECTIONS[dim] = [unit(random.standard_normal((size, dim))) for size in sizes]
    return _DIRECTIONS[dim]


@dataclass(frozen=True)
class Real:
    """Embeddings of HierarCaps by the offline model.

    Attributes:
        root: (dim,).
        photos: (500, dim), of the development items.
        tiers: (500, 4, dim), their four texts.
        texts: (n, dim), distinct texts of other photos' hierarchies.
        hierarchies: The words of `tiers`.
    """

    root: Floats
    photos: Floats
    tiers: Floats
    texts: Floats
    hierarchies: list[list[str]]

    @classmethod
    def load(cls, data: Path, cache: Path, model: str = "mini", texts: int = 20_000) -> Real:
        """Encoded once, then cached.

        Args:
            data: The folder with hierarcaps_dev.csv, hierarcaps_pairs.csv.gz and images/.
            cache: Where the embeddings are kept.
            model: The encoder.
            texts: Number of texts of other photos, 0 for none.
        """
        with (data / "hierarcaps_dev.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        hierarchies = [row["captions"].split(" => ") for row in rows]
        images = [data / "images" / row["image_url"].rpartition("/")[2] for row in rows]
        others = _other_texts(data, texts)
        every = [text for tiers in hierarchies for text in tiers] + others
        key = hashlib.sha256("\n".join(every).encode()).hexdigest()
        file = cache / f"hierarcaps-{Path(model).name}-{key[:12]}.npz"
        if not file.exists():
            _encode(file, model, images, hierarchies, others)
        with np.load(file) as saved:
            return cls(hierarchies=hierarchies, **{name: saved[name] for name in saved.files})


def repeated(cache: Path, name: str, base: Floats, size: int) -> Floats:
    """(size, dim): the rows of the base, and again with noise as often as it takes."""

    def block(start: int) -> Floats:
        at = np.arange(start, start + BLOCK)
        random = np.random.default_rng((11, start))
        noise = random.standard_normal((BLOCK, base.shape[1]), dtype=np.float32)
        noise *= (NOISE / np.sqrt(base.shape[1]) * (at >= len(base)))[:, None]
        return unit(base[at % len(base)] + noise)

    dim = base.shape[1]
    blocks = (block(start) for start in range(0, size, BLOCK))
    return _cached(cache / f"{name}-{len(base)}-{size}x{dim}.npy", size, dim, blocks)


def _cached(file: Path, size: int, dim: int, blocks: Iterator[Floats]) -> Floats:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}.draft")
        rows = np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=(size, dim))
        for start, block in zip(range(0, size, BLOCK), blocks, strict=False):
            rows[start : start + BLOCK] = block[: size - start]
        rows.flush()
        draft.replace(file)
    loaded: Floats = np.load(file, mmap_mode="r")
    return loaded


def _other_texts(data: Path, number: int) -> list[str]:
    if not number:
        return []
    with gzip.open(data / "hierarcaps_pairs.csv.gz", "rt", newline="", encoding="utf-8") as file:
        texts = [
            text
            for row in csv.DictReader(file)
            for text in (row["positive"] + " => " + row["negative"]).split(" => ")
        ]
    distinct = np.array(list(dict.fromkeys(texts)), dtype=object)
    chosen = np.random.default_rng(3).permutation(len(distinct))[:number]
    return [str(text) for text in distinct[np.sort(chosen)]]


def _encode(
    file: Path,
    model: str,
    images: Sequence[Path],
    hierarchies: Sequence[Sequence[str]],
    others: Sequence[str],
) -> None:
    import torch

    from hiersearch import HierarchicalEncoder

    torch.set_num_threads(1)
    encoder = HierarchicalEncoder(model)
    tiers = _in_parts(encoder.encode_texts, [text for tiers in hierarchies for text in tiers])
    photos = []
    for image in images:
        with Image.open(image) as opened:
            photos.append(opened.convert("RGB"))
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{os.getpid()}.npz")
    np.savez(
        draft,
        root=encoder.root,
        photos=_in_parts(encoder.encode_photos, photos),
        tiers=tiers.reshape(len(images), 4, -1),
        texts=_in_parts(encoder.encode_texts, others) if others else tiers[:0],
    )
    draft.replace(file)


def _in_parts(encode: Callable[[Sequence], Floats], items: Sequence) -> Floats:
    return np.concatenate([encode(items[at : at + 512]) for at in range(0, len(items), 512)])
