"""Cameras' raw files and JPEG XL, which packages read that are installed with an extra."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any

from PIL import Image

from hiersearch.errors import MissingPackageError, UnreadablePhotoError, require
from hiersearch.photos.formats.mending import Mended
from hiersearch.photos.formats.photo_formats import open_image

__all__ = ["BY_PACKAGES"]

# Bytes of a pixel, while libjxl or LibRaw decodes it.
_JXL_BYTES = 20
_RAW_BYTES = 16

_ORIENTATION = 274
# LibRaw's numbers of turns as EXIF's.
_FLIPS = {3: 3, 5: 8, 6: 6}


def _package(name: str, extra: str, purpose: str) -> Any:
    try:
        return require(name, extra=extra, purpose=purpose)
    except MissingPackageError as error:
        raise UnreadablePhotoError(error.message, hint=error.hint) from error


def _raw(data: bytes) -> Mended:
    """By the preview that the camera has put in; a file without one is developed, at half size."""
    rawpy = _package("rawpy", "raw", "reading a camera's raw file")
    with rawpy.imread(BytesIO(data)) as raw:
        turn = _FLIPS.get(raw.sizes.flip, 1)
        size = raw.sizes.width, raw.sizes.height
        try:
            preview = raw.extract_thumb()
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            memory = _RAW_BYTES * size[0] * size[1]
            return Mended(lambda: _developed(rawpy, data), size, memory)
    if preview.format == rawpy.ThumbFormat.JPEG:
        return Mended(lambda: _preview(preview.data, data, turn), form="JPEG")
    return Mended(lambda: _turned(Image.fromarray(preview.data), turn))


def _developed(rawpy: Any, data: bytes) -> Image.Image:
    with rawpy.imread(BytesIO(data)) as raw:
        return Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True))


def _preview(jpeg: bytes, data: bytes, turn: int) -> Image.Image:
    image = open_image("JPEG", BytesIO(jpeg))
    if "exif" in image.info:
        return image
    if data[:2] in (b"II", b"MM"):
        # Most raw files are TIFFs, some with a number of their own, and say more than a preview.
        start = b"II*\0" if data.startswith(b"II") else b"MM\0*"
        image.info["exif"] = b"Exif\0\0" + start + data[4:]
        return image
    return _turned(image, turn)


def _turned(image: Image.Image, turn: int) -> Image.Image:
    exif = Image.Exif()
    exif[_ORIENTATION] = turn
    image.info["exif"] = exif.tobytes()
    return image


def _jxl(data: bytes) -> Mended:
    pylibjxl = _package("pylibjxl", "jxl", "JPEG XL")
    found = pylibjxl.probe(data)
    size = int(found["width"]), int(found["height"])
    return Mended(lambda: _decoded_jxl(pylibjxl, data), size, _JXL_BYTES * size[0] * size[1])


def _decoded_jxl(pylibjxl: Any, data: bytes) -> Image.Image:
    pixels, extra = pylibjxl.decode(data, metadata=True)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    block = extra.get("exif", b"")
    if block:
        with suppress(Exception):  # Pillow raises nearly anything on a broken block
            exif = Image.Exif()
            # In the file four bytes come before it; not all versions of the package keep them.
            exif.load(b"Exif\0\0" + block[0 if block[:2] in (b"II", b"MM") else 4 :])
            exif[_ORIENTATION] = 1  # libjxl has turned the photo already
            image.info["exif"] = exif.tobytes()
    return image


BY_PACKAGES = {"RAW": _raw, "JXL": _jxl}
"""What opens a file of each format, by its bytes."""
