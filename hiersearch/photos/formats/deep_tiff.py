"""TIFFs that Pillow refuses or misreads: numbers of any depth, BigTIFF of either order, WebP."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image

from hiersearch.photos.formats.photo_formats import open_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TiffLayout", "is_misread", "read_deep", "read_layout"]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _STRIP_ROWS, _STRIP_SIZES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES, _SAMPLE_FORMAT = 322, 323, 324, 325, 339

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = range(3)
_SEPARATED = 5
_SHOWN = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _SEPARATED: 4}
"""How many of a pixel's numbers are looked at."""
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_KINDS = {_UNSIGNED: "u", _SIGNED: "i", _FLOAT: "f"}
_NONE, _WEBP = 1, 50001
_FAXES = frozenset({2, 3, 4})
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3

# The struct codes of the types that the tags above may have.
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_VALUES = 2**20


@dataclass(frozen=True)
class TiffLayout:
    """How the first picture of a TIFF is stored.

    Attributes:
        width: In pixels.
        height: In pixels.
        samples: Numbers of a pixel.
        bits: Of a number; of less than 8, several share a byte.
        kind: NumPy's type of a number, in the file's order of bytes.
        compression: By TIFF's number.
        predictor: By TIFF's number.
        photometric: By TIFF's number: greys or RGB.
        planar: Whether each sample is stored apart.
        block: Width and height of a strip or tile.
        places: First byte and length of each, row by row, sample by sample.
    """

    width: int
    height: int
    samples: int
    bits: int
    kind: str
    compression: int
    predictor: int
    photometric: int
    planar: bool
    block: tuple[int, int]
    places: tuple[tuple[int, int], ...]

    @property
    def shown(self) -> int:
        """How many numbers of a pixel are looked at."""
        return _SHOWN[self.photometric]

    @property
    def memory(self) -> int:
        """Roughly how many bytes decoding takes."""
        return self.width * self.height * self.shown * (max(8, self.bits) // 8 + 1)


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow opens a TIFF but takes its numbers for others.

    Of those with more than 8 bits it takes unsigned ones of 32 for signed ones, unpacks some in
    this machine's order of bytes to read them in the file's, and mixes up planes that are stored
    apart; white that is zero stays black.
    """
    tags: Any = getattr(image, "tag_v2", None)
    if tags is None:
        return False
    bits, kinds = tags.get(_BITS, (1,)), set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    if max(bits) <= 8:
        return False
    is_packed = tags.get(_COMPRESSION, _NONE) != _NONE
    is_foreign = tags.prefix.startswith(b"II") != (sys.byteorder == "little")
    return bool(
        (max(bits) > 16 and kinds != {_FLOAT})
        or tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        or (len(bits) > 1 and tags.get(_PLANAR, 1) == 2)
        or (is_packed and is_foreign and kinds != {_UNSIGNED})
    )


def read_layout(data: bytes) -> TiffLayout | None:
    """The layout of a TIFF's first picture; None if it is of a kind that is not read here."""
    try:
        tags = _tags(data)
    except (struct.error, OverflowError):
        return None

    def one(tag: int, default: int) -> int:
        values = tags.get(tag)
        return values[0] if values else default

    width, height = one(_WIDTH, 0), one(_HEIGHT, 0)
    samples, bits = one(_SAMPLES, 1), one(_BITS, 1)
    number, photometric = one(_SAMPLE_FORMAT, _UNSIGNED), one(_PHOTOMETRIC, -1)
    compression, tiled = one(_COMPRESSION, _NONE), _TILES in tags
    offsets = tags.get(_TILES if tiled else _STRIPS, ())
    sizes = tags.get(_TILE_SIZES if tiled else _STRIP_SIZES, ())
    known = (
        0 < width < 2**31
        and 0 < height < 2**31
        and 0 < samples <= 8
        and set(tags.get(_BITS, (1,))) == {bits}
        and (bits in (8, 16, 32, 64) or (bits in (1, 2, 4) and compression not in _FAXES))
        and (bits > 8 if number == _FLOAT else bits >= 8 or number == _UNSIGNED)
        and set(tags.get(_SAMPLE_FORMAT, (1,))) == {number}
        and number in _KINDS
        and samples >= _SHOWN.get(photometric, 9)
        and 0 < len(offsets) == len(sizes)
    )
    if not known:
        return None
    if tiled:
        block = one(_TILE_WIDTH, 0), one(_TILE_HEIGHT, 0)
    else:
        block = width, min(one(_STRIP_ROWS, height), height)
    if not all(0 < side < 2**31 for side in block):
        return None
    return TiffLayout(
        width,
        height,
        samples,
        bits,
        ("<" if data.startswith(b"II") else ">") + _KINDS[number] + str(max(8, bits) // 8),
        compression,
        one(_PREDICTOR, 1),
        photometric,
        samples > 1 and one(_PLANAR, 1) == 2,
        block,
        tuple(zip(offsets, sizes, strict=True)),
    )


def _tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """The first directory's numbers, by tag."""
    order = "<" if data.startswith(b"II") else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    word, size = ("Q", 8) if big else ("I", 4)
    (at,) = struct.unpack_from(order + word, data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at += 8 if big else 2
    tags = {}
    for _ in range(min(count, 4096)):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", data, at)
        if (code := _CODES.get(kind)) and number <= _MOST_VALUES:
            form = f"{order}{number}{code}"
            place = at + 4 + size
            if struct.calcsize(form) > size:
                (place,) = struct.unpack_from(order + word, data, place)
            tags[tag] = struct.unpack_from(form, data, place)
        at += 4 + 2 * size
    return tags


def read_deep(data: bytes, layout: TiffLayout) -> Image.Image:
    """Decodes the picture to 8 bits: greys, RGB or CMYK. Alpha and other samples are left out.

    Raises:
        ValueError: It is truncated or damaged.
        OSError: Likewise.
    """
    import numpy as np

    shown = layout.shown
    width, height = layout.block
    across, down = -(-layout.width // width), -(-layout.height // height)
    planes = layout.samples if layout.planar else 1
    if len(layout.places) < across * down * planes:
        raise ValueError("truncated")
    values = np.zeros((layout.height, layout.width, shown), layout.kind)
    for i, place in enumerate(layout.places[: across * down * planes]):
        plane, within = divmod(i, across * down)
        y, x = within // across * height, within % across * width
        if plane >= shown:
            continue
        rows = height if _is_tiled(layout) else min(height, layout.height - y)
        block = _block(data, place, layout, width, rows)
        room = values[y : y + rows, x : x + width]
        part = block[: room.shape[0], : room.shape[1]]
        if layout.planar:
            room[..., plane] = part[..., 0]
        else:
            room[:] = part[..., :shown]
    whole = _to_8_bits(values)
    if shown == 4:
        return Image.frombytes("CMYK", (layout.width, layout.height), whole.tobytes())
    image = Image.fromarray(whole[..., 0] if shown == 1 else whole)
    if layout.photometric == _WHITE_IS_ZERO:
        return image.point(lambda value: 255 - value)
    return image


def _is_tiled(layout: TiffLayout) -> bool:
    return layout.block[0] != layout.width or layout.block[1] > layout.height


def _block(
    data: bytes, place: tuple[int, int], layout: TiffLayout, width: int, rows: int
) -> NDArray[Any]:
    """(rows, width, samples) of a strip or tile."""
    import numpy as np

    kind = np.dtype(layout.kind)
    samples = 1 if layout.planar else layout.samples
    stored = data[place[0] : place[0] + place[1]]
    if layout.compression == _WEBP:
        return _webp(stored, samples, width, rows)
    row = (width * samples * layout.bits + 7) // 8
    raw = stored if layout.compression == _NONE else _unpacked(stored, layout, row, rows)
    if len(raw) < row * rows:
        raise ValueError("truncated")
    if layout.bits < 8:
        return _small_numbers(np.frombuffer(raw, np.uint8, row * rows), layout.bits, rows)[
            :, : width * samples
        ].reshape(rows, width, samples)
    if layout.predictor == _FLOAT_DIFFERENCES and kind.kind == "f":
        # The bytes of a row: all first ones, then all second ones, each less the one before it.
        single = np.frombuffer(raw, np.uint8, row * rows).reshape(rows, -1, samples)
        whole = np.cumsum(single, axis=1, dtype=np.uint8).reshape(rows, kind.itemsize, -1)
        values = np.ascontiguousarray(whole.transpose(0, 2, 1)).view(kind.newbyteorder(">"))
        return values.reshape(rows, width, samples)
    values = np.frombuffer(raw, kind, row * rows // kind.itemsize).reshape(rows, width, samples)
    if layout.predictor == _DIFFERENCES:
        number = np.dtype(f"u{kind.itemsize}")
        plain = values.astype(kind.newbyteorder("=")).view(number)
        return np.cumsum(plain, axis=1, dtype=number).view(kind.newbyteorder("="))
    return values


def _webp(stored: bytes, samples: int, width: int, rows: int) -> NDArray[np.uint8]:
    import numpy as np

    with open_image("WebP", BytesIO(stored)) as image:
        values = np.asarray(image.convert("RGBA" if samples == 4 else "RGB"))
    if values.shape != (rows, width, samples):
        raise ValueError("a strip or tile of another size")
    return values


def _small_numbers(raw: NDArray[np.uint8], bits: int, rows: int) -> NDArray[np.uint8]:
    """(rows, numbers), scaled to 8 bits, of numbers that share bytes."""
    import numpy as np

    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    numbers = (raw[:, None] >> shifts) & (2**bits - 1)
    scaled: NDArray[np.uint8] = numbers * np.uint8(255 // (2**bits - 1))
    return scaled.reshape(rows, -1)


def _unpacked(stored: bytes, layout: TiffLayout, row: int, rows: int) -> bytes:
    """The bytes of a strip or tile, which Pillow unpacks as a grey picture of single bytes."""
    entries = (
        (_WIDTH, row),
        (_HEIGHT, rows),
        (_BITS, 8),
        (_COMPRESSION, layout.compression),
        (_PHOTOMETRIC, _BLACK_IS_ZERO),
        (_STRIPS, 8 + 2 + 9 * 12 + 4),
        (_SAMPLES, 1),
        (_STRIP_ROWS, rows),
        (_STRIP_SIZES, len(stored)),
    )
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)
    from PIL.TiffImagePlugin import TiffImageFile

    with TiffImageFile(BytesIO(head + stored)) as image:
        return image.tobytes()


def _to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Integers by their depth, as Pillow takes them; floats as `to_rgb` scales deep greys."""
    import numpy as np

    black, span = _range(values)
    rounded = np.empty(values.shape, np.uint8)
    # Row by row, for doubles of all would take much memory.
    for row, out in zip(values, rounded, strict=True):
        finite = np.where(np.isfinite(row), row, black) if values.dtype.kind == "f" else row
        whole = (finite.astype(np.float64) - black) * (255 / (span or 1.0))
        out[:] = np.clip(whole, 0, 255) + 0.5
    return rounded


def _range(values: NDArray[Any]) -> tuple[float, float]:
    """What is black, and how far above it white is."""
    import numpy as np

    kind = values.dtype
    if kind.kind != "f" and kind.itemsize <= 2:
        limits = np.iinfo(kind)
        return float(limits.min), float(limits.max) - float(limits.min)
    # Few integers use all of more bits.
    ends = [
        (float(finite.min()), float(finite.max()))
        for row in values
        if (finite := row[np.isfinite(row)]).size
    ]
    if not ends:
        return 0.0, 1.0
    least, greatest = min(low for low, _ in ends), max(high for _, high in ends)
    if kind.kind == "f" and least >= 0 and greatest <= 1:
        return 0.0, 1.0
    return least, greatest - least
