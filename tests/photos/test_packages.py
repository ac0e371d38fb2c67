from __future__ import annotations

import struct
import sys
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import Photo, read_photo

SIZE = (96, 64)
TAKEN = "2021:07:03 14:05:59"


def picture() -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", SIZE, (200, 20, 20))
    image.paste((20, 20, 200), (0, SIZE[1] // 2, *SIZE))
    return image


def jpeg(**options: object) -> bytes:
    file = BytesIO()
    picture().save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def turned_jpeg() -> bytes:
    """As a camera stores a photo that is to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[274], exif[306] = 6, TAKEN
    return jpeg(exif=exif.tobytes())


def directory(at: int, tags: dict[int, tuple[int, bytes]], count: dict[int, int]) -> bytes:
    """A TIFF directory that is to stand at a place, and what it points to."""
    entries, rest, after = b"", b"", at + 2 + 12 * len(tags) + 4
    for tag, (kind, data) in sorted(tags.items()):
        place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", after + len(rest))
        rest += b"" if len(data) <= 4 else data
        entries += struct.pack("<HHI", tag, kind, count[tag]) + place
    return struct.pack("<H", len(tags)) + entries + bytes(4) + rest


def dng(preview: bytes, orientation: int = 1) -> bytes:
    """A raw file of 128 x 96 sensor pixels, with a preview."""
    sensor = np.full((96, 128), 1000, "<u2").tobytes()

    def shorts(*values: int) -> tuple[int, bytes]:
        return 3, struct.pack(f"<{len(values)}H", *values)

    def longs(*values: int) -> tuple[int, bytes]:
        return 4, struct.pack(f"<{len(values)}I", *values)

    def text(value: str) -> tuple[int, bytes]:
        return 2, value.encode() + b"\0"

    def packed(tags: dict[int, tuple[int, bytes]], at: int) -> bytes:
        sizes = {1: 1, 2: 1, 3: 2, 4: 4, 10: 8, 5: 8}
        return directory(at, tags, {t: len(d) // sizes[k] for t, (k, d) in tags.items()})

    start = 8
    sensor_at = start + len(preview) + len(preview) % 2
    matrix = struct.pack("<18i", *[v for i in range(9) for v in (int(i % 4 == 0), 1)])
    raw = {
        254: longs(0), 256: longs(128), 257: longs(96), 258: shorts(16), 259: shorts(1),
        262: shorts(32803), 273: longs(sensor_at), 277: shorts(1), 278: longs(96),
        279: longs(len(sensor)), 33421: shorts(2, 2), 33422: (1, bytes([0, 1, 1, 2])),
    }  # fmt: skip
    raw_at = sensor_at + len(sensor)
    raw_directory = packed(raw, raw_at)
    main_at = raw_at + len(raw_directory) + len(raw_directory) % 2
    main = {
        254: longs(1), 256: longs(SIZE[0]), 257: longs(SIZE[1]), 258: shorts(8, 8, 8),
        259: shorts(7), 262: shorts(6), 271: text("Maker"), 272: text("Model"),
        273: longs(start), 274: shorts(orientation), 277: shorts(3), 278: longs(SIZE[1]),
        279: longs(len(preview)), 306: text(TAKEN), 330: longs(raw_at),
        50706: (1, bytes([1, 4, 0, 0])), 50708: text("Maker Model"), 50721: (10, matrix),
        50728: (5, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),
    }  # fmt: skip
    body = preview + bytes(len(preview) % 2) + sensor + raw_directory
    body += bytes(len(raw_directory) % 2)
    return struct.pack("<2sHI", b"II", 42, main_at) + body + packed(main, main_at)


def read(folder: Path, data: bytes) -> Photo:
    path = folder / "photo.jpg"  # the name must not matter
    path.write_bytes(data)
    return read_photo(path)


def assert_is_upright(image: Image.Image) -> None:
    assert image.size == SIZE
    assert np.abs(np.subtract(image.getpixel((48, 10)), (200, 20, 20))).max() < 25
    assert np.abs(np.subtract(image.getpixel((48, 54)), (20, 20, 200))).max() < 25


def test_a_raw_file_is_its_preview(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    photo = read(tmp_path, dng(jpeg()))
    assert_is_upright(photo.image)
    assert photo.taken == datetime(2021, 7, 3, 14, 5, 59)


@pytest.mark.parametrize("in_preview", [False, True])
def test_a_raw_file_is_turned_once(in_preview: bool, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    photo = read(tmp_path, dng(turned_jpeg() if in_preview else jpeg(), orientation=6))
    assert_is_upright(photo.image.transpose(Image.Transpose.ROTATE_90))
    assert photo.taken == datetime(2021, 7, 3, 14, 5, 59)


def test_a_raw_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    data = dng(jpeg())
    with pytest.raises(UnreadablePhotoError):
        read(tmp_path, data[:40])


def test_jpeg_xl(tmp_path: Path) -> None:
    pylibjxl = pytest.importorskip("pylibjxl")
    assert_is_upright(read(tmp_path, pylibjxl.encode(np.asarray(picture()))).image)


def test_jpeg_xl_is_turned_once(tmp_path: Path) -> None:
    pylibjxl = pytest.importorskip("pylibjxl")
    photo = read(tmp_path, pylibjxl.jpeg_to_jxl(turned_jpeg()))
    assert_is_upright(photo.image.transpose(Image.Transpose.ROTATE_90))
    assert photo.taken == datetime(2021, 7, 3, 14, 5, 59)


@pytest.mark.parametrize(
    ("start", "package", "extra"),
    [
        (dng(jpeg()), "rawpy", "raw"),
        (b"FUJIFILMCCD-RAW 0201", "rawpy", "raw"),
        (b"IIRO\x08\0\0\0", "rawpy", "raw"),
        (b"IIU\0\x08\0\0\0", "rawpy", "raw"),
        (b"II*\0\x10\0\0\0CR\x02\0", "rawpy", "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "rawpy", "raw"),
        (b"\xff\x0a\x00\x00", "pylibjxl", "jxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "pylibjxl", "jxl"),
    ],
    ids=["DNG", "RAF", "ORF", "RW2", "CR2", "CR3", "codestream", "container"],
)
def test_without_the_package_the_reason_names_the_extra(
    start: bytes, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnreadablePhotoError, match=f"needs the package {package}") as caught:
        read(tmp_path, start)
    assert f"hiersearch[{extra}]" in caught.value.hint


def test_other_tiffs_are_no_raw_files(tmp_path: Path) -> None:
    file = BytesIO()
    picture().save(file, "TIFF", tiffinfo={271: "Maker", 272: "Model"})
    assert_is_upright(read(tmp_path, file.getvalue()).image)
