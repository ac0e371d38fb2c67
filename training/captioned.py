"""Join the files of a set of captioned photos to one that `hiersearch train` reads.

    python training/captioned.py FOLDER captioned.csv

FOLDER holds photos.csv.gz (file, split) and captions.csv.gz (file, caption). The result has the
columns file, caption and split.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    split = {row["file"]: row["split"] for row in rows(options.folder / "photos.csv.gz")}
    with options.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "caption", "split"])
        for row in rows(options.folder / "captions.csv.gz"):
            writer.writerow([row["file"], row["caption"], split[row["file"]]])


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
