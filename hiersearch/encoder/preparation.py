"""From upright RGB photos to the numbers that an image tower reads; NumPy and Pillow only.

The same numbers as the image processors of transformers give on Pillow, without their detours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Preparation", "prepared"]


@dataclass(frozen=True)
class Preparation:
    """How photos are prepared for an image tower.

    Attributes:
        shortest: The length in pixels that a photo's shortest edge is resized to, its shape kept;
            None where `resized` says the whole size.
        resized: (height, width) that a photo is resized to, whatever its shape; or None.
        resample: The filter, as Pillow numbers them.
        crop: (height, width) cut out of the middle; None where nothing is cut off.
        scale: Factor of the values 0..255; None for none.
        mean: Three numbers, subtracted after scaling.
        deviation: Three numbers, divided by.
    """

    shortest: int | None
    resized: tuple[int, int] | None
    resample: int
    crop: tuple[int, int] | None
    scale: float | None
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @classmethod
    def of_processor(cls, processor: Any) -> Preparation | None:
        """What an image processor of transformers does; None if it is none of this kind.

        Args:
            processor: The processor, which must work on Pillow's images to do the same.
        """
        size, crop = _sizes(processor.size), _sizes(getattr(processor, "crop_size", None))
        shortest, resized = size.get("shortest_edge"), _edges(size)
        cropped = _edges(crop) if getattr(processor, "do_center_crop", False) else None
        others = ("do_pad", "include_top", "rescale_offset", "do_flip_channel_order")
        known = (
            processor.do_resize
            and processor.do_normalize
            and (shortest is None) != (resized is None)
            and not size.get("longest_edge")
            and not any(getattr(processor, name, False) for name in others)
            and len(processor.image_mean) == len(processor.image_std) == 3
        )
        within = shortest or (min(resized) if resized else 0)
        if not known or (cropped is not None and max(cropped) > within):
            return None
        if cropped is None and shortest is not None:
            return None  # photos of several shapes, which make no batch
        return cls(
            shortest=shortest,
            resized=resized,
            resample=int(processor.resample),
            crop=cropped,
            scale=float(processor.rescale_factor) if processor.do_rescale else None,
            mean=_colours(processor.image_mean),
            deviation=_colours(processor.image_std),
        )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what the tower reads."""
        found = self.crop or self.resized
        assert found is not None
        return found

    @property
    def edge(self) -> int:
        """Pixels of a photo's shortest edge that are used; more make no difference."""
        return self.shortest or max(self.size)


def prepared(photos: Sequence[Image.Image], how: Preparation) -> NDArray[np.float32]:
    """The numbers of some photos.

    Args:
        photos: RGB.
        how: What is done to them.

    Returns:
        (n, height, width, 3) float32, in one piece of memory.
    """
    height, width = how.size
    mean = np.asarray(how.mean, dtype=np.float32)
    deviation = np.asarray(how.deviation, dtype=np.float32)
    pixels = np.empty((len(photos), height, width, 3), dtype=np.float32)
    for row, photo in zip(pixels, photos, strict=True):
        resized = photo.resize(_target(photo.size, how), how.resample)
        left, top = (resized.width - width) // 2, (resized.height - height) // 2
        row[:] = np.asarray(resized.crop((left, top, left + width, top + height)))
        if how.scale is not None:
            row *= np.float32(how.scale)
        row -= mean
        row /= deviation
    return pixels


def _target(size: tuple[int, int], how: Preparation) -> tuple[int, int]:
    """Width and height to resize to; of the longer edge, what is left over is rounded down."""
    if how.resized is not None:
        return how.resized[1], how.resized[0]
    assert how.shortest is not None
    width, height = size
    if width <= height:
        return how.shortest, int(how.shortest * height / width)
    return int(how.shortest * width / height), how.shortest


def _sizes(stated: Any) -> Mapping[str, int]:
    """The edges that a processor states, without those that it leaves open."""
    return {name: int(edge) for name, edge in dict(stated or {}).items() if edge}


def _colours(stated: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, stated)
    return red, green, blue


def _edges(size: Mapping[str, int]) -> tuple[int, int] | None:
    if "height" not in size or "width" not in size:
        return None
    return size["height"], size["width"]
