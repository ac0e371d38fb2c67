"""A small real HTTP server with Qdrant's REST endpoints, on 127.0.0.1, for tests.

What it answers is what `QdrantClient(":memory:")` answers: a client that talks to it goes through
its remote half, the wire models, HTTP and back. It also keeps what the client's local mode drops
but a server has: payload indexes, and the settings of a collection, strict mode's limits among
them, which it enforces. It is no engine: nothing is indexed, sharded or quantised.

In a test:

    with serving(api_key="secret") as server:
        client = QdrantClient(url=server.url, api_key="secret")

In a process of its own (prints its URL as its first line; 0 means any free port):

    python -m tests.rest_server PORT [--api-key KEY] [--read-only-key KEY] [--prefix /PATH]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python
from qdrant_client import QdrantClient
from qdrant_client.http import models

from tests.rest_limits import RefusedError, Strict

__all__ = ["RefusedError", "RestServer", "serving", "serving_apart"]


@dataclass
class Kept:
    """What a server knows of a collection beyond what the client's local mode keeps."""

    settings: models.CreateCollection
    indexes: dict[str, Any] = field(default_factory=dict)

    @property
    def limits(self) -> models.StrictModeConfig:
        strict = self.settings.strict_mode_config
        return strict if strict and strict.enabled else models.StrictModeConfig()


