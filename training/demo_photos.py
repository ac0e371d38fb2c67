"""Write the photos of `hiersearch demo`, small JPEGs of those in scikit-image and scikit-learn.

Only of photos whose terms allow passing them on: LICENSES beside them says which.

    python training/demo_photos.py hiersearch/cli/photos/samples
"""

from __future__ import annotations

import argparse
import io
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageCms

LONGEST = 720
QUALITY = 88

SOURCES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick-wall": ("skimage", "data/brick.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "coins": ("skimage", "data/coins.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "photographer": ("skimage", "data/camera.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
}
"""Module and path of each photo, by its new name without the suffix."""


def packaged(module: str, path: str) -> Path:
    """Where a file of an installed package is; the package is not imported."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"{module} is not installed: pip install scikit-image==0.26.0 scikit-learn"
        )
    return Path(spec.origin).parent / path


def make_sample(source: Path, target: Path) -> None:
    """A small JPEG of a photo, in sRGB or grey, without metadata."""
    with Image.open(source) as opened:
        photo = opened.copy()
        profile = opened.info.get("icc_profile")
    if profile:
        own, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        ImageCms.profileToProfile(photo, own, screen, inPlace=True)
    photo.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    bare = Image.frombytes(photo.mode, photo.size, photo.tobytes())
    bare.save(target, quality=QUALITY, optimize=True, progressive=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to put them")
    folder = parser.parse_args().folder
    for name, (module, path) in SOURCES.items():
        make_sample(packaged(module, path), folder / f"{name}.jpg")


if __name__ == "__main__":
    main()
