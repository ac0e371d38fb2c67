from __future__ import annotations

import logging
import struct
import threading
import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import read_photo
from hiersearch.photos.quiet import PILLOW_QUIET


def noisy_files(folder: Path) -> list[Path]:
    """Photos on which Pillow warns, logs, and lets libtiff write to stderr."""
    tags = [(256, 3, 1, 4), (257, 3, 1, 4), (277, 3, 1, 999), (262, 3, 1, 1)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    logged = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)

    file = BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "TIFF", compression="tiff_lzw")
    written = bytearray(file.getvalue())
    written[8:200] = bytes(192)

    file = BytesIO()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + struct.pack("<HHII", 306, 2, 90_000, 80_000)
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    paths = []
    for i, data in enumerate((logged, bytes(written), file.getvalue())):
        paths.append(folder / f"{i}.img")
        paths[-1].write_bytes(data)
    return paths


def read(path: Path) -> None:
    with suppress(UnreadablePhotoError):
        read_photo(path)


def test_nothing_reaches_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = noisy_files(tmp_path)
    # They do make Pillow speak.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in paths:
            try:
                with Image.open(path) as image:
                    image.load()
            except Exception:
                pass
    assert caught
    assert capfd.readouterr().err

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=read, args=(path,)) for path in paths * 8]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert capfd.readouterr() == ("", "")


def test_afterwards_all_is_as_it_was(tmp_path: Path) -> None:
    filters, handlers = list(warnings.filters), list(logging.getLogger("PIL").handlers)
    for path in noisy_files(tmp_path):
        read(path)
    assert list(warnings.filters) == filters
    assert logging.getLogger("PIL").handlers == handlers


def test_filters_that_others_change_meanwhile_stay() -> None:
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        PILLOW_QUIET.__enter__()
    # Others' temporary filters are gone with their block, and do not come back with ours.
    PILLOW_QUIET.__exit__()
    assert list(warnings.filters) == before


def test_warnings_of_other_modules_are_heard() -> None:
    with pytest.warns(UserWarning, match="heard"), PILLOW_QUIET:
        warnings.warn("heard", stacklevel=1)
