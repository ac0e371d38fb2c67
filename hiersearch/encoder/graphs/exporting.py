"""Writes the graphs of a dual encoder: torch to ONNX, checked against the stock model."""

from __future__ import annotations

import copy
import json
import logging
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from hiersearch.encoder.fusing import is_open
from hiersearch.encoder.graphs.graph_folder import (
    PHOTO_GRAPH,
    TEXT_GRAPH,
    TEXT_INPUTS,
    TOKENIZER,
    WEIGHTS,
    GraphNotes,
    TextPreparation,
    write_notes,
)
from hiersearch.encoder.graphs.graph_runtime import GraphRuntime
from hiersearch.encoder.model_folder import quiet
from hiersearch.encoder.preparation import Preparation
from hiersearch.encoder.stock import StockRuntime
from hiersearch.errors import ModelError, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

__all__ = ["export_graphs", "point_to_weights"]

LEAST = 8
"""Numbers from which on a constant counts as a weight, and lies beside the graph."""

PHOTO_BATCH = 8
"""Photos in a part of a batch: a vision transformer gains a tenth over two, and nothing by more."""

MANY_WORDS = 5000
"""Words of a text that is longer than what models read."""

SAMPLE_TEXTS = (
    "",
    "a cat",
    "Two people are riding bicycles along a beach at sunset, and a dog runs after them.",
    "naïve café, 12:30 — “quotes”",
    "word " * MANY_WORDS,
)

LEAST_COSINE = 0.9999
"""Between what the graphs give and what the stock model does; rounding alone changes less."""


@dataclass(frozen=True)
class _Tower:
    """A tower to export.

    Attributes:
        graph: The name of its graph.
        features: What the stock model prepares for it of two items.
        names: Those of the features that are tensors.
        free: The dimensions of these that may be of any length.
    """

    graph: str
    features: Mapping[str, Any]
    names: tuple[str, ...]
    free: tuple[int, ...]


def export_graphs(model: SentenceTransformer, folder: Path, *, source: str) -> float:
    """Writes the graphs of a model, and makes sure that they give the model's vectors.

    Args:
        model: A dual encoder, or an encoder of texts, on the CPU in float32; left as it is.
        folder: Where to; must exist.
        source: The name or the folder of the model.

    Returns:
        The least cosine between vectors of the model and of its graphs, over some samples.

    Raises:
        MissingPackageError: What writes graphs is not installed.
        ModelError: The model cannot be exported.
        OSError: The folder cannot be written to.
    """
    require("onnxscript", extra="export", purpose="exporting a model")
    onnx: Any = require("onnx", extra="export", purpose="exporting a model")
    from safetensors.numpy import save_file

    if model.truncate_dim is not None:
        raise _refusal("this model's vectors are cut off")
    stock = StockRuntime(model)
    tower, text = _text_tower(model, folder)
    towers, how = [tower], None
    if stock.has_photos:
        tower, how = _photo_tower(model)
        towers.append(tower)
    simple = _simplified(model)
    weights: dict[str, NDArray[Any]] = {}
    graphs = {}
    for tower in towers:
        graphs[tower.graph] = graph = _traced(simple, tower, onnx)
        weights |= _taken_out(graph, onnx)
    save_file(weights, folder / WEIGHTS)
    for name, graph in graphs.items():
        point_to_weights(graph, folder / WEIGHTS)
        (folder / name).write_bytes(graph.SerializeToString())
    notes = GraphNotes(source=source, text=text, photo=how, photo_batch=PHOTO_BATCH)
    write_notes(folder, notes)
    return _compared(stock, GraphRuntime(folder, notes))


def _traced(model: nn.Module, tower: _Tower, onnx: Any) -> Any:
    """The graph of a tower, as an `onnx.ModelProto` whose weights have the model's names."""
    tensors = tuple(tower.features[name] for name in tower.names)
    free = dict.fromkeys(tower.free, torch.export.Dim.DYNAMIC)
    with tempfile.TemporaryDirectory() as scratch, quiet(), _errors_alone():
        path = f"{scratch}/{tower.graph}"
        try:
            program = torch.onnx.export(
                _Vectors(model, tower.features).eval(),
                tensors,
                dynamo=True,
                verbose=False,
                # What is folded here would lose its name; ONNX Runtime folds it when it loads.
                optimize=False,
                input_names=list(tower.names),
                output_names=["vectors"],
                dynamic_shapes=(tuple(free for _ in tensors),),
            )
            assert program is not None
            program.save(path)
        except Exception as error:  # the exporter lets through whatever a model's code raises
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise _refusal(f"torch cannot export this model to ONNX: {reason[0]}") from error
        return onnx.load(path)


