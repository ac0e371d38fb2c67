"""The Python of the README runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize(("code", "printed"), zip(BLOCKS, ["cat.jpg: ", "a green"], strict=True))
def test_code_runs(code, printed, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("photos").symlink_to(photos)
    exec(compile(code, "README.md", "exec"), {})
    assert printed in capsys.readouterr().out
