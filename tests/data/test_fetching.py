from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from hiersearch.data import fetching
from hiersearch.data.breeds_labels import LABELS_PART, SUBSETS, read_classes, read_subset
from hiersearch.data.class_sets import find_release, unpack
from hiersearch.data.fetching import DOWNLOADS, SUMS, fetch_part, find_or_fetch
from hiersearch.data.hierarcaps_files import TRAIN_FILE, TRAIN_PART, find_test_file, read_items
from hiersearch.data.hyperlex_pairs import read_hyperlex
from hiersearch.errors import HiersearchError, MissingDataError, UsageError
from tests.evaluation.made_hyperlex import PAIRS, make_hyperlex

CSV = (
    b"id,captions,image_url\n"
    b"1,animal => cat,http://images.example.org/val2014/COCO_1.jpg\n"
    b"2,animal => dog,http://images.example.org/val2014/COCO_2.jpg\n"
)


def zipped(name: str = "hyperlex-data/hyperlex-all.txt") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hyperlex-data/README.txt", "read me")
        archive.writestr(name, PAIRS)
    return packed.getvalue()


def serving(content: dict[str, bytes], asked: list[str] | None = None) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if asked is not None:
            asked.append(url)
        return httpx.Response(200, content=content[url]) if url in content else httpx.Response(404)

    return httpx.MockTransport(answer)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Name or service not known")


OFFLINE = httpx.MockTransport(unreachable)
HYPERLEX_URL = DOWNLOADS["hyperlex"].files[0].url
HYPERLEX = {HYPERLEX_URL: zipped()}
HIERARCAPS = {
    DOWNLOADS["hierarcaps"].files[0].url: CSV,
    f"{fetching.HIERARCAPS_PHOTOS}/COCO_1.jpg": b"one",
    f"{fetching.HIERARCAPS_PHOTOS}/COCO_2.jpg": b"two",
}


