"""Files that Pillow refuses although others open them, made such that it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

from hiersearch.photos.formats.photo_formats import open_image

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Mended", "Mending", "mendings", "readings"]


@dataclass(frozen=True)
class Mended:
    """A file whose faults were taken out.

    Attributes:
        open: Opens its image.
        size: Width and height, where they are known before it is opened.
        memory: Roughly how many bytes opening it takes.
        form: The format that its image is decoded as; empty if that is the file's.
        note: What is wrong with the file, for people; empty if that changes nothing to see.
        is_whole: Whether enough of its photo, decoded to RGB, is there; None if all is.
    """

    open: Callable[[], Image.Image]
    size: tuple[int, int] | None = None
    memory: int = 0
    form: str = ""
    note: str = ""
    is_whole: Callable[[Image.Image], bool] | None = None


Mending: TypeAlias = Callable[[bytes], Mended | None]
"""From a file's bytes; None if the fault is another."""


def readings(form: str, image: Image.Image) -> tuple[Mending, ...]:
    """What reads an image better than Pillow, which opens it but takes its numbers for others."""
    if form != "TIFF":
        return ()
    from hiersearch.photos.formats.deep_tiff import is_misread

    return (_deep_tiff,) if is_misread(image) else ()


def mendings(form: str, error: Exception) -> tuple[Mending, ...]:
    """What may help against an error that decoding a format met, in the order to try."""
    if form == "JPEG" and "truncated" in str(error).lower():
        return (_end_jpeg,)
    if form == "PNG":
        return (_png_without_texts,)
    if form in ("BMP", "DIB"):
        return (_bitmap,)
    return (_deep_tiff,) if form == "TIFF" else ()


def _end_jpeg(data: bytes) -> Mended:
    """With the marker of its end: what is missing becomes grey."""
    return Mended(
        lambda: open_image("JPEG", BytesIO(data + b"\xff\xd9")),
        note="damaged at the end",
        is_whole=_has_bottom,
    )


def _has_bottom(image: Image.Image) -> bool:
    """Whether the lowest quarter of a photo shows anything."""
    width, height = image.size
    bottom = image.crop((0, height - max(1, height // 4), width, height))
    return any(greatest - least > 2 for least, greatest in bottom.getextrema())  # type: ignore[misc]


_PNG_START = 8
# Colour profiles and packed texts, of which Pillow refuses long ones, and nothing here reads any.
_UNREAD_CHUNKS = frozenset({b"zTXt", b"iCCP"})
_TEXT_CHUNKS = frozenset({b"tEXt", b"iTXt"})
# Of plain texts short ones are kept: they can say which way is up.
_TEXT_BYTES = 2**16
# A text's keyword has up to 79 bytes; a zero and, in iTXt, whether it is packed follow.
_KEYWORD = 81


def _png_without_texts(data: bytes) -> Mended | None:
    kept = [data[:_PNG_START]]
    at, dropped = _PNG_START, False
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if _is_unread(data[at + 4 : min(at + 8 + _KEYWORD, end - 4)], end - at):
            dropped = True
        else:
            kept.append(data[at:end])
        at = end
    if not dropped:
        return None
    return Mended(lambda: open_image("PNG", BytesIO(b"".join(kept))))


def _is_unread(head: bytes, size: int) -> bool:
    """Whether a chunk is left out, by its kind and what follows, and its size in bytes."""
    kind = head[:4]
    if kind in _UNREAD_CHUNKS:
        return True
    _, _, after = head[4:].partition(b"\0")
    is_packed = kind == b"iTXt" and not after.startswith(b"\0")
    return kind in _TEXT_CHUNKS and (is_packed or size > _TEXT_BYTES)


# Of a pixel, until a bitmap is decoded: its numbers, and each channel.
_BITMAP_BYTES = 8


def _bitmap(data: bytes) -> Mended | None:
    from hiersearch.photos.formats.bitmaps import read_bitmap, read_header

    header = read_header(data)
    if header is None:
        return None
    size = header.width, header.height
    return Mended(lambda: read_bitmap(data, header), size, _BITMAP_BYTES * size[0] * size[1])


def _deep_tiff(data: bytes) -> Mended | None:
    from hiersearch.photos.formats.deep_tiff import read_deep, read_layout

    layout = read_layout(data)
    if layout is None:
        return None
    return Mended(lambda: read_deep(data, layout), (layout.width, layout.height), layout.memory)
