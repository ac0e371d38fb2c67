from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("HIERSEARCH_SHARED", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real development data; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the development data is not on this machine (set HIERSEARCH_SHARED)")
    return SHARED