@pytest.fixture
def environ(tmp_path) -> dict[str, str]:
    return {"HIERSEARCH_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache" / "data"


def test_data_that_is_there_is_taken_as_it_is(environ, tmp_path):
    data = make_hyperlex(tmp_path / "data")
    assert find_or_fetch("hyperlex", data, environ=environ, transport=OFFLINE) == data


def test_what_cannot_be_fetched_is_left_to_the_benchmark(environ, tmp_path):
    assert find_or_fetch("breeds", None, environ=environ, transport=OFFLINE) is None
    assert find_or_fetch("species", tmp_path, environ=environ, transport=OFFLINE) == tmp_path


def test_hyperlex_is_fetched_once_and_checked_ever_after(environ, cache, tmp_path):
    transport = serving(HYPERLEX)
    folder = find_or_fetch("hyperlex", None, environ=environ, transport=transport)
    assert folder == cache / "hyperlex"
    assert len(read_hyperlex(folder / "hyperlex-all.txt")) == 6
    assert {path.name for path in folder.iterdir()} == {"hyperlex-all.txt", SUMS}
    tmp_path.joinpath("empty").mkdir()
    again = find_or_fetch("hyperlex", tmp_path / "empty", environ=environ, transport=OFFLINE)
    assert again == folder
    (folder / "hyperlex-all.txt").write_text("other")
    with pytest.raises(HiersearchError, match="is not what was downloaded") as caught:
        find_or_fetch("hyperlex", None, environ=environ, transport=transport)
    assert str(folder) in caught.value.hint


def test_hierarcaps_with_its_photos_goes_on_where_it_was_cut_off(environ, cache):
    told: list[tuple[str, int, int]] = []
    some = {url: content for url, content in HIERARCAPS.items() if not url.endswith("2.jpg")}
    with pytest.raises(MissingDataError, match="the server answered 404"):
        find_or_fetch("hierarcaps", None, environ=environ, transport=serving(some))
    asked: list[str] = []
    folder = find_or_fetch(
        "hierarcaps",
        None,
        environ=environ,
        transport=serving(HIERARCAPS, asked),
        on_progress=lambda *each: told.append(each),
    )
    assert asked == [f"{fetching.HIERARCAPS_PHOTOS}/COCO_2.jpg"]
    assert told[-1] == ("downloading photos", 2, 2)
    items = read_items(find_test_file(folder))
    assert [item.photo for item in items] == [
        cache / "hierarcaps" / "images" / name for name in ("COCO_1.jpg", "COCO_2.jpg")
    ]
    (folder / "images" / "COCO_1.jpg").unlink()
    with pytest.raises(HiersearchError, match="is not what was downloaded"):
        find_or_fetch("hierarcaps", None, environ=environ, transport=OFFLINE)


@pytest.mark.parametrize("name", ["hierarcaps", "hyperlex"])
def test_offline_says_what_is_missing_where_it_is_and_where_to_put_it(
    environ, tmp_path, name, cache
):
    tmp_path.joinpath("data").mkdir()
    with pytest.raises(MissingDataError) as caught:
        find_or_fetch(name, tmp_path / "data", environ=environ, transport=OFFLINE)
    assert name in caught.value.message
    assert str(tmp_path / "data") in caught.value.message
    assert "Name or service not known" in caught.value.message
    assert "https://" in caught.value.hint
    assert not list(cache.rglob("*.*"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>Sign in</html>", "not a whole zip file"),
        (zipped()[:-30], "not a whole zip file"),
        (zipped("other.txt"), "there is no hyperlex-all.txt"),
    ],
)
def test_a_wrong_archive(environ, cache, content, says):
    transport = serving({HYPERLEX_URL: content})
    with pytest.raises(MissingDataError, match=says):
        find_or_fetch("hyperlex", None, environ=environ, transport=transport)
    assert list((cache / "hyperlex").iterdir()) == []


def test_a_folder_that_is_not_there_is_wrong_use(environ, tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        find_or_fetch("hyperlex", tmp_path / "nowhere", environ=environ, transport=OFFLINE)


NAMES = {"cifar10": b"cat\ndog\n\n", "cifar100": b"apple\nbear\n"}
MEMBERS = {
    "cifar10": ("cifar-10-batches-bin", "test_batch.bin", "batches.meta.txt"),
    "cifar100": ("cifar-100-binary", "test.bin", "fine_label_names.txt"),
}


def records(name: str) -> bytes:
    coarse = b"\x05" if name == "cifar100" else b""
    return b"".join(coarse + bytes([label]) + bytes(3072) for label in (0, 1, 1))


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def cifar(name: str) -> bytes:
    folder, images, names = MEMBERS[name]
    return tarred(
        member(folder, kind=tarfile.DIRTYPE),
        member(f"{folder}/data_batch_1.bin", b"train"),
        member(f"../{images}", b"outside"),
        member(f"/{folder}/{images}", b"outside"),
        member(f"{folder}/deeper/{images}", b"deeper"),
        member(f"{folder}/{names}", NAMES[name]),
        member(f"{folder}/{images}", records(name)),
    )


def serve_cifar(monkeypatch, name: str, content: bytes, md5: str | None = None):
    found = hashlib.md5(content).hexdigest()
    (file,) = DOWNLOADS[name].files
    served = dataclasses.replace(file, checksum=f"md5:{md5 or found}")
    known = {name: dataclasses.replace(DOWNLOADS[name], files=(served,))}
    monkeypatch.setattr(fetching, "DOWNLOADS", DOWNLOADS | known)
    return serving({file.url: content})


def test_published_checksums_are_of_the_binary_versions():
    files = [DOWNLOADS[name].files[0] for name in ("cifar10", "cifar100")]
    assert [(file.name, file.checksum) for file in files] == [
        ("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530"),
        ("cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8"),
    ]


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_fetched_once_and_only_its_test_files_unpacked(
    environ, cache, tmp_path, monkeypatch, name
):
    transport = serve_cifar(monkeypatch, name, cifar(name))
    folder = fetch_part(name, environ=environ, transport=transport)
    assert folder == cache / "classify" / name
    assert find_release(folder, name) == folder
    assert {path.name for path in cache.rglob("*") if path.is_file()} == {*MEMBERS[name][1:], SUMS}
    assert (folder / MEMBERS[name][1]).read_bytes() == records(name)
    target = tmp_path / "out"
    target.mkdir()
    unpack(folder, name, target)
    assert len(list(target.glob("*/*.png"))) == 3
    assert fetch_part(name, environ=environ, transport=OFFLINE) == folder
    (folder / MEMBERS[name][1]).write_bytes(b"other")
    with pytest.raises(HiersearchError, match="is not what was downloaded"):
        fetch_part(name, environ=environ, transport=transport)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>Sign in</html>", "not a whole tar file"),
        (cifar("cifar10")[:-40], "not a whole tar file"),
        (gzip.compress(b"no tar" * 200, mtime=0), "not a whole tar file"),
        (tarred(member("cifar-10-batches-bin/test_batch.bin", b"x")), "there is no .*meta.txt"),
        (
            tarred(member("cifar-10-batches-bin/test_batch.bin", b"", tarfile.SYMTYPE, "/etc/x")),
            "not what it should be",
        ),
        (
            tarred(
                member("other", b"x"),
                member("cifar-10-batches-bin/test_batch.bin", b"", tarfile.LNKTYPE, "other"),
            ),
            "not what it should be",
        ),
        (tarred(member("cifar-10-batches-bin/test_batch.bin", b"x" * 101)), "not what it should"),
    ],
)
def test_a_wrong_archive_of_cifar(environ, cache, monkeypatch, content, says):
    monkeypatch.setattr(fetching, "MAX_MEMBER", 100)
    transport = serve_cifar(monkeypatch, "cifar10", content)
    with pytest.raises(MissingDataError, match=f"cifar10 cannot be downloaded: .*{says}") as caught:
        fetch_part("cifar10", environ=environ, transport=transport)
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in caught.value.hint
    assert list((cache / "classify/cifar10").iterdir()) == []


