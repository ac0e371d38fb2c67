"""Files that cost whoever decodes them far more than their size, for benchmarks/hostile.py."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def flat_png(
    width: int, height: int, *, bits: int = 8, colour: int = 2, interlaced: bool = False
) -> bytes:
    """All black; colour 0 is grey, 2 RGB, 3 a palette, 6 RGBA."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * bits + 7) // 8)
    packer = zlib.compressobj(1)
    rows = height if not interlaced else height * 2 + 16
    body = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    palette = png_chunk(b"PLTE", bytes(range(6))) if colour == 3 else b""
    chunks = png_chunk(b"IHDR", head) + palette + png_chunk(b"IDAT", body)
    return PNG_START + chunks + png_chunk(b"IEND", b"")


def noisy_png(width: int, height: int, seed: int) -> bytes:
    row = np.random.default_rng(seed).integers(0, 256, (1, width, 3), np.uint8)
    return saved(Image.fromarray(np.repeat(row, height, axis=0)), "PNG", compress_level=1)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def progressive_of_many_scans(scans: int) -> bytes:
    """A JPEG of 1024 x 1024 whose last scan comes again and again."""
    data = saved(Image.new("L", (1024, 1024), 90), "JPEG", progressive=True, quality=5)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def jpeg_of_segments(total: int) -> bytes:
    data = saved(Image.new("RGB", (64, 64)), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 18) + b"Exif\0\0" + bytes(10)
    return data[:2] + segment * (total // len(segment)) + data[2:]


def png_of_text(size: int, count: int) -> bytes:
    text = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(size), 1))
    data = flat_png(64, 64)
    return data[:33] + text * count + data[33:]


def gif_of_many_frames(side: int, frames: int) -> bytes:
    image = Image.new("P", (side, side))
    others = [Image.new("P", (side, side), 1 + i % 200) for i in range(frames)]
    return saved(image, "GIF", save_all=True, append_images=others)


def tiff_of_directories(count: int) -> bytes:
    """Of which each leads to the next, and the last to the first."""
    each = 2 + 12 + 4
    body = b""
    for i in range(count):
        after = 8 + each * ((i + 1) % count)
        body += struct.pack("<HHHIII", 1, 256, 4, 1, 9, after)
    return b"II*\0" + struct.pack("<I", 8) + body


def run_length_bitmap(side: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    start = 14 + len(head) + 1024
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + head + bytes(1024) + b"\xff\x01" * 1000


def flat(mode: str, size: tuple[int, int]) -> Image.Image:
    return Image.new(mode, size)


BOMBS: dict[str, Callable[[], bytes]] = {
    "grey16.png": lambda: flat_png(14_100, 14_100, bits=16, colour=0),
    "rgb16.png": lambda: flat_png(13_000, 13_000, bits=16),
    "rgba.png": lambda: flat_png(14_000, 14_000, colour=6),
    "interlaced.png": lambda: flat_png(14_000, 14_000, interlaced=True),
    "one-bit.png": lambda: flat_png(14_100, 14_100, bits=1, colour=0),
    "palette.png": lambda: flat_png(14_100, 14_100, colour=3),
    "wide.png": lambda: flat_png(10_000_000, 19),
    "high.png": lambda: flat_png(19, 10_000_000),
    "line.png": lambda: flat_png(1, 100_000_000, colour=0),
    "too-many.png": lambda: flat_png(20_000, 20_000, bits=1, colour=0),
    "texts.png": lambda: png_of_text(900_000, 2_000),
    "long-texts.png": lambda: png_of_text(200_000_000, 5),
    "scans.jpg": lambda: progressive_of_many_scans(60_000),
    "segments.jpg": lambda: jpeg_of_segments(60_000_000),
    "phone.jpg": lambda: saved(flat("RGB", (16_320, 12_240)), "JPEG", quality=10),
    "phone-progressive.jpg": lambda: saved(
        flat("RGB", (16_320, 12_240)), "JPEG", quality=10, progressive=True
    ),
    "cmyk.jpg": lambda: saved(flat("CMYK", (14_000, 14_000)), "JPEG", quality=10),
    "wide.jpg": lambda: saved(flat("RGB", (65_000, 3_000)), "JPEG", quality=10),
    "large.webp": lambda: saved(flat("RGB", (16_383, 12_000)), "WEBP", quality=1, method=0),
    "lossless.webp": lambda: saved(flat("RGBA", (16_383, 10_000)), "WEBP", lossless=True, method=0),
    "large.gif": lambda: saved(flat("P", (14_000, 14_000)), "GIF"),
    "frames.gif": lambda: gif_of_many_frames(2_000, 300),
    "large.tif": lambda: saved(flat("RGB", (13_000, 13_000)), "TIFF", compression="tiff_deflate"),
    "float.tif": lambda: saved(flat("F", (13_000, 13_000)), "TIFF", compression="tiff_deflate"),
    "deep.tif": lambda: saved(flat("I;16", (13_000, 13_000)), "TIFF", compression="tiff_lzw"),
    "fax.tif": lambda: saved(flat("1", (13_000, 13_000)), "TIFF", compression="group4"),
    "directories.tif": lambda: tiff_of_directories(100_000),
    "lengths.bmp": lambda: run_length_bitmap(14_000),
    "large.avif": lambda: saved(flat("RGB", (12_000, 9_000)), "AVIF", speed=10, quality=1),
}


def write_bombs(folder: Path) -> Iterator[Path]:
    """Writes each bomb, a file full of nothing, and many photos that are much longer than wide."""
    for name, make in BOMBS.items():
        path = folder / name
        path.write_bytes(make())
        yield path
    path = folder / "sparse.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0")
        file.truncate(500_000_000)
    yield path
    for i in range(120):
        path = folder / f"long{i:03d}.png"
        path.write_bytes(noisy_png(800, 30_000, i))
        yield path
