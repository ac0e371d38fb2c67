"""Photos that cannot be decoded as others are cost themselves alone, and the summary names them."""

from __future__ import annotations

import os
import struct
import time
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from hiersearch import PhotoIndex
from hiersearch.index.update import ingest
from hiersearch.photos import PhotoReaders
from tests.index.made import VOCABULARY


def jpeg(seed: int) -> bytes:
    file = BytesIO()
    Image.linear_gradient("L").rotate(17 * seed).save(file, "JPEG")
    return file.getvalue()


def flat_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_each_file_is_accounted_for(tmp_path: Path, mini) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    files = {
        "a.jpg": jpeg(1),
        "cut.jpg": jpeg(2)[:-2],
        "huge.png": flat_png(14_100, 14_100),
        "long.png": flat_png(300, 60_000),
        "text.jpg": b"no photo",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with PhotoIndex.create(tmp_path / "index", model=mini) as index:
        summary = index.add(folder)
    assert summary.added == 3
    assert summary.notes_by_text == {"damaged at the end": [folder / "cut.jpg"]}
    assert summary.skips_by_reason == {
        "needs more than 600 MB of memory to decode": [folder / "huge.png"],
        "not an image, or not in a format that can be read": [folder / "text.jpg"],
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
def test_a_pipe_that_took_a_photos_place_holds_nothing_up(tmp_path: Path, mini) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(2):
        (folder / f"{i}.jpg").write_bytes(jpeg(3 + i))
    with PhotoIndex.create(tmp_path / "index", model=mini) as index:
        index.add(folder)
        (folder / "1.jpg").unlink()
        os.mkfifo(folder / "1.jpg")
        summary = index.add(folder)
    assert summary.unchanged == 1
    assert summary.skips_by_reason == {"not a regular file": [folder / "1.jpg"]}


def test_a_file_that_takes_long_is_named_meanwhile(tmp_path, mini, monkeypatch, caplog):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.jpg")
    Image.new("RGB", (65, 64)).save(folder / "slow\x1b.jpg")
    monkeypatch.setattr(ingest, "_LONG", 0.05)
    original = PhotoReaders.read

    def read(self, path, **options):
        if path.name.startswith("slow"):
            self.waiting_for = lambda: (path, 1.0)
            time.sleep(0.4)
        return original(self, path, **options)

    monkeypatch.setattr(PhotoReaders, "read", read)
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as index:
        assert index.add(folder).added == 2
    assert caplog.text.count("takes long to decode") == 1
    assert "slow\\x1b.jpg" in caplog.text
