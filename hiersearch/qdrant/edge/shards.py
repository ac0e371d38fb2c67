"""The collections of the embedded engine as folders: created, opened, described, deleted."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from hiersearch.errors import CollectionError, StoreError, StoreLockedError
from hiersearch.files import whole_file
from hiersearch.qdrant.edge.failures import check_room, edge_errors, refuse, refuse_damaged
from hiersearch.qdrant.layout import Layout, VectorLayout

if TYPE_CHECKING:
    from pydantic import BaseModel
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = ["Shards", "index_schema"]

_NOT_IN_NAMES = set('<>:"/\\|?*\x7f') | {chr(code) for code in range(32)}


class Shards:
    """The collections in a folder, each opened when it is first needed.

    Args:
        path: The folder that holds, or will hold, a folder per collection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[str, edge.EdgeShard] = {}
        self._written: set[str] = set()
        self._opening = Lock()

    def folder(self, name: str) -> Path:
        """The folder of a collection.

        Raises:
            CollectionError: The name is not allowed.
        """
        if not _is_name(name):
            raise CollectionError(
                f"{name!r} cannot be the name of a collection",
                hint='Use at most 255 characters, none of < > : " / \\ | ? *, and no dot in front',
            )
        return self.path / name

    def exists(self, name: str) -> bool:
        """Whether there is a collection of that name, even if it is damaged."""
        folder, replaced = self.folder(name), self._replaced(name)
        with edge_errors(folder):
            if replaced.is_dir() and not folder.exists():
                replaced.rename(folder)  # `replace` was killed
            return (folder / _CONFIG).exists() or (folder / "segments").is_dir()

    def names(self) -> list[str]:
        """The names of all collections, sorted."""
        with edge_errors(self.path):
            folders = list(self.path.iterdir()) if self.path.is_dir() else []
        return sorted(
            folder.name for folder in folders if _is_name(folder.name) and self.exists(folder.name)
        )

    def create(
        self,
        name: str,
        vectors: models.VectorParams | Mapping[str, models.VectorParams],
        *,
        exact_up_to: int,
    ) -> None:
        """Create a collection, completely or not at all.

        Args:
            name: Its name.
            vectors: The parameters of the one unnamed vector, or of the named ones.
            exact_up_to: Number of points up to which the engine builds no graph.

        Raises:
            CollectionError: There is one of that name already.
            StoreError: The disk is full, the folder cannot be written to, or a parameter is not for
                the embedded store.
        """
        config = _shard_config(vectors, exact_up_to)
        folder = self.folder(name)
        with edge_errors(folder):
            if self.exists(name):
                raise CollectionError(f"the collection {name!r} exists already in {self.path}")
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise CollectionError(
                    f"{folder} holds something else", hint="Move it away, or name another store"
                )
            self.path.mkdir(parents=True, exist_ok=True)
            check_room(self.path)
            # Created elsewhere and moved, so that a kill leaves no partial collection.
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.path))
            try:
                edge.EdgeShard.create(str(draft), config).close()
                draft.chmod(0o755)
                draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def drop(self, name: str) -> bool:
        """Delete a collection; False if there is none.

        Raises:
            StoreLockedError: Another process has it open.
        """
        folder = self.folder(name)
        if not self.exists(name):
            return False
        with edge_errors(folder):
            self._make_ours(name)
            doomed = Path(tempfile.mkdtemp(prefix=".deleted-", dir=self.path))
            folder.rename(doomed / "collection")
            shutil.rmtree(doomed)
        return True

    def shard(self, name: str) -> edge.EdgeShard:
        """The open collection.

        Raises:
            CollectionError: There is none of that name.
            StoreLockedError: Another process has it open.
            StoreError: It is damaged, or the disk is full.
        """
        with self._opening:  # of several threads that need it at once, one opens it
            if name not in self._open:
                self._open[name] = self._loaded(name)
            return self._open[name]

    def replace(self, name: str, other: Path) -> bool:
        """Puts another collection in the place of one that is open.

        Nobody may read or write it meanwhile. A kill leaves one of the two.

        Args:
            name: The name of the one.
            other: The folder of the other, on the same disk, which nobody has open.

        Returns:
            Whether it was done; False if another process got in between, and nothing was changed.

        Raises:
            StoreError: The other one cannot be opened; nothing was changed.
        """
        folder, replaced = self.folder(name), self._replaced(name)
        before = self.shard(name)
        with edge_errors(folder):
            self.clean(name)
            folder.rename(replaced)
            try:
                other.rename(folder)
            except OSError:
                return False  # another process has finished what it took for cut off
            try:
                self._open[name] = self._loaded(name)
            except BaseException:
                folder.rename(other)
                replaced.rename(folder)
                raise
            before.close()
            self.clean(name)
        return True

    def clean(self, name: str) -> None:
        """Removes what a replaced collection has left."""
        if self._replaced(name).is_dir():
            shutil.rmtree(self._replaced(name))

    def _replaced(self, name: str) -> Path:
        return self.path / f".replaced-{name}"

    def _loaded(self, name: str) -> edge.EdgeShard:
        folder = self.folder(name)
        with edge_errors(folder):
            # The engine itself would create files in any folder that it is asked to load.
            if not self.exists(name):
                raise CollectionError(f"there is no collection {name!r} in {self.path}")
            check_room(folder)
            refuse_damaged(folder)
            return edge.EdgeShard.load(str(folder))

    def size(self, name: str) -> int:
        """Bytes that a collection takes on the disk."""
        return sum(
            file.stat().st_blocks * 512 for file in self.folder(name).rglob("*") if file.is_file()
        )

    @contextmanager
    def opened(self, name: str) -> Iterator[edge.EdgeShard]:
        """The open collection, inside whose `with` block errors of the engine become ours.

        Raises:
            StoreError: As for `shard`; or whatever the engine raises.
        """
        shard = self.shard(name)
        with edge_errors(self.folder(name)):
            yield shard

    @contextmanager
    def written(self, name: str, *, copied: bool = False) -> Iterator[edge.EdgeShard]:
        """The open collection, after checking that the disk has room for a write.

        Args:
            name: Its name.
            copied: Whether the write may need as much room as the collection takes now.
        """
        folder = self.folder(name)
        with self.opened(name) as shard:
            check_room(folder, needed=self.size(name) if copied else 0)
            self._written.add(name)
            yield shard

    def info(self, name: str) -> models.CollectionInfo:
        """What the engine can say about a collection; everything else has its default."""
        with self.opened(name) as shard:
            return _collection_info(self.folder(name), shard)

    def layout(self, name: str) -> Layout:
        """The same, as far as it matters to this package."""
        with self.opened(name) as shard:
            return _layout(self.folder(name), shard)

    def merge_metadata(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change the metadata of a collection, completely or not at all; null removes a key.

        Raises:
            StoreError: The metadata is not JSON.
        """
        folder = self.folder(name)
        with self.written(name):
            merged = {**(_metadata(folder) or {}), **changes}
            merged = {key: value for key, value in merged.items() if value is not None}
            try:
                content = json.dumps(merged, ensure_ascii=False, allow_nan=False).encode()
            except (TypeError, ValueError) as error:
                raise StoreError(f"the metadata of a collection is not JSON ({error})") from error
            with whole_file(folder / _METADATA) as file:
                file.write(content)

    def close(self) -> None:
        """Write everything out and close all collections."""
        while self._open:
            name, shard = self._open.popitem()
            with edge_errors(self.folder(name)):
                try:
                    if name in self._written:
                        shard.flush()
                finally:
                    self._written.discard(name)
                    shard.close()

    def _make_ours(self, name: str) -> None:
        """Open and close the collection: then no other process can be using it."""
        if name not in self._open:
            try:
                refuse_damaged(self.folder(name))
                self.shard(name)
            except StoreLockedError:
                raise
            except StoreError:
                return  # damaged: nobody can be using it, so it may be deleted
        self._written.discard(name)
        self._open.pop(name).close()


def _is_name(text: str) -> bool:
    return bool(text) and text[0] != "." and len(text) <= 255 and not set(text) & _NOT_IN_NAMES


_CONFIG = "edge_config.json"
"""File of the engine with the configuration of a collection."""

_METADATA = "metadata.json"
"""File with the metadata of a collection, which the engine itself does not keep."""

# By the names that Qdrant gives to the values of its client's enumerations.
_DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Dot": edge.Distance.Dot,
    "Euclid": edge.Distance.Euclid,
    "Manhattan": edge.Distance.Manhattan,
}

_DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
}

_GRAPH = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
"""The engine's defaults: it must be told all of them if one is changed."""

_PLAIN_INDEXES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "uuid": edge.PayloadSchemaType.Uuid,
}


