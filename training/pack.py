"""Write the files of `mini` that come with hiersearch, from the folder of a trained model.

    python benchmarks/levels.py PHOTOS --model FOLDER     # measures the temperature
    python training/pack.py FOLDER --temperature 0.036

Weights are stored in half precision. What that changes is printed: the smallest cosine between a
weight matrix before and after, which must be next to 1.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from hiersearch.encoder.mini.second_generation import WEIGHTS, packed_folder, write_folder
from hiersearch.encoder.model_folder import (
    SIDECAR_NAME,
    Sidecar,
    fingerprint,
    load_model,
    write_sidecar,
)

NAME = "mini-2"

RECORDS = {"training.json", SIDECAR_NAME}
"""Files of a trained model's folder that say how it came about, or are written anew."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--temperature", type=float, required=True)
    parser.add_argument("--output", type=Path, default=packed_folder())
    options = parser.parse_args()
    pack(options.folder, options.output)
    write_sidecar(options.output, Sidecar())
    with tempfile.TemporaryDirectory() as scratch:
        write_folder(options.output, Path(scratch) / "model")
        weights = fingerprint(load_model(Path(scratch) / "model", "cpu").state_dict())
    sidecar = Sidecar(temperature=options.temperature, id=f"{NAME}-{weights[:12]}", weights=weights)
    write_sidecar(options.output, sidecar)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(f"{sidecar.id}: {size / 1e6:.1f} MB in {options.output}")


def pack(folder: Path, output: Path) -> None:
    """Write settings, tokenizer and weights."""
    for path in sorted(folder.rglob("*.json")):
        if path.name not in RECORDS:
            target = output / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    weights = {}
    worst = 1.0
    for path in sorted(folder.rglob("model.safetensors")):
        for name, value in load_file(path).items():
            if value.dtype != np.float32:  # counters of batch norms
                weights[f"{path.parent.name}/{name}"] = value
                continue
            half = value.astype(np.float16)
            if not np.isfinite(half).all():
                raise SystemExit(f"{path.parent.name}/{name} is too large for half precision")
            worst = min(worst, cosine(value, half.astype(np.float32)))
            weights[f"{path.parent.name}/{name}"] = half
    save_file(weights, output / WEIGHTS)
    print(f"{len(weights)} weights, smallest cosine {worst:.9f}")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    lengths = np.linalg.norm(one.astype(float)) * np.linalg.norm(other.astype(float))
    if lengths == 0:
        return 1.0 if not one.any() and not other.any() else 0.0
    return float(np.vdot(one.astype(float), other.astype(float)) / lengths)


if __name__ == "__main__":
    main()