class RestServer(ThreadingHTTPServer):
    """Serves one store; its attributes are for tests to look at and to change.

    Attributes:
        store: What is served. Take `lock` to use it while requests may come.
        requests: Method and path of every request, in order.
        read_only_key: A key that may read only, where there is an `api_key`.
        delay: Seconds to wait before each answer, as a distant server does.
        fail: Called with method and path before a request is carried out; may raise `RefusedError`.
    """

    daemon_threads = True

    def __init__(
        self,
        port: int = 0,
        *,
        api_key: str | None = None,
        read_only_key: str | None = None,
        prefix: str = "",
        delay: float = 0.0,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = QdrantClient(":memory:")
        self.kept: dict[str, Kept] = {}
        self.lock = threading.RLock()
        self.api_key = api_key
        self.read_only_key = read_only_key
        self.prefix = prefix.rstrip("/")
        self.delay = delay
        self.requests: list[tuple[str, str]] = []
        self.fail: Callable[[str, str], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{self.prefix}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a client that has not waited for its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, method: str, path: str, key: str | None, body: bytes) -> Any:
        """The result of one request; the store is locked meanwhile."""
        if path == "/healthz":
            return "healthz check passed"
        action, names, reads = _route(method, path)
        self._check_key(key, reads)
        if self.fail is not None:
            self.fail(method, path)
        with self.lock, warnings.catch_warnings():
            # Local mode says that it has no indexes and ignores search parameters.
            warnings.simplefilter("ignore")
            try:
                return action(self, *names, body)
            except ValidationError as error:
                first = error.errors()[0]
                raise RefusedError(
                    400, f"Format error in JSON body: {first['loc']}: {first['msg']}"
                ) from error
            except (ValueError, KeyError) as error:
                missing = "not found" in str(error) or "doesn't exist" in str(error)
                raise RefusedError(404 if missing else 400, f"Wrong input: {error}") from error

    def _check_key(self, key: str | None, reads: bool) -> None:
        if self.api_key is None or key == self.api_key:
            return
        if key is None or key != self.read_only_key:
            raise RefusedError(401, "Must provide an API key or an Authorization bearer token")
        if not reads:
            raise RefusedError(403, "Forbidden: Write access is required")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept open, as by a server
    disable_nagle_algorithm = True
    server: RestServer

    def _serve(self) -> None:
        started = time.perf_counter()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.server.requests.append((self.command, path))
        if self.server.delay:
            time.sleep(self.server.delay)
        status, answer, retry_after = 200, dict(_ROOT), None
        try:
            if not f"{path}/".startswith(self.server.prefix + "/"):
                raise RefusedError(404, f"nothing is served at {path}")
            path = path.removeprefix(self.server.prefix)
            if path not in ("", "/"):
                result = self.server.answer(self.command, path, self.headers.get("api-key"), body)
                answer = {"result": to_jsonable_python(result), "status": "ok"}
        except RefusedError as error:
            status, answer = error.status, {"status": {"error": str(error)}}
            retry_after = error.retry_after
        except Exception as error:
            status, answer = 500, {"status": {"error": f"Service internal error: {error!r}"}}
        answer["time"] = time.perf_counter() - started
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


# Collections


def _collections(server: RestServer, _: bytes) -> Any:
    return server.store.get_collections()


def _exists(server: RestServer, name: str, _: bytes) -> Any:
    return {"exists": server.store.collection_exists(name)}


def _create(server: RestServer, name: str, body: bytes) -> Any:
    settings = models.CreateCollection.model_validate_json(body)
    if server.store.collection_exists(name):
        raise RefusedError(409, f"Wrong input: Collection `{name}` already exists!")
    server.store.create_collection(
        name,
        vectors_config=settings.vectors,
        sparse_vectors_config=settings.sparse_vectors,
        metadata=settings.metadata,
    )
    server.kept[name] = Kept(settings)
    return True


def _update_collection(server: RestServer, name: str, body: bytes) -> Any:
    change = models.UpdateCollection.model_validate_json(body)
    server.store.update_collection(name, metadata=change.metadata)
    settings = server.kept[name].settings
    for key in ("strict_mode_config", "hnsw_config", "quantization_config"):
        if getattr(change, key) is not None:
            setattr(settings, key, getattr(change, key))
    return True


def _delete_collection(server: RestServer, name: str, _: bytes) -> Any:
    server.kept.pop(name, None)
    return server.store.delete_collection(name)


def _collection(server: RestServer, name: str, _: bytes) -> Any:
    info = to_jsonable_python(_known(server, name))
    settings = to_jsonable_python(server.kept[name].settings, exclude_none=True)
    config = info["config"]
    for key in ("shard_number", "replication_factor", "write_consistency_factor"):
        config["params"][key] = settings.get(key, 1)
    for key in ("sharding_method", "on_disk_payload"):
        config["params"][key] = settings.get(key)
    config["hnsw_config"].update(settings.get("hnsw_config", {}))
    for key in ("quantization_config", "strict_mode_config"):
        config[key] = settings.get(key)
    info["payload_schema"] = {
        key: {
            "data_type": schema if isinstance(schema, str) else schema["type"],
            "params": None if isinstance(schema, str) else schema,
            "points": info["points_count"],
        }
        for key, schema in server.kept[name].indexes.items()
    }
    return info


def _create_index(server: RestServer, name: str, body: bytes) -> Any:
    _known(server, name)
    index = models.CreateFieldIndex.model_validate_json(body)
    schema = to_jsonable_python(index.field_schema, exclude_none=True)
    server.kept[name].indexes[index.field_name] = schema
    return _DONE


def _delete_index(server: RestServer, name: str, key: str, _: bytes) -> Any:
    _known(server, name)
    server.kept[name].indexes.pop(key, None)
    return _DONE


# Points


_UPSERT: TypeAdapter[Any] = TypeAdapter(models.PointInsertOperations)
_SELECTOR: TypeAdapter[Any] = TypeAdapter(models.PointsSelector)


def _upsert(server: RestServer, name: str, body: bytes) -> Any:
    return _upserted(server, name, _UPSERT.validate_json(body))


def _upserted(server: RestServer, name: str, given: Any) -> Any:
    points = given.batch if isinstance(given, models.PointsBatch) else given.points
    number = len(points.ids if isinstance(points, models.Batch) else points)
    _strict(server, name).limit("upsert_max_batchsize", number)
    extra = {"update_filter": given.update_filter, "update_mode": given.update_mode}
    return server.store.upsert(
        name, points, **{key: value for key, value in extra.items() if value is not None}
    )


def _delete(server: RestServer, name: str, body: bytes) -> Any:
    return server.store.delete(name, _SELECTOR.validate_json(body))


def _set_payload(server: RestServer, name: str, body: bytes) -> Any:
    change = models.SetPayload.model_validate_json(body)
    return server.store.set_payload(name, change.payload, _targets(change), key=change.key)


def _overwrite_payload(server: RestServer, name: str, body: bytes) -> Any:
    change = models.SetPayload.model_validate_json(body)
    return server.store.overwrite_payload(name, change.payload, _targets(change))


def _delete_payload(server: RestServer, name: str, body: bytes) -> Any:
    change = models.DeletePayload.model_validate_json(body)
    return server.store.delete_payload(name, change.keys, _targets(change))


def _batch(server: RestServer, name: str, body: bytes) -> Any:
    operations = models.UpdateOperations.model_validate_json(body).operations
    _known(server, name)
    for operation in operations:
        if isinstance(operation, models.UpsertOperation):
            _upserted(server, name, operation.upsert)
        else:
            server.store.batch_update_points(name, [operation])
    return [_DONE] * len(operations)


def _retrieve(server: RestServer, name: str, body: bytes) -> Any:
    wanted = models.PointRequest.model_validate_json(body)
    _strict(server, name).limit("max_query_limit", len(wanted.ids))
    return server.store.retrieve(
        name,
        wanted.ids,
        with_payload=True if wanted.with_payload is None else wanted.with_payload,
        with_vectors=wanted.with_vector or False,
    )


def _scroll(server: RestServer, name: str, body: bytes) -> Any:
    wanted = models.ScrollRequest.model_validate_json(body)
    _strict(server, name).filter(wanted.filter)
    limit = 10 if wanted.limit is None else wanted.limit
    _strict(server, name).limit("max_query_limit", limit)
    points, following = server.store.scroll(
        name,
        scroll_filter=wanted.filter,
        limit=limit,
        order_by=wanted.order_by,
        offset=wanted.offset,
        with_payload=True if wanted.with_payload is None else wanted.with_payload,
        with_vectors=wanted.with_vector or False,
    )
    return {"points": points, "next_page_offset": following}


def _count(server: RestServer, name: str, body: bytes) -> Any:
    wanted = models.CountRequest.model_validate_json(body)
    _strict(server, name).filter(wanted.filter)
    _strict(server, name).exact(wanted.exact, "count")
    return server.store.count(name, count_filter=wanted.filter, exact=True)


def _facet(server: RestServer, name: str, body: bytes) -> Any:
    wanted = models.FacetRequest.model_validate_json(body)
    _known(server, name)
    _strict(server, name).limit("max_query_limit", wanted.limit)
    _strict(server, name).filter(wanted.filter)
    if wanted.key not in server.kept[name].indexes:
        raise RefusedError(
            400,
            f'Bad request: Index required but not found for "{wanted.key}" of one of the '
            "following types: [keyword]. Help: Create an index for this key.",
        )
    return server.store.facet(
        name, wanted.key, facet_filter=wanted.filter, limit=wanted.limit or 10, exact=True
    )


def _query(server: RestServer, name: str, body: bytes) -> Any:
    return _queried(server, name, [models.QueryRequest.model_validate_json(body)])[0]


def _query_batch(server: RestServer, name: str, body: bytes) -> Any:
    searches = models.QueryRequestBatch.model_validate_json(body).searches
    _strict(server, name).limit("search_max_batchsize", len(searches))
    return _queried(server, name, searches)


def _queried(server: RestServer, name: str, searches: list[models.QueryRequest]) -> Any:
    _known(server, name)
    for search in searches:
        _strict(server, name).search(search)
    return server.store.query_batch_points(name, searches)


def _strict(server: RestServer, name: str) -> Strict:
    kept = server.kept.get(name)
    return Strict(kept.limits, kept.indexes) if kept else Strict()


def _known(server: RestServer, name: str) -> models.CollectionInfo:
    """Raises as a server does where there is no such collection."""
    return server.store.get_collection(name)


def _targets(change: models.SetPayload | models.DeletePayload) -> Any:
    return change.points if change.points is not None else change.filter


_ROOT = {"title": "qdrant - vector search engine", "version": version("qdrant-client")}
_DONE = {"operation_id": 0, "status": "completed"}

_NAME = "/collections/([^/]+)"
_READS = True
_ROUTES: list[tuple[str, str, Callable[..., Any], bool]] = [
    ("GET", "/collections", _collections, _READS),
    ("GET", f"{_NAME}/exists", _exists, _READS),
    ("PUT", _NAME, _create, False),
    ("PATCH", _NAME, _update_collection, False),
    ("DELETE", _NAME, _delete_collection, False),
    ("GET", _NAME, _collection, _READS),
    ("PUT", f"{_NAME}/index", _create_index, False),
    ("DELETE", f"{_NAME}/index/([^/]+)", _delete_index, False),
    ("PUT", f"{_NAME}/points", _upsert, False),
    ("POST", f"{_NAME}/points", _retrieve, _READS),
    ("POST", f"{_NAME}/points/delete", _delete, False),
    ("POST", f"{_NAME}/points/payload", _set_payload, False),
    ("PUT", f"{_NAME}/points/payload", _overwrite_payload, False),
    ("POST", f"{_NAME}/points/payload/delete", _delete_payload, False),
    ("POST", f"{_NAME}/points/batch", _batch, False),
    ("POST", f"{_NAME}/points/scroll", _scroll, _READS),
    ("POST", f"{_NAME}/points/count", _count, _READS),
    ("POST", f"{_NAME}/points/query", _query, _READS),
    ("POST", f"{_NAME}/points/query/batch", _query_batch, _READS),
    ("POST", f"{_NAME}/facet", _facet, _READS),
]


def _route(method: str, path: str) -> tuple[Callable[..., Any], list[str], bool]:
    for verb, pattern, action, reads in _ROUTES:
        match = re.fullmatch(pattern, path)
        if verb == method and match:
            return action, [unquote(name) for name in match.groups()], reads
    raise RefusedError(404, f"no such endpoint: {method} {path}")


@contextmanager
def serving(port: int = 0, **settings: Any) -> Iterator[RestServer]:
    """A server in a thread of this process."""
    server = RestServer(port, **settings)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving_apart(*arguments: str) -> Iterator[str]:
    """The URL of a server in a process of its own, that outlives kills of its clients."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.rest_server", *(arguments or ("0",))],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Qdrant's REST endpoints over a store in memory.")
    parser.add_argument("port", type=int)
    parser.add_argument("--api-key")
    parser.add_argument("--read-only-key")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--delay", type=float, default=0.0)
    server = RestServer(**vars(parser.parse_args()))
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
