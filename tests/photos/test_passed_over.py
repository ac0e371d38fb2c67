from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.photos import PHOTO_SUFFIXES, PassedOver, find_photos

pytestmark = pytest.mark.usefixtures("no_extras")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def passed(*paths: Path, follow_links: bool = False) -> tuple[list[Path], PassedOver]:
    """The photos found, and what was passed over."""
    told: list[PassedOver] = []
    found = find_photos(
        paths,
        follow_links=follow_links,
        on_problem=lambda path, reason: pytest.fail(f"{path}: {reason}"),
        on_passed=told.append,
    )
    photos = [photo.path for photo in found]
    [one] = told
    return photos, one


def test_files_of_other_kinds_are_counted_by_suffix(tmp_path: Path) -> None:
    for name in ["a.NEF", "b.nef", "sub/c.Nef", "live.MOV", "x.jxl", "d.psd", "e.svg", "f.mp3"]:
        touch(tmp_path / name)
    photo = touch(tmp_path / "cat.jpg")
    photos, over = passed(tmp_path)
    assert photos == [photo]
    assert over == PassedOver({"NEF": 3, "JXL": 1, "MOV": 1, "PSD": 1, "SVG": 1, "MP3": 1})
    # What people take for pictures comes first, then the most frequent.
    assert list(over.files) == ["NEF", "JXL", "MOV", "PSD", "SVG", "MP3"]
    assert over.sentence() == (
        "8 files of other kinds passed over (3 NEF, 1 JXL, 1 MOV, 1 PSD, 1 SVG, 1 MP3)"
    )


RAW = [
    "nef",
    "cr2",
    "cr3",
    "arw",
    "dng",
    "orf",
    "rw2",
    "raf",
    "nrw",
    "pef",
    "srw",
    "x3f",
    "3fr",
    "iiq",
]
FILMS = ["mov", "mp4", "m4v", "avi", "mkv", "webm", "mts", "3gp", "livp"]


@pytest.mark.parametrize("suffix", [*RAW, *FILMS, "jxl", "psd", "svg", "jp2", "eps", "pdf"])
def test_pictures_and_films_come_before_whatever_there_is_more_of(
    tmp_path: Path, suffix: str
) -> None:
    for number in range(3):
        touch(tmp_path / f"{number}.mp3")
        touch(tmp_path / f"{number}.html")
    touch(tmp_path / f"one.{suffix}")
    _, over = passed(tmp_path)
    assert list(over.files.items()) == [(suffix.upper(), 1), ("HTML", 3), ("MP3", 3)]


def test_mpo_is_a_photo(tmp_path: Path) -> None:
    photo = touch(tmp_path / "twice.MPO")
    assert passed(tmp_path) == ([photo], PassedOver())


def test_sidecars_hidden_names_links_and_system_folders_are_counted_apart(tmp_path: Path) -> None:
    photo = touch(tmp_path / "cat.jpg")
    for name in ["cat.jpg.xmp", "IMG_1.AAE", "a.json", "notes.txt", "desktop.ini", "Thumbs.db"]:
        touch(tmp_path / name)
    touch(tmp_path / ".hidden.jpg")
    touch(tmp_path / ".thumbnails/1.png")
    touch(tmp_path / "@eaDir/2.jpg")
    touch(tmp_path / "sub/#recycle/3.jpg")
    (tmp_path / "link.jpg").symlink_to(photo)
    photos, over = passed(tmp_path)
    assert photos == [photo]
    assert over == PassedOver({}, {"sidecar": 6, "hidden": 2, "link": 1, "system folder": 2})
    assert over.sentence() == (
        "6 sidecar files, 2 hidden names, 1 link and 2 system folders passed over"
    )


def test_names_without_a_suffix_that_tells(tmp_path: Path) -> None:
    for name in ["README", "scan.0001", "x.", "a.jpg~", "b.\x1b[31m", "c.some long words here"]:
        touch(tmp_path / name)
    _, over = passed(tmp_path)
    assert over == PassedOver({"unknown": 6})
    assert over.sentence() == "6 files of other kinds passed over (6 unknown)"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_what_is_no_file_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.mov")  # relative: such names must be short
        _, over = passed(tmp_path)
    assert over == PassedOver({}, {"special": 2})
    assert over.sentence() == "2 pipes, sockets or devices passed over"


