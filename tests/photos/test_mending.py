from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import Photo, read_photo

WIDTH, HEIGHT = 61, 37  # no multiples of what rows are padded to


def shades() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) in 8 bits, different everywhere."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([4 * x, 6 * y, 255 - x - y], axis=-1).astype(np.uint8)


def noise(size: tuple[int, int] = (160, 120)) -> Image.Image:
    values = np.random.default_rng(2).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(values)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def read(folder: Path, data: bytes, **options: Any) -> Photo:
    path = folder / "photo"
    path.write_bytes(data)
    return read_photo(path, **options)


def pixels(folder: Path, data: bytes) -> np.ndarray:
    return np.asarray(read(folder, data).image)


def reason(folder: Path, data: bytes) -> str:
    with pytest.raises(UnreadablePhotoError) as caught:
        read(folder, data)
    return caught.value.message


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


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


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


# TIFFs.


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
