"""The lock file holds the tested versions, each with its hashes, and nothing but those."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constrained() -> dict[str, str]:
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {spelled(name): version for name, version in pinned}


def locked() -> dict[str, tuple[str, list[str]]]:
    """Each package's version and the hashes of its files."""
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        requirement, *hashes = line.split()
        name, version = requirement.split("==")
        found[spelled(name)] = (version, hashes)
    return found


def test_every_tested_version_is_locked():
    versions = {name: version for name, (version, _) in locked().items()}
    assert constrained().items() <= versions.items()


def test_what_is_locked_beside_them_comes_with_torch_for_linux():
    beside = set(locked()) - set(constrained())
    assert all(name.startswith(("nvidia-", "cuda-", "triton")) for name in beside), beside


def test_each_has_hashes_and_none_an_address():
    for name, (_, hashes) in locked().items():
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name
