"""Files that cannot be read as photos, and the reasons that are given."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import content_hash, read_photo
from tests.photos.mended import png_chunk
from tests.photos.test_decoding import FORMATS, HEIGHT, WIDTH, encode, picture, read, reason


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels)


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    assert reason(tmp_path, png_claiming(100_000, 100_000)) == (
        "too many pixels (100000 x 100000; the limit is 200,000,000)"
    )
    assert reason(tmp_path, encode(picture(), "PNG"), max_pixels=WIDTH * HEIGHT - 1) == (
        "too many pixels (48 x 32; the limit is 1,535)"
    )
    read(tmp_path, encode(picture(), "PNG"), max_pixels=WIDTH * HEIGHT)
    # Above the size that Pillow warns of, and the one that it refuses.
    for size in ((12_000, 9_000), (16_000, 12_000)):
        assert reason(tmp_path, png_claiming(*size)) == "truncated PNG file"
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    gif += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"
    assert reason(tmp_path, gif).startswith("too many pixels")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_large_photos_of_phones_are_read(tmp_path: Path) -> None:
    image = Image.new("L", (16_320, 12_240), 128)
    photo = read(tmp_path, encode(image, "JPEG", quality=20), min_side=224)
    assert (photo.width, photo.height) == (16_320, 12_240)
    assert photo.image.size == (680, 510)


def test_not_an_image(tmp_path: Path) -> None:
    for data in (
        b"x",
        b"hello\n" * 100,
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"RIFF1234WAVE",
    ):
        assert reason(tmp_path, data) == "not an image, or not in a format that can be read"
    assert reason(tmp_path, b"\0\0\0\x18ftypisom\0\0\0\0isommp42") == (
        "not an image, or not in a format that can be read"
    )


def test_empty(tmp_path: Path) -> None:
    assert reason(tmp_path, b"") == "empty file"


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_anywhere(form: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), form)
    refused = []
    for share in (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9):
        try:
            read(tmp_path, data[: int(len(data) * share)])
        except UnreadablePhotoError as error:
            refused.append(error.message)
    assert len(refused) >= 5
    starts = ("truncated ", "damaged ", "not an image", "too many")
    assert all(message.startswith(starts) for message in refused)


def test_truncated_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for form in ("JPEG", "PNG", "BMP", "GIF"):
        data = encode(Image.fromarray(noise), form)
        assert reason(tmp_path, data[: len(data) // 2]) == f"truncated {form} file"


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(list(FORMATS)),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_gives_a_photo_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, form: str, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(encode(picture((16, 16)), form))
    for position, value in flips:
        data[position % len(data)] = value
    with suppress(UnreadablePhotoError):
        # The limit keeps a damaged header from costing the test gigabytes.
        read(tmp_path_factory.getbasetemp(), bytes(data), max_pixels=1_000_000)


def test_heic_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadablePhotoError, match="HEIC needs the package pillow-heif") as caught:
        read(tmp_path, data)
    assert "hiersearch[heic]" in caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reasons(path: Path) -> set[str]:
        found = set()
        for function in (read_photo, content_hash):
            with pytest.raises(UnreadablePhotoError) as caught:
                function(path)
            found.add(caught.value.message)
        return found

    (tmp_path / "file").write_bytes(b"x")
    assert reasons(tmp_path / "gone.jpg") == {"not there any more"}
    assert reasons(tmp_path / "file" / "a.jpg") == {"not there any more"}
    assert reasons(tmp_path) == {"not a regular file"}
    assert reasons(tmp_path / "null\0") == {"not a path that can be opened"}
    assert reasons(tmp_path / ("x" * 5000)) == {"file name too long"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert reasons(tmp_path / "pipe.jpg") == {"not a regular file"}
        assert reasons(Path("/dev/zero")) == {"not a regular file"}

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert reasons(tmp_path / "file") == {"permission denied"}


def test_files_of_too_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiersearch.photos.photo.MAX_FILE_BYTES", 2**20)
    assert reason(tmp_path, b"\xff\xd8\xff" + bytes(2**20)) == "file of more than 1 MiB"


def test_running_out_of_memory_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("hiersearch.photos.photo.to_rgb", no_memory)
    assert reason(tmp_path, encode(picture(), "PNG")) == "too large for this machine's memory"


def test_an_interrupt_is_not_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hiersearch.photos.photo.to_rgb", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(tmp_path, encode(picture(), "PNG"))


def test_the_error_knows_the_photo(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.jpg")
    with pytest.raises(UnreadablePhotoError) as caught:
        read_photo(path)
    (note,) = caught.value.__notes__
    assert str(tmp_path) in note
    note.encode()


def test_in_several_threads(tmp_path: Path) -> None:
    paths = []
    for i, form in enumerate(("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "HEIF") * 4):
        path = tmp_path / f"{i}.img"
        data = encode(picture((96 + i, 64)), form)
        path.write_bytes(data[: len(data) // 4] if i % 5 == 4 else data)
        paths.append(path)

    def size(path: Path) -> tuple[int, int] | None:
        try:
            return read_photo(path, min_side=16).image.size
        except UnreadablePhotoError:
            return None

    alone = [size(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(size, paths * 5)) == alone * 5


def test_hostile_files(shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = {}
    for path in sorted((shared_data / "nasty").iterdir()):
        try:
            outcomes[path.name] = "x".join(map(str, read_photo(path).image.size))
        except UnreadablePhotoError as error:
            outcomes[path.name] = error.message
    assert capfd.readouterr() == ("", "")
    assert len(outcomes) >= 94
    assert outcomes["hopper_lzw.tif"] == "128x128"
    assert outcomes["16bit.deflate.tif"] == "64x64"
    assert outcomes["1.eps"] == "not an image, or not in a format that can be read"
    assert outcomes["broken.png"] == "damaged PNG file, or of an unusual kind"
    assert outcomes["reallybig.bmp"].startswith("too many pixels (3000000 x 2000000")