def test_an_archive_of_another_checksum_is_not_opened(environ, cache, monkeypatch):
    transport = serve_cifar(monkeypatch, "cifar10", cifar("cifar10"), md5="0" * 32)
    monkeypatch.setattr(tarfile, "open", None)
    with pytest.raises(MissingDataError, match="does not have the checksum md5:0000"):
        fetch_part("cifar10", environ=environ, transport=transport)
    assert list((cache / "classify/cifar10").iterdir()) == []


def served_breeds() -> dict[str, bytes]:
    return {
        f"{fetching.BREEDS}/wordnet/dataset_class_info.json": (
            b'[[0, "n00000001", "cat"], [1, "n00000002", "dog"]]'
        ),
        f"{fetching.BREEDS}/modified/class_hierarchy.txt": b"n1 n00000001\n",
        f"{fetching.BREEDS}/modified/node_names.txt": b"n1\tanimal\n",
        **{f"{fetching.CHILS}/{name}-true.json": b'{"animal": ["cat", "dog"]}' for name in SUBSETS},
    }


def test_the_labels_of_breeds(environ, cache):
    folder = fetch_part(LABELS_PART, environ=environ, transport=serving(served_breeds()))
    assert folder == cache / "breeds"
    classes, files = read_classes(folder)
    assert len(files) == 3
    for name in SUBSETS:
        assert read_subset(folder, name, classes).labels == ("animal", "cat", "dog")
    assert fetch_part(LABELS_PART, environ=environ, transport=OFFLINE) == folder


def test_hierarcaps_train_file(environ, tmp_path):
    content = gzip.compress(b"positive,negative\na => b,c => d\n")
    path = fetch_part(
        TRAIN_PART,
        environ=environ,
        transport=serving({DOWNLOADS[TRAIN_PART].files[0].url: content}),
    )
    assert path.read_bytes() == content
    own = tmp_path / "own"
    own.mkdir()
    (own / TRAIN_FILE).write_bytes(content)
    mine = environ | {"HIERSEARCH_DATA": str(own)}
    assert fetch_part(TRAIN_PART, environ=mine, transport=OFFLINE) == own / TRAIN_FILE


@pytest.mark.parametrize("part", [TRAIN_PART, LABELS_PART, "cifar10", "cifar100"])
def test_a_part_that_cannot_be_fetched_says_where_from(environ, cache, part):
    with pytest.raises(MissingDataError, match="Name or service not known") as caught:
        fetch_part(part, environ=environ, transport=OFFLINE)
    assert "https://" in str(caught.value)
    assert not list(cache.rglob("*.*"))
