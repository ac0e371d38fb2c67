from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hiersearch.index.update.catalogue import Catalogue, KnownFile, make_plan
from hiersearch.photos import PhotoFile

ROOT = Path("/photos")


def known(photo: str = "p", size: int = 10, mtime: float = 1.0) -> KnownFile:
    return KnownFile(photo, size, mtime)


def found(path: str, size: int = 10, mtime: float = 1.0) -> PhotoFile:
    return PhotoFile(Path(path), size, mtime)


def test_a_photo_knows_all_its_files_and_forgets_those_that_go():
    catalogue = Catalogue({"/a": known("p"), "/b": known("p"), "/c": known("q")})
    assert list(catalogue.files_of("p")) == ["/a", "/b"]
    assert catalogue.remove("/a") == known("p")
    assert catalogue.remove("/a") is None
    assert list(catalogue.files_of("p")) == ["/b"]
    catalogue.put("/b", known("q"))
    assert not catalogue.files_of("p")
    assert list(catalogue.files_of("q")) == ["/c", "/b"]


def test_the_snapshot_names_photos_by_size():
    catalogue = Catalogue({"/a": known("p", 1), "/b": known("q", 1), "/c": known("r", 2)})
    assert catalogue.snapshot() == {1: frozenset("pq"), 2: frozenset("r")}


def test_new_and_changed_files_are_read_and_others_are_not():
    catalogue = Catalogue(
        {
            "/photos/same.jpg": known(),
            "/photos/grown.jpg": known(size=9),
            "/photos/touched.jpg": known(mtime=0.5),
        }
    )
    files = [found(f"/photos/{name}.jpg") for name in ("same", "grown", "touched", "new")]
    plan = make_plan(files, catalogue, [ROOT])
    assert [file.path.stem for file in plan.read] == ["grown", "touched", "new"]
    assert plan.unchanged == 1
    assert not plan.gone
    assert not plan.lost


def test_a_deleted_file_is_gone_if_its_folder_still_holds_photos():
    catalogue = Catalogue({"/photos/a.jpg": known(), "/photos/b.jpg": known("q")})
    plan = make_plan([found("/photos/a.jpg")], catalogue, [ROOT])
    assert plan.gone == ("/photos/b.jpg",)


def test_what_lies_outside_the_paths_is_not_touched():
    catalogue = Catalogue({"/elsewhere/a.jpg": known(), "/photos/b.jpg": known("q")})
    plan = make_plan([found("/photos/b.jpg")], catalogue, [ROOT])
    assert not plan.gone
    assert not plan.lost


def test_a_folder_without_any_photo_left_is_lost_as_a_whole():
    catalogue = Catalogue(
        {
            "/photos/a.jpg": known("a"),
            "/photos/disk/2019/b.jpg": known("b"),
            "/photos/disk/2020/c.jpg": known("c"),
        }
    )
    plan = make_plan([found("/photos/a.jpg")], catalogue, [ROOT])
    assert plan.lost == {
        Path("/photos/disk"): ("/photos/disk/2019/b.jpg", "/photos/disk/2020/c.jpg")
    }
    assert not plan.gone


def test_a_root_without_any_photo_left_is_lost():
    plan = make_plan([], Catalogue({"/photos/x/a.jpg": known()}), [ROOT])
    assert plan.lost == {ROOT: ("/photos/x/a.jpg",)}


def test_what_lies_below_an_unreadable_folder_stays():
    catalogue = Catalogue({"/photos/secret/a.jpg": known(), "/photos/b.jpg": known("q")})
    plan = make_plan([found("/photos/b.jpg")], catalogue, [ROOT], [Path("/photos/secret")])
    assert not plan.lost
    assert not plan.gone


def test_a_file_given_by_itself_says_nothing_of_its_neighbours():
    catalogue = Catalogue({"/photos/a.jpg": known(), "/photos/b.jpg": known("q")})
    plan = make_plan([found("/photos/a.jpg")], catalogue, [Path("/photos/a.jpg")])
    assert not plan.gone
    assert not plan.lost


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(
    lambda parts: "/photos/" + "/".join(parts) + ".jpg"
)


@given(before=st.sets(names), now=st.sets(names))
def test_every_file_is_accounted_for_once(before, now):
    plan = make_plan(
        [found(path) for path in sorted(now)], Catalogue(dict.fromkeys(before, known())), [ROOT]
    )
    lost = [path for paths in plan.lost.values() for path in paths]
    assert plan.unchanged == len(before & now)
    assert {str(file.path) for file in plan.read} == now - before
    assert sorted([*plan.gone, *lost]) == sorted(before - now)
    for path in plan.gone:
        assert any(other.startswith(path.rsplit("/", 1)[0] + "/") for other in now)
