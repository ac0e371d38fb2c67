from __future__ import annotations

import hashlib
import os
import struct
import sys
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


# What cannot be read, and why.


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels)


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    assert reason(tmp_path, png_claiming(100_000, 100_000)) == (
        "too many pixels (100000 x 100000; the limit is 200,000,000)"
    )
    assert reason(tmp_path, encode(picture(), "PNG"), max_pixels=WIDTH * HEIGHT - 1) == (
        "too many pixels (48 x 32; the limit is 1,535)"
    )
    read(tmp_path, encode(picture(), "PNG"), max_pixels=WIDTH * HEIGHT)
    # Above the size that Pillow warns of, and the one that it refuses.
    for size in ((12_000, 9_000), (16_000, 12_000)):
        assert reason(tmp_path, png_claiming(*size)) == "truncated PNG file"
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    gif += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"
    assert reason(tmp_path, gif).startswith("too many pixels")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_large_photos_of_phones_are_read(tmp_path: Path) -> None:
    image = Image.new("L", (16_320, 12_240), 128)
    photo = read(tmp_path, encode(image, "JPEG", quality=20), min_side=224)
    assert (photo.width, photo.height) == (16_320, 12_240)
    assert photo.image.size == (680, 510)


def test_not_an_image(tmp_path: Path) -> None:
    for data in (
        b"x",
        b"hello\n" * 100,
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"RIFF1234WAVE",
    ):
        assert reason(tmp_path, data) == "not an image, or not in a format that can be read"
    assert reason(tmp_path, b"\0\0\0\x18ftypisom\0\0\0\0isommp42") == (
        "not an image, or not in a format that can be read"
    )


def test_empty(tmp_path: Path) -> None:
    assert reason(tmp_path, b"") == "empty file"


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_anywhere(form: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), form)
    refused = []
    for share in (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9):
        try:
            read(tmp_path, data[: int(len(data) * share)])
        except UnreadablePhotoError as error:
            refused.append(error.message)
    assert len(refused) >= 5
    starts = ("truncated ", "damaged ", "not an image", "too many")
    assert all(message.startswith(starts) for message in refused)


def test_truncated_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for form in ("JPEG", "PNG", "BMP", "GIF"):
        data = encode(Image.fromarray(noise), form)
        assert reason(tmp_path, data[: len(data) // 2]) == f"truncated {form} file"


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(list(FORMATS)),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_gives_a_photo_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, form: str, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(encode(picture((16, 16)), form))
    for position, value in flips:
        data[position % len(data)] = value
    with suppress(UnreadablePhotoError):
        # The limit keeps a damaged header from costing the test gigabytes.
        read(tmp_path_factory.getbasetemp(), bytes(data), max_pixels=1_000_000)


def test_heic_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(picture(), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadablePhotoError, match="HEIC needs the package pillow-heif") as caught:
        read(tmp_path, data)
    assert "hiersearch[heic]" in caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reasons(path: Path) -> set[str]:
        found = set()
        for function in (read_photo, content_hash):
            with pytest.raises(UnreadablePhotoError) as caught:
                function(path)
            found.add(caught.value.message)
        return found

    (tmp_path / "file").write_bytes(b"x")
    assert reasons(tmp_path / "gone.jpg") == {"not there any more"}
    assert reasons(tmp_path / "file" / "a.jpg") == {"not there any more"}
    assert reasons(tmp_path) == {"not a regular file"}
    assert reasons(tmp_path / "null\0") == {"not a path that can be opened"}
    assert reasons(tmp_path / ("x" * 5000)) == {"file name too long"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert reasons(tmp_path / "pipe.jpg") == {"not a regular file"}
        assert reasons(Path("/dev/zero")) == {"not a regular file"}

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert reasons(tmp_path / "file") == {"permission denied"}


def test_files_of_too_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiersearch.photos.photo.MAX_FILE_BYTES", 2**20)
    assert reason(tmp_path, b"\xff\xd8\xff" + bytes(2**20)) == "file of more than 1 MiB"


def test_running_out_of_memory_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("hiersearch.photos.photo.to_rgb", no_memory)
    assert reason(tmp_path, encode(picture(), "PNG")) == "too large for this machine's memory"


def test_an_interrupt_is_not_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hiersearch.photos.photo.to_rgb", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(tmp_path, encode(picture(), "PNG"))


def test_the_error_knows_the_photo(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.jpg")
    with pytest.raises(UnreadablePhotoError) as caught:
        read_photo(path)
    (note,) = caught.value.__notes__
    assert str(tmp_path) in note
    note.encode()


def test_in_several_threads(tmp_path: Path) -> None:
    paths = []
    for i, form in enumerate(("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "HEIF") * 4):
        path = tmp_path / f"{i}.img"
        data = encode(picture((96 + i, 64)), form)
        path.write_bytes(data[: len(data) // 4] if i % 5 == 4 else data)
        paths.append(path)

    def size(path: Path) -> tuple[int, int] | None:
        try:
            return read_photo(path, min_side=16).image.size
        except UnreadablePhotoError:
            return None

    alone = [size(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(size, paths * 5)) == alone * 5


# Real files.


def test_hostile_files(shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = {}
    for path in sorted((shared_data / "nasty").iterdir()):
        try:
            outcomes[path.name] = "x".join(map(str, read_photo(path).image.size))
        except UnreadablePhotoError as error:
            outcomes[path.name] = error.message
    assert capfd.readouterr() == ("", "")
    assert len(outcomes) >= 94
    assert outcomes["hopper_lzw.tif"] == "128x128"
    assert outcomes["16bit.deflate.tif"] == "64x64"
    assert outcomes["1.eps"] == "not an image, or not in a format that can be read"
    assert outcomes["broken.png"] == "damaged PNG file, or of an unusual kind"
    assert outcomes["reallybig.bmp"].startswith("too many pixels (3000000 x 2000000")


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
