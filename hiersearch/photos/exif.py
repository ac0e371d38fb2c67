"""What a photo's EXIF block says: which way is up, and when it was taken."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from PIL import ExifTags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

__all__ = ["read_exif"]

# Tags of dates, best first, each with the tag of its offset from UTC.
_DATE_TAGS = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    (ExifTags.Base.DateTime, ExifTags.Base.OffsetTime),
)
# "2021:07:03 14:05:59" by the book; some programs write ISO 8601, or no seconds.
_DATE = re.compile(r"\s*(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_OFFSET = re.compile(r"\s*([+-]\d\d):?(\d\d)")


def read_exif(image: Image.Image) -> tuple[int, datetime | None]:
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
