"""Photos that people have described, read from files and folders."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.calibration import Described, Description, read_described
from hiersearch.concepts import Concept, Vocabulary
from hiersearch.data.captioned_photos import is_kept
from hiersearch.errors import MissingDataError, PhotosNotFoundError, UsageError

VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("dog", "dog", ("animal",), synonyms=("hound",)),
        Concept("terrier", "terrier", ("dog",)),
        Concept("cat", "cat", ("animal",)),
        Concept("vehicle", "vehicle"),
        Concept("sports-car", "sports car", ("vehicle",)),
        Concept("person", "person"),
        Concept("bat.animal", "bat", ("animal",)),
        Concept("bat.tool", "bat", ("tool",)),
        Concept("tool", "tool"),
        Concept("orange", "orange"),
    ],
    "test",
)
AT = {concept.id: at for at, concept in enumerate(VOCABULARY)}


def lineage(one: str) -> set[str]:
    return {one, *VOCABULARY.ancestors(one)}


def named(photo: Description) -> dict[str, int]:
    """What is said of a photo, by the concepts' ids."""
    return {VOCABULARY.concepts[at].id: times for at, times in photo.times.items()}


def by_name(described: Described) -> dict[str, dict[str, int]]:
    return {photo.path.name: named(photo) for photo in (*described.train, *described.kept)}


