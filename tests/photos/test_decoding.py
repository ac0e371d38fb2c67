from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, features

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import Photo, content_hash, read_photo

WIDTH, HEIGHT = 48, 32
# A picture that no flip or turn leaves as it is: red, green / blue, yellow.
CORNERS = {
    (0, 0): (230, 30, 30),
    (1, 0): (30, 200, 30),
    (0, 1): (30, 30, 220),
    (1, 1): (230, 220, 30),
}
# What a camera stores for each orientation: the inverse of what undoes it.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "HEIF": {"quality": 95, "chroma": 444},
}


def picture(size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    small = Image.new("RGB", (2, 2))
    for corner, colour in CORNERS.items():
        small.putpixel(corner, colour)
    return small.resize(size, Image.Resampling.NEAREST)


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    if "exif" in options and isinstance(options["exif"], Image.Exif):
        options["exif"] = options["exif"].tobytes()  # savers take an empty main directory for none
    if form == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        heif = pillow_heif.from_pillow(image)
        file = BytesIO()
        heif.save(file, **(FORMATS[form] | options))
        return file.getvalue()
    if form in ("AVIF", "WEBP") and not features.check(form.lower()):
        pytest.skip(f"this Pillow has no {form}")
    file = BytesIO()
    image.save(file, form, **(FORMATS.get(form, {}) | options))
    return file.getvalue()


def read(folder: Path, data: bytes, **options: Any) -> Photo:
    path = folder / "photo.jpg"  # the name must not matter
    path.write_bytes(data)
    photo = read_photo(path, **options)
    assert photo.image.mode == "RGB"
    assert not photo.image.info
    assert not photo.image.getexif()
    return photo


def reason(folder: Path, data: bytes, **options: Any) -> str:
    with pytest.raises(UnreadablePhotoError) as caught:
        read(folder, data, **options)
    return caught.value.message


def assert_is_picture(image: Image.Image, tolerance: int = 25) -> None:
    width, height = image.size
    for (x, y), colour in CORNERS.items():
        pixel = image.getpixel((round((x * 2 + 1) * width / 4), round((y * 2 + 1) * height / 4)))
        assert np.abs(np.subtract(pixel, colour)).max() <= tolerance, (x, y, pixel)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format(form: str, tmp_path: Path) -> None:
    photo = read(tmp_path, encode(picture(), form))
    assert_is_picture(photo.image)
    assert photo.image.size == (photo.width, photo.height) == (WIDTH, HEIGHT)
    assert photo.taken is None


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("WEBP", {}),
        ("AVIF", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("HEIF", {}),
    ],
)
@pytest.mark.parametrize("min_side", [None, 16])
def test_orientation(
    form: str, options: dict[str, Any], orientation: int, min_side: int | None, tmp_path: Path
) -> None:
    upright = picture((192, 128))
    turn = STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.DateTime] = "2020:01:02 03:04:05"
    photo = read(tmp_path, encode(stored, form, exif=exif, **options), min_side=min_side)
    assert (photo.width, photo.height) == (192, 128)
    assert photo.image.size == ((192, 128) if min_side is None else (48, 32))
    assert_is_picture(photo.image)
    assert photo.taken == datetime(2020, 1, 2, 3, 4, 5)


def test_hash(tmp_path: Path) -> None:
    data = encode(picture(), "PNG")
    photo = read(tmp_path, data)
    assert photo.content_hash == hashlib.sha256(data).hexdigest()[:32]
    assert photo.content_hash == content_hash(tmp_path / "photo.jpg")
    assert uuid.UUID(photo.content_hash).hex == photo.content_hash


@pytest.mark.parametrize(
    ("size", "min_side", "by_jpeg", "by_blocks"),  # the latter two: the shorter side
    [
        ((800, 600), None, 600, 600),
        ((800, 600), 37, 75, 75),
        ((800, 600), 38, 150, 86),  # JPEG shrinks to 1/8, 1/4 or 1/2, then whole blocks
        ((800, 600), 76, 300, 200),
        ((800, 600), 150, 300, 300),
        ((800, 600), 151, 600, 600),
        ((6000, 16), 2, 4, 4),
        ((30, 20), 224, 20, 20),
    ],
)
def test_shrinking(
    size: tuple[int, int], min_side: int | None, by_jpeg: int, by_blocks: int, tmp_path: Path
) -> None:
    for form, shorter in (("JPEG", by_jpeg), ("PNG", by_blocks)):
        photo = read(tmp_path, encode(picture(size), form), min_side=min_side)
        assert (photo.width, photo.height) == size
        assert min(photo.image.size) == shorter
        assert_is_picture(photo.image, 40)


# Pixels of other kinds.


def grey(values: Any, dtype: str) -> Image.Image:
    return Image.fromarray(np.asarray(values, dtype))


