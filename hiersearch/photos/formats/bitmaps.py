"""Bitmaps (BMP, DIB) of the kinds that Pillow refuses: other masks, OS/2's headers, run lengths."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from hiersearch.photos.formats.photo_formats import open_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BitmapHeader", "read_bitmap", "read_header"]

_FILE_HEADER = 14
_CORE = 12
"""Size of OS/2's first header, whose numbers have two bytes."""
_OS2 = frozenset({16, 24, 60, 64})
"""Sizes of OS/2's second header."""

_PLAIN, _RLE8, _RLE4, _MASKS, _JPEG, _PNG, _MASKS_WITH_ALPHA = range(7)
_RLE24 = 4
"""In OS/2's headers."""


@dataclass(frozen=True)
class BitmapHeader:
    """What a bitmap's headers say.

    Attributes:
        width: In pixels.
        height: In pixels.
        bits: Of a pixel.
        compression: How pixels are stored, by number.
        downwards: Whether the first row is the top one.
        masks: Bits of red, green and blue, where the file names them.
        palette: Where colours begin, in bytes from the file's first.
        entry: Bytes of a colour there.
        colours: How many there are.
        pixels: Where pixels begin.
        os2: Whether the header is OS/2's.
    """

    width: int
    height: int
    bits: int
    compression: int
    downwards: bool
    masks: tuple[int, int, int] | None
    palette: int
    entry: int
    colours: int
    pixels: int
    os2: bool


def read_header(data: bytes) -> BitmapHeader | None:
    """The headers of a bitmap file; None if they make no sense."""
    start = _FILE_HEADER if data.startswith(b"BM") else 0

    def number(at: int, size: int = 4) -> int:
        return int.from_bytes(data[start + at : start + at + size], "little")

    length = number(0)
    if length < _CORE or len(data) < start + min(length, 40):
        return None
    core = length == _CORE
    at = (4, 6, 8, 10) if core else (4, 8, 12, 14)
    width, height, planes, bits = (
        number(place, 2 if core or i > 1 else 4) for i, place in enumerate(at)
    )
    downwards = not core and height >= 2**31
    height = 2**32 - height if downwards else height
    if planes != 1 or not 0 < width < 2**31 or not height or bits not in (1, 2, 4, 8, 16, 24, 32):
        return None
    compression = number(16) if length >= 20 else _PLAIN
    masked = compression in (_MASKS, _MASKS_WITH_ALPHA) and length not in _OS2
    after = start + length
    if masked and length == 40:
        after += 12 if compression == _MASKS else 16
    entry = 3 if core else 4
    used = number(32) if length >= 36 else 0
    colours = 0 if bits > 8 and not used else min(used or 2**bits, 2**8)
    pixels = int.from_bytes(data[10:14], "little") if start else after + entry * colours
    return BitmapHeader(
        width,
        height,
        bits,
        compression,
        downwards,
        (number(40), number(44), number(48)) if masked else None,
        after,
        entry,
        colours,
        pixels if pixels < len(data) else after + entry * colours,
        length in _OS2,
    )


def read_bitmap(data: bytes, header: BitmapHeader) -> Image.Image:
    """Decodes a bitmap.

    Raises:
        ValueError: It is truncated, or of a kind that is not known.
    """
    pixels = data[header.pixels :]
    if header.compression in (_JPEG, _PNG) and not header.os2:
        return open_image("JPEG" if header.compression == _JPEG else "PNG", BytesIO(pixels))
    if header.os2 and header.compression == _RLE24:
        return _image(header, _run_lengths(pixels, header, 24))
    if header.compression in (_RLE8, _RLE4):
        rows = _run_lengths(pixels, header, 8 if header.compression == _RLE8 else 4)
        return _image(header, _coloured(rows[..., 0], data, header))
    if header.compression in (_PLAIN, _MASKS, _MASKS_WITH_ALPHA):
        return _image(header, _plain(pixels, data, header))
    raise ValueError("a bitmap of an unknown kind")


def _image(header: BitmapHeader, rows: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(rows if header.downwards else rows[::-1].copy())


def _plain(pixels: bytes, data: bytes, header: BitmapHeader) -> NDArray[np.uint8]:
    """(height, width, 3): pixels that are not compressed, in the file's order of rows."""
    import numpy as np

    stride = (header.width * header.bits + 31) // 32 * 4
    if len(pixels) < stride * header.height:
        raise ValueError("truncated bitmap")
    raw = np.frombuffer(pixels, np.uint8, stride * header.height).reshape(header.height, stride)
    if header.bits <= 8:
        each = 8 // header.bits
        shifts = np.arange(each - 1, -1, -1, dtype=np.uint8) * header.bits
        indices = (raw[:, :, None] >> shifts) & (2**header.bits - 1)
        return _coloured(indices.reshape(header.height, -1)[:, : header.width], data, header)
    if header.bits == 24:
        return raw[:, : 3 * header.width].reshape(header.height, header.width, 3)[..., ::-1].copy()
    values = raw.view("<u2" if header.bits == 16 else "<u4")[:, : header.width]
    usual = (0x7C00, 0x3E0, 0x1F) if header.bits == 16 else (0xFF0000, 0xFF00, 0xFF)
    return np.stack([_channel(values, mask) for mask in header.masks or usual], axis=-1)


def _channel(values: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8]:
    import numpy as np

    if not mask:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    part = ((values & values.dtype.type(mask & (2 ** (8 * values.itemsize) - 1))) >> shift).astype(
        np.float32
    )
    return (part * np.float32(255 / most) + 0.5).astype(np.uint8)


def _coloured(indices: NDArray[np.uint8], data: bytes, header: BitmapHeader) -> NDArray[np.uint8]:
    import numpy as np

    table = np.zeros((256, 3), np.uint8)
    size = header.entry * header.colours
    stored = data[header.palette : header.palette + size]
    whole = len(stored) // header.entry
    colours = np.frombuffer(stored, np.uint8, whole * header.entry).reshape(whole, header.entry)
    table[:whole] = colours[:, 2::-1]
    return table[indices]


def _run_lengths(pixels: bytes, header: BitmapHeader, bits: int) -> NDArray[np.uint8]:
    """(height, width, 1 or 3): what run lengths stand for; what they leave out is zero."""
    import numpy as np

    depth = 3 if bits == 24 else 1
    rows = np.zeros((header.height, header.width, depth), np.uint8)
    at = x = y = 0

    def put(values: NDArray[np.uint8]) -> None:
        nonlocal x
        room = rows[y, x : x + len(values)]
        room[:] = values[: len(room)]
        x += len(values)

    def unpacked(raw: bytes, count: int) -> NDArray[np.uint8]:
        values = np.frombuffer(raw, np.uint8)
        if bits == 4:
            values = np.stack([values >> 4, values & 15], axis=-1).reshape(-1)
        pixels = values.reshape(-1, depth)[..., ::-1]
        return np.resize(pixels, (count, depth)) if len(pixels) else np.zeros((0, 1), np.uint8)

    while at + 1 < len(pixels) and y < header.height:
        count, value = pixels[at], pixels[at + 1]
        at += 2
        if count:
            put(unpacked(pixels[at - 1 : at - 1 + depth], count))
            at += depth - 1
        elif value == 0:
            x, y = 0, y + 1
        elif value == 1:
            break
        elif value == 2:
            if at + 1 < len(pixels):
                x, y = x + pixels[at], y + pixels[at + 1]
            at += 2
        else:
            size = (value * bits + 7) // 8
            put(unpacked(pixels[at : at + size], value))
            at += size + size % 2
    return rows
