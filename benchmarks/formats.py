"""Which photo files open: python benchmarks/formats.py [FOLDER].

Writes one picture in as many variants of each format as Pillow, pillow-heif and ImageMagick (the
command `convert`, where it is installed) can write, and reads them as an index does; to them come
the files of FOLDER. A file counts if Pillow, ImageMagick or libheif's `heif-convert` opens it
without a warning. Prints for each format how many count and how many of them open here, and names
the others, with those that open but do not look like the picture.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import PhotoReaders

SIZE = (97, 65)
Variants = Iterator[tuple[str, list[str]]]
"""Names of files, and what `convert` is told."""

FORMATS = {
    "jpg": "JPEG", "mpo": "MPO", "png": "PNG", "gif": "GIF", "webp": "WebP", "avif": "AVIF",
    "heic": "HEIC", "tif": "TIFF", "bmp": "BMP", "dib": "DIB",
}  # fmt: skip


def picture() -> Image.Image:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return Image.fromarray(np.stack([2 * x, 3 * y, 255 - x - y], axis=-1).astype(np.uint8))


def by_pillow(folder: Path) -> None:
    rgb = picture()
    grey, rgba = rgb.convert("L"), rgb.convert("RGBA")
    lab = ImageCms.profileToProfile(
        rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    images = {
        "rgb": rgb, "grey": grey, "rgba": rgba, "la": rgb.convert("LA"), "bit": rgb.convert("1"),
        "palette": rgb.convert("P"), "cmyk": rgb.convert("CMYK"), "ycc": rgb.convert("YCbCr"),
        "lab": lab, "i16": Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
        "i32": Image.fromarray(np.asarray(grey).astype(np.int32) * 257),
        "float": Image.fromarray(np.asarray(grey) / np.float32(255)),
    }  # fmt: skip
    options: dict[str, list[dict[str, object]]] = {
        "jpg": [
            {"quality": q, "subsampling": s, "progressive": p}
            for q, s, p in itertools.product((1, 50, 95), (0, 1, 2), (False, True))
        ]
        + [{"restart_marker_rows": 1}, {"optimize": True}, {"icc_profile": bytes(200_000)}],
        "mpo": [{"save_all": True, "append_images": [rgb]}],
        "png": [{}, {"optimize": True}, {"compress_level": 0}, {"save_all": True}],
        "gif": [{}, {"interlace": 0}, {"save_all": True, "append_images": [rgb]}],
        "webp": [{"lossless": x, "method": m} for x in (False, True) for m in (0, 4)],
        "avif": [
            {"subsampling": s, "quality": q, "speed": 10}
            for s in ("4:2:0", "4:2:2", "4:4:4", "4:0:0")
            for q in (20, 95)
        ],
        "bmp": [{}],
        "dib": [{}],
        "tif": [
            {"compression": c, "big_tiff": b}
            for c in (
                None, "raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg",
                "group3", "group4", "tiff_ccitt", "lzma", "zstd", "webp",
            )
            for b in (False, True)
        ],
    }  # fmt: skip
    named = {"jpg": "JPEG", "tif": "TIFF"}
    for suffix, kinds in options.items():
        for (name, image), (i, given) in itertools.product(images.items(), enumerate(kinds)):
            path = folder / f"pillow-{name}-{i}.{suffix}"
            try:
                image.save(path, named.get(suffix, suffix.upper()), **given)
            except Exception:  # most formats hold some kinds of images only
                path.unlink(missing_ok=True)
    by_heif(folder, {name: images[name] for name in ("rgb", "grey", "rgba", "la", "i16")})


def by_heif(folder: Path, images: dict[str, Image.Image]) -> None:
    try:
        import pillow_heif
    except ImportError:
        return
    for (name, image), chroma, form in itertools.product(
        images.items(), ("420", "422", "444"), ("HEIF", "AVIF")
    ):
        path = folder / f"heif-{name}-{chroma}.{'heic' if form == 'HEIF' else 'avif'}"
        with suppress(Exception):
            pillow_heif.from_pillow(image).save(path, quality=90, chroma=chroma, format=form)


def by_magick() -> Variants:
    types = ("Bilevel", "Grayscale", "GrayscaleMatte", "Palette", "TrueColor", "TrueColorMatte")
    for kind, factor, shape in itertools.product(
        ("Grayscale", "TrueColor", "ColorSeparation"),
        ("1x1", "2x1", "1x2", "2x2", "4x1", "4x2"),
        ("None", "Plane"),
    ):
        given = ["-type", kind, "-sampling-factor", factor, "-interlace", shape]
        yield f"{kind}-{factor}-{shape}.jpg", given
    for colour, depth, shape in itertools.product(
        ("0", "2", "3", "4", "6"), ("1", "2", "4", "8", "16"), ("None", "PNG")
    ):
        define = [f"png:color-type={colour}", f"png:bit-depth={depth}"]
        given = [word for one in define for word in ("-define", one)]
        yield f"{colour}-{depth}-{shape}.png", [*given, "-interlace", shape]
    for kind, shape in itertools.product(types, ("None", "GIF")):
        yield f"{kind}-{shape}.gif", ["-type", kind, "-interlace", shape]
    for version, kind, packed in itertools.product(("BMP2", "BMP3", "BMP"), types, ("None", "RLE")):
        yield f"{version}-{kind}-{packed}.bmp={version}", ["-type", kind, "-compress", packed]
    for subtype, kind in itertools.product(
        ("RGB555", "RGB565", "ARGB4444", "ARGB1555"), ("TrueColor", "TrueColorMatte")
    ):
        yield f"{subtype}-{kind}.bmp", ["-type", kind, "-define", f"bmp:subtype={subtype}"]
    for kind in types:
        yield f"{kind}.dib", ["-type", kind]
    yield from newer_by_magick(types)
    yield from tiffs_by_magick(types)


def newer_by_magick(types: tuple[str, ...]) -> Variants:
    for kind, packed in itertools.product(types, ("none", "lossless", "alpha")):
        extra = ["-define", "webp:lossless=true"] if packed == "lossless" else []
        yield f"{kind}-{packed}.webp", ["-type", kind, *extra]
    for suffix, kind, depth in itertools.product(
        ("heic", "avif"), ("Grayscale", "TrueColor", "TrueColorMatte"), ("8", "10", "12")
    ):
        yield f"{kind}-{depth}.{suffix}", ["-type", kind, "-depth", depth]


def tiffs_by_magick(types: tuple[str, ...]) -> Variants:
    for version, kind, packed, end in itertools.product(
        ("TIFF", "TIFF64"),
        (*types, "ColorSeparation"),
        ("None", "LZW", "Zip", "RLE", "JPEG", "Group4", "LZMA", "ZSTD", "WebP"),
        ("LSB", "MSB"),
    ):
        given = ["-type", kind, "-compress", packed, "-endian", end]
        yield f"{version}-{kind}-{packed}-{end}.tif={version}", given
    for kind, depth, packed, end, shape in itertools.product(
        ("Grayscale", "TrueColor", "TrueColorMatte"),
        ("8", "16", "32", "float16", "float32", "float64"),
        ("None", "LZW", "Zip"),
        ("LSB", "MSB"),
        ("None", "Plane", "tile"),
    ):
        given = ["-type", kind, "-depth", depth.removeprefix("float"), "-compress", packed]
        if depth.startswith("float"):
            given += ["-define", "quantum:format=floating-point"]
        given += (
            ["-define", "tiff:tile-geometry=32x32"] if shape == "tile" else ["-interlace", shape]
        )
        yield f"{kind}-{depth}-{packed}-{end}-{shape}.tif", [*given, "-endian", end]


def run(*words: str | Path) -> bool:
    """Whether a command ends well without a word."""
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    return done.returncode == 0 and not done.stderr


def write(folder: Path) -> None:
    by_pillow(folder)
    if not shutil.which("convert"):
        return
    source = folder / "source.png"
    picture().save(source)
    for name, given in by_magick():
        file, _, version = name.partition("=")
        target = f"{version}:{folder / f'magick-{file}'}" if version else folder / f"magick-{file}"
        run("convert", source, *given, target)
    for path in folder.glob("*.jpg"):  # as some web servers and cameras leave them
        data = path.read_bytes()
        if path.name.startswith("pillow-rgb"):
            (folder / f"blank-{path.name}").write_bytes(b"\r\n" + data)
            (folder / f"cut-{path.name}").write_bytes(data[:-2])


def opens_elsewhere(path: Path) -> bool:
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(path) as image:
            image.load()
        return True
    if shutil.which("convert") and run("convert", f"{path}[0]", "null:"):
        return True
    if path.suffix in (".heic", ".avif") and shutil.which("heif-convert"):
        target = path.parent / "converted.png"
        return run("heif-convert", "--quiet", path, target)
    return False


def likeness(image: Image.Image) -> float:
    """The correlation of the picture's and an image's greys in blocks; 1 for an even surface.

    Some variants have two greys, or scale them; and savers turn some kinds of images all black.
    """
    if image.size != SIZE:
        return 0.0
    found, expected = (
        np.asarray(one.convert("L").resize((12, 8), Image.Resampling.BOX), float).ravel()
        for one in (image, picture())
    )
    return 1.0 if np.ptp(found) < 2 else float(np.corrcoef(found, expected)[0, 1])


def main(given: Path | None) -> None:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    refused, strange = [], []
    with tempfile.TemporaryDirectory() as name, PhotoReaders() as readers:
        folder = Path(name)
        write(folder)
        files = sorted(folder.iterdir())
        files += sorted(given.rglob("*")) if given else []
        for path in files:
            form = FORMATS.get(path.suffix.lower().removeprefix("."))
            if form is None or not path.is_file() or not opens_elsewhere(path):
                continue
            counts[form][0] += 1
            try:
                photo = readers.read(path)
            except UnreadablePhotoError as error:
                refused.append(f"{path.name}: {error.message}")
                continue
            counts[form][1] += 1
            if path.parent == folder and likeness(photo.image) < 0.8:
                strange.append(f"{path.name}: {likeness(photo.image):.2f}")
    for line in refused:
        print("refused  ", line)
    for line in strange:
        print("different", line)
    for form, (count, opened) in counts.items():
        print(f"{form:5} {opened:5} of {count:5}  {opened / count:.4f}")
    count, opened = (sum(pair[i] for pair in counts.values()) for i in (0, 1))
    print(f"all   {opened:5} of {count:5}  {opened / count:.4f}")


if __name__ == "__main__":
    os.environ.setdefault("MAGICK_THREAD_LIMIT", "1")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
