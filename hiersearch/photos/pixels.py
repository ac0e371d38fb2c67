"""Turns any image into what encoders read: upright 8-bit RGB, not much longer than wide."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, ImageOps

from hiersearch.errors import PhotosNotFoundError, UnreadablePhotoError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "bytes_per_pixel",
    "middle",
    "small_rgb",
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

# Above this ratio a photo is made exactly as small as it may be, whatever that costs: its longer
# side makes up for what whole blocks save.
_LONG = 4

# Pixels that are converted at a time.
_STRIP = 2_000_000


def to_rgb(image: Image.Image) -> Image.Image:
    """The 8-bit RGB image of a decoded one, without metadata.

    Transparent pixels become white; greys of more than 8 bits are scaled to 0..255. Colour
    profiles are not applied.
    """
    return _to_rgb(image, _grey_range(image))


def small_rgb(image: Image.Image, min_side: int) -> Image.Image:
    """The middle of a decoded image as 8-bit RGB, made small.

    Whole blocks of pixels are averaged as long as the shorter side keeps `min_side`; of what is
    much longer than wide, which stays large even so, that side is made `min_side` long. Works in
    strips: beside the image, little more than the result is held.

    Args:
        image: The image, of any mode.
        min_side: In pixels.

    Returns:
        What `to_rgb` would give, smaller, at most `LONGEST` times as long as wide.
    """
    box = middle(image.size)
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    factor = min(width, height) // min_side
    if factor < 2:
        small = to_rgb(image.crop(box) if box != (0, 0, *image.size) else image)
    elif image.mode == "RGB" and "transparency" not in image.info:
        small = _bare(image.reduce(factor, box))
    else:
        small = _reduced_in_strips(image, box, factor)
    longer, shorter = max(small.size), min(small.size)
    if longer > _LONG * shorter and shorter > min_side:
        scale = min_side / shorter
        return small.resize(
            (max(1, round(small.width * scale)), max(1, round(small.height * scale))),
            Image.Resampling.BICUBIC,
        )
    return small


def _reduced_in_strips(
    image: Image.Image, box: tuple[int, int, int, int], factor: int
) -> Image.Image:
    left, top, right, bottom = box
    size = (-(-(right - left) // factor), -(-(bottom - top) // factor))
    small = Image.new("RGB", size)
    span = _grey_range(image)
    rows = max(1, _STRIP // (factor * (right - left))) * factor
    for start in range(top, bottom, rows):
        strip = _to_rgb(image.crop((left, start, right, min(start + rows, bottom))), span)
        small.paste(strip.reduce(factor), (0, (start - top) // factor))
    return small


def middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a very long image that is looked at: left, top, right, bottom."""
    width, height = size
    longest = LONGEST * min(width, height)
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return left, top, width - left, height - top


def bytes_per_pixel(mode: str) -> int:
    """How much memory Pillow takes for a pixel of a decoded image."""
    if mode in ("1", "L", "P"):
        return 1
    return 2 if mode.startswith("I;16") else 4


def _to_rgb(image: Image.Image, span: tuple[float, float]) -> Image.Image:
    if _is_deep(image.mode):
        rgb = _deep_to_rgb(image, span)
    elif image.mode == "LAB":
        rgb = _lab_to_rgb(image)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", image.size, "white")
        rgb.paste(rgba, mask=rgba.getchannel("A"))
    else:
        rgb = image if image.mode == "RGB" else image.convert("RGB")
    return _bare(rgb)


def _bare(rgb: Image.Image) -> Image.Image:
    """The image without metadata, so that nobody turns it a second time."""
    rgb.info.clear()
    with suppress(Exception):  # Pillow raises nearly anything on a broken block
        rgb.getexif().clear()
    return rgb


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


def _is_deep(mode: str) -> bool:
    return mode.startswith("I") or mode == "F"


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _grey_range(image: Image.Image) -> tuple[float, float]:
    """What is black in a deep grey, and how far above it white is.

    Integers reach to the largest number of as many bits (8, 10, 12, 14 or 16) as hold them all,
    floats between 0 and 1 to 1; anything else from its least to its greatest value.
    """
    if not _is_deep(image.mode):
        return 0.0, 1.0
    import numpy as np

    least, greatest, whole = math.inf, -math.inf, image.mode != "F"
    for strip in _strips(image):
        values = np.asarray(strip)
        if not whole:
            values = values[np.isfinite(values)]
        if values.size:
            least, greatest = min(least, float(values.min())), max(greatest, float(values.max()))
    if least > greatest:  # nothing is finite
        return 0.0, 1.0
    if whole and least >= 0 and greatest < 2 ** _SENSOR_BITS[-1]:
        return 0.0, float(next(2**bits - 1 for bits in _SENSOR_BITS if greatest < 2**bits))
    if not whole and least >= 0 and greatest <= 1:
        return 0.0, 1.0
    return least, greatest - least or 1.0


def _deep_to_rgb(image: Image.Image, span: tuple[float, float]) -> Image.Image:
    rgb = Image.new("RGB", image.size)
    top = 0
    for strip in _strips(image):
        rgb.paste(Image.fromarray(_to_8_bits(strip, *span)).convert("RGB"), (0, top))
        top += strip.height
    return rgb


def _to_8_bits(image: Image.Image, black: float, span: float) -> NDArray[np.uint8]:
    """(height, width): values scaled to 0..255; what is not finite becomes black."""
    import numpy as np

    values = np.asarray(image)
    finite = np.where(np.isfinite(values), values, black) if image.mode == "F" else values
    with np.errstate(over="ignore"):  # floats of both signs near their greatest value
        scaled = (finite.astype(np.float32) - black) * (255 / span)
    rounded: NDArray[np.uint8] = (np.clip(scaled, 0, 255) + 0.5).astype(np.uint8)
    return rounded


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

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
    box = middle(rgb.size)
    return rgb if box == (0, 0, *rgb.size) else rgb.crop(box)
