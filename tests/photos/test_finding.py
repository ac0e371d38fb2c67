from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import pytest

from hiersearch.errors import PhotosNotFoundError
from hiersearch.photos import PHOTO_SUFFIXES, PhotoFile, find_photos

Problems = list[tuple[Path, str]]

pytestmark = pytest.mark.usefixtures("no_extras")


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def find(
    *paths: Path, follow_links: bool = False, problems: Problems | None = None
) -> list[PhotoFile]:
    met: Problems = []
    found = list(
        find_photos(
            paths,
            follow_links=follow_links,
            on_problem=lambda path, reason: met.append((path, reason)),
        )
    )
    if problems is None:
        assert not met
    else:
        problems += met
    return found


def names(found: list[PhotoFile], root: Path) -> list[str]:
    return [photo.path.relative_to(root).as_posix() for photo in found]


def test_photos_are_known_by_their_suffix(tmp_path: Path) -> None:
    suffixes = {"jpg", "jpeg", "png", "webp", "avif", "gif", "bmp", "tif", "tiff", "heic", "heif"}
    assert suffixes <= PHOTO_SUFFIXES
    suffixes |= PHOTO_SUFFIXES | {suffix.upper() for suffix in PHOTO_SUFFIXES} | {"Jpeg"}
    photos = sorted(f"a.{suffix}" for suffix in suffixes)
    for name in [*photos, "notes.txt", "jpg", "a.jpg.txt", "movie.mp4", "raw.cr2", "x.", "eps.eps"]:
        touch(tmp_path / name)
    assert names(find(tmp_path), tmp_path) == photos


def test_size_time_and_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = touch(tmp_path / "a" / "cat.jpg", b"12345")
    os.utime(file, (1.5, 1234567890.25))
    expected = [PhotoFile(file, 5, 1234567890.25)]
    assert find(tmp_path) == expected
    monkeypatch.chdir(tmp_path / "a")
    assert find(Path()) == expected
    assert find(Path("cat.jpg")) == expected
    assert find(Path("../a/./cat.jpg")) == expected


def test_order_is_files_then_folders_by_name(tmp_path: Path) -> None:
    expected = [
        "a.jpg",
        "m.jpg",
        "z.jpg",
        "B/a.jpg",
        "b/a.jpg",
        "b/a/x.jpg",
        "b/c/x.jpg",
        "n/a.png",
    ]
    shuffled = list(expected)
    random.Random(1).shuffle(shuffled)
    for name in shuffled:
        touch(tmp_path / name)
    assert names(find(tmp_path), tmp_path) == expected


def test_hidden_and_system_names_are_passed_over_unless_given(tmp_path: Path) -> None:
    hidden = [".h.jpg", "._a.jpg", ".thumbnails/t.jpg", "@eaDir/t.jpg", "b/#recycle/t.jpg"]
    hidden += ["__MACOSX/a.jpg", "$RECYCLE.BIN/a.jpg"]
    for name in [*hidden, "a.jpg", "b/eaDir.jpg"]:
        touch(tmp_path / name)
    assert names(find(tmp_path), tmp_path) == ["a.jpg", "b/eaDir.jpg"]
    assert names(
        find(tmp_path / ".h.jpg", tmp_path / ".thumbnails", tmp_path / "@eaDir"), tmp_path
    ) == [
        ".h.jpg",
        ".thumbnails/t.jpg",
        "@eaDir/t.jpg",
    ]


def test_a_given_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    file = touch(tmp_path / "scan.0001")
    assert [photo.path for photo in find(file)] == [file]


