"""Index a folder and print what a photo shows, from general to specific.

python examples/index_photos.py FOLDER PHOTO
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hiersearch import PhotoIndex


def main(folder: str, photo: str) -> None:
    with (
        tempfile.TemporaryDirectory() as scratch,
        PhotoIndex.create(Path(scratch) / "index", model="mini") as index,
    ):
        print(index.add(folder).added, "photos")
        for level in index.query(image=photo).levels:
            print("  " * level.level + f"{level.concept}: {level.count} photos, {level.mass:.0%}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
