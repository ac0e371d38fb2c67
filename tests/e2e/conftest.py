from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hiersearch.cli import main

COMMAND = Path(sys.executable).with_name("hiersearch")

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def command() -> Path:
    """The installed `hiersearch` command."""
    if not COMMAND.exists():
        pytest.fail(f"{COMMAND} is not installed; run the README's second set-up command")
    return COMMAND


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A new user's home folder, in which commands run."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HIERSEARCH_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home, monkeypatch, capfd) -> Run:
    """Runs a command line from its first word to its exit code, in this process.

    What starts torch takes seconds; `run_installed` is for what only a process of its own shows.
    """

    def run_command(*words, check: int = 0) -> Done:
        monkeypatch.setattr(sys, "argv", ["hiersearch", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        done = Done(int(end.value.code or 0), out, err)
        assert done.returncode == check, done.stderr
        return done

    return run_command


@pytest.fixture
def run_installed(command, home) -> Run:
    """Runs the installed command in a process of its own."""

    def run_command(*words, check: int = 0, text: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [command, *words],
            capture_output=True,
            text=text,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == check, done.stderr
        return done

    return run_command


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory) -> Path:
    """A small vocabulary of one's own, so that the index is quick to make."""
    file = tmp_path_factory.mktemp("words") / "words.txt"
    file.write_text(
        "animal > cat\nanimal > dog\nvehicle > motorcycle\nvehicle > rocket\n"
        "drink > coffee\nplant > flower\nplant > grass\nbuilding > temple\n"
    )
    return file
