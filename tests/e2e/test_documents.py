"""Every command and program of the documents runs, and prints what stands below it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from qdrant_client import QdrantClient, models

from tests.evaluation.made_hierarcaps import make_hierarcaps
from tests.evaluation.made_hyperlex import make_hyperlex
from tests.rest_server import serving

PROJECT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md")))
SERVER = "http://localhost:6333"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
REPOSITORY = "https://github.com/hiersearch/hiersearch/"


def text_of(document: str) -> str:
    return (PROJECT / document).read_text(encoding="utf-8")


def blocks(document: str, kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", text_of(document), flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == kind]


def commands(document: str) -> list[str]:
    lines = [line for text in blocks(document, "console") for line in text.splitlines()]
    return [line[2:] for line in lines if line.startswith("$ ")]


COMMANDS = [(document, commands(document)) for document in DOCUMENTS if commands(document)]
PROGRAMS = [(document, text) for document in DOCUMENTS for text in blocks(document, "python")]


def alike(shown: str, printed: str) -> bool:
    """Whether two texts are the same but for one unit in the last digit of each number.

    Other processors round the last digits otherwise.
    """
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    for ours, theirs in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        decimals = len(ours.partition(".")[2])
        if decimals != len(theirs.partition(".")[2]):
            return False
        if round(abs(float(ours) - float(theirs)) * 10**decimals) > 1:
            return False
    return True


@pytest.fixture
def photos(home, demo_photos) -> Path:
    """What the documents speak of: a folder of photos, vocabularies, and data of benchmarks."""
    shutil.copytree(demo_photos, home / "photos")
    (home / "birds.csv").write_text("concept,parent\nparrot,bird\nbird,animal\nanimal,\n")
    (home / "products.txt").write_text(
        "fruit > apple > granny smith\nfruit > pear\ndrink > coffee\ndrink > tea > green tea\n"
    )
    named = [path.relative_to(home / "photos") for path in (home / "photos").rglob("*.*")]
    rows = [f"{path},a photo of {path.stem}" for path in named]
    (home / "captions.csv").write_text("\n".join(["file,caption", *rows]) + "\n")
    (home / "described.csv").write_text("\n".join(["file,caption", *described(home)]) + "\n")
    make_hyperlex(make_hierarcaps(home / "data", demo_photos))
    return home / "photos"


def described(home: Path) -> Iterator[str]:
    """Makes a folder with parts of the photos; yields file and caption of each, five times."""
    (home / "albums").mkdir()
    for path in sorted((home / "photos").glob("*.*")):
        with Image.open(path) as photo:
            whole = photo.convert("RGB").resize((160, 160))
        for at in range(20):
            part = whole.crop((at, 2 * at, at + 120, 2 * at + 120))
            part.save(home / "albums" / f"{path.stem}-{at}.png")
            yield from [f"{path.stem}-{at}.png,a photo of a {path.stem}"] * 5


@pytest.fixture
def server(mini) -> Iterator[str]:
    """The server that the documents speak of, with the collection that somebody has there."""
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


@pytest.mark.parametrize(("document", "lines"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_runs_as_printed(run, photos, server, document, lines):
    if lines[0] != "hiersearch index photos":
        run("index", "photos")
    for line in lines:
        program, *words = shlex.split(line.replace(SERVER, server))
        assert program == "hiersearch"
        assert run(*words).stdout, line


@pytest.mark.parametrize(("document", "program"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_every_program_runs_as_printed(run, photos, server, capfd, document, program):
    capfd.readouterr()
    exec(compile(program.replace(SERVER, server), document, "exec"), {})
    assert capfd.readouterr().out.strip()


def test_what_stands_below_a_command_is_what_it_prints(run, photos):
    for text in blocks("README.md", "console"):
        parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
        for command, expected in zip(parts[1::2], parts[2::2], strict=True):
            if not expected:
                continue
            printed = run(*shlex.split(command)[1:]).stdout
            assert alike(expected.rstrip("\n"), printed.rstrip("\n")), f"{expected}\n{printed}"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("0.55 cat", "0.56 cat", True),
        ("0.55 cat", "0.57 cat", False),
        ("94% 99°", "95% 98°", True),
        ("12 added", "14 added", False),
        ("0.5", "0.50", False),
        ("1 cat", "1 dog", False),
    ],
)
def test_numbers_may_differ_by_one_unit_of_their_last_digit(shown, printed, same):
    assert alike(shown, printed) is same


def test_the_json_has_the_documented_keys(run, photos):
    (documented,) = map(json.loads, blocks("docs/photos.md", "json"))
    run("index", "photos")
    real = json.loads(run("query", "a cat", "--json").stdout)
    assert list(real) == list(documented)
    assert list(real["levels"][0]) == list(documented["levels"][0])
    assert list(real["levels"][0]["photos"][0]) == list(documented["levels"][0]["photos"][0])


def test_both_set_up_commands_stand_there_as_ci_runs_them():
    plain = [text.strip() for text in blocks("README.md", "")]
    assert 'pip install -c constraints.txt ".[mini]" && hiersearch demo' in plain
    assert 'pip install -c constraints.txt -e ".[dev]" && pytest -n 2' in plain


@pytest.mark.parametrize("document", [*DOCUMENTS, "CONTRIBUTING.md"])
def test_links_into_the_repository_lead_somewhere(document):
    for link in re.findall(rf"{REPOSITORY}(?:blob|tree)/main/([^\s)#]+)", text_of(document)):
        assert (PROJECT / link).exists(), link
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text_of(document)):
        assert document != "README.md", f"{link} breaks on PyPI"
        assert (PROJECT / document).parent.joinpath(link).exists(), link


def test_the_first_link_comes_within_a_screen_and_a_half():
    lines = text_of("README.md").splitlines()
    first = next(number for number, line in enumerate(lines) if re.search(r"\]\[|\]\(", line))
    assert first <= 60
    text = text_of("README.md")
    assert text.index("hiersearch index") < text.index("hiersearch query")


def test_the_numbers_of_the_documents_are_those_of_the_results():
    results = text_of("benchmarks/RESULTS.md")
    (stated,) = [
        line for line in text_of("docs/evaluation.md").splitlines() if "main branch" in line
    ]
    numbers = NUMBER.findall(stated)
    (measured,) = [line for line in results.splitlines() if "main branch, mean of" in line]
    assert numbers == NUMBER.findall(measured)
