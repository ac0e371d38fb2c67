from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("hiersearch")

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def command() -> Path:
    """The installed `hiersearch` command."""
    if not COMMAND.exists():
        pytest.fail(f"{COMMAND} is not installed; run the README's second set-up command")
    return COMMAND


@pytest.fixture
def run(command, tmp_path) -> Run:
    """Runs the installed command as a user would, in a home folder of its own."""

    def run_command(*words, check: int | None = 0, text: bool = True, **env):
        variables = {
            **os.environ,
            "HOME": str(tmp_path),
            "HIERSEARCH_HOME": str(tmp_path / "data"),
            "COLUMNS": "100",
            **env,
        }
        done = subprocess.run(
            [command, *words],
            capture_output=True,
            text=text,
            env=variables,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if check is not None:
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
