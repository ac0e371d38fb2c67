"""Reads a photo file: its pixels, its size, when it was taken and a hash of its content.

Whatever is wrong with a file, it is decoded or refused with a short reason. Pillow prints and
raises a lot on damaged files; all of that is caught here.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import logging
import re
import stat
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from hiersearch.errors import MissingPackageError, UnreadablePhotoError, require
from hiersearch.photos.pixels import shrink, to_rgb, turn_upright

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableSequence
    from pathlib import Path

    from PIL.ImageFile import ImageFile

__all__ = ["MAX_PIXELS", "Photo", "content_hash", "read_photo"]

MAX_PIXELS = 200_000_000
"""The most pixels that are decoded: the largest phone cameras take 200 megapixels. (For WebP and
TIFF, Pillow itself stops at 179.)"""

_MAX_BYTES = 512 * 2**20

# A photo that is to be resized to n pixels is decoded to at least this many times n: Pillow's
# documentation of `thumbnail` calls the result of a gap of 2 nearly indistinguishable.
_GAP = 2

_HASH_DIGITS = 32

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    Attributes:
        image: 8-bit RGB, upright, without metadata; may be smaller than the file's.
        width: Width of the file's photo, once upright, in pixels.
        height: Its height, likewise.
        taken: When the photo was taken, if its EXIF block says so; with an offset from UTC if that
            is stated, else in the camera's local time.
        content_hash: Hash of the file's bytes, as `content_hash` returns it.
    """

    image: Image.Image
    width: int
    height: int
    taken: datetime | None
    content_hash: str


def content_hash(path: Path) -> str:
    """The first half of the SHA-256 of a file's bytes: 32 hexadecimal digits, like a UUID.

    Raises:
        UnreadablePhotoError: The file cannot be read.
    """
    try:
        _size_of_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_HASH_DIGITS]
    except (OSError, ValueError) as error:
        raise UnreadablePhotoError(_file_reason(error)) from error


