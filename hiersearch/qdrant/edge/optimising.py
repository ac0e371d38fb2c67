"""Optimises a collection of the embedded engine in another process, while this one reads it.

The engine holds the interpreter's lock for as long as it optimises: 13 s to reclaim a quarter of
50,000 points, minutes to build a graph. So a copy is optimised in a child, and then takes the place
of the collection. Mostly there is nothing to do, which the files tell without a copy.

A kill leaves the collection as it was or as it has become: `Shards` finishes what was cut off.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.edge.failures import check_room, edge_errors
from hiersearch.qdrant.edge.shards import write_out

__all__ = ["optimize_aside"]

_PREFIX = ".optimising-"

_SECONDS = 0.1
"""Between two looks at the child."""

_ENDS_WITH_PARENT = """\
import fcntl, os, select, signal
if hasattr(os, "O_ASYNC"):
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        raise SystemExit("its parent has gone")
"""
"""The end of a pipe that nobody writes to: the system itself ends the child by SIGIO, for no thread
of Python runs while the engine optimises. Where SIGIO does not end a process, as on macOS, an
orphan works to its end."""

_PROGRAM = """\
import sys, qdrant_edge
shard = qdrant_edge.EdgeShard.load(sys.argv[1])
done = shard.optimize()
shard.flush()
print(done, shard.info().points_count)
shard.close()
"""

_DELETED, _LEAST = 0.2, 1000
"""The engine reclaims space from this share of deleted vectors on, where there are so many."""


def optimize_aside(
    client: EdgeClient,
    name: str,
    *,
    alone: Callable[[], AbstractContextManager[object]],
    keep_on: Callable[[], None],
) -> bool:
    """Does what `EdgeClient.optimize` does, and lets other threads read meanwhile.

    Args:
        client: Where the collection is.
        name: Its name. Nobody may write to it until this returns.
        alone: A `with` block in which nobody reads it either. It is entered for as long as the
            engine takes to close a collection and to open it: 2 s for 50,000 points.
        keep_on: Called ten times a second; may raise what is to end the work.

    Returns:
        Whether there was anything to do.

    Raises:
        StoreError: It failed, or the disk has no room for two copies; the collection is as before.
    """
    shards = client.shards
    folder = shards.folder(name)
    with shards.opened(name) as shard:
        info = shard.info()
        # What runs that were killed have left.
        for left in shards.path.glob(f"{_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)  # a child may outlive its parent for a moment
        shards.clean(name)
        shard.flush()  # 0.1 to 0.4 s for 50,000 points; the files tell nothing before
        if not _worthwhile(folder, info.points_count):
            return False
        check_room(folder, needed=2 * shards.size(name))
        work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=shards.path))
    try:
        with edge_errors(folder):
            shutil.copytree(folder, work / name)
        done = _in_child(work / name, info.points_count, keep_on)
        if done:
            with edge_errors(folder):
                write_out(work / name)
            with alone():
                done = shards.replace(name, work / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return done


def _in_child(folder: Path, points: int, keep_on: Callable[[], None]) -> bool:
    """Optimises a collection that nobody has open.

    Args:
        folder: The collection.
        points: How many points it must have afterwards.
        keep_on: As for `optimize_aside`.
    """
    with _started(folder) as child:
        while True:
            try:
                out, problem = child.communicate(timeout=_SECONDS)
                break
            except subprocess.TimeoutExpired:
                keep_on()
    done, _, count = out.strip().partition(" ")
    if child.returncode or count != str(points):
        reason = problem.strip().splitlines()[-1:] or [f"it ended with {child.returncode}"]
        raise StoreError(
            f"the collection {folder.name!r} could not be optimised ({reason[0]})",
            hint="Nothing is lost; run the same command again",
        )
    return done == "True"


@contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The child that optimises a collection; it ends with this block, and with this process."""
    theirs, ours = os.pipe()
    try:
        try:
            child = subprocess.Popen(
                # -P: what lies in the current folder is not imported.
                [sys.executable, "-P", "-c", _ENDS_WITH_PARENT + _PROGRAM, str(folder)],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                # Ctrl-C on the terminal is for this process, which then ends the child.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
    finally:
        os.close(ours)


def _worthwhile(folder: Path, points: int) -> bool:
    """Whether optimising may do anything; False only where it surely does not.

    Args:
        folder: The collection's.
        points: How many points it has.
    """
    try:
        config = json.loads((folder / "edge_config.json").read_text(encoding="utf-8"))
        threshold = config["optimizers"]["indexing_threshold"] * 1024
        [(vector, params)] = config["vectors"].items()
        size = params["size"] * 4
        stored: list[int] = []
        for segment in (folder / "segments").iterdir():
            storage = segment / f"vector_storage-{vector}"
            graph = storage / "matrix.dat"
            if graph.exists():
                stored.append(graph.stat().st_size // size)
                continue
            [count] = struct.unpack("<Q", (storage / "vectors" / "status.dat").read_bytes())
            if count * size > threshold:
                return True
            stored.append(count)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return True  # another layout than the one that is known here
    deleted = sum(stored) - points
    # All of the deleted ones may be of one segment, and the engine looks at each by itself.
    tidy = deleted <= max(_DELETED * _LEAST, _DELETED * min(stored, default=0))
    return deleted < 0 or len(stored) > 2 or not tidy
