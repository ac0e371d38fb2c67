"""The tree in CONTRIBUTING.md is the tree that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
LINE = re.compile(r"(?P<indent> *)(?P<name>[\w.]+/?)(?: {2,}\S.*)?")


def drawn() -> Iterator[str]:
    """The paths of the tree, folders with a slash at the end, from the project's folder on."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"^```\n(hiersearch/\n.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    above: list[str] = []
    for line in tree.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        depth, odd = divmod(len(match["indent"]), 2)
        assert not odd, line
        assert depth <= len(above), line
        above[depth:] = [match["name"]]
        assert all(folder.endswith("/") for folder in above[:-1]), line
        yield "".join(above)


def test_the_tree_names_each_module_of_the_package_once():
    files = (PROJECT / "hiersearch").rglob("*.py")
    modules = [path.relative_to(PROJECT).as_posix() for path in files]
    named = [path for path in drawn() if path.startswith("hiersearch/") and path.endswith(".py")]
    assert sorted(named) == sorted(path for path in modules if not path.endswith("/__init__.py"))


def test_everything_in_the_tree_is_there():
    for path in drawn():
        assert (PROJECT / path).is_dir() if path.endswith("/") else (PROJECT / path).is_file(), path