@cache
def _indexes_with_params() -> dict[type, Any]:
    return {
        models.KeywordIndexParams: edge.KeywordIndexParams,
        models.IntegerIndexParams: edge.IntegerIndexParams,
        models.FloatIndexParams: edge.FloatIndexParams,
        models.DatetimeIndexParams: edge.DatetimeIndexParams,
    }


def _shard_config(
    vectors: models.VectorParams | Mapping[str, models.VectorParams], exact_up_to: int
) -> edge.EdgeConfig:
    """The engine's configuration of a new collection."""
    named = {"": vectors} if isinstance(vectors, models.VectorParams) else dict(vectors)
    # The engine counts deleted points too: allow a quarter more for those.
    kilobytes = max(params.size for params in named.values()) * 5 * exact_up_to // 1024
    return edge.EdgeConfig(
        vectors={name: _vector(params) for name, params in named.items()},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=kilobytes),
    )


def _vector(params: models.VectorParams) -> edge.EdgeVectorParams:
    refuse(memory=params.memory, multivector_config=params.multivector_config)
    datatype = None if params.datatype is None else _DATATYPES.get(params.datatype.value)
    if datatype is None:
        refuse(datatype=params.datatype)
    return edge.EdgeVectorParams(
        size=params.size,
        distance=_DISTANCES[params.distance.value],
        on_disk=params.on_disk,
        datatype=datatype,
        hnsw_config=None if params.hnsw_config is None else _graph(params.hnsw_config),
        quantization_config=None
        if params.quantization_config is None
        else _quantization(params.quantization_config),
    )