def test_overlapping_paths_give_each_file_once(tmp_path: Path) -> None:
    for name in ["a/x.jpg", "a/b/y.jpg", "a/b/z.jpg", "c.jpg"]:
        touch(tmp_path / name)
    found = find(
        tmp_path / "a/b/y.jpg", tmp_path / "a/b", tmp_path, tmp_path / "c.jpg", tmp_path / "a"
    )
    assert names(found, tmp_path) == ["a/b/y.jpg", "a/b/z.jpg", "c.jpg", "a/x.jpg"]


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    os.link(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert names(find(tmp_path), tmp_path) == ["a.jpg", "b.jpg"]


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with links to itself, to the folder above, to files, and out of the tree."""
    root = tmp_path / "root"
    touch(root / "m" / "photo.jpg")
    touch(tmp_path / "outside" / "far.jpg")
    touch(tmp_path / "single.jpg")
    (root / "again").symlink_to(root)
    (root / "m" / "up").symlink_to("..")
    (root / "a.jpg").symlink_to(root / "m" / "photo.jpg")
    (root / "l").symlink_to(tmp_path / "outside")
    (root / "one.jpg").symlink_to(tmp_path / "single.jpg")
    (root / "one.txt").symlink_to(tmp_path / "single.jpg")
    return root


def test_links_are_not_followed(linked: Path) -> None:
    assert names(find(linked), linked) == ["m/photo.jpg"]


def test_links_are_followed_last_and_loops_survived(linked: Path) -> None:
    assert names(find(linked, follow_links=True), linked) == ["m/photo.jpg", "l/far.jpg", "one.jpg"]


def test_a_given_link_is_followed_and_keeps_its_name(linked: Path) -> None:
    assert names(find(linked / "l", linked / "one.txt"), linked) == ["l/far.jpg", "one.txt"]
    # The link and what it leads to are the same photo: the first one wins.
    outside = linked.parent / "outside"
    assert names(find(linked / "l", outside), linked) == ["l/far.jpg"]
    assert names(find(outside / "far.jpg", linked / "l"), linked.parent) == ["outside/far.jpg"]


def test_links_to_nowhere(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    (tmp_path / "gone").symlink_to(tmp_path / "missing")
    (tmp_path / "me.jpg").symlink_to("me.jpg")
    assert names(find(tmp_path), tmp_path) == ["a.jpg"]
    problems: Problems = []
    assert names(find(tmp_path, follow_links=True, problems=problems), tmp_path) == ["a.jpg"]
    assert problems[0] == (tmp_path / "gone", "a link to nowhere")
    assert problems[1][0] == tmp_path / "me.jpg"
    with pytest.raises(PhotosNotFoundError, match="a link to nowhere"):
        find(tmp_path / "gone")
    with pytest.raises(PhotosNotFoundError, match="is not there"):
        find(tmp_path / "me.jpg")


def test_a_missing_path_is_an_error_before_anything_is_searched(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    for missing in ("nope", "a.jpg/b", "x" * 5000, "null\0"):
        with pytest.raises(PhotosNotFoundError, match="is not there"):
            find_photos([tmp_path, tmp_path / missing], on_problem=lambda *_: None)


@pytest.mark.skipif(os.name != "posix", reason="file names of bytes")
def test_any_file_name(tmp_path: Path) -> None:
    wild = [b"\xff\xfe.jpg", b"new\nline.jpg", b"-rf.jpg", b" .jpg", b"\x1b[31m.JPG", b"*?'\".png"]
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9\n")
    expected = {parent / os.fsdecode(name) for parent in (tmp_path, folder) for name in wild}
    try:
        for path in expected:
            touch(path)
    except OSError:
        pytest.skip("this file system refuses such names")
    assert {photo.path for photo in find(tmp_path)} == expected


def test_unreadable_folders_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["a.jpg", "b/x.jpg", "c/x.jpg"]:
        touch(tmp_path / name)
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    problems: Problems = []
    assert names(find(tmp_path, problems=problems), tmp_path) == ["a.jpg", "c/x.jpg"]
    assert problems == [(tmp_path / "b", "permission denied")]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_folders_are_reported_by_the_system(tmp_path: Path) -> None:
    touch(tmp_path / "b" / "x.jpg")
    (tmp_path / "b").chmod(0)
    problems: Problems = []
    try:
        assert find(tmp_path, problems=problems) == []
        with pytest.raises(PhotosNotFoundError, match="permission denied"):
            find(tmp_path / "b" / "x.jpg")
    finally:
        (tmp_path / "b").chmod(0o700)
    assert problems == [(tmp_path / "b", "permission denied")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_only_regular_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")  # relative: such names must be short
        (tmp_path / "folder.jpg").mkdir()
        problems: Problems = []
        assert find(tmp_path, problems=problems) == []
        assert find(tmp_path / "pipe", Path(os.devnull), problems=problems) == []
    reason = "not a regular file"
    assert problems == [
        (tmp_path / "pipe.jpg", reason),
        (tmp_path / "socket.jpg", reason),
        (tmp_path / "pipe", reason),
        (Path(os.devnull), reason),
    ]


def test_a_tree_deeper_than_a_path_may_be_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "deep" * 30
    monkeypatch.chdir(tmp_path)
    for _ in range(50):
        Path(name).mkdir()
        os.chdir(name)
    touch(tmp_path / name / name / "a.jpg")
    problems: Problems = []
    assert names(find(tmp_path, problems=problems), tmp_path) == [f"{name}/{name}/a.jpg"]
    assert [reason for _, reason in problems] == ["file name too long"]


def test_files_that_vanish_while_searched(tmp_path: Path) -> None:
    for i in range(4):
        touch(tmp_path / f"{i}.jpg")
    search = find_photos([tmp_path], on_problem=lambda *_: pytest.fail("no problem"))
    assert next(search).path.name == "0.jpg"
    (tmp_path / "2.jpg").unlink()
    assert [photo.path.name for photo in search] == ["1.jpg", "3.jpg"]


def test_an_empty_folder_has_no_photos(tmp_path: Path) -> None:
    assert find(tmp_path) == []


@pytest.mark.parametrize("package", ["rawpy", "pylibjxl"])
def test_what_an_extra_reads_is_searched_for_where_it_is_installed(tmp_path, monkeypatch, package):
    for name in ("a.NEF", "b.cr2", "c.jxl", "d.jpg", "e.mov"):
        (tmp_path / name).touch()
    monkeypatch.setattr("hiersearch.photos.finding._is_installed", lambda name: name == package)
    found = {file.path.name for file in find_photos([tmp_path], on_problem=print)}
    assert found == {"d.jpg"} | ({"a.NEF", "b.cr2"} if package == "rawpy" else {"c.jxl"})
