"""Learn from captions which photos show a concept: the statistics that come with `mini`.

    python training/membership.py CAPTIONED PHOTOS

CAPTIONED is the file that training/captioned.py writes, PHOTOS the folder of its photos. Vectors of
photos are kept in the cache folder: a second run reads them there.

Vectors of photos that the model was trained on look surer than those of others. So the scale and
the shift of all logits are fitted on photos that were kept from training, and the risks are those
of others of these.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hiersearch.calibration import calibrate_model, read_described
from hiersearch.concepts import builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.mini.second_generation import packed_folder
from hiersearch.trees import MEMBERSHIP_FILE, write_statistics

SOURCE = "of COCO (CC BY 4.0) and of Flickr8k (for research); of these, counts and weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captioned", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--output", type=Path, default=packed_folder() / MEMBERSHIP_FILE)
    options = parser.parse_args()

    vocabulary = builtin_vocabulary()
    described = read_described(options.captioned, options.photos, vocabulary)
    encoder = HierarchicalEncoder(options.model)
    report = calibrate_model(encoder, described, vocabulary, source=SOURCE)
    print(f"{report.learned} concepts from {report.photos} photos; {report.kept} kept")
    print("| stated | pairs | will be named | is named |\n| --- | --- | --- | --- |")
    for band in report.bands:
        print(
            f"| {band.low:.2f} to {band.high:.2f} | {band.pairs} | {band.expected:.3f} "
            f"| {band.named:.3f} |"
        )
    write_statistics(options.output, report.statistics)
    size = options.output.stat().st_size / 1e6
    print(f"{report.statistics.id}: {size:.1f} MB in {options.output}")


if __name__ == "__main__":
    main()
