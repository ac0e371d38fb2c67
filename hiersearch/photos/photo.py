"""Reads a photo file: its pixels, its size, when it was taken and a hash of its content.

Whatever is wrong with a file, it is decoded or refused with a short reason. Pillow prints and
raises a lot on damaged files; all of that is caught here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos.exif import read_exif
from hiersearch.photos.formats.mending import Mended, mendings, readings
from hiersearch.photos.formats.packages import BY_PACKAGES
from hiersearch.photos.formats.photo_formats import (
    HEAD,
    blank_before,
    format_of,
    image_reason,
    is_raw,
    open_image,
    stated_size,
)
from hiersearch.photos.opening import MAX_FILE_BYTES, file_hash, file_reason, open_regular
from hiersearch.photos.pixels import bytes_per_pixel, small_rgb, to_rgb, turn_upright
from hiersearch.photos.quiet import PILLOW_QUIET

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from PIL import Image

__all__ = ["MAX_PIXELS", "MemoryNeededError", "Photo", "content_hash", "read_photo"]

MAX_PIXELS = 200_000_000
"""The most pixels that are decoded: the largest phone cameras take 200 megapixels. (For WebP and
TIFF, Pillow itself stops at 179.)"""

# A photo that is to be resized to n pixels is decoded to at least this many times n: Pillow's
# documentation of `thumbnail` calls the result of a gap of 2 nearly indistinguishable.
_GAP = 2


class MemoryNeededError(UnreadablePhotoError):
    """A photo needs more memory to decode than it was granted."""


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
        note: What is wrong with the file although its photo could be read; empty if nothing is.
    """

    image: Image.Image
    width: int
    height: int
    taken: datetime | None
    content_hash: str
    note: str = ""


