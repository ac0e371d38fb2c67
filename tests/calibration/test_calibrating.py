"""Whole calibrations of the real offline model, by parts of real photographs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiersearch.calibration import (
    CalibrationReport,
    Described,
    Description,
    calibrate_model,
    read_described,
)
from hiersearch.calibration.calibrating import _bands
from hiersearch.calibration.fitting import Fit, Said
from hiersearch.concepts import Concept, Vocabulary, builtin_vocabulary
from hiersearch.config import cache_dir
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.mini.first_generation import TEXT_WEIGHTS
from hiersearch.errors import ModelError, UnreadablePhotoError, UsageError
from hiersearch.evaluation.embedder import Embedder
from hiersearch.trees import (
    THRESHOLDS,
    Curve,
    Labeller,
    PhotoStatistics,
    calibrate,
    read_statistics,
    write_statistics,
)
from tests.calibration.made import VOCABULARY, make_captions

AT = {concept.id: at for at, concept in enumerate(VOCABULARY)}


@pytest.fixture(scope="module")
def captioned(captions, parts) -> Described:
    return read_described(captions, parts, VOCABULARY)


@pytest.fixture(scope="module")
def listed(parts) -> Described:
    return read_described(None, parts, VOCABULARY)


@pytest.fixture(scope="module")
def by_captions(mini, captioned) -> CalibrationReport:
    return calibrate_model(mini, captioned, VOCABULARY, source="a test")


@pytest.fixture(scope="module")
def by_lists(mini, listed) -> CalibrationReport:
    return calibrate_model(mini, listed, VOCABULARY, earlier=mini.shipped_statistics)


@pytest.fixture(scope="module")
def embedder(mini) -> Embedder:
    return Embedder(mini, cache=cache_dir())


def labeller(mini: HierarchicalEncoder, embedder: Embedder, learned: PhotoStatistics) -> Labeller:
    texts = embedder.texts(builtin_vocabulary().names)
    calibration = calibrate(texts, temperature=mini.temperature)
    return Labeller(VOCABULARY, embedder.texts(VOCABULARY.names), calibration, statistics=learned)


def vectors_of(embedder: Embedder, photos: tuple[Description, ...]) -> np.ndarray:
    return embedder.photos([photo.path for photo in photos])


def test_it_learns_of_the_concepts_that_are_said_of_enough_photos(by_captions, captioned):
    times = Counter(at for photo in captioned.train for at in photo.times)
    wanted = [VOCABULARY.names[at] for at in sorted(times) if times[at] >= 15]
    assert list(by_captions.statistics.names) == wanted
    assert {"cat", "animal", "person", "galaxy"} <= set(wanted)
    assert "dog" not in wanted
    assert by_captions.learned == len(wanted)
    assert by_captions.photos == len(captioned.train)
    assert by_captions.kept == len(captioned.kept)
    assert by_captions.photos + by_captions.kept == 240
    assert by_captions.problems == ()


@pytest.mark.parametrize("report", ["by_captions", "by_lists"])
def test_photos_that_nothing_was_learned_from_show_what_they_show(
    report, request, mini, embedder, captioned
):
    statistics = request.getfixturevalue(report).statistics
    kept = captioned.kept
    members = labeller(mini, embedder, statistics).memberships(vectors_of(embedder, kept))
    for photo, row in zip(kept, members, strict=True):
        shown = photo.path.parent.name
        assert row[AT[shown]] > 0.6  # of each, some twenty photos tell: no reason to be bold
        others = {*AT} - {shown, "wall", "thing", *VOCABULARY.ancestors(shown)}
        assert np.mean([row[AT[other]] for other in others]) < 0.1
    of_shown = [row[AT[photo.path.parent.name]] for photo, row in zip(kept, members, strict=True)]
    assert np.mean(of_shown) > 0.85


def test_a_name_that_two_concepts_have_is_not_learned(mini, parts):
    words = Vocabulary(
        [
            Concept("c1", "cat", ("animal",)),
            Concept("c2", "Cat", ("ship",)),
            Concept("animal", "animal"),
            Concept("ship", "ship"),
            Concept("galaxy", "galaxy"),
        ],
        "cats",
    )
    photos = {folder: sorted((parts / folder).iterdir()) for folder in ("cat", "galaxy")}
    said = [
        Description(path, dict.fromkeys([0, 2] if folder == "cat" else [4], 5), 5)
        for folder, paths in photos.items()
        for path in paths * 6
    ]
    report = calibrate_model(mini, Described(tuple(said[20:]), tuple(said[:20])), words)
    assert report.statistics.names == ("animal", "galaxy")


def test_what_is_not_learned_anew_stays(by_lists, mini):
    earlier, now = mini.shipped_statistics, by_lists.statistics
    learned = set(now.names[: by_lists.learned])
    assert learned & set(earlier.names)
    assert set(now.names) == learned | set(earlier.names)
    assert len(set(now.names)) == len(now.names)
    for row, name in enumerate(earlier.names):
        at = now.names.index(name)
        kept = np.array_equal(now.weights[at], earlier.weights[row])
        assert kept == (name not in learned)
        assert (now.biases[at] == earlier.biases[row]) == kept


def test_kept_photos_teach_nothing_but_the_scale(mini, captioned, by_captions):
    first, *rest = captioned.kept
    other = replace(captioned, kept=(replace(first, times={}), *rest))
    changed = calibrate_model(mini, other, VOCABULARY)
    one, two = by_captions.statistics, changed.statistics
    assert one.names == two.names
    scale = np.linalg.norm(two.weights) / np.linalg.norm(one.weights)
    assert 0 < scale < 0.95
    far = np.abs(one.weights).max()
    np.testing.assert_allclose(two.weights, scale * one.weights, atol=2e-3 * far)
    shifts = two.biases - scale * one.biases
    np.testing.assert_allclose(shifts, shifts.mean(), atol=2e-2)
    assert two.curve.slope == pytest.approx(scale * one.curve.slope, rel=1e-2)


@pytest.mark.parametrize("which", ["captions", "lists"])
def test_trials_are_the_wrong_answers_to_half_of_the_kept_photos(which, request, mini, embedder):
    report = request.getfixturevalue(f"by_{which}")
    described = request.getfixturevalue("captioned" if which == "captions" else "listed")
    trials = report.statistics.trials
    photos = described.kept[1::2]
    assert trials.photos == len(photos) == 9
    assert trials.vocabulary == VOCABULARY.id
    assert len(trials.wrong) == len(THRESHOLDS)
    answers = labeller(mini, embedder, report.statistics)
    vectors = vectors_of(embedder, photos)
    for threshold, wrong in zip(THRESHOLDS, trials.wrong, strict=True):
        found = 0
        for photo, tree in zip(photos, answers.trees(vectors, floor=threshold), strict=True):
            line = [AT[one] for one in tree.chain.concepts]
            if described.asked is not None:  # nobody has said whether it shows the rest
                told = [at for at in line if at in described.asked]
                found += bool(line) and not (told and told[-1] in photo.times)
            else:
                found += bool(line) and line[-1] not in photo.times
        assert wrong == found


def test_one_caption_a_photo_tells_no_risks(mini, parts, tmp_path):
    data = make_captions(parts, tmp_path / "one.csv", each=1)
    report = calibrate_model(mini, read_described(data, parts, VOCABULARY), VOCABULARY)
    assert report.learned
    assert report.statistics.trials.photos == 0
    assert set(report.statistics.trials.wrong) == {0}


def test_a_few_photos_with_five_captions_are_the_trials_of_all(mini, captioned):
    told = captioned.kept[1::2]
    one = [replace(photo, captions=1) for photo in told[3:]]
    kept = list(captioned.kept)
    kept[1::2] = [*told[:3], *one]
    report = calibrate_model(mini, replace(captioned, kept=tuple(kept)), VOCABULARY)
    assert report.statistics.trials.photos == 3


def test_the_same_descriptions_give_the_same_statistics(mini, captioned, by_captions, by_lists):
    again = calibrate_model(mini, captioned, VOCABULARY, source="a test").statistics
    before = by_captions.statistics
    assert again.id == before.id
    assert again.id.startswith(f"{mini.id}-")
    assert again.trials == before.trials
    np.testing.assert_array_equal(again.weights, before.weights)
    assert len({again.id, by_lists.statistics.id, mini.shipped_statistics.id}) == 3


def test_statistics_are_kept_as_they_are(by_captions, tmp_path):
    statistics = by_captions.statistics
    write_statistics(tmp_path / "own.safetensors", statistics)
    again = read_statistics(tmp_path / "own.safetensors")
    assert (again.id, again.names, again.source) == (statistics.id, statistics.names, "a test")
    assert again.trials == statistics.trials
    assert vars(again.curve) == pytest.approx(vars(statistics.curve))
    for name in ("mean", "covariance", "weights", "biases"):
        np.testing.assert_array_equal(getattr(again, name), getattr(statistics, name))


def test_bands_say_how_true_what_is_stated_came():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(300, 4)).astype(np.float32)
    named = generator.integers(-1, 3, size=(300, 3)).astype(np.int8)
    captions = generator.integers(1, 7, size=300)
    chance = np.array([0.3, 0.5, 0.9], np.float32)
    fitted = Fit(
        curve=Curve(1, 1, 0),
        weights=generator.normal(size=(3, 4)).astype(np.float32),
        biases=np.array([-1, 0, 1], np.float32),
        mean=np.zeros(4, np.float32),
        covariance=np.eye(4, dtype=np.float32),
    )
    # For each band what is stated, what captions should name of it, and what they name.
    bands: dict[float, list[tuple[float, bool]]] = {}
    edges = [0.05, *(at / 10 for at in range(1, 11))]
    stated = 1 / (1 + np.exp(-fitted.logits(vectors)))
    for row, photo in enumerate(stated):
        for at, probability in enumerate(photo):
            if probability >= 0.05 and named[row, at] >= 0:
                low = max(edge for edge in edges if edge <= probability)
                heard = 1 - (1 - chance[at]) ** captions[row] if captions[row] < 5 else 1
                pair = (heard * probability, named[row, at] > 0)
                bands.setdefault(low, []).append(pair)
    found = list(_bands(fitted, Said(vectors, named, captions), chance))
    assert [band.low for band in found] == sorted(bands)
    for band in found:
        assert band.high == edges[edges.index(band.low) + 1]
        assert band.pairs == len(bands[band.low])
        expected, was_named = zip(*bands[band.low], strict=True)
        assert band.expected == pytest.approx(np.mean(expected), abs=1e-5)
        assert band.named == pytest.approx(np.mean(was_named))


def test_the_bands_of_a_report_are_of_the_kept_photos(by_captions, captioned, embedder):
    statistics = by_captions.statistics
    logits = vectors_of(embedder, captioned.kept) @ statistics.weights.T + statistics.biases
    # The report's are of weights that are not rounded yet.
    found = sum(band.pairs for band in by_captions.bands)
    assert found == pytest.approx((logits >= np.log(0.05 / 0.95)).sum(), abs=3)
    assert by_captions.bands[-1].high == 1
    assert by_captions.bands[-1].named > 0.9


def test_a_handful_of_kept_photos_does_not_make_all_memberships_bold(by_lists, mini):
    before, now = mini.shipped_statistics.curve, by_lists.statistics.curve
    assert now.slope < 3 * before.slope


def test_progress_is_told(mini, captioned):
    told: list[tuple[str, int, int]] = []
    calibrate_model(
        mini, captioned, VOCABULARY, on_progress=lambda *progress: told.append(progress)
    )
    assert ("learning from what is said", 1, 1) in told


def test_too_few_photos_are_refused(mini, captioned):
    few = replace(captioned, train=captioned.train[:100])
    with pytest.raises(UsageError, match="119 photos are too few") as caught:
        calibrate_model(mini, few, VOCABULARY)
    assert "200" in caught.value.hint
    with pytest.raises(UsageError, match="too few"):
        calibrate_model(mini, replace(captioned, kept=()), VOCABULARY)


def test_photos_of_which_nothing_that_is_known_is_said_are_refused(mini, captioned):
    silent = tuple(replace(photo, times={}) for photo in captioned.train)
    with pytest.raises(UsageError, match="no concept is said of 15 photos or more") as caught:
        calibrate_model(mini, replace(captioned, train=silent), VOCABULARY)
    assert "vocabulary" in caught.value.hint


def test_a_vocabulary_without_parents_is_refused(mini, captioned):
    flat = Vocabulary([Concept("cat", "cat"), Concept("galaxy", "galaxy")], "flat")
    with pytest.raises(UsageError, match="without parents"):
        calibrate_model(mini, captioned, flat)


def test_a_photo_that_cannot_be_read_is_named(mini, captioned, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")
    photo = Description(broken, {}, 5)
    with pytest.raises(UnreadablePhotoError, match=r"broken\.png"):
        calibrate_model(mini, replace(captioned, train=(photo, *captioned.train)), VOCABULARY)


def test_a_model_of_texts_alone_is_refused(captioned):
    with pytest.raises(ModelError):
        calibrate_model(
            HierarchicalEncoder(Path(TEXT_WEIGHTS.locate()).parent), captioned, VOCABULARY
        )


def test_what_was_left_out_is_handed_on(mini, captioned):
    report = calibrate_model(mini, replace(captioned, problems=("line 3: odd",)), VOCABULARY)
    assert report.problems == ("line 3: odd",)