def table(described: Described, *concepts: str) -> dict[str, list[int]]:
    """How often each of some concepts is said of each photo; -1 where nobody can tell."""
    every = [*described.train, *described.kept]
    rows = described.times(every, [AT[one] for one in concepts])
    assert rows.dtype == np.int8
    return {photo.path.name: row.tolist() for photo, row in zip(every, rows, strict=True)}


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def write(file: Path, *rows: tuple[str, ...]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return file


# Captions.


def test_captions_tell_how_often_each_concept_is_named(tmp_path):
    photos = touch(tmp_path / "photos", "a.jpg", "b.jpg")
    data = write(
        tmp_path / "c.csv",
        ("file", "caption"),
        ("a.jpg", "two terriers and a cat"),
        ("a.jpg", "The dog sleeps."),
        ("a.jpg", "some hounds, and another hound"),
        ("a.jpg", "nothing that is known"),
        ("b.jpg", "A man in a sports car"),
    )
    found = read_described(data, photos, VOCABULARY)
    assert by_name(found) == {
        "a.jpg": {"terrier": 1, "dog": 3, "animal": 3, "cat": 1},
        "b.jpg": {"person": 1, "sports-car": 1, "vehicle": 1},
    }
    assert {photo.path: photo.captions for photo in (*found.train, *found.kept)} == {
        photos / "a.jpg": 4,
        photos / "b.jpg": 1,
    }
    assert found.asked is None
    assert found.problems == ()
    # What captions do not name is not named, and nothing is unknown.
    assert table(found, "cat", "tool", "dog") == {"a.jpg": [1, 0, 3], "b.jpg": [0, 0, 0]}


def test_captions_say_orange_of_a_colour(tmp_path):
    photos = touch(tmp_path / "photos", "a.jpg")
    data = write(tmp_path / "c.csv", ("file", "caption"), ("a.jpg", "an orange cat"))
    assert by_name(read_described(data, photos, VOCABULARY)) == {
        "a.jpg": {"cat": 1, "animal": 1},
    }


def test_a_vocabulary_needs_no_people_and_nothing_misleading(tmp_path):
    photos = touch(tmp_path / "photos", "a.jpg")
    data = write(tmp_path / "c.csv", ("file", "caption"), ("a.jpg", "a man with a boat"))
    words = Vocabulary([Concept("boat", "boat")], "boats")
    (photo,) = read_described(data, photos, words).train
    assert photo.times == {0: 1}


WORDS = {"dog": "dog", "hound": "dog", "terrier": "terrier", "cat": "cat", "vehicle": "vehicle"}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            # Some files get more than five captions.
            st.sampled_from(["0.jpg", "1.jpg"])
            | st.sampled_from([f"{number}.jpg" for number in range(12)]),
            st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_any_captions_are_counted(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("captions")
    photos = touch(folder / "photos", *{file for file, _ in rows})
    lines = [(file, " and ".join(f"a {word}" for word in words)) for file, words in rows]
    found = read_described(write(folder / "c.csv", ("file", "caption"), *lines), photos, VOCABULARY)

    wanted: dict[str, Counter[str]] = {}
    counted: Counter[str] = Counter()
    for file, words in rows:
        if counted[file] < 5:
            counted[file] += 1
            shown = set().union(*(lineage(WORDS[word]) for word in words))
            wanted.setdefault(file, Counter()).update(shown)
    assert by_name(found) == wanted
    for photo in (*found.train, *found.kept):
        assert photo.captions == counted[photo.path.name]
    assert all(is_kept(photo.path.name) for photo in found.kept)
    assert not any(is_kept(photo.path.name) for photo in found.train)
    for file, times in table(found, "animal", "dog").items():
        assert times == [wanted[file][one] for one in ("animal", "dog")]


def test_of_more_than_five_captions_the_first_five_count(tmp_path):
    photos = touch(tmp_path / "photos", "a.jpg")
    said = ["a dog", "a dog", "a cat", "nothing", "a dog", "a car and a cat", "a dog"]
    data = write(tmp_path / "c.csv", ("file", "caption"), *(("a.jpg", text) for text in said))
    found = read_described(data, photos, VOCABULARY)
    assert by_name(found) == {"a.jpg": {"dog": 3, "cat": 1, "animal": 4}}
    (photo,) = (*found.train, *found.kept)
    assert photo.captions == 5


def test_photos_that_are_not_there_are_told(tmp_path):
    photos = touch(tmp_path / "photos", "a.jpg")
    rows = [("a.jpg", "a cat"), ("gone.jpg", "a dog"), ("gone too.jpg", "a dog")]
    captions = write(tmp_path / "c.csv", ("file", "caption"), *rows)
    lists = write(tmp_path / "l.csv", ("file", "concepts"), *((f, c[2:]) for f, c in rows))
    for data in (captions, lists):
        found = read_described(data, photos, VOCABULARY)
        assert list(by_name(found)) == ["a.jpg"]
        assert found.problems == ("2 photos are named and not there",)
        with pytest.raises(MissingDataError, match="none of the 3 photos"):
            read_described(data, touch(tmp_path / "other", "b.jpg"), VOCABULARY)


def test_malformed_rows_are_told_and_many_are_refused(tmp_path):
    photos = touch(tmp_path / "photos", *(f"{number}.jpg" for number in range(150)))
    for column, fine in (("caption", "a cat"), ("concepts", "cat")):
        rows = [(f"{number}.jpg", fine) for number in range(150)]
        data = write(tmp_path / f"{column}.csv", ("file", column), *rows, ("7.jpg", ""))
        (problem,) = read_described(data, photos, VOCABULARY).problems
        assert problem.startswith("line 152: ")
        short = write(tmp_path / "short.csv", ("file", column), *rows[:9], ("7.jpg", " "))
        with pytest.raises(UsageError, match=r"1 of 10 rows .* malformed: line 11"):
            read_described(short, photos, VOCABULARY)


def test_a_file_without_the_columns_is_refused(tmp_path):
    data = write(tmp_path / "c.csv", ("file", "title"), ("a.jpg", "a cat"))
    with pytest.raises(UsageError, match="no columns file and caption, nor file and concepts"):
        read_described(data, tmp_path, VOCABULARY)
    with pytest.raises(UsageError, match="cannot be read"):
        read_described(tmp_path / "none.csv", tmp_path, VOCABULARY)


@settings(deadline=None)
@given(
    st.sampled_from([b"file,caption\n", b"file,concepts\n", b"concepts,file\n"]),
    st.binary(max_size=120) | st.text('"; ,\n\rab.jpgdogcat', max_size=80).map(str.encode),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, head, content):
    folder = tmp_path_factory.mktemp("bytes")
    photos = touch(folder / "photos", "a.jpg", "b.jpg", "a", "b")
    (folder / "c.csv").write_bytes(head + content)
    try:
        found = read_described(folder / "c.csv", photos, VOCABULARY)
    except (UsageError, MissingDataError):
        return
    for photo in (*found.train, *found.kept):
        assert photo.path.is_file()
        assert photo.captions >= 1


# Lists of concepts.


def test_lists_tell_what_is_shown_and_what_is_not(tmp_path):
    photos = touch(tmp_path / "photos", *"abcdef", "more/g")
    data = write(
        tmp_path / "l.csv",
        ("file", "concepts"),
        ("a", "terrier; sports car"),
        ("b", "dog"),
        ("c", "  Hounds ;;"),
        ("d", "sports-car"),
        ("e", "person"),
        ("e", "dog"),
        ("f", "bat.tool"),
        ("more/g", "animal"),
    )
    found = read_described(data, photos, VOCABULARY)
    five = dict.fromkeys(("terrier", "dog", "animal", "sports-car", "vehicle"), 5)
    assert by_name(found) == {
        "a": five,
        "b": {"dog": 5, "animal": 5},
        "c": {"dog": 5, "animal": 5},
        "d": {"sports-car": 5, "vehicle": 5},
        "e": {"person": 5, "dog": 5, "animal": 5},
        "f": {"bat.tool": 5, "tool": 5},
        "g": {"animal": 5},
    }
    assert all(photo.captions == 5 for photo in (*found.train, *found.kept))
    assert found.problems == ()
    used = {"terrier", "dog", "animal", "sports-car", "vehicle", "person", "bat.tool", "tool"}
    assert {VOCABULARY.concepts[at].id for at in found.asked} == used
    # Whether a dog is a terrier is not said; nor whether there is a cat, which nobody lists.
    assert table(found, "vehicle", "dog", "terrier", "cat") == {
        "a": [5, 5, 5, -1],
        "b": [0, 5, -1, -1],
        "c": [0, 5, -1, -1],
        "d": [5, 0, 0, -1],
        "e": [0, 5, -1, -1],
        "f": [0, 0, 0, -1],
        "g": [0, -1, -1, -1],
    }


def test_a_photo_of_one_kind_shows_no_other_that_is_asked_for(tmp_path):
    photos = touch(tmp_path / "photos", "dog/a.jpg", "cat/b.jpg", "animal/c.jpg")
    assert table(read_described(None, photos, VOCABULARY), "dog", "cat", "animal") == {
        "a.jpg": [5, 0, 5],
        "b.jpg": [0, 5, 5],
        "c.jpg": [-1, -1, 5],
    }


def ends(ids: list[str]) -> set[str]:
    """Those of some concepts that none of the others is a kind of."""
    return set(ids) - set().union(*(VOCABULARY.ancestors(one) for one in ids))


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from([f"{number}.jpg" for number in range(12)]),
        st.lists(st.sampled_from(sorted(AT)), min_size=1, max_size=3),
        min_size=1,
    )
)
def test_any_lists_are_read(tmp_path_factory, lists):
    folder = tmp_path_factory.mktemp("lists")
    photos = touch(folder / "photos", *lists)
    rows = [(file, ";".join(ids)) for file, ids in lists.items()]
    found = read_described(write(folder / "l.csv", ("file", "concepts"), *rows), photos, VOCABULARY)
    shown = {file: set().union(*map(lineage, ids)) for file, ids in lists.items()}
    assert by_name(found) == {file: dict.fromkeys(ids, 5) for file, ids in shown.items()}
    asked = set().union(*shown.values())
    assert {VOCABULARY.concepts[at].id for at in found.asked} == asked
    columns = [concept.id for concept in VOCABULARY]
    for file, times in table(found, *columns).items():
        for one, number in zip(columns, times, strict=True):
            if one in shown[file]:
                assert number == 5
            elif one not in asked:
                assert number == -1
            else:
                # Only of kinds of the deepest that is shown it is not known: a dog is no cat.
                assert number == (-1 if ends(lists[file]) & lineage(one) else 0)


