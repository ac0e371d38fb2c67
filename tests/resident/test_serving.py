"""Through another's process the same comes out as directly, also while it is at work."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import (
    HiersearchError,
    ModelMismatchError,
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    UsageError,
)
from hiersearch.index import PhotoIndex, photo_index
from hiersearch.qdrant.edge import optimising
from hiersearch.resident.asking import find_resident
from hiersearch.resident.listening import Listener
from hiersearch.resident.messages import Line
from hiersearch.resident.serving import Serving
from hiersearch.resident.socket_path import socket_path

WANTED = {"levels": 4, "limit": 3}


def made_photos(folder, count):
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(1)
    for number in range(count):
        pixels = noise.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(folder / f"made-{number:03}.png")
    return folder


def test_answers_are_those_of_the_index(served, index, folder, monkeypatch):
    assert served.query("a cat", **WANTED) == index.query("a cat", **WANTED)
    assert served.query("qwrtz", **WANTED).notes
    monkeypatch.chdir(folder)
    by_photo = served.query(None, image="cat.jpg", **WANTED)
    assert by_photo == index.query(image="cat.jpg", **WANTED)
    assert by_photo.query == "cat.jpg"
    where = served.query("a cat", where=["concept=vehicle"], min_mass=0.1, **WANTED)
    assert where == index.query("a cat", where=["concept=vehicle"], min_mass=0.1, **WANTED)
    assert served.info() == index.info()
    counts, vocabulary = served.concept_counts()
    assert counts == index.concept_counts()
    assert list(counts) == list(index.concept_counts())
    assert set(vocabulary) == {index.vocabulary[one] for one in counts}
    assert served.concept_counts(["width>100000"])[0] == {}
    assert (served.about().model_id, served.about().photos) == (index.model_id, 3)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("  ", {}),
        ("a cat", {"levels": 0}),
        ("a cat", {"where": ["height~3"]}),
        ("a cat", {"where": ["concept=unicorn"]}),
        ("a cat", {"risk": 0.1}),
        ("a cat", {"min_mass": 7.0}),
        ("a \udcff cat", {}),
        (None, {}),
        (None, {"image": "not/there.jpg"}),
        (None, {"image": "~/not-there.jpg"}),
        (None, {"image": "text.jpg"}),
    ],
)
def test_errors_are_those_of_the_index(served, index, tmp_path, monkeypatch, words, wanted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(HiersearchError) as direct:
        index.query(words, **{**WANTED, **wanted})
    with pytest.raises(HiersearchError) as asked:
        served.query(words, **{**WANTED, **wanted})
    assert type(asked.value) is type(direct.value)
    assert str(asked.value) == str(direct.value)


def test_another_model_is_refused_as_when_it_is_opened(served):
    with pytest.raises(HiersearchError, match="not-a-model") as refused:
        served.query("a cat", model="not-a-model", **WANTED)
    assert type(refused.value).__name__ == "ModelNotFoundError"
    assert served.query("a cat", **WANTED).levels


def test_a_folder_of_a_model_is_meant_from_here(served, mini, tmp_path, monkeypatch):
    mini.save(tmp_path / "saved")
    (tmp_path / "mini").mkdir()  # a short name is not a folder
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(served, "_ask", lambda request, **_: asked.append(request.model) or {})
    for model in ("saved", "./saved", "mini", "not-there/at-all", None):
        with suppress(KeyError):  # the answer, which is none
            served.query("a cat", model=model, **WANTED)
    whole = str(tmp_path / "saved")
    assert asked == [whole, whole, "mini", "not-there/at-all", None]


def test_the_same_model_by_another_name_is_loaded_once_and_by_one_at_a_time(
    served, place, mini, monkeypatch
):
    loading, loads = threading.Lock(), []

    def load(name):
        assert loading.acquire(blocking=False)
        loads.append(name)
        time.sleep(0.1)
        loading.release()
        return mini

    monkeypatch.setattr(photo_index, "load_encoder", load)

    def query(_: int):
        with find_resident(place) as resident:
            return resident.query("a cat", model="the-same", **WANTED)

    with ThreadPoolExecutor(4) as pool:
        assert all(answer.levels for answer in pool.map(query, range(8)))
    assert loads == ["the-same"]


def test_eight_at_once(served, index, place):
    expected = index.query("a cat", **WANTED)
    together = threading.Barrier(8, timeout=60)

    def query(_: int):
        with find_resident(place) as resident:
            together.wait()
            return resident.query("a cat", **WANTED)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(query, range(8))) == [expected] * 8


def test_photos_are_added_through_it(served, index, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_photos(folder / "more", 20)
    (folder / "broken.jpg").write_text("no photo")
    told = []
    summary = served.add("photos", on_progress=lambda *progress: told.append(progress))
    assert (summary.added, summary.unchanged) == (20, 3)
    assert [skip.path for skip in summary.skipped] == [folder / "broken.jpg"]
    assert told[-1] == ("indexing photos", 21, 21)
    assert index.photo_count == 23
    (folder / "cat.jpg").unlink()
    assert served.add(folder).removed == 1
    with pytest.raises(UsageError) as asked:
        served.add("nowhere")
    with pytest.raises(UsageError) as direct:
        index.add(tmp_path / "nowhere")
    assert str(asked.value) == str(direct.value)


def test_another_vocabulary_labels_again(served, index):
    other = Vocabulary([Concept("pet", "pet"), Concept("cat", "cat", ("pet",))], "other")
    assert served.add(concepts=other).relabelled == 3
    assert index.vocabulary == other
    assert [level.concept for level in served.query("a cat", **WANTED).levels] == ["pet", "cat"]


@pytest.mark.parametrize("problem", ["full", "broken"])
def test_a_store_that_cannot_be_tidied_up_costs_no_summary(
    served, folder, monkeypatch, caplog, problem
):
    def full(folder, needed=0):
        raise StoreError(f"the disk is full, {needed > 0}")

    monkeypatch.setattr(optimising, "_worthwhile", lambda *_: True)
    if problem == "full":
        monkeypatch.setattr(optimising, "check_room", full)
    else:
        monkeypatch.setattr(optimising, "_PROGRAM", "raise SystemExit('broken')")
    made_photos(folder, 2)
    assert served.add(folder).added == 2
    assert "by a later run instead" in caplog.text
    assert {"full": "full, True", "broken": "optimised (broken)"}[problem] in caplog.text
    assert served.query("a cat", **WANTED).levels


def test_it_is_not_moved_to_another_model(served, monkeypatch):
    def require(_, model):
        if model == "other":
            raise ModelMismatchError("it is of another")

    monkeypatch.setattr(PhotoIndex, "require_model", require)
    with pytest.raises(UsageError, match="cannot be moved to another while it is served"):
        served.add(model="other")
    assert not served.add(model="mini").changed


class Held:
    """Holds a run at its first progress, until told to go on."""

    def __init__(self, monkeypatch):
        self.reached, self.go_on = threading.Event(), threading.Event()
        real = PhotoIndex.add

        def add(index, *paths, on_progress, **options):
            def held(*progress):
                self.reached.set()
                assert self.go_on.wait(60)
                on_progress(*progress)

            return real(index, *paths, on_progress=held, **options)

        monkeypatch.setattr(PhotoIndex, "add", add)


def test_a_query_while_photos_are_added_is_answered(served, place, folder, monkeypatch):
    held = Held(monkeypatch)
    made_photos(folder, 20)
    with find_resident(place) as other, ThreadPoolExecutor(2) as pool:
        adding = pool.submit(other.add, folder)
        assert held.reached.wait(60)
        assert served.query("a cat", **WANTED).levels
        assert not adding.done()
        # A second run waits for the first, and says so.
        notes = []
        with find_resident(place) as third:
            waiting = pool.submit(third.add, folder, on_note=notes.append)
            while not notes:
                assert not waiting.done()
            held.go_on.set()
            assert adding.result(60).added == 20
            assert waiting.result(60).unchanged == 23
    assert "another run" in notes[0]


def test_a_query_while_photos_are_labelled_again_waits(served, place, folder, monkeypatch):
    held = Held(monkeypatch)
    other = Vocabulary([Concept("pet", "pet"), Concept("cat", "cat", ("pet",))], "other")
    with find_resident(place) as adder, ThreadPoolExecutor(2) as pool:
        adding = pool.submit(adder.add, concepts=other)
        assert held.reached.wait(60)
        answer = pool.submit(served.query, "a cat", **WANTED)
        with pytest.raises(TimeoutError):
            answer.result(0.5)
        held.go_on.set()
        assert adding.result(60).relabelled == 3
        assert [level.concept for level in answer.result(60).levels] == ["pet", "cat"]


def test_who_asked_can_stop_a_run(served, place, folder):
    made_photos(folder, 100)

    def interrupt(task, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), find_resident(place) as other:
        other.add(folder, on_progress=interrupt)
    kept = served.info().photos
    assert 3 < kept < 103
    assert served.add(folder).added == 103 - kept


def test_who_goes_stops_a_run(served, place, folder):
    made_photos(folder, 100)
    gone = socket.socket(socket.AF_UNIX)
    gone.connect(str(socket_path(place)))
    line = Line(gone)
    line.receive()
    line.send(
        {
            "do": "add",
            "paths": [str(folder)],
            "vocabulary": None,
            "model": None,
            "follow_links": False,
            "prune": False,
        }
    )
    while "progress" not in line.receive():
        pass
    gone.close()
    summary = served.add(folder)
    assert 0 < summary.added < 100


def test_a_run_ends_with_who_serves(index, place, folder, monkeypatch):
    index.add(folder / "cat.jpg")
    made_photos(folder, 100)
    reached = threading.Event()
    with Listener(socket_path(place)) as listener, ThreadPoolExecutor(1) as pool:
        with Serving(index, place, listener, writes=True):
            resident = find_resident(place)
            adding = pool.submit(resident.add, folder, on_progress=lambda *_: reached.set())
            assert reached.wait(60)
        with resident, pytest.raises(StoreUnreachableError, match="was ended") as ended:
            adding.result(60)
    assert "resume" in ended.value.hint
    assert 1 < index.photo_count < 103


def test_who_adds_photos_itself_adds_none_for_others(index, folder, place, serve):
    index.add(folder)
    serve(index, writes=False)
    with find_resident(place) as resident:
        with pytest.raises(StoreLockedError, match="another process adds photos"):
            resident.add(folder)
        assert resident.query("a cat", **WANTED).levels


def test_an_index_without_photos_says_so(index, place, serve):
    serve(index).warm()
    with find_resident(place) as resident:
        with pytest.raises(UsageError, match="holds no photos yet"):
            resident.query("a cat", **WANTED)
        assert resident.info().photos == 0


@pytest.mark.parametrize(
    "request_", [b"{\n", b"[]\n", b'{"do": "drop"}\n', b'{"do": "info", "x": 1}\n']
)
def test_what_is_no_request_is_answered_and_ends_its_connection_alone(served, place, request_):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(socket_path(place)))
        line = Line(raw)
        line.receive()
        raw.sendall(request_)
        failed = line.receive()["failed"]
        assert failed["kind"] == "UsageError"
        with pytest.raises(EOFError):
            line.receive()
    assert served.info().photos == 3


def test_an_unexpected_error_ends_no_service(served, monkeypatch, caplog):
    def broken(self):
        raise ZeroDivisionError("by chance")

    with monkeypatch.context() as patch:
        patch.setattr(PhotoIndex, "info", broken)
        with pytest.raises(Exception, match="ZeroDivisionError: by chance"):
            served.info()
    assert "by chance" in caplog.text
    assert served.info().photos == 3
