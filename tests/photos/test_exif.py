from __future__ import annotations

from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, features

from hiersearch.photos import Photo, read_photo

SIZE = (48, 32)


def photo(form: str, exif: bytes) -> bytes:
    image, file = Image.new("RGB", SIZE, "teal"), BytesIO()
    if form == "HEIF":
        pytest.importorskip("pillow_heif").from_pillow(image).save(file, exif=exif)
        return file.getvalue()
    if form in ("AVIF", "WEBP") and not features.check(form.lower()):
        pytest.skip(f"this Pillow has no {form}")
    image.save(file, form, exif=exif)
    return file.getvalue()


def read(folder: Path, data: bytes) -> Photo:
    path = folder / "photo"
    path.write_bytes(data)
    return read_photo(path)


def with_dates(tags: dict[int, Any], base: dict[int, Any] | None = None) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif).update(tags)
    exif.update(base or {})
    return photo("JPEG", exif.tobytes())


ORIGINAL, DIGITIZED = ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized
OFFSET = ExifTags.Base.OffsetTimeOriginal
DATE = "2021:07:03 14:05:59"


@pytest.mark.parametrize(
    ("tags", "base", "expected"),
    [
        ({ORIGINAL: DATE}, {}, "2021-07-03T14:05:59"),
        ({ORIGINAL: DATE, OFFSET: "+05:30"}, {}, "2021-07-03T14:05:59+05:30"),
        ({ORIGINAL: DATE, OFFSET: "-0800"}, {}, "2021-07-03T14:05:59-08:00"),
        ({ORIGINAL: DATE, OFFSET: "   :  "}, {}, "2021-07-03T14:05:59"),
        ({ORIGINAL: DATE, OFFSET: "+99:00"}, {}, "2021-07-03T14:05:59"),
        ({ORIGINAL: "2021-07-03T14:05"}, {}, "2021-07-03T14:05:00"),
        ({ORIGINAL: DATE, DIGITIZED: "2022:01:01 00:00:00"}, {}, "2021-07-03T14:05:59"),
        ({DIGITIZED: "2022:01:01 00:00:00"}, {306: DATE}, "2022-01-01T00:00:00"),
        ({}, {306: DATE}, "2021-07-03T14:05:59"),
        ({ORIGINAL: "0000:00:00 00:00:00"}, {306: DATE}, "2021-07-03T14:05:59"),
        ({ORIGINAL: "0000:00:00 00:00:00"}, {}, None),
        ({ORIGINAL: "2021:06:31 10:00:00"}, {}, None),
        ({ORIGINAL: "2021:06:30 25:00:00"}, {}, None),
        ({ORIGINAL: "    :  :     :  :  "}, {}, None),
        ({ORIGINAL: "yesterday"}, {}, None),
        ({ORIGINAL: ""}, {}, None),
        ({ORIGINAL: 20210703}, {}, None),
    ],
)
def test_dates(
    tags: dict[int, Any], base: dict[int, Any], expected: str | None, tmp_path: Path
) -> None:
    taken = read(tmp_path, with_dates(tags, base)).taken
    assert (taken and taken.isoformat()) == expected


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_dates_of_other_formats(form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "made"
    exif.get_ifd(ExifTags.IFD.Exif).update({ORIGINAL: DATE, OFFSET: "+01:00"})
    zone = timezone(timedelta(hours=1))
    taken = read(tmp_path, photo(form, exif.tobytes())).taken
    assert taken == datetime(2021, 7, 3, 14, 5, 59, tzinfo=zone)


@settings(max_examples=60)
@given(block=st.binary(max_size=60), cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_a_broken_exif_block_does_not_cost_the_photo(
    tmp_path_factory: pytest.TempPathFactory, block: bytes, cut: int, flip: int
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    exif.get_ifd(ExifTags.IFD.Exif).update({ORIGINAL: DATE, OFFSET: "+01:00"})
    good = exif.tobytes()
    damaged = bytearray(good[: 6 + cut])
    if len(damaged) > 6:
        damaged[6 + flip % (len(damaged) - 6)] ^= 0xFF
    folder = tmp_path_factory.getbasetemp()
    for broken in (bytes(damaged), b"Exif\0\0" + block, b"Exif\0\0II*\0" + block):
        assert sorted(read(folder, photo("JPEG", broken)).image.size) == sorted(SIZE)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none(value: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    assert read(tmp_path, photo("JPEG", exif.tobytes())).image.size == SIZE
