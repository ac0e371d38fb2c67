"""Write the graphs of `mini` that come with hiersearch, beside its weights.

    python -m training.mini_graphs

Weights stay where they are: a graph's are renamed to what the file of weights calls them, which
must hold the same values.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors.numpy import load_file

from hiersearch.config import cache_dir
from hiersearch.encoder.graphs.exporting import export_graphs, point_to_weights
from hiersearch.encoder.graphs.graph_folder import (
    PHOTO_GRAPH,
    TEXT_GRAPH,
    WEIGHTS,
    read_notes,
    write_notes,
)
from hiersearch.encoder.mini.second_generation import mini_folder, packed_folder
from hiersearch.encoder.model_folder import load_model

PHOTO_BATCH = 2
"""Convolutions are fastest while their activations fit into the processor's caches."""

GRAPHS = (TEXT_GRAPH, PHOTO_GRAPH)


def main() -> None:
    packed = packed_folder()
    model = load_model(mini_folder(cache_dir()), "cpu")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        least = export_graphs(model, made, source="mini")
        names = packed_names(load_file(made / WEIGHTS), load_file(packed / WEIGHTS))
        notes = read_notes(made)
        assert notes is not None
        for graph in GRAPHS:
            moved = renamed(onnx.load(made / graph, load_external_data=False), names)
            point_to_weights(moved, packed / WEIGHTS)
            (packed / graph).write_bytes(moved.SerializeToString())
        tokenizer = next(packed.rglob("tokenizer.json")).relative_to(packed).as_posix()
        text = replace(notes.text, tokenizer=tokenizer)
        write_notes(packed, replace(notes, text=text, photo_batch=PHOTO_BATCH))
    sizes = {graph: (packed / graph).stat().st_size for graph in GRAPHS}
    print(f"least cosine to the stock model {least:.7f}; bytes: {sizes}")


def packed_names(
    made: dict[str, NDArray[np.generic]], packed: dict[str, NDArray[np.generic]]
) -> dict[str, str]:
    """What the file of weights calls each weight of the graphs."""
    names = {}
    for name, values in made.items():
        same = [
            other
            for other, stored in packed.items()
            if name.endswith(f".{other.partition('/')[2]}") and np.array_equal(stored, values)
        ]
        if len(same) != 1:
            raise SystemExit(f"{name} is {len(same)} of the packed weights")
        (names[name],) = same
    return names


def renamed(graph: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for constant in graph.graph.initializer:
        constant.name = names.get(constant.name, constant.name)
    for node in graph.graph.node:
        node.input[:] = [names.get(one, one) for one in node.input]
    return graph


if __name__ == "__main__":
    main()
