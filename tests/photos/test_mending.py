from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.photos.mended import (
    HEIGHT,
    WIDTH,
    noise,
    pixels,
    png_chunk,
    read,
    reason,
    saved,
    shades,
)

# JPEGs that lack their end.


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [1, 2, 3, 0.01, 0.1])
def test_a_jpeg_without_its_end_is_kept(lost: float, progressive: bool, tmp_path: Path) -> None:
    data = saved(noise(), "JPEG", progressive=progressive)
    whole = pixels(tmp_path, data).astype(int)
    cut = data[: len(data) - (lost if isinstance(lost, int) else int(lost * len(data)))]
    for min_side in (None, 16):
        photo = read(tmp_path, cut, min_side=min_side)
        assert photo.note == "damaged at the end"
        assert (photo.width, photo.height) == (160, 120)
    rows = 120 if progressive else 96  # of the last lines nothing may be left
    found = np.asarray(read(tmp_path, cut).image).astype(int)
    assert np.abs(found[:rows] - whole[:rows]).mean() < 12


def test_a_whole_photo_has_no_note(tmp_path: Path) -> None:
    assert read(tmp_path, saved(noise(), "JPEG")).note == ""


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_a_jpeg_of_which_much_is_lost_is_refused(share: float, tmp_path: Path) -> None:
    data = saved(noise(), "JPEG")
    assert reason(tmp_path, data[: int(share * len(data))]) == "truncated JPEG file"


@pytest.mark.parametrize("before", [b"\r\n", b"\n", b" \t\r\n", b"\0\0"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "WEBP"])
def test_blanks_before_a_photo(before: bytes, form: str, tmp_path: Path) -> None:
    if form == "TIFF" and before.startswith(b"\0"):
        pytest.skip("could be anything")
    data = saved(noise(), form)
    assert (pixels(tmp_path, before + data) == pixels(tmp_path, data)).all()


# PNGs with long texts or profiles.


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"tEXt", b"workflow\0" + b"x" * 3_000_000),
        png_chunk(b"iTXt", b"workflow\0\0\0\0\0" + b"x" * 3_000_000),
        png_chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 900_000)) * 100,
        png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000))),
        png_chunk(b"iCCP", b"profile\0\0not packed"),
    ],
    ids=["tEXt", "iTXt", "packed-iTXt", "zTXt", "many", "iCCP", "broken-iCCP"],
)
@pytest.mark.parametrize("at_end", [False, True])
def test_a_png_with_long_texts(chunk: bytes, at_end: bool, tmp_path: Path) -> None:
    data = saved(Image.fromarray(shades()), "PNG")
    at = len(data) - 12 if at_end else 33
    photo = read(tmp_path, data[:at] + chunk + data[at:])
    assert (np.asarray(photo.image) == shades()).all()
    assert photo.note == ""


# Bitmaps.


def bitmap(
    rows: bytes,
    bits: int,
    *,
    compression: int = 0,
    header: int = 40,
    masks: tuple[int, ...] = (),
    palette: bytes = b"",
    upwards: bool = True,
    bare: bool = False,
) -> bytes:
    if header == 12:
        head = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        height = HEIGHT if upwards else -HEIGHT
        head = struct.pack(
            "<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(rows), 0, 0, 0, 0
        )
        head = (head + b"".join(struct.pack("<I", mask) for mask in masks)).ljust(header, b"\0")
        head = head[: max(header, 40 + 4 * len(masks) if header == 40 else header)]
    start = 14 + len(head) + len(palette)
    first = b"" if bare else b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start)
    return first + head + palette + rows


def packed_rows(values: np.ndarray, upwards: bool = True) -> bytes:
    """Rows of a bitmap, each padded to four bytes."""
    raw = values.view(np.uint8).reshape(HEIGHT, -1)
    padded = np.pad(raw, ((0, 0), (0, -raw.shape[1] % 4)))
    return (padded[::-1] if upwards else padded).tobytes()


def by_masks(masks: tuple[int, int, int], kind: str) -> np.ndarray:
    """(HEIGHT, WIDTH) numbers that hold `shades` in these bits."""
    values = np.zeros((HEIGHT, WIDTH), np.uint64)
    for channel, mask in zip(np.moveaxis(shades(), -1, 0), masks, strict=True):
        shift = (mask & -mask).bit_length() - 1
        most = mask >> shift
        values |= np.round(channel / 255 * most).astype(np.uint64) << np.uint64(shift)
    return values.astype(kind)


