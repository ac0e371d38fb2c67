from __future__ import annotations

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import (
    StoreError,
    VocabularyError,
)
from tests.index.made import VOCABULARY, add, stored


def test_another_vocabulary_relabels_without_encoding_a_photo(index, folder, counting):
    index.add(folder)
    counting.photos = 0
    other = Vocabulary(
        [Concept("pet", "pet"), Concept("kitten", "kitten", ("pet",)), Concept("cup", "cup")], "x"
    )
    assert add(index, concepts=other) == {"relabelled": 3}
    assert counting.photos == 0
    assert stored(index)["cat.jpg"]["chain"] == ["pet", "kitten"]
    assert index.query(image=folder / "cat.jpg").levels[-1].concept == "kitten"
    assert add(index, folder, concepts=other) == {"unchanged": 3}


def test_a_vocabulary_without_parents_gives_radial_paths(index, folder):
    index.add(folder)
    flat = Vocabulary([Concept(word, word) for word in ("animal", "cat", "cup", "wheel")], "flat")
    assert add(index, concepts=flat) == {"relabelled": 3}
    (*_, last) = index.query(image=folder / "cat.jpg").levels
    assert (last.concept, last.mass) == ("cat", None)
    chains = [payload["chain"] for payload in stored(index).values()]
    assert last.count == sum("cat" in chain for chain in chains)


@pytest.mark.parametrize("parents", [("animal",), ()], ids=["hierarchy", "flat"])
def test_relabelling_that_was_cut_off_is_finished_by_the_next_run(
    index, folder, monkeypatch, parents
):
    index.add(folder)
    other = Vocabulary([Concept("animal", "animal"), Concept("cat", "cat", parents)], "x")

    def power_cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hiersearch.index.update.addition.relabel", power_cut)
        with pytest.raises(KeyboardInterrupt):
            index.add(concepts=other)
    with pytest.raises(StoreError, match="cut off"):
        index.query("a cat")
    assert add(index, folder) == {"relabelled": 3, "unchanged": 3}
    assert stored(index)["cat.jpg"]["chain"][-1] == "cat"


class WithoutTemperature:
    """The real encoder, as if nobody had measured its temperature."""

    temperature = None

    def __init__(self, encoder):
        self._encoder = encoder

    def __getattr__(self, name):
        return getattr(self._encoder, name)


def test_a_model_without_a_temperature_is_calibrated_again_as_photos_come(
    index, folder, mini, demo_photos
):
    index.__dict__["_encoder"] = WithoutTemperature(mini)
    index.add(folder / "cat.jpg")
    first = index._store.manifest
    assert first.calibrated_on == 1
    summary = index.add(demo_photos)
    assert summary.relabelled == 12
    second = index._store.manifest
    assert second.calibrated_on == 12
    assert second.calibration.temperature != first.calibration.temperature
    assert second.labelled
    np.testing.assert_array_equal(second.calibration.centre, first.calibration.centre)


def test_a_vocabulary_with_a_cycle_changes_nothing(index, folder, tmp_path):
    index.add(folder)
    (tmp_path / "words.csv").write_text("concept,parent\na,b\nb,a\n")
    with pytest.raises(VocabularyError, match="line"):
        index.add(folder, concepts=tmp_path / "words.csv")
    assert index.vocabulary == VOCABULARY
    assert index.query("a cat").levels