@pytest.mark.parametrize(
    ("image", "form", "expected"),
    [
        (grey([[0, 32768, 65535]], "uint16"), "PNG", [0, 128, 255]),
        (grey([[0, 32768, 65535]], "uint16"), "TIFF", [0, 128, 255]),
        (grey([[0, 2048, 4095]], "uint16"), "TIFF", [0, 128, 255]),  # 12 bits in 16
        (grey([[0, 128, 255]], "uint16"), "TIFF", [0, 128, 255]),
        (grey([[9, 9, 9]], "uint16"), "TIFF", [9, 9, 9]),
        (grey([[0, 1000, 65535]], "int32"), "TIFF", [0, 4, 255]),
        (grey([[-100, 0, 100]], "int32"), "TIFF", [0, 128, 255]),
        (grey([[0, 500_000, 1_000_000]], "int32"), "TIFF", [0, 128, 255]),
        (grey([[0, 0.5, 0.75]], "float32"), "TIFF", [0, 128, 191]),
        (grey([[0, 100, 200]], "float32"), "TIFF", [0, 128, 255]),
        (grey([[7, 7, 7]], "float32"), "TIFF", [0, 0, 0]),
        (grey([[np.nan, 0.5, np.inf]], "float32"), "TIFF", [0, 128, 0]),
        (grey([[np.nan, np.nan, np.nan]], "float32"), "TIFF", [0, 0, 0]),
        (grey([[-3e38, 0, 3e38]], "float32"), "TIFF", [0, 128, 255]),
        (grey([[0, 128, 255]], "uint8"), "PNG", [0, 128, 255]),
        (Image.fromarray(np.array([[False, True, True]])), "PNG", [0, 255, 255]),
    ],
)
def test_greys(image: Image.Image, form: str, expected: list[int], tmp_path: Path) -> None:
    pixels = np.asarray(read(tmp_path, encode(image, form)).image)
    np.testing.assert_allclose(pixels[0, :, 0], expected, atol=1)
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("RGBA", "AVIF"), ("LA", "PNG")],
)
def test_what_is_transparent_becomes_white(mode: str, form: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (96, 32), (0, 0, 0, 255))
    image.paste((10, 10, 10, 0), (0, 0, 32, 32))
    image.paste((0, 0, 0, 128), (32, 0, 64, 32))
    row = np.asarray(read(tmp_path, encode(image.convert(mode), form)).image)[16, [16, 48, 80], 0]
    np.testing.assert_allclose(row, [255, 127, 0], atol=6)


@pytest.mark.parametrize("form", ["PNG", "GIF"])
@pytest.mark.parametrize("transparency", [0, b"\0\xff"])
def test_palettes_with_transparency(form: str, transparency: Any, tmp_path: Path) -> None:
    if form == "GIF" and isinstance(transparency, bytes):
        pytest.skip("GIF has one transparent colour")
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (4, 0, 8, 8))
    photo = read(tmp_path, encode(image, form, transparency=transparency))
    assert photo.image.getpixel((1, 1)) == (255, 255, 255)
    assert photo.image.getpixel((6, 1)) == (200, 100, 50)
    opaque = read(tmp_path, encode(image, form))
    assert opaque.image.getpixel((1, 1)) == (10, 20, 30)


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (9, 9, 9)), ("L", 9), ("1", 0)])
def test_a_transparent_colour(mode: str, colour: Any, tmp_path: Path) -> None:
    image = Image.new(mode, (4, 4), colour)
    assert read(tmp_path, encode(image, "PNG", transparency=colour)).image.getpixel((0, 0)) == (
        255,
        255,
        255,
    )


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colour_spaces(mode: str, form: str, tmp_path: Path) -> None:
    image = picture()
    if mode == "LAB":
        if form == "JPEG":
            pytest.skip("JPEG has no LAB")
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
        assert converted is not None
        image = converted
    else:
        image = image.convert(mode)
    assert_is_picture(read(tmp_path, encode(image, form)).image)


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    others = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("black", "white")]
    for form in ("GIF", "PNG", "WEBP", "AVIF", "TIFF"):
        data = encode(picture(), form, save_all=True, append_images=others)
        assert_is_picture(read(tmp_path, data).image)


def test_of_a_phone_file_with_two_pictures_the_first(tmp_path: Path) -> None:
    data = encode(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert_is_picture(read(tmp_path, data).image)
    # The directory of the pictures says nonsense: the photo is still one.
    broken = data.replace(b"MPF\0II*\0", b"MPF\0II*\xff").replace(b"MPF\0MM\0*", b"MPF\0MM\xff*")
    assert broken != data
    assert_is_picture(read(tmp_path, broken).image)


# Real files.


def test_photos_in_all_orientations(shared_data: Path) -> None:
    by_kind: dict[str, list[Image.Image]] = {"landscape": [], "portrait": []}
    for path in sorted((shared_data / "photos" / "exif-orientation").rglob("*.jpg")):
        photo = read_photo(path, min_side=64)
        kind = "landscape" if photo.width > photo.height else "portrait"
        assert kind in path.name.lower()
        by_kind[kind].append(photo.image)
    for images in by_kind.values():
        assert len(images) == 9
        small = np.stack([np.asarray(image.resize((30, 30)), float) for image in images])
        assert np.abs(small - small[0]).mean() < 15
        for turned in (small[0, ::-1], small[0, :, ::-1], small[0, ::-1, ::-1]):
            assert np.abs(turned - small[0]).mean() > 30
