"""The formats of photo files: told by their first bytes, opened by Pillow, and why one fails."""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Literal

from PIL import Image

from hiersearch.errors import MissingPackageError, UnreadablePhotoError, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.ImageFile import ImageFile

__all__ = [
    "HEAD",
    "blank_before",
    "format_of",
    "image_reason",
    "is_raw",
    "open_image",
    "stated_size",
]

HEAD = 4096
"""How many of a file's first bytes tell its format."""

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_STARTS: tuple[tuple[str, bytes | tuple[bytes, ...]], ...] = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", (b"GIF87a", b"GIF89a")),
    ("BMP", b"BM"),
    ("JXL", (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    ("RAW", (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
)
# Sizes of the headers that a bitmap without a file header begins with.
_BITMAP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

_BLANK = b"\r\n\t \0"


def format_of(data: bytes) -> str | None:
    """The format, by the first bytes."""
    if data[4:8] == b"ftyp":
        box = data[: max(16, min(int.from_bytes(data[:4]), HEAD))]
        brands = {box[8:12]} | {box[start : start + 4] for start in range(16, len(box), 4)}
        # Both may have "mif1"; AVIF also lists its own brand.
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if b"crx " in brands:
            return "RAW"
        return "HEIC" if brands & _HEIC_BRANDS else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if found := next((form for form, start in _STARTS if data.startswith(start)), None):
        return found
    return "DIB" if _is_bare_bitmap(data) else None


_SUBFILE, _MAKE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 271, 330, 50706


def is_raw(tiff: IO[bytes]) -> bool:
    """Whether a TIFF is a camera's raw file: its first picture is small, and others are inside.

    Args:
        tiff: The file, at any byte.
    """
    tiff.seek(0)
    head = tiff.read(12)
    if head[8:11] == b"CR\x02":
        return True
    order: Literal["little", "big"] = "little" if head.startswith(b"II") else "big"
    tiff.seek(int.from_bytes(head[4:8], order))
    directory = tiff.read(HEAD)

    def number(at: int, size: int) -> int:
        return int.from_bytes(directory[at : at + size], order)

    entries = range(2, min(2 + 12 * number(0, 2), len(directory)), 12)
    values = {number(at, 2): number(at + 8, 4) for at in entries}
    is_small = values.get(_SUBFILE) == 1
    return _DNG_VERSION in values or (is_small and _MAKE in values and _SUB_DIRECTORIES in values)


def _is_bare_bitmap(data: bytes) -> bool:
    size = int.from_bytes(data[:4], "little")
    if size not in _BITMAP_HEADERS:
        return False
    at = 8 if size == 12 else 12
    planes, bits = (int.from_bytes(data[i : i + 2], "little") for i in (at, at + 2))
    return planes == 1 and bits in (1, 2, 4, 8, 16, 24, 32)


def blank_before(data: bytes) -> int:
    """How many blank bytes come before a photo: some web servers have put a line end there."""
    blank = len(data) - len(data.lstrip(_BLANK))
    return blank if format_of(data) is None and format_of(data[blank:]) not in (None, "DIB") else 0


def open_image(form: str, file: IO[bytes], *, one_thread: bool = False) -> ImageFile:
    """Opens an image, whose pixels are not decoded yet.

    Not by `Image.open`, which applies a global limit of its own to the size.

    Args:
        form: The format, as `format_of` names it.
        file: The file, at its first byte.
        one_thread: Decode AVIF and HEIC in one thread from now on: as many as there are processors
            take memory each. Holds for the whole process.

    Raises:
        UnreadablePhotoError: What reads the format is not installed.
        Exception: Nearly anything, on a damaged file.
    """
    if form == "HEIC":
        return _open_heic(file, one_thread)
    plugin, name = _PLUGINS[form]
    module: Any = import_module(f"PIL.{plugin}")
    if form == "AVIF":
        if not module.SUPPORTED:
            raise UnreadablePhotoError(
                "this build of Pillow cannot read AVIF", hint="Install Pillow from its wheel"
            )
        if one_thread:
            module.DEFAULT_MAX_THREADS = 1
    opener: Callable[[IO[bytes]], ImageFile] = getattr(module, name)
    return opener(file)


# Imported when first used: a process that decodes photos begins sooner.
_PLUGINS = {
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "DIB": ("BmpImagePlugin", "DibImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
    "WebP": ("WebPImagePlugin", "WebPImageFile"),
}


def _open_heic(file: IO[bytes], one_thread: bool) -> ImageFile:
    try:
        heif = require("pillow_heif", extra="heic", purpose="HEIC")
    except MissingPackageError as error:
        raise UnreadablePhotoError(error.message, hint=error.hint) from error
    if one_thread:
        heif.options.DECODE_THREADS = 1
    image: ImageFile = heif.HeifImageFile(file)
    return image


def stated_size(form: str, head: bytes) -> tuple[int, int] | None:
    """Width and height that a HEIC or AVIF file's first bytes state; decoders hide why they fail.

    Returns:
        The largest of the sizes there; None for other formats, or if there is none.
    """
    if form not in ("AVIF", "HEIC"):
        return None
    sizes = []
    at = head.find(b"ispe")
    while at >= 0:
        box = head[at + 8 : at + 16]
        sizes.append((int.from_bytes(box[:4]), int.from_bytes(box[4:])))
        at = head.find(b"ispe", at + 4)
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def image_reason(error: Exception, form: str) -> str:
    """Why an image cannot be decoded, in a few plain words."""
    if isinstance(error, MemoryError):
        return "too large for this machine's memory"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return f"truncated {form} file"
    return f"damaged {form} file, or of an unusual kind"
