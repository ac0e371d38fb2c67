"""Reads a photo into memory once, and decodes it whatever is wrong with it, or says why not."""

from __future__ import annotations

import errno
import hashlib
import stat
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos.exif import read_exif
from hiersearch.photos.pixels import shrink, to_rgb, turn_upright
from hiersearch.photos.quiet import PILLOW_QUIET

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from PIL.ImageFile import ImageFile

__all__ = ["MAX_PIXELS", "Photo", "content_hash", "read_photo"]

# The largest phone cameras take 200 megapixels. (In WebP and TIFF Pillow itself stops at 179.)
MAX_PIXELS = 200_000_000
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
        image: 8-bit RGB, upright, without metadata; perhaps smaller than the file's.
        width: Of the upright photo in the file, in pixels.
        height: Likewise.
        taken: When the photo was taken, if its EXIF block says so; with an offset from UTC if that
            is stated, else in the camera's local time.
        content_hash: Of the file's bytes, as `content_hash` gives it.
    """

    image: Image.Image
    width: int
    height: int
    taken: datetime | None
    content_hash: str


def content_hash(path: Path) -> str:
    """Return the first half of the SHA-256 of a file's bytes: 32 hexadecimal digits, like a UUID.

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

    The format is told by the file's first bytes, never by its name. Of an animation the first
    frame is read, of a file with several pictures the main one. Safe to call from several threads.

    Args:
        path: A regular file of at most 512 MiB.
        min_side: The size in pixels that the photo's shorter side will be resized to. Lets the
            photo be decoded smaller, much faster for a JPEG, but never below twice that size.
        max_pixels: The most pixels a file may claim; nothing is decoded of one that claims more.

    Returns:
        The photo, upright and in 8-bit RGB; see `hiersearch.photos.pixels` for what becomes of
        transparent and deeper pixels.

    Raises:
        UnreadablePhotoError: With the reason alone as its message, in a few plain words.
    """
    try:
        data = _read(path)
        with PILLOW_QUIET:
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
        # The plugins themselves, because Image.open warns of and refuses sizes by a global limit.
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
            orientation, taken = read_exif(image)
            rgb = to_rgb(image)
        if min_side is not None:
            rgb = shrink(rgb, _GAP * min_side)
        upright = turn_upright(rgb, orientation)
    except UnreadablePhotoError:
        raise
    # On hostile files Pillow has raised TypeError, ValueError, SyntaxError, KeyError, struct.error,
    # MemoryError and more: all of it means that this photo cannot be decoded.
    except Exception as error:
        raise UnreadablePhotoError(_image_reason(error, form)) from error
    if orientation >= 5:
        width, height = height, width
    content = hashlib.sha256(data).hexdigest()[:_HASH_DIGITS]
    return Photo(upright, width, height, taken, content)


def _format_of(data: bytes) -> str | None:
    """Tell the format by the first bytes."""
    if data[4:8] == b"ftyp":
        box = data[: max(16, min(int.from_bytes(data[:4]), 4096))]
        brands = {box[8:12]} | {box[start : start + 4] for start in range(16, len(box), 4)}
        # "mif1" stands in both: AVIF is told by its own brand among the compatible ones.
        if brands & _AVIF_BRANDS:
            return "AVIF"
        return "HEIC" if brands & _HEIC_BRANDS else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return next((form for form, start in _STARTS if data.startswith(start)), None)


def _open_heic(file: IO[bytes]) -> ImageFile:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise UnreadablePhotoError(
            "HEIC needs the package pillow-heif",
            hint='Install it: pip install "hiersearch[heic]"',
        ) from error
    image: ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]
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