def read_photo(path: Path, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read and decode a photo: JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF, or HEIC with pillow-heif.

    The file's first bytes decide the format, never its name. Of an animation the first frame is
    read, of a file with several pictures the main one. Safe to call from several threads.

    Args:
        path: A regular file of at most 512 MiB.
        min_side: The size in pixels that the photo's shorter side will be resized to. Lets the
            photo be decoded smaller, much faster for a JPEG, but never below twice that size.
        max_pixels: The most pixels a file may claim; a file that claims more is not decoded.

    Returns:
        The photo, upright and in 8-bit RGB; `hiersearch.photos.pixels.to_rgb` says how transparent
        and deeper pixels are converted.

    Raises:
        UnreadablePhotoError: Its message is just the reason, in a few plain words.
    """
    try:
        data = _read(path)
        with _PILLOW_QUIET:
            return _decode(data, min_side=min_side, max_pixels=max_pixels)
    except UnreadablePhotoError as error:
        error.add_note(f"Photo: {path!a}")
        raise


def _read(path: Path) -> bytes:
    try:
        if _size_of_regular(path) > _MAX_BYTES:
            raise UnreadablePhotoError(f"file of more than {_MAX_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except (OSError, ValueError, MemoryError) as error:
        raise UnreadablePhotoError(_file_reason(error)) from error
    if not data:
        raise UnreadablePhotoError("empty file")
    return data


def _size_of_regular(path: Path) -> int:
    status = path.stat()
    # Opening a pipe would wait for a writer, and some devices never end.
    if not stat.S_ISREG(status.st_mode):
        raise UnreadablePhotoError("not a regular file")
    return status.st_size


def _decode(data: bytes, *, min_side: int | None, max_pixels: int) -> Photo:
    form = _format_of(data)
    if form is None:
        raise UnreadablePhotoError("not an image, or not in a format that can be read")
    try:
        # Not Image.open, which applies a global limit of its own to the size.
        with _OPENERS[form](BytesIO(data)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise UnreadablePhotoError(
                    f"too many pixels ({width} x {height}; the limit is {max_pixels:,})"
                )
            if min_side is not None and form == "JPEG":
                image.draft(None, (_GAP * min_side, _GAP * min_side))
            image.load()
            # Only now: some formats turn themselves upright as they are loaded.
            orientation, taken = _read_exif(image)
            rgb = to_rgb(image)
        if min_side is not None:
            rgb = shrink(rgb, _GAP * min_side)
        upright = turn_upright(rgb, orientation)
    except UnreadablePhotoError:
        raise
    # On hostile files Pillow has raised TypeError, ValueError, SyntaxError, KeyError, struct.error,
    # MemoryError and more; each means that this photo cannot be decoded.
    except Exception as error:
        raise UnreadablePhotoError(_image_reason(error, form)) from error
    if orientation >= 5:
        width, height = height, width
    content = hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]
    return Photo(upright, width, height, taken, content)


def _format_of(data: bytes) -> str | None:
    """The format, by the first bytes."""
    if data[4:8] == b"ftyp":
        box = data[: max(16, min(int.from_bytes(data[:4]), 4096))]
        brands = {box[8:12]} | {box[start : start + 4] for start in range(16, len(box), 4)}
        # Both may have "mif1"; AVIF also lists its own brand.
        if brands & _AVIF_BRANDS:
            return "AVIF"
        return "HEIC" if brands & _HEIC_BRANDS else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return next((form for form, start in _STARTS if data.startswith(start)), None)


def _open_heic(file: IO[bytes]) -> ImageFile:
    try:
        heif = require("pillow_heif", extra="heic", purpose="HEIC")
    except MissingPackageError as error:
        raise UnreadablePhotoError(error.message, hint=error.hint) from error
    image: ImageFile = heif.HeifImageFile(file)
    return image


def _open_avif(file: IO[bytes]) -> ImageFile:
    if not AvifImagePlugin.SUPPORTED:
        raise UnreadablePhotoError(
            "this build of Pillow cannot read AVIF", hint="Install Pillow from its wheel"
        )
    return AvifImagePlugin.AvifImageFile(file)


_OPENERS: dict[str, Callable[[IO[bytes]], ImageFile]] = {
    "AVIF": _open_avif,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "HEIC": _open_heic,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
_STARTS = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", (b"GIF87a", b"GIF89a")),
    ("BMP", b"BM"),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
)


def _file_reason(error: Exception) -> str:
    match error:
        case OSError(errno=errno.ENOENT | errno.ENOTDIR):
            return "not there any more"
        case OSError(strerror=str(text)):
            return text.lower()
        case MemoryError():
            return "too large for this machine's memory"
    return "not a path that can be opened"


def _image_reason(error: Exception, form: str) -> str:
    if isinstance(error, MemoryError):
        return "too large for this machine's memory"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return f"truncated {form} file"
    return f"damaged {form} file, or of an unusual kind"


# Tags of dates, best first, each with the tag of its offset from UTC.
_DATE_TAGS = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    (ExifTags.Base.DateTime, ExifTags.Base.OffsetTime),
)
# "2021:07:03 14:05:59" by the book; some programs write ISO 8601, or no seconds.
_DATE = re.compile(r"\s*(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_OFFSET = re.compile(r"\s*([+-]\d\d):?(\d\d)")


def _read_exif(image: Image.Image) -> tuple[int, datetime | None]:
    """The orientation, 1 (upright) to 8, and the date that a decoded image's EXIF block states.

    A broken block counts as none: the pixels may be fine all the same.
    """
    tags: dict[int, object] = {}
    # Pillow raises nearly anything on a broken block, and a block is read piece by piece.
    with suppress(Exception):
        exif = image.getexif()
        tags.update(exif)
        tags.update(exif.get_ifd(ExifTags.IFD.Exif))
    orientation = tags.get(ExifTags.Base.Orientation)
    return (
        orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        _date_taken(tags),
    )


def _date_taken(tags: Mapping[int, object]) -> datetime | None:
    for date_tag, offset_tag in _DATE_TAGS:
        date = _DATE.match(_text(tags.get(date_tag)))
        if date is None:
            continue
        year, month, day, hour, minute, second = date.groups(default="00")
        offset = _OFFSET.match(_text(tags.get(offset_tag)))
        moment = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        for zone in (":".join(offset.groups()), "") if offset else ("",):
            with suppress(ValueError):  # "0000:00:00 00:00:00", the 31st of June, +99:00
                return datetime.fromisoformat(moment + zone)
    return None


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


# An entry as `warnings.filterwarnings("ignore", module="PIL")` makes it.
_FILTER = ("ignore", None, Warning, re.compile(r"PIL(\.|$)"), 0)


class _PillowQuiet:
    """Keeps Pillow from printing while any thread is inside.

    `warnings.catch_warnings` is not safe with threads: it restores a saved list of filters, which
    another thread may have changed. So the first thread in adds one filter, and the last one out
    removes just that filter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._no_last_resort = logging.NullHandler()
        self._set_tiff_handler: Callable[[int | None], int | None] | None = None
        self._tiff_handler: int | None = None

    def __enter__(self) -> None:
        filters = cast("MutableSequence[object]", warnings.filters)
        with self._lock:
            self._inside += 1
            if _FILTER not in filters:
                filters.insert(0, _FILTER)
            if self._inside == 1:
                # Without any handler, logging prints errors on stderr; the program's own handlers
                # still get them.
                logging.getLogger("PIL").addHandler(self._no_last_resort)
                self._set_tiff_handler = self._set_tiff_handler or _find_set_tiff_handler()
                self._tiff_handler = self._set_tiff_handler(None)

    def __exit__(self, *exception: object) -> None:
        filters = cast("MutableSequence[object]", warnings.filters)
        with self._lock:
            self._inside -= 1
            if not self._inside:
                if _FILTER in filters:
                    filters.remove(_FILTER)
                logging.getLogger("PIL").removeHandler(self._no_last_resort)
                if self._set_tiff_handler is not None:
                    self._set_tiff_handler(self._tiff_handler)


def _find_set_tiff_handler() -> Callable[[int | None], int | None]:
    """The libtiff function that sets where errors go; by default to stderr, bypassing Python.

    One damaged TIFF can write hundreds of lines, and Pillow has no setting for it.
    """
    try:
        extension = Image.core.__file__  # type: ignore[attr-defined]
        setter: Any = ctypes.CDLL(extension).TIFFSetErrorHandler
    except (AttributeError, OSError):  # a Pillow without libtiff, or that hides its symbols
        return lambda handler: handler
    setter.argtypes = [ctypes.c_void_p]
    setter.restype = ctypes.c_void_p
    return cast("Callable[[int | None], int | None]", setter)


# One for the process, because warnings, logging and libtiff have one state for the process.
_PILLOW_QUIET = _PillowQuiet()
