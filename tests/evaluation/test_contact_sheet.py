from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from hiersearch.errors import UnreadablePhotoError, UsageError
from hiersearch.evaluation.contact_sheet import (
    PhotoChain,
    chains_as_json,
    chains_as_text,
    contact_sheet,
    expanded_candidates,
    retrieve_chains,
    write_contact_sheet,
)
from hiersearch.evaluation.embedder import Embedder
from tests.evaluation.made_hierarcaps import PAIRS, TEXTS, make_hierarcaps


@pytest.fixture(scope="module")
def data(tmp_path_factory, demo_photos):
    return make_hierarcaps(tmp_path_factory.mktemp("data"), demo_photos)


@pytest.fixture(scope="module")
def embedder(mini, tmp_path_factory):
    return Embedder(mini, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def red(tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (300, 200), (255, 0, 0)).save(path)
    return path


def test_the_candidates_are_the_tests_texts_and_all_positive_ones(data):
    expected = [text for texts in TEXTS.values() for text in texts.split(" => ")]
    positives = [text for positive, _ in PAIRS for text in positive.split(" => ")]
    found = expanded_candidates(data)
    assert found == tuple(dict.fromkeys(expected + positives))
    assert "bread" in found
    assert "soup" not in found


def test_without_pairs_they_are_the_tests_texts(tmp_path, demo_photos):
    assert len(expanded_candidates(make_hierarcaps(tmp_path, demo_photos, pairs=False))) == 16


@pytest.mark.parametrize("protocol", ["official", "paper"])
def test_any_photo_gets_a_chain_with_its_numbers(data, embedder, demo_photos, protocol):
    texts = expanded_candidates(data)
    photos = [demo_photos / "coffee.jpg", demo_photos / "motorcycle.jpg"]
    chains = retrieve_chains(embedder, photos, texts, protocol=protocol)
    assert [chain.photo for chain in chains] == photos
    assert chains[0].texts[-1] == "cup of coffee"
    assert not chains[1].texts or chains[1].texts != chains[0].texts
    vectors, photo = embedder.texts(chains[0].texts), embedder.photos(photos[:1])[0]
    distances = np.linalg.norm(vectors - embedder.root, axis=1)
    assert chains[0].root_distances == pytest.approx(distances.tolist(), abs=1e-5)
    assert chains[0].scores == pytest.approx((vectors @ photo).tolist(), abs=1e-5)
    assert list(chains[0].scores) == sorted(chains[0].scores)


def test_the_papers_chain_lacks_the_first(data, embedder, demo_photos):
    texts, photos = expanded_candidates(data), [demo_photos / "coffee.jpg"]
    (official,) = retrieve_chains(embedder, photos, texts)
    (paper,) = retrieve_chains(embedder, photos, texts, protocol="paper")
    assert official.texts[0] not in paper.texts
    assert official.texts[-1] == paper.texts[-1]


def test_no_photos_no_chains(embedder):
    assert retrieve_chains(embedder, [], ["a"]) == ()


def test_no_candidates_are_refused(embedder, red):
    with pytest.raises(UsageError):
        retrieve_chains(embedder, [red], [])


def test_as_text_and_as_json(red):
    chains = [
        PhotoChain(red, ("animal", "cät"), (0.5, 0.9), (0.1, 0.25)),
        PhotoChain(red, (), (), ()),
    ]
    assert chains_as_text(chains) == f"{red}\n  animal\n    cät\n\n{red}\n  (nothing)"
    assert json.loads(chains_as_json(chains)) == [
        {
            "photo": str(red),
            "chain": [
                {"text": "animal", "root_distance": 0.5, "score": 0.1},
                {"text": "cät", "root_distance": 0.9, "score": 0.25},
            ],
        },
        {"photo": str(red), "chain": []},
    ]
    assert "cät" in chains_as_json(chains)


def dark(sheet: Image.Image) -> np.ndarray:
    """Where there is ink."""
    return np.asarray(sheet.convert("L")) < 60


def test_the_sheet_shows_each_photo_beside_its_chain(tmp_path, red):
    chains = [PhotoChain(red, ("animal", "cat"), (0.5, 0.9), (0.1, 0.2))] * 2
    path = tmp_path / "new" / "sheet.png"
    write_contact_sheet(chains, path)
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
        ink = dark(sheet) & (pixels[..., 0] < 60)
    reds = (pixels == [255, 0, 0]).all(axis=2)
    columns, rows = np.flatnonzero(reds.any(axis=0)), np.flatnonzero(reds.any(axis=1))
    assert len(columns) == 240
    assert len(rows) == 2 * 160
    assert rows[-1] - rows[0] >= 400  # two of them, one below the other
    assert np.flatnonzero(ink.any(axis=0))[0] > columns[-1]  # texts right of the photos


def test_long_chains_and_texts_stay_on_the_sheet(red):
    words = " ".join(["elephants"] * 100)
    long = PhotoChain(red, tuple(f"text {n}" for n in range(60)), (0.5,) * 60, (0.1,) * 60)
    short = PhotoChain(red, (words, "x" * 300), (0.5, 0.6), (0.1, 0.2))
    tall = contact_sheet([long])
    assert tall.height > 60 * 20
    ink = np.flatnonzero(dark(tall).any(axis=1))
    assert ink[-1] > 59 * 20
    assert contact_sheet([short]).height == contact_sheet([PhotoChain(red, (), (), ())]).height


def test_what_cannot_be_shown_or_written(tmp_path, red):
    with pytest.raises(UsageError):
        contact_sheet([])
    with pytest.raises(UnreadablePhotoError, match=r"absent\.png"):
        contact_sheet([PhotoChain(tmp_path / "absent.png", ("a",), (0.5,), (0.1,))])
    with pytest.raises(UsageError, match="cannot be written"):
        write_contact_sheet([PhotoChain(red, ("a",), (0.5,), (0.1,))], red / "sheet.png")