@contextmanager
def _errors_alone() -> Iterator[None]:
    """Silences what torch's exporter logs below errors, such as which packages it does without."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        yield
    finally:
        exporter.setLevel(before)


class _Vectors(nn.Module):
    """A model as a function of tensors alone."""

    def __init__(self, model: nn.Module, features: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = model
        self._names = [name for name, one in features.items() if torch.is_tensor(one)]
        self._rest = {name: one for name, one in features.items() if not torch.is_tensor(one)}

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        features = self._rest | dict(zip(self._names, tensors, strict=True))
        vectors: torch.Tensor = self.model(features)["sentence_embedding"]
        return vectors


class _Logistic(nn.Module):
    """1 / (1 + e^-x). ONNX Runtime's own sigmoid is 0 below -18, and `mini`'s head works there."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1 / (1 + torch.exp(-x))


def _simplified(model: SentenceTransformer) -> nn.Module:
    """A copy that computes the same, more exactly or with less."""

    def simplify(parent: nn.Module) -> None:
        for name, module in parent.named_children():
            if isinstance(module, nn.Sigmoid):
                setattr(parent, name, _Logistic())
            elif type(module).__name__ == "EfficientNetSqueezeExciteLayer" and is_open(module):
                setattr(parent, name, nn.Identity())
            else:
                simplify(module)

    simple = copy.deepcopy(model).eval()
    simplify(simple)
    return simple


def _text_tower(model: SentenceTransformer, folder: Path) -> tuple[_Tower, TextPreparation]:
    """The tower of texts, and how they are prepared; writes the tokenizer."""
    tokenizer = next(
        (
            backend
            for module in model.modules()
            if (found := getattr(module, "tokenizer", None)) is not None
            and (backend := getattr(found, "backend_tokenizer", None)) is not None
        ),
        None,
    )
    if tokenizer is None:
        raise _refusal("this model's tokenizer is none of the library tokenizers")
    tokenizer.save(str(folder / TOKENIZER))
    prompt = model.prompts.get(model.default_prompt_name or "") or ""

    def features(*texts: str) -> dict[str, Any]:
        inputs: list[Any] = list(texts)
        if model.supports("image"):
            inputs = [{"text": text} for text in texts]
        return dict(model.preprocess(inputs, prompt=prompt))

    one, two = features("a"), features("a cat on a mat", "a dog")
    names = tuple(name for name, value in two.items() if torch.is_tensor(value))
    unknown = [name for name in names if name not in TEXT_INPUTS]
    if unknown or "input_ids" not in names:
        known = ", ".join(TEXT_INPUTS)
        raise _refusal(f"this model reads {', '.join(names)} of a text, not only {known}")
    length = int(features("word " * MANY_WORDS)["input_ids"].shape[1])
    if length >= MANY_WORDS:
        raise _refusal(f"this model reads texts of {MANY_WORDS} words and more")
    always = one["input_ids"].shape[1] == two["input_ids"].shape[1]
    text = TextPreparation(
        inputs=names,
        tokenizer=TOKENIZER,
        length=length,
        padded_to=length if always else None,
        pad=int(two["input_ids"][1, -1]),  # the shorter of the two is filled up
        prompt=prompt,
    )
    return _Tower(TEXT_GRAPH, two, names, (0,) if always else (0, 1)), text


def _photo_tower(model: SentenceTransformer) -> tuple[_Tower, Preparation]:
    """The tower of photos, and how they are prepared."""
    found = (
        getattr(processor, "image_processor", processor)
        for module in model.modules()
        if (processor := getattr(module, "processor", None)) is not None
    )
    processor = next((one for one in found if hasattr(one, "image_mean")), None)
    how = None if processor is None else Preparation.of_processor(processor)
    features = dict(model.preprocess(_sample_photos()[:2]))
    names = tuple(name for name, value in features.items() if torch.is_tensor(value))
    if how is None or names != ("pixel_values",):
        raise _refusal("this model prepares photos in a way that is not known here")
    return _Tower(PHOTO_GRAPH, features, names, (0,)), how


