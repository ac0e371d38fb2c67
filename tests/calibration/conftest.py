from __future__ import annotations

from pathlib import Path

import pytest

from tests.calibration.made import make_captions, make_parts


@pytest.fixture(scope="session")
def parts(tmp_path_factory, demo_photos) -> Path:
    """240 small photos in folders that are called like what they show; read only."""
    return make_parts(demo_photos, tmp_path_factory.mktemp("parts") / "photos", 20)


@pytest.fixture(scope="session")
def captions(tmp_path_factory, parts) -> Path:
    """What five people say of each of them; read only."""
    return make_captions(parts, tmp_path_factory.mktemp("captions") / "captions.csv")
