"""Zero-shot classification: its data, its measure, its runs."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from hiersearch.data.class_sets import (
    class_name,
    class_sets,
    find_release,
    read_class_folders,
    unpack,
)
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.benchmarks import classify
from hiersearch.evaluation.benchmarks.classify import class_chance, class_scores
from hiersearch.evaluation.embedder import Embedder
from tests.evaluation.made_embedder import DIM, MadeEmbedder, drawn, photo_file, text_file


def classes(folder, **counts):
    for name, count in counts.items():
        for at in range(count):
            photo_file(folder / name / f"{at}.png", (at, len(name), 0))
    return folder


def knows(*names: str) -> MadeEmbedder:
    """Reads a photo as the name of its folder, and a prompt as the one of the names in it."""

    def text(prompt: str):
        return drawn(next((name for name in names if name in prompt), prompt))

    return MadeEmbedder(text=text, photo=lambda path: drawn(class_name(path.parent.name)))


def test_scores_by_hand():
    photos = np.eye(6, DIM, dtype=np.float32)[[0, 0, 0, 1, 2]]
    names = np.eye(6, DIM, dtype=np.float32)[[0, 3, 2, 1, 4, 5]]  # class 1 and class 3 swapped
    found = class_scores(photos, names, [0, 0, 0, 1, 2])
    assert found["accuracy"] == pytest.approx(4 / 5)
    assert found["accuracy_class_mean"] == pytest.approx(2 / 3)
    # The photo of class 1 is nearest to another's name and equally far from all the rest.
    assert found["accuracy_top_5"] == pytest.approx(4 / 5)


def test_five_nearest():
    names = np.eye(7, DIM, dtype=np.float32)
    photo = np.array([[7, 6, 5, 4, 3, 2, 1] + [0] * (DIM - 7)], dtype=np.float32)
    fifth = class_scores(photo, names, [4])
    sixth = class_scores(photo, names, [5])
    assert (fifth["accuracy"], fifth["accuracy_top_5"]) == (0.0, 1.0)
    assert sixth["accuracy_top_5"] == 0.0


def test_constant_scores_are_not_an_accuracy():
    same = np.ones((3, DIM), dtype=np.float32)
    assert class_scores(same, same, [0, 1, 2])["accuracy"] == 0.0


def test_chance():
    assert class_chance(10)["accuracy"] == pytest.approx(0.1)
    assert class_chance(10)["accuracy_top_5"] == pytest.approx(0.5)
    assert class_chance(3)["accuracy_top_5"] == 1.0


def test_folders_of_classes(tmp_path):
    folder = classes(tmp_path / "set", pick_up=2, car=1, empty=0)
    (folder / "empty").mkdir()
    (folder / ".hidden").mkdir()
    text_file(folder / "car/readme.txt", "no photo")
    photo_file(folder / ".hidden/0.png")
    found = read_class_folders(folder)
    assert found.classes == ("car", "pick_up")
    assert found.labels == (0, 1, 1)
    assert [path.name for path in found.photos] == ["0.png", "0.png", "1.png"]
    assert class_name("pick_up") == "pick up"
    classes(folder / "test", a=1, b=1)
    assert read_class_folders(folder).classes == ("a", "b")
    assert read_class_folders(tmp_path) is None


def test_sets_are_found_by_name(tmp_path):
    with pytest.raises(MissingDataError, match="cifar10"):
        class_sets(tmp_path)
    classes(tmp_path / "cifar10", cat=1, dog=1)
    assert class_sets(tmp_path) == {"cifar10": tmp_path / "cifar10"}
    classes(tmp_path / "classify/pets", cat=1, dog=1)
    classes(tmp_path / "classify/CIFAR-100", cat=1, dog=1)
    assert class_sets(tmp_path) == {
        "cifar10": tmp_path / "cifar10",
        "cifar100": tmp_path / "classify/CIFAR-100",
        "pets": tmp_path / "classify/pets",
    }
    assert class_sets(tmp_path / "classify/pets") == {"pets": tmp_path / "classify/pets"}


def test_a_run(tmp_path):
    classes(tmp_path / "cifar10", cat=3, grey_dog=1)
    classes(tmp_path / "classify/pets", cat=2, dog=2)
    embedder = knows("cat", "grey dog", "dog")
    result = classify.evaluate(embedder, tmp_path)
    for name in ("cifar10", "pets"):
        assert result.scores[name]["single"]["accuracy"] == 1.0
        assert result.chance[name]["ensemble"]["accuracy"] == pytest.approx(0.5)
    assert (result.scores["cifar10"]["n"], result.scores["cifar10"]["n_classes"]) == (4, 2)
    assert "a low contrast photo of a grey dog." in embedder.asked  # CIFAR's
    assert "a tattoo of the dog." in embedder.asked  # ImageNet's
    assert "a tattoo of the grey dog." not in embedder.asked
    assert any("1 classes of one photo, such as grey_dog" in note for note in result.notes)
    assert any("cifar100: not there" in note for note in result.notes)
    assert set(result.files) == {"cifar10/photos", "pets/photos"}


def test_any_csv_file_with_the_right_columns(tmp_path):
    for at, name in enumerate(("cat_1", "cat_2", "dog_1")):
        photo_file(tmp_path / f"classify/photos/{name}.png", (at, 0, 0))
    path = text_file(
        tmp_path / "classify/pets.csv",
        "Image,Label,note\ncat_1.png,cat,x\ncat_2.png,cat,\ndog_1.png,dog,\nnone.png,dog,\n",
    )
    text_file(tmp_path / "classify/other.csv", "a,b\n1,2\n")
    assert class_sets(tmp_path) == class_sets(path) == {"pets": path}
    embedder = MadeEmbedder(
        text=lambda text: drawn(next((n for n in ("cat", "dog") if n in text), text)),
        photo=lambda photo: drawn(photo.stem.partition("_")[0]),
    )
    result = classify.evaluate(embedder, tmp_path)
    assert result.scores["pets"]["single"]["accuracy"] == 1.0
    assert (result.scores["pets"]["n"], result.scores["pets"]["n_classes"]) == (3, 2)
    assert any("pets: 1 rows left out" in note for note in result.notes)
    assert set(result.files) == {"pets.csv", "pets/photos"}


def test_a_csv_file_does_not_hide_folders_and_a_taxonomy_is_none(tmp_path):
    photo_file(tmp_path / "crow.png")
    text_file(tmp_path / "taxonomy.csv", "file,class,genus,species\ncrow.png,Aves,Corvus,corax\n")
    with pytest.raises(MissingDataError, match="nothing to classify"):
        class_sets(tmp_path)
    path = text_file(tmp_path / "mine.csv", "file,class\ncrow.png,crow\n")
    assert class_sets(tmp_path) == {"mine": path}
    classes(tmp_path, cat=1, dog=1)
    assert class_sets(tmp_path) == {tmp_path.name: tmp_path}


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("file,class\na.png,cat\n", UsageError, "no two classes"),
        ("file,class\na.png,cat\n,dog\n", UsageError, "lacks a photo or a class"),
        ("file,class\na.png,\nb.png,dog\n", UsageError, "lacks a photo or a class"),
        ("file,kind\na.png,cat\n", UsageError, "has no column class/label"),
        ("file,class\na.png,cat\nb.png,dog\n", MissingDataError, "none of the 2 photos"),
    ],
)
def test_a_csv_file_that_will_not_do(tmp_path, content, error, says):
    path = text_file(tmp_path / "pets.csv", content)
    with pytest.raises(error, match=says):
        classify.evaluate(MadeEmbedder(), path)


def test_sets_can_be_chosen_and_cifar_is_fetched_then(tmp_path):
    classes(tmp_path / "data/classify/pets", cat=1, dog=1)
    fetched = release(tmp_path / "cache", "test.bin", [1, 0], label_bytes=2)
    asked = []

    def fetch(part):
        asked.append(part)
        return fetched

    embedder = knows("cat", "dog")
    assert set(classify.evaluate(embedder, tmp_path / "data", fetch=fetch).scores) == {"pets"}
    assert asked == []
    for data in (tmp_path / "data", None):
        result = classify.evaluate(embedder, data, sets=["cifar100"], fetch=fetch)
        assert result.scores["cifar100"]["single"]["accuracy"] == 1.0
        assert set(result.scores) == {"cifar100"}
        assert not result.notes or "not there" not in str(result.notes)
    assert asked == ["cifar100"] * 2
    with pytest.raises(UsageError, match="called birds") as caught:
        classify.evaluate(embedder, tmp_path / "data", sets=["birds"], fetch=fetch)
    assert "pets, cifar10, cifar100" in caught.value.hint
    with pytest.raises(MissingDataError, match="cifar10 is not in any folder"):
        classify.evaluate(embedder, None, sets=["cifar10"])


def test_a_set_without_its_photos_is_left_out_and_said_unless_it_was_asked_for(tmp_path):
    classes(tmp_path / "classify/pets", cat=1, dog=1)
    text_file(tmp_path / "classify/birds.csv", "file,class\na.png,crow\nb.png,jay\n")
    embedder = knows("cat", "dog")
    result = classify.evaluate(embedder, tmp_path)
    assert set(result.scores) == set(result.chance) == {"pets"}
    assert set(result.files) == {"pets/photos"}
    assert any(note.startswith("birds: left out: none of the 2 photos") for note in result.notes)
    for sets in (["birds"], ["pets", "birds"]):
        with pytest.raises(MissingDataError, match="none of the 2 photos"):
            classify.evaluate(embedder, tmp_path, sets=sets)


def test_prompts_can_be_chosen(tmp_path):
    classes(tmp_path, cat=1, dog=1)
    embedder = knows()
    result = classify.evaluate(embedder, tmp_path, prompts={"bare": "name", "mine": ["my {}"]})
    assert set(embedder.asked) - {""} == {"cat", "dog", "my cat", "my dog"}
    assert result.scores[tmp_path.name]["bare"]["accuracy"] == 1.0


def test_the_real_model(tmp_path, mini, demo_photos):
    for name, photo in (("cat", "cat.jpg"), ("motorcycle", "motorcycle.jpg")):
        (tmp_path / name).mkdir()
        shutil.copy2(demo_photos / photo, tmp_path / name)
    result = classify.evaluate(Embedder(mini, cache=None), tmp_path, prompts={"one": "single"})
    assert result.scores[tmp_path.name]["one"]["accuracy"] == 1.0


def release(folder, name, labels, *, names="cat\ndog\n", label_bytes=1):
    """As the binary version has it: each image is all red, green or blue by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    records = b""
    for number, label in enumerate(labels):
        planes = np.zeros((3, 32, 32), dtype=np.uint8)
        planes[number % 3, 0, :] = 200
        records += bytes([9] * (label_bytes - 1) + [label]) + planes.tobytes()
    (folder / name).write_bytes(records)
    text_file(folder / ("batches.meta.txt" if label_bytes == 1 else "fine_label_names.txt"), names)
    return folder