def _sample_photos() -> list[Image.Image]:
    """Photos of several shapes, made of smooth noise."""
    random = np.random.default_rng(0)

    def photo(shape: tuple[int, int]) -> Image.Image:
        small = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        return small.resize(shape, Image.Resampling.BICUBIC)

    return [photo(shape) for shape in ((640, 480), (300, 401), (1000, 333))]


def point_to_weights(graph: Any, file: Path) -> None:
    """Writes into a graph where its weights lie.

    Args:
        graph: An `onnx.ModelProto`, some of whose constants have names and no values.
        file: The file of weights in the folder of the graph, in the format of safetensors: eight
            bytes with the length of a header, the header in JSON, and the values.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    for constant in graph.graph.initializer:
        if constant.name not in header:
            continue
        del constant.external_data[:]
        start, end = header[constant.name]["data_offsets"]
        place = {"location": file.name, "offset": 8 + length + start, "length": end - start}
        for key, value in place.items():
            entry = constant.external_data.add()
            entry.key, entry.value = key, str(value)


def _taken_out(graph: Any, onnx: Any) -> dict[str, NDArray[Any]]:
    """Takes the weights out of a graph, which keeps their names, and its notes on itself.

    Returns:
        The weights by name; in half precision where that changes nothing.
    """
    weights: dict[str, NDArray[Any]] = {}
    halves = set()
    for constant in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < LEAST:
            continue
        half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            halves.add(constant.name)
            values = half
        weights[constant.name] = np.ascontiguousarray(values)
        constant.ClearField("raw_data")
        constant.data_type = onnx.helper.np_dtype_to_tensor_dtype(values.dtype)
        constant.data_location = onnx.TensorProto.EXTERNAL
    _widen(graph.graph, halves, onnx)
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for tensor in (*graph.graph.input, *graph.graph.output):
        tensor.ClearField("metadata_props")
    graph.graph.ClearField("value_info")
    return weights


def _widen(graph: Any, halves: set[str], onnx: Any) -> None:
    """Computes in single precision with constants that are kept in half.

    Of a table, only the rows that are looked up are widened.
    """

    def cast(before: str, after: str) -> Any:
        return onnx.helper.make_node("Cast", [before], [after], to=onnx.TensorProto.FLOAT)

    def widened() -> Iterator[Any]:
        wide = set()
        for node in graph.node:
            read = [name for name in node.input if name in halves]
            if node.op_type == "Gather" and node.input[0] in halves:
                (found,) = node.output
                node.output[0] = f"{found}.half"
                yield from (node, cast(node.output[0], found))
                continue
            for name in read:
                if name not in wide:
                    wide.add(name)
                    yield cast(name, f"{name}.single")
            node.input[:] = [f"{one}.single" if one in halves else one for one in node.input]
            yield node

    nodes = list(widened())
    del graph.node[:]
    graph.node.extend(nodes)


def _compared(stock: StockRuntime, graphs: GraphRuntime) -> float:
    """The least cosine over the samples."""
    pairs = [(stock.embed_texts([text]), graphs.embed_texts([text])) for text in SAMPLE_TEXTS]
    pairs.append((stock.embed_texts(SAMPLE_TEXTS), graphs.embed_texts(SAMPLE_TEXTS)))
    if stock.has_photos:
        images = _sample_photos()
        pairs.append((stock.embed_photos(images), graphs.embed_photos(images)))
    least = min(float(_cosines(one, other).min()) for one, other in pairs)
    if not least >= LEAST_COSINE:
        raise _refusal(f"its graphs give other vectors than this model (cosine {least:.4f})")
    return least


def _refusal(reason: str) -> ModelError:
    return ModelError(reason, hint="Use the model as it is: it works without graphs")


def _cosines(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    one, other = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines: NDArray[Any] = (one * other).sum(axis=1) / lengths
    return cosines
