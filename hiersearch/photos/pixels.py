"""Turns any image into what encoders read: upright 8-bit RGB, not much longer than wide."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from hiersearch.errors import PhotosNotFoundError, UnreadablePhotoError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "shrink",
    "to_rgb",
    "turn_upright",
    "upright",
]

# The transposition that undoes each EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Cameras and scanners put fewer bits into 16-bit files.
_SENSOR_BITS = (8, 10, 12, 14, 16)

LONGEST = 20
"""How many times as long as wide a photo may be: resizing its short edge makes the other huge."""


def to_rgb(image: Image.Image) -> Image.Image:
    """The 8-bit RGB image of a decoded one, without metadata.

    Transparent pixels become white; greys of more than 8 bits are scaled to 0..255. Colour
    profiles are not applied.
    """
    if image.mode.startswith("I") or image.mode == "F":
        rgb = Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    elif image.mode == "LAB":
        rgb = _lab_to_rgb(image)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", image.size, "white")
        rgb.paste(rgba, mask=rgba.getchannel("A"))
    else:
        rgb = image if image.mode == "RGB" else image.convert("RGB")
    # So that nobody turns the image a second time.
    rgb.info.clear()
    with suppress(Exception):  # Pillow raises nearly anything on a broken block
        rgb.getexif().clear()
    return rgb


def shrink(image: Image.Image, min_side: int) -> Image.Image:
    """Average whole blocks of pixels as long as the shorter side keeps `min_side`."""
    factor = min(image.size) // min_side
    return image.reduce(factor) if factor > 1 else image


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Undo an EXIF orientation, 1 to 8."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def upright(photo: Image.Image | str | Path) -> Image.Image:
    """Make a photo upright RGB; of a very long one, keep the middle.

    Args:
        photo: An image, or the path of an image file, which is decoded in full.

    Returns:
        A decoded image of mode RGB.

    Raises:
        PhotosNotFoundError: The path does not exist.
        UnreadablePhotoError: The file cannot be decoded.
    """
    if isinstance(photo, Image.Image):
        return _as_rgb(photo)
    try:
        with Image.open(photo) as image:
            return _as_rgb(image)
    except FileNotFoundError as error:
        raise PhotosNotFoundError(f"there is no photo {photo}") from error
    except Exception as error:  # Pillow raises nearly anything on a damaged file.
        raise UnreadablePhotoError(f"{photo} cannot be decoded: {error}") from error


def _to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale deep greys to 0..255.

    Integers are divided by the largest number of as many bits (8, 10, 12, 14 or 16) as hold them
    all; floats between 0 and 1 are multiplied; anything else is stretched from its least to its
    greatest value. Values that are not finite become black.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    least, greatest = float(values[finite].min()), float(values[finite].max())
    whole = np.issubdtype(values.dtype, np.integer)
    if whole and least >= 0 and greatest < 2 ** _SENSOR_BITS[-1]:
        black, span = 0.0, float(next(2**bits - 1 for bits in _SENSOR_BITS if greatest < 2**bits))
    elif not whole and least >= 0 and greatest <= 1:
        black, span = 0.0, 1.0
    else:
        black, span = least, greatest - least or 1.0
    with np.errstate(over="ignore"):  # floats of both signs near their greatest value
        scaled = (np.where(finite, values, black).astype(np.float32) - black) * (255 / span)
    rounded: NDArray[np.uint8] = (np.clip(scaled, 0, 255) + 0.5).astype(np.uint8)
    return rounded


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    rgb = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert rgb is not None
    return rgb


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # convert("RGB") would cut off all above 255
        image = image.point(lambda value: value / 256).convert("L")
    image.load()
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    width, height = rgb.size
    longest = LONGEST * min(width, height)
    if max(width, height) > longest:
        left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
        return rgb.crop((left, top, width - left, height - top))
    return rgb
