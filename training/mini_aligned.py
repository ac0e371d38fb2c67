"""Write the differences that make `mini-aligned` out of `mini`.

    hiersearch train --recipe training/recipes/mini-aligned.toml --output TRAINED
    python training/mini_aligned.py TRAINED

Writes hiersearch/encoder/mini/mini_aligned.safetensors.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

import hiersearch.encoder
from hiersearch.config import cache_dir
from hiersearch.encoder.mini.aligned import DIFFERENCES, differences
from hiersearch.encoder.mini.recipe import mini_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained", type=Path)
    options = parser.parse_args()
    base = SentenceTransformer(str(mini_folder(cache_dir(os.environ))), device="cpu")
    moved = differences(SentenceTransformer(str(options.trained), device="cpu"), base)
    path = Path(hiersearch.encoder.__file__).parent / DIFFERENCES
    save_file(moved, path)
    weights = sum(value.numel() for value in moved.values())
    print(f"{path}: {weights} weights of {len(moved)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
