"""A model's towers as ONNX graphs, which ONNX Runtime computes without torch.

A folder of graphs holds what `hiersearch export` writes, and `mini` comes with:

    graphs.json         how texts and photos are prepared, and of what model the graphs are
    text.onnx           from tokens to a vector, without weights: it says where they lie
    photo.onnx          the same from pixels, for models that read photos
    weights.safetensors the weights of both
    tokenizer.json      as the library tokenizers reads it

beside the sidecar `hiersearch.json` that any model's folder may have.
"""

from __future__ import annotations

from hiersearch.encoder.graphs.graph_folder import GraphNotes, TextPreparation, read_notes
from hiersearch.encoder.graphs.graph_runtime import GraphRuntime

__all__ = ["GraphNotes", "GraphRuntime", "TextPreparation", "read_notes"]