def test_names_that_are_no_concept_or_several_are_told_and_their_photos_left_out(tmp_path):
    photos = touch(tmp_path / "photos", *"abcd")
    data = write(
        tmp_path / "l.csv",
        ("file", "concepts"),
        ("a", "dog"),
        ("b", "bat"),
        ("c", "dog; unicorn"),
        ("d", "bat.animal"),
    )
    found = read_described(data, photos, VOCABULARY)
    assert set(by_name(found)) == {"a", "d"}
    assert set(found.problems) == {
        "'unicorn' is no concept",
        "'bat' is 2 concepts; say which by its id",
    }


def test_names_of_which_none_is_a_concept_are_refused(tmp_path):
    photos = touch(tmp_path / "photos", "unicorn/a.jpg", "bat/b.jpg")
    with pytest.raises(UsageError, match=r"none of the 2 names .*is a concept: ") as caught:
        read_described(None, photos, VOCABULARY)
    assert "--concepts" in caught.value.hint


# Folders.


def test_folders_tell_what_their_photos_show(tmp_path):
    photos = touch(
        tmp_path / "photos",
        "dogs/a.jpg",
        "animals of mine/terrier/b.PNG",
        "sports_car/c.jpg",
        "sports_car/notes.txt",
        "Person/d.webp",
    )
    found = read_described(None, photos, VOCABULARY)
    assert by_name(found) == {
        "a.jpg": {"dog": 5, "animal": 5},
        "b.PNG": {"terrier": 5, "dog": 5, "animal": 5},
        "c.jpg": {"sports-car": 5, "vehicle": 5},
        "d.webp": {"person": 5},
    }
    assert found.problems == ()
    assert table(found, "vehicle", "terrier")["a.jpg"] == [0, -1]


