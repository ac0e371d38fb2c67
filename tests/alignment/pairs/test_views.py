"""Views of photos, against the processor and the stock tower."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image

import hiersearch.alignment.pairs.views as views_module
from hiersearch.alignment.pairs.eye import CutTower
from hiersearch.alignment.pairs.views import crop, make_views
from hiersearch.errors import UnreadablePhotoError
from hiersearch.progress import tell_nobody

SIZES = [(640, 480), (33, 900), (900, 40), (64, 64)]


@pytest.fixture
def files(captioned):
    _, folder = captioned
    return sorted(folder.iterdir())[:7]


def stock(dual, files):
    route = next(iter(dual.children())).sub_modules["image"]
    images = [Image.open(file).convert("RGB") for file in files]
    pixels = route[0].processor(images=images, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        return route[0].model(torch.as_tensor(pixels)).pooler_output


def test_the_first_view_is_what_the_model_sees(dual, files, tmp_path):
    expected = stock(dual, files)

    views = make_views(tmp_path, files, CutTower(dual, blocks=0), count=1, on_progress=tell_nobody)
    maps, features = views.draw(range(7), np.random.default_rng(0))

    torch.testing.assert_close(maps, expected, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(features, expected, atol=2e-3, rtol=2e-3)
    mean, deviation = views.spread()
    torch.testing.assert_close(mean, expected.mean(dim=0), atol=2e-3, rtol=2e-3)
    assert (deviation > 0).all()


@torch.no_grad()
def test_maps_go_on_to_the_same_features(dual, files, tmp_path):
    expected = stock(dual, files)
    eye = CutTower(dual, blocks=3)

    views = make_views(tmp_path, files, eye, count=1, on_progress=tell_nobody)
    maps, before = views.draw(range(7), np.random.default_rng(0))

    torch.testing.assert_close(eye.pooled(maps), expected, atol=0.02, rtol=0.02)
    torch.testing.assert_close(before, expected, atol=0.02, rtol=0.02)


def test_views_differ_and_stay_the_same(dual, files, tmp_path):
    eye = CutTower(dual, blocks=0)
    one = make_views(tmp_path / "one", files, eye, count=3, on_progress=tell_nobody)
    two = make_views(tmp_path / "two", files, eye, count=3, on_progress=tell_nobody)

    drawn = [one.draw([0] * 20, np.random.default_rng(seed))[0] for seed in (0, 0, 1)]

    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert len({tuple(row.tolist()) for row in drawn[0]}) == 3
    again = two.draw([0] * 20, np.random.default_rng(0))[0]
    assert torch.equal(drawn[0], again)


def test_what_is_done_is_not_done_again(dual, files, tmp_path, monkeypatch):
    monkeypatch.setattr(views_module, "PART", 2)
    eye = CutTower(dual, blocks=0)
    whole = make_views(tmp_path / "whole", files, eye, count=1, on_progress=tell_nobody)

    class CutOffError(Exception):
        pass

    def cut_off(task, done, total):
        if done >= 4:
            raise CutOffError

    with pytest.raises(CutOffError):
        make_views(tmp_path / "part", files, eye, count=1, on_progress=cut_off)
    told = []
    part = make_views(
        tmp_path / "part",
        files,
        eye,
        count=1,
        on_progress=lambda _, done, __: told.append(done),
    )

    assert told == [6, 7]
    generator = np.random.default_rng(0)
    assert torch.equal(part.draw(range(7), generator)[0], whole.draw(range(7), generator)[0])


def test_a_photo_that_cannot_be_read_is_named(dual, files, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")

    with pytest.raises(UnreadablePhotoError, match=r"broken\.png") as caught:
        make_views(
            tmp_path / "views",
            [*files, broken],
            CutTower(dual, blocks=0),
            count=1,
            on_progress=tell_nobody,
        )

    assert "captions" in caught.value.hint


@pytest.mark.parametrize("size", SIZES)
def test_crops_are_squares_of_any_photo(size):
    image = Image.new("RGB", size, (200, 100, 50))

    for seed in range(20):
        found = crop(image, 64, random.Random(seed))
        assert found.size == (64, 64)
        assert found.mode == "RGB"
