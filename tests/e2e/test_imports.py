"""What commands import: nothing of a model where none is needed, nothing of a server here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = ("torch", "transformers", "sentence_transformers", "onnxruntime", "tokenizers")
SCIENCE = ("scipy", "sklearn", "skimage", "matplotlib", "threadpoolctl")
SERVERS = ("qdrant_client", "grpc", "httpx", "httpcore", "ssl", "asyncio")
FORBIDDEN = {*MODELS, *SCIENCE, *SERVERS, "numpy.f2py", "array_api_compat.numpy"}
HELP = {*FORBIDDEN, "numpy", "PIL", "qdrant_edge", "sqlite3"}

PROGRAM = """
import json, sys
from hiersearch.cli import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, *sys.modules]), file=sys.stderr)
"""


def imported(*words: object) -> set[str]:
    """The modules that are there when a command ends well."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = json.loads(done.stderr.splitlines()[-1])
    assert not code, done.stderr
    return set(modules)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, demo_photos) -> Path:
    """An index of a few photographs; a text was asked of it."""
    folder = tmp_path_factory.mktemp("lean") / "index"
    imported("index", demo_photos, "--store", folder, "--model", "mini")
    imported("query", "a big cat", "--store", folder)
    return folder


@pytest.mark.parametrize("words", [("--help",), ("query", "--help"), ("--version",)])
def test_help_needs_next_to_nothing(words):
    assert not imported(*words) & HELP


@pytest.mark.parametrize(
    "words",
    [
        ("info",),
        ("info", "--json"),
        ("concepts",),
        ("index", "PHOTOS"),
        ("query", "a big cat"),
        ("query", "a big cat", "--json"),
        ("query", "--image", "PHOTOS/cat.jpg"),
        ("query", "--image", "PHOTOS/cat.jpg", "--risk", "0.3"),
    ],
    ids=" ".join,
)
def test_nothing_to_encode_means_no_model(folder, demo_photos, words):
    named = [word.replace("PHOTOS", str(demo_photos)) for word in words]
    assert not imported(*named, "--store", folder) & FORBIDDEN


def test_a_text_that_is_new_needs_no_server(folder):
    assert not imported("query", "a rather small dog", "--store", folder) & {*SERVERS[:2]}
