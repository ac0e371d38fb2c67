"""TIFFs of numbers that Pillow opens wrongly, or not at all."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.photos.mended import HEIGHT, WIDTH, pixels, reason, saved, shades


def tiff(
    values: np.ndarray,
    order: str,
    *,
    big: bool = False,
    packed: bool = False,
    planar: bool = False,
    tiled: bool = False,
    predictor: int = 1,
    white_is_zero: bool = False,
) -> bytes:
    """A TIFF of (height, width, samples) values, in strips of 16 rows or tiles of 32 x 16."""
    height, width, samples = values.shape
    bits = 8 * values.dtype.itemsize
    number = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    planes = [values[..., i : i + 1] for i in range(samples)] if planar else [values]
    across = 32 if tiled else width
    blocks = []
    for plane in planes:
        for y in range(0, height, 16):
            for x in range(0, width, across):
                part = plane[y : y + 16, x : x + across]
                if tiled:
                    missing = (16 - part.shape[0], across - part.shape[1])
                    part = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)))
                raw = difference(part, predictor).astype(values.dtype.newbyteorder(order))
                data = raw.tobytes() if predictor != 3 else float_differences(part)
                blocks.append(zlib.compress(data) if packed else data)
    head = 16 if big else 8
    offsets = head + np.cumsum([0, *map(len, blocks[:-1])])
    tags = {
        256: [width],
        257: [height],
        258: [bits] * samples,
        259: [8 if packed else 1],
        262: [2 if samples > 2 else 0 if white_is_zero else 1],
        277: [samples],
        284: [2 if planar else 1],
        317: [predictor],
        339: [number] * samples,
        324 if tiled else 273: offsets.tolist(),
        325 if tiled else 279: list(map(len, blocks)),
    }
    tags |= {322: [32], 323: [16]} if tiled else {278: [16]}
    directory = head + sum(map(len, blocks))
    word = "Q" if big else "I"
    after = directory + (8 + 20 * len(tags) + 8 if big else 2 + 12 * len(tags) + 4)
    entries, rest = b"", b""
    for tag in sorted(tags):
        stored = struct.pack(f"{order}{len(tags[tag])}I", *tags[tag])
        room = 8 if big else 4
        if len(stored) > room:
            place = struct.pack(order + word, after + len(rest))
            rest += stored
        else:
            place = stored.ljust(room, b"\0")
        entries += struct.pack(f"{order}HH{word}", tag, 4, len(tags[tag])) + place
    start = b"II" if order == "<" else b"MM"
    if big:
        start += struct.pack(order + "HHHQ", 43, 8, 0, directory)
        count = struct.pack(order + "Q", len(tags))
    else:
        start += struct.pack(order + "HI", 42, directory)
        count = struct.pack(order + "H", len(tags))
    return start + b"".join(blocks) + count + entries + bytes(8 if big else 4) + rest


def difference(part: np.ndarray, predictor: int) -> np.ndarray:
    if predictor != 2:
        return part
    return np.concatenate([part[:, :1], np.diff(part, axis=1)], axis=1).astype(part.dtype)


def float_differences(part: np.ndarray) -> bytes:
    """The floating point predictor of Adobe's technical note 3."""
    out = b""
    for row in part:
        big = row.astype(row.dtype.newbyteorder(">")).tobytes()
        size, step = row.dtype.itemsize, row.shape[-1]
        planes = [big[i::size] for i in range(size)]
        line = bytearray(b"".join(planes))
        for i in range(len(line) - 1, step - 1, -1):
            line[i] = (line[i] - line[i - step]) & 255
        out += bytes(line)
    return out