def test_photos_beside_the_folders_are_told(tmp_path, monkeypatch):
    photos = touch(tmp_path / "photos", "dog/a.jpg", "b.jpg", "c.jpg")
    found = read_described(None, photos, VOCABULARY)
    assert set(by_name(found)) == {"a.jpg"}
    assert [problem.rpartition("/")[2] for problem in found.problems] == [
        "b.jpg: in no folder that a concept names",
        "c.jpg: in no folder that a concept names",
    ]
    # The folder itself may be called like a concept, or given as the current one.
    alone = touch(tmp_path / "cat", "b.jpg")
    monkeypatch.chdir(alone)
    for top in (alone, Path()):
        with pytest.raises(UsageError, match="no photos in folders of"):
            read_described(None, top, VOCABULARY)


def test_folders_that_are_empty_or_not_there(tmp_path):
    with pytest.raises(UsageError, match="no photos in folders of"):
        read_described(None, touch(tmp_path / "photos", "dog/a.txt"), VOCABULARY)
    with pytest.raises(PhotosNotFoundError):
        read_described(None, tmp_path / "none", VOCABULARY)


def test_a_tenth_is_kept_whatever_tells_of_the_photos(tmp_path):
    names = [f"{number}.jpg" for number in range(60)]
    photos = touch(tmp_path / "photos", *(f"dog/{name}" for name in names))
    head = ("file", "concepts")
    lists = write(tmp_path / "l.csv", head, *((f"dog/{name}", "dog") for name in names))
    head = ("file", "caption")
    captions = write(tmp_path / "c.csv", head, *((f"dog/{name}", "a dog") for name in names))
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress(captions.read_bytes()))
    for data in (None, lists, captions, packed):
        found = read_described(data, photos, VOCABULARY)
        assert {photo.path.name for photo in found.kept} == set(filter(is_kept, names))
        assert len(found.train) + len(found.kept) == 60


# What is said, as numbers.


def test_no_more_than_five_captions_are_counted_and_unused_concepts_are_not_said():
    photo = Description(Path("a.jpg"), {0: 9, 2: 3}, 9)
    found = Described((photo,), ()).times([photo, photo], [2, 0, 1])
    assert found.tolist() == [[3, 5, 0], [3, 5, 0]]
    assert Described((), ()).times([], [0, 1]).shape == (0, 2)
    assert Described((photo,), ()).times([photo], []).shape == (1, 0)
