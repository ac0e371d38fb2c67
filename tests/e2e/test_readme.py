"""Every command of the README runs, and does what stands below it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from tests.evaluation.made_hierarcaps import make_hierarcaps
from tests.evaluation.made_hyperlex import make_hyperlex
from tests.rest_server import serving

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
CONSOLE = [text for kind, text in BLOCKS if kind == "console"]
COMMANDS = [line[2:] for text in CONSOLE for line in text.splitlines() if line.startswith("$ ")]


@pytest.fixture
def photos(home, demo_photos) -> Path:
    """What the README speaks of: a folder of photos, vocabularies, and data of benchmarks."""
    shutil.copytree(demo_photos, home / "photos")
    shutil.copy(demo_photos / "cat.png", home)
    (home / "birds.csv").write_text("concept,parent\nparrot,bird\nbird,animal\nanimal,\n")
    (home / "products.txt").write_text(
        "fruit > apple > granny smith\nfruit > pear\ndrink > coffee\ndrink > tea > green tea\n"
    )
    make_hyperlex(make_hierarcaps(home / "data", demo_photos))
    return home / "photos"


@pytest.fixture
def server(mini) -> Iterator[str]:
    """The server of the README, with the collection that somebody has there."""
    texts = ["a cat", "a dog on a sofa", "a bowl of fruit"]
    with serving() as running:
        client = QdrantClient(url=running.url, check_compatibility=False)
        params = models.VectorParams(size=mini.dimension, distance=models.Distance.COSINE)
        client.create_collection("captions", vectors_config=params)
        client.upsert(
            "captions",
            [
                models.PointStruct(id=number, vector=vector.tolist(), payload={"caption": text})
                for number, (text, vector) in enumerate(
                    zip(texts, mini.encode_texts(texts), strict=True)
                )
            ],
        )
        yield running.url


def test_every_command_runs_as_printed(run, photos, server):
    assert len(COMMANDS) >= 9
    (first,) = [command for command in COMMANDS if command == "hiersearch index photos"]
    assert run(*shlex.split(first)[1:]).stdout == "12 added\n"
    for command in COMMANDS:
        program, *words = shlex.split(command.replace("http://localhost:6333", server))
        assert program == "hiersearch"
        assert run(*words).stdout


def test_the_output_above_the_fold_is_real(run, photos):
    command, *expected = CONSOLE[0].strip().splitlines()
    run("index", "photos")
    shown = run(*shlex.split(command)[2:]).stdout.splitlines()
    # Other processors round the last digits otherwise.
    assert [re.sub(r"\d+", "#", line) for line in shown] == [
        re.sub(r"\d+", "#", line) for line in expected
    ]


def test_the_python_runs_as_printed(photos, capsys):
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    exec(compile(code, "README.md", "exec"), {})
    first, *_ = capsys.readouterr().out.splitlines()
    assert re.match(r"1 \w+ \d+ .*\.(png|jpg)$", first)


def test_the_json_has_the_documented_keys(run, photos):
    (documented,) = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    run("index", "photos")
    real = json.loads(run("query", "a cat", "--json").stdout)
    assert list(real) == list(documented)
    assert list(real["levels"][0]) == list(documented["levels"][0])
    assert list(real["levels"][0]["photos"][0]) == list(documented["levels"][0]["photos"][0])


def test_both_set_up_commands_stand_there_as_ci_runs_them():
    plain = [text.strip() for kind, text in BLOCKS if not kind]
    assert 'pip install -c constraints.txt ".[mini]" && hiersearch demo' in plain
    assert 'pip install -c constraints.txt -e ".[mini,dev]" && pytest -n 2' in plain
