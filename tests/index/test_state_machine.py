"""Whatever a user does to photos and to an index, in whatever order, it holds what it should."""

from __future__ import annotations

import shutil
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from hiersearch import PhotoIndex
from hiersearch.concepts import Concept, Vocabulary
from hiersearch.index import copy_index
from hiersearch.photos import path_to_text
from tests.index.made import VOCABULARY

OTHER = Vocabulary([Concept("thing", "thing"), Concept("beast", "beast", ("thing",))], "other")
NAMES = st.sampled_from(
    ["a.jpg", "b.jpg", "below/a.jpg", "below/c.jpg", "caf\u00e9 \U0001f600.jpg"]
)
LOOKS = st.integers(0, 4)


def content(look: int) -> bytes:
    file = BytesIO()
    pixels = np.random.default_rng(look).integers(0, 255, (16, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((96, 64)).save(file, "JPEG")
    return file.getvalue()


class Library(RuleBasedStateMachine):
    """A folder of photos and an index of it, beside what the index should know."""

    encoder = None

    def __init__(self) -> None:
        super().__init__()
        self.work = Path(tempfile.mkdtemp())
        self.photos = self.work / "photos"
        (self.photos / "below").mkdir(parents=True)
        self.files: dict[str, int] = {}
        self.known: dict[str, int] = {}
        self.copies = 0
        self.place = self.work / "index"
        self.vocabulary = VOCABULARY
        self.index = PhotoIndex.create(self.place, model=self.encoder, concepts=VOCABULARY)

    def teardown(self) -> None:
        self.index.close()
        shutil.rmtree(self.work)

    @rule(name=NAMES, look=LOOKS)
    def put(self, name: str, look: int) -> None:
        """A new photo, a copy of another, or an edit."""
        (self.photos / name).write_bytes(content(look))
        self.files[name] = look

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        (self.photos / name).unlink()
        del self.files[name]

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=NAMES)
    def move(self, data: st.DataObject, to: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        (self.photos / name).replace(self.photos / to)
        self.files[to] = self.files.pop(name)

    @precondition(lambda self: self.files)
    @rule()
    def update(self) -> None:
        before = dict(self.known)
        summary = self.index.add(self.photos, prune=True)
        self.known = dict(self.files)
        assert summary.skipped == []
        assert summary.unchanged <= len(before)
        assert not self.index.add(self.photos).changed

    @precondition(lambda self: self.known)
    @rule(vocabulary=st.sampled_from([VOCABULARY, OTHER]))
    def relabel(self, vocabulary: Vocabulary) -> None:
        self.index.add(concepts=vocabulary)
        self.vocabulary = vocabulary

    @rule()
    def open_again(self) -> None:
        self.index.close()
        self.index = PhotoIndex.open(self.place, model=self.encoder)

    @rule()
    def go_on_with_a_copy(self) -> None:
        self.index.close()
        self.copies += 1
        there = self.work / f"copy-{self.copies}"
        copy_index(self.place, there)
        self.place = there
        self.index = PhotoIndex.open(there, model=self.encoder)

    @precondition(lambda self: self.known)
    @rule(name=NAMES)
    def query(self, name: str) -> None:
        with PhotoIndex.open(self.place, model=self.encoder, read_only=True) as reader:
            for index in (self.index, reader):
                answer = index.query("a cat", limit=20)
                assert len(answer.photos) == len(set(self.known.values()))
                named = index.query("a cat", limit=20, where=[f"name={Path(name).name}"])
                looks = {
                    look
                    for other, look in self.known.items()
                    if Path(other).name == Path(name).name
                }
                assert len(named.photos) == len(looks)

    @invariant()
    def it_holds_what_it_should(self) -> None:
        assert self.index.vocabulary.id == self.vocabulary.id
        assert sorted(self.index.files()) == sorted(
            path_to_text(self.photos / name) for name in self.known
        )
        assert self.index.photo_count == len(set(self.known.values()))
        by_look: dict[int, set[str]] = {}
        for name, look in self.known.items():
            by_look.setdefault(look, set()).add(path_to_text(self.photos / name))
        stored = self.index._store.photos
        held = [set(one.payload["path"]) for one in stored.scroll()] if stored.exists() else []
        assert sorted(map(sorted, held)) == sorted(map(sorted, by_look.values()))
        findings = [one for one in self.index.check().findings if one.is_damage]
        assert findings == []


def test_a_library(mini) -> None:
    machine = type("WithMini", (Library,), {"encoder": mini})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=12, stateful_step_count=14, deadline=None)
    )