KINDS = {
    "u1": lambda v: v.astype(np.uint8),
    "u2": lambda v: v.astype(np.uint16) * 257,
    "u4": lambda v: v.astype(np.uint32) * 16843009,
    "i2": lambda v: (v.astype(np.int32) * 257 - 32768).astype(np.int16),
    "f2": lambda v: (v / 255).astype(np.float16),
    "f4": lambda v: (v / 255).astype(np.float32),
    "f8": lambda v: v / 255,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("samples", [1, 3, 4])
@pytest.mark.parametrize(
    "options",
    [{}, {"packed": True}, {"tiled": True}, {"planar": True}, {"packed": True, "predictor": 2}],
    ids=["strips", "packed", "tiled", "planar", "differences"],
)
def test_a_tiff_of_any_numbers(
    kind: str, order: str, big: bool, samples: int, options: dict[str, Any], tmp_path: Path
) -> None:
    if kind[0] == "f" and "predictor" in options:
        options = options | {"predictor": 3}
    if samples == 1 and "planar" in options:
        pytest.skip("one sample is one plane")
    values = shades()
    values[0, 0], values[0, 1] = 0, 255  # all of the range is used
    if samples == 4:
        values = np.concatenate([values, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=-1)
    given = KINDS[kind](values[..., :samples])
    found = pixels(tmp_path, tiff(given, order, big=big, **options)).astype(int)
    expected = values[..., :3] if samples > 1 else np.repeat(values[..., :1], 3, axis=-1)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "f4"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_tiff_whose_white_is_zero(kind: str, packed: bool, tmp_path: Path) -> None:
    grey = shades()[..., :1]
    grey[0, 0], grey[0, 1] = 0, 255
    data = tiff(KINDS[kind](255 - grey), "<", white_is_zero=True, packed=packed)
    assert np.abs(pixels(tmp_path, data).astype(int) - grey).max() <= 1


def test_a_tiff_with_values_that_are_no_numbers(tmp_path: Path) -> None:
    values = np.linspace(-5, 5, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1).repeat(3, -1)
    values[0, :3] = np.nan, np.inf, -np.inf
    found = pixels(tmp_path, tiff(values.astype("f4"), ">", big=True))
    assert (found[0, :3] == 0).all()
    assert found[-1, -1, 0] == 255


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("samples", [3, 4])
def test_a_tiff_of_numbers_that_share_bytes(bits: int, samples: int, tmp_path: Path) -> None:
    numbers = np.random.default_rng(bits).integers(0, 2**bits, (HEIGHT, WIDTH, samples), np.uint8)
    each = np.unpackbits(numbers[..., None], axis=-1)[..., 8 - bits :]
    rows = np.packbits(each.reshape(HEIGHT, -1), axis=1)
    data = bytearray(tiff(rows[..., None], "<"))
    for tag, value in ((256, WIDTH), (258, bits), (277, samples), (262, 2)):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        data[at : at + 4] = struct.pack("<I", value)
    expected = numbers[..., :3].astype(int) * 255 // (2**bits - 1)
    assert (pixels(tmp_path, bytes(data)) == expected).all()


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("samples", [3, 4])
def test_a_tiff_of_webp(tiled: bool, samples: int, tmp_path: Path) -> None:
    values = np.dstack([shades(), np.full((HEIGHT, WIDTH), 255, np.uint8)])[..., :samples]
    if tiled:
        values = np.pad(values, ((0, 48 - HEIGHT), (0, 64 - WIDTH), (0, 0)), mode="edge")
        parts = [values[y : y + 16, x : x + 32] for y in (0, 16, 32) for x in (0, 32)]
    else:
        parts = [values[y : y + 16] for y in range(0, HEIGHT, 16)]
    blocks = [saved(Image.fromarray(np.ascontiguousarray(p)), "WEBP", lossless=True) for p in parts]
    data = tiff_of_blocks(blocks, samples, tiled)
    assert (pixels(tmp_path, data) == shades()).all()


def tiff_of_blocks(blocks: list[bytes], samples: int, tiled: bool) -> bytes:
    """A TIFF of strips of 16 rows or tiles of 32 x 16 that are WebP pictures."""
    offsets = (8 + np.cumsum([0, *map(len, blocks[:-1])])).tolist()
    tags = {
        256: [WIDTH],
        257: [HEIGHT],
        258: [8] * samples,
        259: [50001],
        262: [2],
        277: [samples],
        **({322: [32], 323: [16]} if tiled else {278: [16]}),
        324 if tiled else 273: offsets,
        325 if tiled else 279: list(map(len, blocks)),
    }
    directory = 8 + sum(map(len, blocks))
    after, entries, rest = directory + 2 + 12 * len(tags) + 4, b"", b""
    for tag in sorted(tags):
        stored = struct.pack(f"<{len(tags[tag])}I", *tags[tag])
        place = stored if len(stored) == 4 else struct.pack("<I", after + len(rest))
        rest += b"" if len(stored) == 4 else stored
        entries += struct.pack("<HHI", tag, 4, len(tags[tag])) + place
    head = b"II" + struct.pack("<HI", 42, directory)
    return head + b"".join(blocks) + struct.pack("<H", len(tags)) + entries + bytes(4) + rest


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_that_lacks_its_last_rows_is_refused(big: bool, tmp_path: Path) -> None:
    data = bytearray(tiff(KINDS["f8"](shades()), ">", big=big))
    at = data.index(struct.pack(">HH", 257, 4)) + 4 + (8 if big else 4)
    data[at : at + 4] = struct.pack(">I", 50_000)
    assert reason(tmp_path, bytes(data)).startswith(("truncated", "damaged"))
