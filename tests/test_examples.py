from __future__ import annotations

import runpy
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_index_photos(demo_photos, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["", str(demo_photos), str(demo_photos / "cat.png")])
    runpy.run_path(str(EXAMPLES / "index_photos.py"), run_name="__main__")
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "12 photos"
    assert second.startswith("  animal: ")
