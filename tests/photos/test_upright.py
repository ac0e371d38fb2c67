from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hiersearch.errors import PhotosNotFoundError, UnreadablePhotoError
from hiersearch.photos.pixels import upright

ORIENTATION = 0x0112


@pytest.fixture
def picture() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_photos_are_turned_upright(picture, tmp_path, orientation, stored):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = picture if stored is None else picture.transpose(stored)
    turned.save(tmp_path / "photo.png", exif=exif)

    with Image.open(tmp_path / "photo.png") as opened:
        assert upright(opened).tobytes() == picture.tobytes()
    assert upright(tmp_path / "photo.png").tobytes() == picture.tobytes()
    assert upright(str(tmp_path / "photo.png")).tobytes() == picture.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F"])
def test_every_mode_becomes_rgb(picture, mode):
    converted = upright(picture.convert("L").convert(mode))

    assert converted.mode == "RGB"
    assert converted.size == picture.size


def test_sixteen_bits_become_eight():
    values = np.arange(0, 65536, 97, dtype=np.uint16)[None].repeat(40, axis=0)

    found = np.asarray(upright(Image.fromarray(values)))

    assert np.abs(found[..., 0].astype(int) - values // 256).max() <= 1


@pytest.mark.parametrize("size", [(5000, 3), (3, 5000)])
def test_of_a_very_long_photo_the_middle_is_kept(size):
    photo = Image.new("RGB", size)
    middle = (size[0] // 2, size[1] // 2)
    photo.putpixel(middle, (255, 0, 0))

    kept = upright(photo)

    assert max(kept.size) <= 20 * 3 + 1
    assert min(kept.size) == 3
    assert kept.getpixel((kept.width // 2, kept.height // 2)) == (255, 0, 0)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(PhotosNotFoundError, match=r"none\.jpg"):
        upright(tmp_path / "none.jpg")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 30])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)

    with pytest.raises(UnreadablePhotoError, match=r"broken\.png"):
        upright(path)


def test_a_file_cut_short_is_named(picture, tmp_path):
    path = tmp_path / "short.png"
    picture.save(path)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(UnreadablePhotoError, match=r"short\.png"):
        upright(path)
