"""CIFAR-10 and CIFAR-100 as they are released, in their binary version, as a folder per class.

A record is one byte for the class (CIFAR-100: one for the coarse class and one for the class) and
3072 for the pixels: 32 rows of 32 red values, then green, then blue. The releases for Python hold
pickles, which can run any code and are therefore not opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hiersearch.errors import UsageError

__all__ = ["RELEASES", "SOURCE", "CifarRelease", "find_release", "unpack"]

SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html (the binary versions)"

SIDE = 32
PIXELS = 3 * SIDE * SIDE


class CifarRelease(NamedTuple):
    """Where a release keeps its test images.

    Attributes:
        folders: What its folder may be called.
        images: The file of records.
        names: The file of class names, one a line.
        label_bytes: Bytes before the pixels; the last of them is the class.
    """

    folders: tuple[str, ...]
    images: str
    names: str
    label_bytes: int


RELEASES = {
    "cifar10": CifarRelease(("cifar-10-batches-bin", ""), "test_batch.bin", "batches.meta.txt", 1),
    "cifar100": CifarRelease(("cifar-100-binary", ""), "test.bin", "fine_label_names.txt", 2),
}


def find_release(folder: Path, name: str) -> Path | None:
    """The folder that holds a release's test file and class names, if it lies in `folder`.

    Args:
        folder: Where to look.
        name: "cifar10" or "cifar100".
    """
    release = RELEASES[name]
    for each in release.folders:
        place = folder / each
        if (place / release.images).is_file() and (place / release.names).is_file():
            return place
    return None


def unpack(source: Path, name: str, target: Path) -> None:
    """Write a release's test images as PNG files, a folder for each class.

    Args:
        source: As `find_release` gives it.
        name: "cifar10" or "cifar100".
        target: An empty folder.

    Raises:
        UsageError: The files cannot be read, or are not what they should be.
    """
    release = RELEASES[name]
    path = source / release.images
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        names = (source / release.names).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} cannot be read: {error}", hint="Get the files again") from error
    size = release.label_bytes + PIXELS
    labels = content[release.label_bytes - 1 :: size]
    if not len(content) or len(content) % size or int(labels.max()) >= len(names):
        raise UsageError(
            f"{path} does not hold images of {len(names)} classes in {size} bytes each",
            hint=f"Get it again from {SOURCE}",
        )
    for each in names:
        (target / each).mkdir()
    pixels = content.reshape(-1, size)[:, release.label_bytes :].reshape(-1, 3, SIDE, SIDE)
    for number, (label, planes) in enumerate(zip(labels, pixels, strict=True)):
        image = Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))
        image.save(target / names[label] / f"{number:05}.png", compress_level=1)