def content_hash(path: Path) -> str:
    """The first half of the SHA-256 of a file's bytes: 32 hexadecimal digits, like a UUID.

    Raises:
        UnreadablePhotoError: The file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file_hash(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise UnreadablePhotoError(file_reason(error)) from error


def read_photo(
    path: Path,
    *,
    min_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_memory: int | None = None,
) -> Photo:
    """Read and decode a photo: JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF, or HEIC with pillow-heif.

    The file's first bytes decide the format, never its name. Of an animation the first frame is
    read, of a file with several pictures the main one. Safe to call from several threads. A file
    can be made to take minutes: `PhotoReaders` sets limits to that, too.

    Args:
        path: A regular file of at most 512 MiB.
        min_side: The size in pixels that the photo's shorter side will be resized to. Lets the
            photo be decoded smaller, much faster for a JPEG, but never below twice that size, and
            its ends cut off where it is more than 20 times as long as wide.
        max_pixels: The most pixels a file may claim; a file that claims more is not decoded.
        max_memory: The most bytes that decoding may take by what the file's header states.

    Returns:
        The photo, upright and in 8-bit RGB; `hiersearch.photos.pixels.to_rgb` says how transparent
        and deeper pixels are converted.

    Raises:
        UnreadablePhotoError: Its message is just the reason, in a few plain words.
    """
    limits = _Limits(min_side, max_pixels, max_memory)
    try:
        with open_regular(path) as file, PILLOW_QUIET:
            return _read(file, limits)
    except UnreadablePhotoError as error:
        error.add_note(f"Photo: {path!a}")
        raise
    except OSError as error:
        raise UnreadablePhotoError(file_reason(error)) from error


@dataclass(frozen=True)
class _Limits:
    """See the arguments of `read_photo`."""

    min_side: int | None
    max_pixels: int
    max_memory: int | None

    @property
    def one_thread(self) -> bool:
        """Whether decoders are to be kept from taking memory for each of many threads."""
        return self.max_memory is not None

    def check(self, size: tuple[int, int]) -> None:
        width, height = size
        if width * height > self.max_pixels:
            raise UnreadablePhotoError(
                f"too many pixels ({width} x {height}; the limit is {self.max_pixels:,})"
            )

    def check_memory(self, needed: int) -> None:
        if self.max_memory is not None and needed > self.max_memory:
            raise MemoryNeededError(
                f"needs more than {self.max_memory // 2**20} MB of memory to decode"
            )


def _read(file: IO[bytes], limits: _Limits) -> Photo:
    size = os.fstat(file.fileno()).st_size
    if size > MAX_FILE_BYTES:
        raise UnreadablePhotoError(f"file of more than {MAX_FILE_BYTES // 2**20} MiB")
    head = file.read(HEAD) if size else b""
    if not head:
        raise UnreadablePhotoError("empty file")
    blank = blank_before(head)
    form = format_of(head[blank:])
    if form is None:
        raise UnreadablePhotoError("not an image, or not in a format that can be read")
    if form == "TIFF" and not blank and is_raw(file):
        form = "RAW"

    def data() -> bytes:
        limits.check_memory(3 * size)
        file.seek(blank)
        return file.read(size)

    try:
        decoded = _decode(form, file, data, head[blank:], blank, limits)
    except UnreadablePhotoError:
        raise
    # On hostile files Pillow has raised TypeError, ValueError, SyntaxError, KeyError, struct.error,
    # MemoryError and more; each means that this photo cannot be decoded.
    except Exception as error:
        raise UnreadablePhotoError(image_reason(error, form)) from error
    file.seek(0)
    width, height = decoded.size
    return Photo(decoded.image, width, height, decoded.taken, file_hash(file, size), decoded.note)


@dataclass(frozen=True)
class _Decoded:
    image: Image.Image
    size: tuple[int, int]
    taken: datetime | None
    note: str = ""


def _decode(
    form: str,
    file: IO[bytes],
    data: Callable[[], bytes],
    head: bytes,
    blank: int,
    limits: _Limits,
) -> _Decoded:
    """Decodes the file as it is, or else as one that its known faults were taken out of."""
    try:
        if blank:
            file = BytesIO(data())
        else:
            file.seek(0)
        if form in BY_PACKAGES:
            return _decode_mended(form, BY_PACKAGES[form](data()), limits)
        image = open_image(form, file, one_thread=limits.one_thread)
        for reading in readings(form, image):
            limits.check(image.size)
            better = reading(data())
            if better is not None:
                return _decode_mended(form, better, limits)
        return _decode_image(form, image, limits)
    except (UnreadablePhotoError, MemoryError):
        raise
    except Exception as error:
        if stated := stated_size(form, head):
            limits.check(stated)
        for mend in mendings(form, error):
            mended = mend(data())
            if mended is not None:
                return _decode_mended(form, mended, limits)
        raise


def _decode_mended(form: str, mended: Mended, limits: _Limits) -> _Decoded:
    limits.check(mended.size or (0, 0))
    limits.check_memory(mended.memory)
    decoded = _decode_image(mended.form or form, mended.open(), limits)
    if mended.is_whole is not None and not mended.is_whole(decoded.image):
        raise UnreadablePhotoError(f"truncated {form} file")
    return _Decoded(decoded.image, decoded.size, decoded.taken, mended.note)


def _decode_image(form: str, image: Image.Image, limits: _Limits) -> _Decoded:
    with image:
        size = image.size
        limits.check(size)
        least = None if limits.min_side is None else _GAP * limits.min_side
        if least is not None and form == "JPEG":
            image.draft(None, (least, least))
        limits.check_memory(_needed(form, image, size))
        image.load()
        # Only now: some formats turn themselves upright as they are loaded.
        orientation, taken = read_exif(image)
        rgb = to_rgb(image) if least is None else small_rgb(image, least)
    upright = turn_upright(rgb, orientation)
    return _Decoded(upright, size[::-1] if orientation >= 5 else size, taken)


def _needed(form: str, image: Image.Image, size: tuple[int, int]) -> int:
    """Roughly how many bytes decoding takes, beside what it takes for every photo."""
    width, height = size
    needed = image.width * image.height * bytes_per_pixel(image.mode)
    if form == "JPEG" and image.info.get("progressive"):
        # All coefficients are kept, of two bytes, until the last pass is read.
        layers = getattr(image, "layer", ())
        most = max((h * v for _, h, v, _ in layers), default=1)
        needed += int(2 * width * height * sum(h * v for _, h, v, _ in layers) / most)
    elif form in ("AVIF", "HEIC", "WebP"):
        # The frame as it was coded, and once more as RGB.
        needed += 5 * width * height
    elif form == "GIF":
        needed += 4 * width * height
    return needed
