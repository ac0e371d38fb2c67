"""An index is its owner's alone, or others' as far as the umask lets them, with all in it."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from hiersearch import PhotoIndex
from hiersearch.index import copy_index
from hiersearch.qdrant.edge.folder_modes import allow_others
from tests.index.made import VOCABULARY

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")

MASKS = (0o000, 0o002, 0o022, 0o027, 0o077)


@pytest.fixture(params=MASKS, ids=[f"umask {mask:03o}" for mask in MASKS])
def mask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder):
    """The modes of all folders, and those of all files."""
    found = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    return tuple(
        {oct(stat.S_IMODE(path.stat().st_mode)) for path in found if path.is_dir() == is_folder}
        for is_folder in (True, False)
    )


def private():
    return {"0o700"}, {"0o600"}


def as_the_umask_has_it(mask):
    return {oct(0o777 & ~mask)}, {oct(0o666 & ~mask)}


def change(folder):
    (folder / "cat.jpg").unlink()
    shutil.copy(folder / "coffee.jpg", folder / "again.jpg")
    (folder / "again.jpg").write_bytes((folder / "again.jpg").read_bytes() + bytes(1))


def test_a_new_one_is_private_and_stays_so(tmp_path, folder, mini, mask):
    place = tmp_path / "below" / "index"
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    assert modes(place) == private()
    change(folder)
    with PhotoIndex.open(place, model=mini) as index:
        index.add(folder)
    assert modes(place) == private()
    copy_index(place, tmp_path / "copy")
    assert modes(tmp_path / "copy") == private()


def test_a_shared_one_follows_the_umask_and_stays_so(tmp_path, folder, mini, mask):
    place = tmp_path / "index"
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    allow_others(place, True)
    assert modes(place) == as_the_umask_has_it(mask)
    change(folder)
    os.umask(0o077)  # whoever runs it later
    with PhotoIndex.open(place, model=mini) as index:
        index.add(folder)
    assert modes(place) == as_the_umask_has_it(mask)
    allow_others(place, False)
    assert modes(place) == private()


def test_a_folder_that_was_there_keeps_its_mode(tmp_path, folder, mini):
    place = tmp_path / "index"
    place.mkdir()
    place.chmod(0o750)
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    assert modes(place) == ({"0o750"}, {"0o640"})
