"""`PhotoIndex`: an index of photos, as programs and the command line use it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hiersearch.concepts import BUILTIN, Vocabulary, chosen_vocabulary
from hiersearch.config import IndexPlace, absolute, index_place
from hiersearch.encoder import IN_MEMORY
from hiersearch.encoder.kept.asked_texts import AskedTexts
from hiersearch.encoder.known import recorded_statistics
from hiersearch.errors import (
    ModelMismatchError,
    ModelNotFoundError,
    UnreadablePhotoError,
    UsageError,
)
from hiersearch.index.answer import answer, check_query, least_mass, query_photo
from hiersearch.index.fields import parse_where, photo_point
from hiersearch.index.labelling import LazyLabeller, trees_of
from hiersearch.index.manifest import Manifest
from hiersearch.index.model_check import check_encoder, load_encoder, user_model
from hiersearch.index.results import Answer, IndexInfo, IngestSummary
from hiersearch.index.storage import IndexStore, read_info
from hiersearch.index.understanding import concept_called, understand
from hiersearch.index.update import Addition, Sharing
from hiersearch.index.update.catalogue import read_stored_files
from hiersearch.photos import content_hash, path_to_text
from hiersearch.progress import Progress, tell_nobody
from hiersearch.trees import CONCEPTS, LIKELY, expected_counts

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.index.checks import CheckReport
    from hiersearch.qdrant import Filter
    from hiersearch.trees import PhotoStatistics, Trials
    from hiersearch.types import Floats

__all__ = ["PhotoIndex"]


class PhotoIndex:
    """An index of photos that can be queried from general to specific.

    Made by `open` or `create`; closed by `close` or at the end of a `with` block. An index is
    either a folder, which one process at a time can change and any number can read (`read_only`),
    or on a Qdrant server. A server has no lock: two processes that write to one index at the same
    time may undo each other's changes.

    Examples:
        >>> with PhotoIndex.create("holiday.index", exist_ok=True) as index:
        ...     index.add("~/Pictures/holiday")
        ...     for level in index.query("a parrot").levels:
        ...         print(level.level, level.concept, level.count)
    """

    def __init__(
        self,
        store: IndexStore,
        *,
        encoder: HierarchicalEncoder | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._store = store
        self._given = encoder
        self._environ = environ
        self._sharing = Sharing()
        self._loading = Lock()
        self._labeller = LazyLabeller(
            store,
            lambda: self._encoder,
            statistics=lambda: self._statistics,
            environ=environ,
        )

    @classmethod
    def open(
        cls,
        store: str | IndexPlace | None = None,
        *,
        model: str | HierarchicalEncoder | None = None,
        read_only: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """Opens an index that exists.

        Args:
            store: The index's folder, or a server and the index's name there, like
                "http://localhost:6333/photos" (the server's key is read from `QDRANT_API_KEY`);
                the user's default index if it is not given.
            model: Only to check: an index uses the model that it was made with.
            read_only: Reads what was last committed in a folder: any number of processes can, also
                while another one changes the index, or from a disk that cannot be written to.
            environ: The environment, for `HIERSEARCH_STORE` and the folders of this user.

        Raises:
            IndexNotFoundError: There is no index there.
            ModelMismatchError: The index was made with another model than the one given.
            StoreLockedError: Another process has it open.
            StoreUnreachableError: No server answers there, or it refuses the key.
            StoreError: The index is damaged.
        """
        place = index_place(store, environ)
        opened = IndexStore.open_to_read(place) if read_only else IndexStore.open(place)
        index = cls(opened, environ=environ)
        try:
            index.require_model(model)
        except BaseException:
            index.close()
            raise
        return index

    @classmethod
    def create(
        cls,
        store: str | IndexPlace | None = None,
        *,
        model: str | HierarchicalEncoder | None = None,
        concepts: str | Path | Vocabulary | None = None,
        exist_ok: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """Makes an empty index; replaces one without photos.

        Args:
            store: The index's folder, or a server and the index's name there, like
                "http://localhost:6333/photos" (the server's key is read from `QDRANT_API_KEY`);
                the user's default index if it is not given.
            model: A name, a folder or a loaded encoder; by default the user's setting, else
                `encoder.default_model`.
            concepts: A vocabulary or its file; by default "builtin", the built-in one.
            exist_ok: Opens the index there, if one with photos exists.
            environ: The environment, for `HIERSEARCH_STORE` and the folders of this user.

        Raises:
            StoreError: An index exists already, or the place cannot be written to.
            StoreUnreachableError: No server answers there, or it refuses the key.
            UsageError: The index there has another vocabulary than the one given.
            ModelNotFoundError: The model is not on this machine.
            VocabularyError: The vocabulary breaks a rule.
        """
        place = index_place(store, environ)
        vocabulary = None if concepts is None else chosen_vocabulary(concepts)
        if IndexStore.exists(place):
            with cls.open(place, environ=environ) as there:
                is_empty = not there.photo_count
                there._store.refuse_replacing(vocabulary, exist_ok, "already")
            if not is_empty:
                return cls.open(place, model=model, environ=environ)
        given, vocabulary = vocabulary, vocabulary or chosen_vocabulary(BUILTIN)
        encoder = load_encoder(user_model(environ) if model is None else model)
        manifest = Manifest(
            model=encoder.name,
            model_id=encoder.id,
            photo_size=encoder.photo_size,
            root=encoder.root,
            vocabulary_id=vocabulary.id,
            labelled=True,
            trees=trees_of(vocabulary, encoder),
        )
        made = IndexStore.create(place, manifest, vocabulary)
        index = cls(made, environ=environ)
        try:
            # Loading took a while, in which another run may have made the index and filled it.
            made.refuse_replacing(given, exist_ok, "now: another run has made it meanwhile")
            if model is not None or encoder.id == index.model_id:
                index._given = check_encoder(encoder, made)
        except BaseException:
            index.close()
            raise
        return index

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the index, so that another process can open it."""
        self._store.close()

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the photos' chains come from."""
        return self._store.vocabulary

    @property
    def model(self) -> str:
        """The name or folder that the index's model is loaded by."""
        return self._store.manifest.model

    @property
    def model_id(self) -> str:
        """What tells the model's weights from others."""
        return self._store.manifest.model_id

    @property
    def trees(self) -> str | None:
        """The id of the statistics that photos' trees were made with; None if they have chains."""
        return self._store.manifest.trees

    @property
    def photo_count(self) -> int:
        """Number of different photos."""
        return self._store.count()

    def files(self) -> tuple[str, ...]:
        """The files that the index knows, as `hiersearch.photos.path_to_text` gives their paths."""
        if not self._store.photos.exists():
            return ()
        return tuple(read_stored_files(self._store.photos).catalogue.paths())

    def is_of(self, model: str) -> bool:
        """Whether the index was made with the model of a name, a folder or a Hugging Face name.

        Raises:
            ModelNotFoundError: The model is not on this machine.
        """
        try:
            self.require_model(model)
        except ModelMismatchError:
            return False
        return True

    def share(self, sharing: Sharing) -> None:
        """Lets `add` get along with threads that query this index while it runs."""
        self._sharing = sharing

    def require_model(self, model: str | HierarchicalEncoder | None) -> None:
        """Makes sure that the index was made with a model.

        The same name needs no check here: every encoder is checked when it is loaded.

        Raises:
            ModelMismatchError: It was made with another one.
        """
        if model is not None and model != self._store.manifest.model:
            self._given = check_encoder(load_encoder(model), self._store)

    def add(
        self,
        *paths: str | Path,
        concepts: str | Path | Vocabulary | None = None,
        follow_links: bool = False,
        prune: bool = False,
        on_progress: Progress = tell_nobody,
    ) -> IngestSummary:
        """Indexes photos, and updates the index where files have changed.

        Unchanged files are not read again. Photos below the paths whose file was deleted are
        dropped, unless their whole folder is missing or suddenly empty.

        Args:
            *paths: Photo files and folders, searched to the bottom.
            concepts: Another vocabulary: stored photos get new chains from their stored vectors.
            follow_links: Whether to follow links to files and folders.
            prune: Also drop photos whose folder is missing or suddenly empty.
            on_progress: Told about work that takes time.

        Returns:
            What was done; `raise_for_lost()` on it turns missing folders into an error.

        Raises:
            PhotosNotFoundError: A path is not there, or there is no photo below any of them.
            UsageError: The index was opened for reading only.
            VocabularyError: The vocabulary breaks a rule.
            StoreError: The store failed; what was reported as done is kept.
        """
        if self._store.only_reads:
            raise UsageError("this index was opened for reading only", hint="Open it to write")
        vocabulary = None if concepts is None else chosen_vocabulary(concepts)
        given = self._given
        if given is not None and given.has_graphs and given.name != self.model:
            self._store.remember(model=given.name)  # the same model, and faster
        run = Addition(
            self._store, self._labeller, lambda: self._encoder, on_progress, self._sharing
        )
        summary = run.run(
            [absolute(path) for path in paths], vocabulary, follow_links=follow_links, prune=prune
        )
        self._store.commit()
        return summary

    def query(
        self,
        text: str | None = None,
        *,
        image: str | Path | None = None,
        levels: int = 4,
        limit: int = 3,
        where: Sequence[str] = (),
        risk: float | None = None,
        min_mass: float | None = None,
    ) -> Answer:
        """Answers a query from general to specific.

        The levels of a text that names a concept of the vocabulary go down to that concept; of
        another text, and of a photo, to what its vector is nearest to.

        Args:
            text: What to look for, in words.
            image: A photo file, to find similar photos; instead of a text.
            levels: The most levels, at least 1.
            limit: The most photos per level, at least 0.
            where: Conditions on the photos, like "taken>=2020" or "folder=Holidays"; all must hold.
            risk: Of a photo: the levels go down only so far that at most this share of answers has
                a false deepest level, in (0, 1); see `hiersearch.trees.Trials`.
            min_mass: Instead: the least mass of a level, in [0, 1].

        Raises:
            UsageError: Not exactly one of text and image was given, a number is out of range, or
                nothing can be promised at the risk.
            FilterError: A condition cannot be read.
            UnreadablePhotoError: The query's photo cannot be decoded.
            ModelMismatchError: The model's files have changed since the index was made.
        """
        check_query(text, image, levels=levels, limit=limit)
        condition = self._condition(where)
        self._store.require_labels()
        if self._given is not None:
            _ = self._encoder  # which makes sure that it is the index's
        labeller = self._labeller.get(to_read=True)
        floor = least_mass(
            risk, min_mass, self.vocabulary, is_photo=image is not None, trials=self._trials
        )
        if text is not None:
            vector = self._asked.vector(text)
            understanding = understand(text, self._store.names, self.vocabulary, self._asked.words)
        else:
            vector = self._photo_vector(Path(image or ""))
            understanding = None
        return answer(
            text if text is not None else path_to_text(Path(image or "")),
            vector,
            understanding=understanding,
            photos=self._store.photos,
            labeller=labeller,
            levels=levels,
            limit=limit,
            where=condition,
            trees=self.trees is not None,
            tally=self._store.tally,
            floor=floor,
        )

    def concept_counts(self, where: Sequence[str] = ()) -> dict[str, int]:
        """How many photos show each concept, by concept id; those without photos are left out.

        Args:
            where: Conditions on the photos; all must hold.

        Returns:
            The most frequent first. Of photos with trees, how many are expected to.
        """
        self._store.require_labels()
        condition = self._condition(where)
        photos, limit = self._store.photos, len(self.vocabulary)
        counts = photos.facets(CONCEPTS, limit=limit, filter=condition)
        if self.trees is not None:
            likely = photos.facets(LIKELY, limit=limit, filter=condition)
            most = photos.count(condition)
            counts = expected_counts(counts, likely, most, self._store.tally, self.vocabulary)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def info(self) -> IndexInfo:
        """What the index holds."""
        return read_info(self._store)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Whether what is stored is whole; `repair` mends what can be mended.

        Raises:
            UsageError: It is to be repaired, and was opened for reading only.
        """
        from hiersearch.index.checks import check_store

        if repair and self._store.only_reads:
            raise UsageError("this index was opened for reading only", hint="Open it to write")
        report = check_store(
            self._store, relabel=lambda: self.add(concepts=self.vocabulary), repair=repair
        )
        if repair:
            self._store.commit()
        return report

    def _trials(self) -> Trials | None:
        statistics = self._statistics if self.trees is not None else None
        return None if statistics is None else statistics.trials

    def _photo_vector(self, path: Path) -> Floats:
        """(dim,): the stored vector of a photo that is indexed, else the model's."""
        with suppress(UnreadablePhotoError):  # which is told below, with the path
            point = photo_point(content_hash(path.expanduser()))
            for record in self._store.photos.retrieve([point], payload=[], with_vectors=True):
                if record.vector is not None:
                    return record.vector
        photo = query_photo(path, min_side=self._store.manifest.photo_size)
        vector: Floats = self._encoder.encode_photos([photo])[0]
        return vector

    @cached_property
    def _encoder(self) -> HierarchicalEncoder:
        model = self._store.manifest.model
        if self._given is None and model == IN_MEMORY:
            raise ModelNotFoundError(
                f"the index at {self._store.place} was made with {model}",
                hint="Open it with PhotoIndex.open(store, model=...), giving that model",
            )
        with self._loading:  # of several threads that need it at once, one loads it
            self._given = check_encoder(self._given or load_encoder(model), self._store)
            return self._given

    @cached_property
    def _asked(self) -> AskedTexts:
        model_id = self._store.manifest.model_id
        return AskedTexts.of_model(model_id, lambda: self._encoder, self._environ)

    @property
    def _statistics(self) -> PhotoStatistics | None:
        """What is known of the model's vectors of photos; loads it only if it alone can tell."""
        if self._given is None and "_encoder" not in self.__dict__:
            found = recorded_statistics(self._store.manifest.model_id, self._environ)
            if found is not None:
                return found
        return self._encoder.statistics

    def _condition(self, where: Sequence[str]) -> Filter | None:
        return parse_where(where, self._concept_id, trees=self.trees is not None)

    def _concept_id(self, name: str) -> str:
        """The id of the concept that an id, a name or a synonym says."""
        return concept_called(name, self._store.names, self.vocabulary)
