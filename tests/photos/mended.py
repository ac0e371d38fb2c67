"""Made photos, and what is read of them."""

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

__all__ = ["HEIGHT", "WIDTH", "noise", "pixels", "png_chunk", "read", "reason", "saved", "shades"]

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


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
