"""Every help page, read from the commands themselves; what typing errors and completion answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

from hiersearch.alignment.settings import LossChoice, RootName
from hiersearch.cli.main import app, main
from hiersearch.cli.research.train import LOSSES, ROOTS
from hiersearch.encoder.registry import MODEL_NAMES
from hiersearch.evaluation.benchmark import BENCHMARKS

GROUP = typer.main.get_command(app)
PAGES = [(), *((name,) for name in GROUP.commands)]

BANNED = [
    "find the like of",
    "of all that is drawn",
    "says all this",
    "take your word",
    "cut off",
    "goes on",
    "neither here nor",
    "to be had",
    "on its strength",
    "most general thing",
    "may be repeated",
    "likewise",
    "is meant",
    "was told",
    "of which",
    "built-in vocabulary",
]


def parameters(words: Sequence[str]) -> list:
    command = GROUP.commands[words[0]] if words else GROUP
    return command.get_params(typer.Context(command))


def page(words: Sequence[str], columns: int = 80) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], terminal_width=columns)
    assert done.exit_code == 0
    assert done.stderr == ""
    return done.stdout


def squeezed(text: str) -> str:
    """Without line breaks, which may come after a hyphen, too."""
    return re.sub(r"(?<=\w)- (?=\w)", "-", " ".join(text.split()))


@pytest.mark.parametrize("words", PAGES)
@pytest.mark.parametrize("columns", [50, 80])
def test_lines_fit_and_are_plain(words, columns):
    text = page(words, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "\x1b" not in text
    assert "<" not in text


@pytest.mark.parametrize("words", PAGES)
def test_every_option_is_explained_with_its_default(words):
    shown = squeezed(page(words))
    for param in parameters(words):
        assert param.help, param.name
        assert param.help.endswith("."), param.help
        assert squeezed(param.help) in shown
        assert "default" not in param.help
        if isinstance(param.show_default, str):
            assert f"[default: {param.show_default}" in shown
        elif isinstance(param.default, int) and not isinstance(param.default, bool):
            assert f"[default: {param.default}" in shown
        elif param.required:
            assert "[required]" in shown
        else:
            # Off or absent unless it is given.
            assert param.default in (None, False)


@pytest.mark.parametrize("words", PAGES)
def test_nothing_in_brackets_is_lost(words):
    command = GROUP.commands[words[0]] if words else GROUP
    shown = squeezed(page(words))
    for paragraph in command.help.split("\n\n"):
        assert squeezed(paragraph) in shown


@pytest.mark.parametrize("words", PAGES)
def test_help_is_plain_english(words):
    text = squeezed(page(words)).lower()
    assert [phrase for phrase in BANNED if phrase in text] == []


def test_commands_stand_in_panels():
    text = page(())
    titles = re.findall(r"^(\w.*):$", text, re.MULTILINE)
    assert titles == ["Options", "Photos", "Qdrant collections", "Research"]
    assert "..." not in text.replace("[ARGS]...", "")


def test_names_in_help_are_those_that_exist():
    assert all(name in page(("query",)) for name in MODEL_NAMES)
    assert all(name in page(("eval",)) for name in BENCHMARKS)
    assert get_args(LossChoice) == LOSSES
    assert get_args(RootName) == ROOTS


def test_help_is_light():
    program = (
        "import sys; sys.argv = ['hiersearch', '--help']\n"
        "from hiersearch.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('MODULES', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.partition("MODULES ")[2].split())
    heavy = {"torch", "transformers", "sentence_transformers", "qdrant_client", "qdrant_edge"}
    heavy |= {"pydantic", "httpx", "numpy", "scipy", "sklearn", "PIL", "pooch", "huggingface_hub"}
    assert loaded
    assert heavy & loaded == set()


@pytest.fixture
def typed(monkeypatch, capsys):
    """What a command line writes to stderr, and its exit code."""

    def run(*words: str) -> tuple[str, int]:
        monkeypatch.setattr(sys, "argv", ["hiersearch", *words])
        # A test's stream has no encoding to change.
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "reconfigure", lambda **_: None, raising=False)
        with pytest.raises(SystemExit) as end:
            main()
        return capsys.readouterr().err, int(end.value.code or 0)

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["qurey"], "no such command 'qurey'. Did you mean 'query'? See 'hiersearch --help'."),
        (
            ["query", "--jsn"],
            "no such option: --jsn. Did you mean --json? See 'hiersearch query --help'.",
        ),
        (["info", "--zzz"], "no such option: --zzz. See 'hiersearch info --help'."),
        (["eval", "hyperlx"], "no benchmark is called hyperlx. Did you mean hyperlex? Choose"),
        (
            ["train", "--data", "wordnet", "--loss", "contrastiv", "-o", "x"],
            "no loss is called contrastiv. Did you mean contrastive? Choose from",
        ),
        (["attach", "--model", "mini"], "missing option '--collection'. See 'hiersearch attach"),
    ],
)
def test_typing_errors_get_a_suggestion(typed, words, says):
    err, code = typed(*words)
    assert err.startswith(f"hiersearch: {says}")
    assert len(err.splitlines()) == 1
    assert code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--debug", "info", "--store", "nowhere"],
        ["info", "--debug", "--store", "nowhere"],
        ["info", "--store", "nowhere", "--debug"],
    ],
)
def test_debug_works_anywhere(monkeypatch, words):
    from hiersearch.errors import IndexNotFoundError

    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "reconfigure", lambda **_: None, raising=False)
    monkeypatch.setattr(sys, "argv", ["hiersearch", *words])
    with pytest.raises(IndexNotFoundError):
        main()


def test_debug_after_two_dashes_is_an_argument(typed):
    err, code = typed("query", "--store", "nowhere", "--", "--debug")
    assert err.startswith("hiersearch: no index at")
    assert code == 1


class TestCompletion:
    @pytest.fixture(autouse=True)
    def _program(self, tmp_path):
        self.program = tmp_path / "hiersearch"
        self.program.write_text("from hiersearch.cli import main\nmain()\n")

    def offered(self, line: str, **environ: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, self.program],
            env={
                **os.environ,
                **environ,
                "_HIERSEARCH_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(line.split(" ")) - 1),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    def test_commands_and_options(self):
        assert self.offered("hiersearch co") == ["concepts", "copy"]
        assert self.offered("hiersearch query --j") == ["--json"]

    def test_models(self):
        assert self.offered("hiersearch index --model clip") == ["clip-b", "clip-l"]
        assert self.offered("hiersearch attach --model mini") == ["mini"]

    def test_benchmarks_and_losses(self):
        assert self.offered("hiersearch eval hyperlex hi") == ["hierarcaps"]
        assert self.offered("hiersearch train --loss r") == ["radial-embedding", "rcme"]
        assert "wordnet" in self.offered("hiersearch train --data w")

    def test_indexes(self, tmp_path):
        home = tmp_path / "data"
        assert self.offered("hiersearch info --name ", HIERSEARCH_HOME=str(home)) == []
        for name in ("photos", "birds"):
            (home / "indexes" / name).mkdir(parents=True)
        named = self.offered("hiersearch info --name ", HIERSEARCH_HOME=str(home))
        assert named == ["birds", "photos"]