MASKS = {
    "565": ((0xF800, 0x7E0, 0x1F), "<u2", 6),
    "555": ((0x7C00, 0x3E0, 0x1F), "<u2", 6),
    "444": ((0xF00, 0xF0, 0xF), "<u2", 12),
    "swapped": ((0x1F, 0x7E0, 0xF800), "<u2", 6),
    "8888": ((0xFF0000, 0xFF00, 0xFF), "<u4", 1),
    "reversed": ((0xFF, 0xFF00, 0xFF0000), "<u4", 1),
    "high": ((0xFF000000, 0xFF0000, 0xFF00), "<u4", 1),
    "101010": ((0x3FF00000, 0xFFC00, 0x3FF), "<u4", 1),
    "uneven": ((0x7, 0x7FF8, 0x7FFF8000), "<u4", 40),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize("bare", [False, True])
def test_a_bitmap_with_masks(
    name: str, header: int, upwards: bool, bare: bool, tmp_path: Path
) -> None:
    masks, kind, tolerance = MASKS[name]
    rows = packed_rows(by_masks(masks, kind), upwards)
    data = bitmap(
        rows,
        8 * np.dtype(kind).itemsize,
        compression=3,
        header=header,
        masks=masks,
        upwards=upwards,
        bare=bare,
    )
    difference = np.abs(pixels(tmp_path, data).astype(int) - shades())
    assert difference.max() <= tolerance


@pytest.mark.parametrize("header", [12, 16, 40, 64, 108, 124])
@pytest.mark.parametrize("bare", [False, True])
def test_a_bitmap_of_three_bytes_a_pixel(header: int, bare: bool, tmp_path: Path) -> None:
    rows = packed_rows(np.ascontiguousarray(shades()[..., ::-1]))
    if header == 16:
        head = struct.pack("<IiiHH", 16, WIDTH, HEIGHT, 1, 24)
        first = b"" if bare else b"BM" + struct.pack("<IHHI", 0, 0, 0, 30)
        data = first + head + rows
    else:
        data = bitmap(rows, 24, header=header, bare=bare)
    assert (pixels(tmp_path, data) == shades()).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("header", [12, 40, 64])
def test_a_bitmap_with_a_palette(bits: int, header: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(bits)
    indices = rng.integers(0, 2**bits, (HEIGHT, WIDTH), np.uint8)
    colours = rng.integers(0, 256, (2**bits, 3), np.uint8)
    each = 8 // bits
    wide = np.pad(indices, ((0, 0), (0, -WIDTH % each))).reshape(HEIGHT, -1, each)
    packed = np.zeros(wide.shape[:2], np.uint8)
    for i in range(each):
        packed |= wide[..., i] << (8 - bits * (i + 1))
    entries = [bytes(colour[::-1]) + (b"" if header == 12 else b"\0") for colour in colours]
    data = bitmap(packed_rows(packed), bits, header=header, palette=b"".join(entries))
    assert (pixels(tmp_path, data) == colours[indices]).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_a_bitmap_of_run_lengths(bits: int, tmp_path: Path) -> None:
    indices = np.tile((np.arange(WIDTH) // 9 % 2**bits).astype(np.uint8), (HEIGHT, 1))
    rng = np.random.default_rng(bits)
    colours = rng.integers(0, 256, (2**bits, 3), np.uint8)
    rows = b""
    for row in indices[::-1]:
        for start in range(0, WIDTH, 9):
            count, value = len(row[start : start + 9]), int(row[start])
            rows += bytes([count, value | value << 4 if bits == 4 else value])
        rows += b"\0\0"
    rows += b"\0\1"
    entries = b"".join(bytes(colour[::-1]) + b"\0" for colour in colours)
    data = bitmap(rows, bits, compression=2 if bits == 4 else 1, palette=entries)
    assert (pixels(tmp_path, data) == colours[indices]).all()


def test_a_bitmap_that_lacks_rows_is_refused(tmp_path: Path) -> None:
    masks, kind, _ = MASKS["444"]
    data = bitmap(packed_rows(by_masks(masks, kind)), 16, compression=3, masks=masks)
    assert reason(tmp_path, data[: len(data) // 2]).startswith(("truncated", "damaged"))