def _graph(hnsw: models.HnswConfigDiff) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(**{**_GRAPH, **_settings(hnsw)})


def _quantization(quantization: BaseModel) -> Any:
    # Each kind is a model with one field, whose class is called as in the engine.
    [field] = type(quantization).model_fields
    config = getattr(quantization, field)
    return getattr(edge, type(config).__name__)(**_settings(config))


def _settings(config: BaseModel) -> dict[str, Any]:
    """What is set, with the engine's enumerations, whose names differ in case only."""
    return {
        name: _engines(value) if isinstance(value, Enum) else value
        for name, value in config.model_dump(exclude_none=True).items()
    }


def _engines(value: Enum) -> Any:
    kind = getattr(edge, type(value).__name__)
    wanted = value.name.replace("_", "").lower()
    [name] = [name for name in dir(kind) if name.replace("_", "").lower() == wanted]
    return getattr(kind, name)


def index_schema(schema: object) -> Any:
    """The engine's form of a payload index.

    Args:
        schema: A `PayloadSchemaType`, its name, or the parameters of an index.

    Raises:
        StoreError: The embedded store does not offer that kind of index.
    """
    if isinstance(schema, str):
        plain = _PLAIN_INDEXES.get(schema.value if isinstance(schema, Enum) else schema)
        if plain is not None:
            return plain
    params = _indexes_with_params().get(type(schema))
    if params is None:
        raise StoreError(f"the embedded store has no payload index of the kind {schema!r}")
    described: Any = schema
    given = described.model_dump(exclude={"type"}, exclude_none=True)
    refuse(memory=given.pop("memory", None))
    return params(**given)


def _collection_info(folder: Path, shard: edge.EdgeShard) -> models.CollectionInfo:
    info = shard.info()
    config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    vectors = {
        name: models.VectorParams(
            size=params["size"],
            distance=models.Distance(params["distance"]),
            on_disk=params.get("on_disk"),
            datatype=params.get("datatype"),
            hnsw_config=params.get("hnsw_config"),
            quantization_config=params.get("quantization_config"),
        )
        for name, params in config["vectors"].items()
    }
    hnsw = config.get("hnsw_config") or {}
    optimizers = config.get("optimizers") or {}
    return models.CollectionInfo(
        status=models.CollectionStatus.GREEN,
        optimizer_status=models.OptimizersStatusOneOf.OK,
        points_count=info.points_count,
        indexed_vectors_count=info.indexed_vectors_count,
        segments_count=info.segments_count,
        config=models.CollectionConfig(
            params=models.CollectionParams(
                vectors=vectors[""] if set(vectors) == {""} else vectors
            ),
            hnsw_config=models.HnswConfig(
                m=hnsw.get("m", 16),
                ef_construct=hnsw.get("ef_construct", 100),
                full_scan_threshold=hnsw.get("full_scan_threshold", 10_000),
            ),
            optimizer_config=models.OptimizersConfig(
                default_segment_number=0,
                flush_interval_sec=0,
                indexing_threshold=optimizers.get("indexing_threshold"),
            ),
            metadata=_metadata(folder),
        ),
        payload_schema={
            key: models.PayloadIndexInfo(
                data_type=models.PayloadSchemaType(_index_type(index.data_type)),
                points=index.points,
            )
            for key, index in info.payload_schema.items()
        },
    )


def _layout(folder: Path, shard: edge.EdgeShard) -> Layout:
    config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    return Layout(
        vectors={
            name: VectorLayout(
                size=params["size"],
                distance=params["distance"],
                datatype=params.get("datatype"),
                quantized=params.get("quantization_config") is not None,
            )
            for name, params in config["vectors"].items()
        },
        indexes={
            key: _index_type(index.data_type) for key, index in shard.info().payload_schema.items()
        },
        metadata=_metadata(folder) or {},
    )


def _metadata(folder: Path) -> dict[str, Any] | None:
    file = folder / _METADATA
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{file} is damaged ({error})") from error
    return dict(content)


def _index_type(data_type: edge.PayloadSchemaType) -> str:
    # The engine's enumerations cannot be hashed.
    return next(ours for ours, theirs in _PLAIN_INDEXES.items() if theirs == data_type)