def test_what_is_given_is_not_passed_over(tmp_path: Path) -> None:
    scan = touch(tmp_path / "scan.0001")
    hidden = touch(tmp_path / ".h/a.jpg")
    thumbnail = touch(tmp_path / "@eaDir/t.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "@eaDir")
    others = [scan, tmp_path / ".h", tmp_path / "link"]
    for paths in ([tmp_path, *others], [*others, tmp_path]):
        photos, over = passed(*paths)
        assert set(photos) == {scan, hidden, tmp_path / "link/t.jpg"}
        assert not over
    photos, over = passed(tmp_path, tmp_path / "@eaDir")
    assert photos == [thumbnail]
    assert over == PassedOver({"unknown": 1}, {"hidden": 1, "link": 1})


def test_each_file_is_counted_once(tmp_path: Path) -> None:
    touch(tmp_path / "sub/a.nef")
    (tmp_path / "again").symlink_to(tmp_path / "sub")
    (tmp_path / "one.nef").symlink_to(tmp_path / "sub/a.nef")
    (tmp_path / "loop").symlink_to(tmp_path)
    _, over = passed(tmp_path, tmp_path / "sub", tmp_path)
    assert over == PassedOver({"NEF": 1}, {"link": 3})
    _, over = passed(tmp_path, tmp_path / "sub", tmp_path, follow_links=True)
    assert over == PassedOver({"NEF": 1})


def test_links_that_lead_out_are_counted_by_what_they_lead_to(tmp_path: Path) -> None:
    touch(tmp_path / "outside/a.cr3")
    touch(tmp_path / ".far/b.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "x.mov").symlink_to(tmp_path / "outside/a.cr3")
    (root / "far").symlink_to(tmp_path / ".far")
    photos, over = passed(root, follow_links=True)
    assert photos == [root / "far/b.jpg"]
    assert over == PassedOver({"MOV": 1})


NAME = st.sampled_from(["jpg", "NEF", "mov", "xmp", "TXT", "zip", "0001", "", "heic"]).flatmap(
    lambda suffix: st.integers(0, 30).map(lambda number: f"n{number}.{suffix}")
)


@given(names=st.sets(NAME, max_size=30))
def test_every_file_is_a_photo_or_passed_over(names, tmp_path_factory) -> None:
    root = tmp_path_factory.mktemp("made")
    for name in names:
        touch(root / name)
    photos, over = passed(root)
    assert len(photos) + sum(over.files.values()) + sum(over.others.values()) == len(names)
    wanted = Counter(
        suffix
        for name in names
        if (suffix := name.rpartition(".")[2].upper()).lower() not in PHOTO_SUFFIXES
    )
    sidecars = wanted.pop("XMP", 0) + wanted.pop("TXT", 0)
    unknown = wanted.pop("0001", 0) + wanted.pop("", 0)
    assert over.others == ({"sidecar": sidecars} if sidecars else {})
    assert over.files == {**wanted, **({"unknown": unknown} if unknown else {})}
    assert PassedOver.from_json(over.to_json()) == over


def test_many_kinds_make_one_short_line() -> None:
    over = PassedOver.of(
        [kind for number, kind in enumerate("ABCDEFGHIJ", 1) for _ in range(number)] + ["NEF"]
    )
    assert over.sentence() == (
        "56 files of other kinds passed over (1 NEF, 10 J, 9 I, 8 H, 7 G, 6 F, 15 of 5 more kinds)"
    )
    assert PassedOver.of(["NEF"]).sentence() == "1 file of another kind passed over (1 NEF)"
    assert PassedOver.of(["NEF", "link"]).sentence() == (
        "1 file of another kind passed over (1 NEF); also 1 link"
    )
    assert PassedOver().sentence() == ""