def test_cifar_as_released(tmp_path):
    source = release(tmp_path / "cifar10/cifar-10-batches-bin", "test_batch.bin", [0, 1, 1])
    assert find_release(tmp_path / "cifar10", "cifar10") == source
    assert find_release(tmp_path / "cifar10", "cifar100") is None
    target = tmp_path / "out"
    target.mkdir()
    unpack(source, "cifar10", target)
    with Image.open(target / "dog/00001.png") as image:
        assert image.getpixel((31, 0)) == (0, 200, 0)
        assert image.getpixel((0, 1)) == (0, 0, 0)
    assert sorted(path.name for path in target.glob("*/*")) == [f"0000{n}.png" for n in range(3)]

    result = classify.evaluate(knows("cat", "dog"), tmp_path)
    assert result.scores["cifar10"]["n"] == 3
    assert result.scores["cifar10"]["single"]["accuracy"] == 1.0
    assert list(result.files) == ["cifar10/test_batch.bin"]


def test_cifar_100_has_two_labels(tmp_path):
    release(tmp_path / "cifar100", "test.bin", [1, 0], label_bytes=2)
    result = classify.evaluate(knows("cat", "dog"), tmp_path)
    assert result.scores["cifar100"]["single"]["accuracy"] == 1.0


def test_a_damaged_release_is_refused(tmp_path):
    folder = release(tmp_path / "cifar10", "test_batch.bin", [0, 1])
    content = (folder / "test_batch.bin").read_bytes()
    for damaged in (content[:-1], b"", bytes([2]) + content[1:]):
        (folder / "test_batch.bin").write_bytes(damaged)
        with pytest.raises(UsageError, match=r"test_batch\.bin"):
            classify.evaluate(knows("cat", "dog"), tmp_path)
