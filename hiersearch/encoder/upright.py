"""Any image as image towers want it: upright, 8-bit RGB, of a sane shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ExifTags, Image, ImageOps

from hiersearch.errors import PhotosNotFoundError, UnreadablePhotoError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["upright"]

LONGEST = 20
"""How many times as long as wide a photo may be: resizing its short edge makes the other huge."""


def upright(photo: Image.Image | str | Path) -> Image.Image:
    """Make a photo upright RGB; of one that is very long, keep the middle.

    Args:
        photo: An image, or the path of an image file, which is decoded in full.

    Returns:
        A decoded image of mode RGB.

    Raises:
        PhotosNotFoundError: If the path is not there.
        UnreadablePhotoError: If the file cannot be decoded.
    """
    if isinstance(photo, Image.Image):
        return _as_rgb(photo)
    try:
        with Image.open(photo) as image:
            return _as_rgb(image)
    except FileNotFoundError as error:
        raise PhotosNotFoundError(f"there is no photo {photo}") from error
    except Exception as error:  # Pillow raises whatever a damaged file makes it trip over.
        raise UnreadablePhotoError(f"{photo} cannot be decoded: {error}") from error


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
