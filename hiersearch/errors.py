"""What can go wrong, as one tree.

HiersearchError                  exit code 1
├── UsageError                   exit code 2: the request cannot be carried out as written
│   ├── VocabularyError          a vocabulary file breaks a rule; names the line
│   ├── FilterError              a `--where` expression that cannot be read
│   ├── PhotosNotFoundError      a path that is not there, or holds no photo
│   └── ModelMismatchError       an index was made by another model
├── ModelNotFoundError           the model is not on this machine
├── ModelError                   the model is there, but cannot be used
├── MissingDataError             data of a benchmark is not on this machine
├── UnreadablePhotoError         one photo cannot be decoded
├── MissingPhotosError           a folder of the index is gone or empty; nothing was dropped
└── StoreError                   the store answers, but not as it should
    ├── IndexNotFoundError       no index lies there yet
    ├── CollectionError          a collection is missing, or not made for this
    ├── VectorError              vectors of a wrong shape, or not finite
    └── StoreUnreachableError    exit code 3: the store cannot be opened
        └── StoreLockedError     another process has it open
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CollectionError",
    "FilterError",
    "HiersearchError",
    "IndexNotFoundError",
    "MissingDataError",
    "MissingPhotosError",
    "ModelError",
    "ModelMismatchError",
    "ModelNotFoundError",
    "PhotosNotFoundError",
    "StoreError",
    "StoreLockedError",
    "StoreUnreachableError",
    "UnreadablePhotoError",
    "UsageError",
    "VectorError",
    "VocabularyError",
]


class HiersearchError(Exception):
    """Base of every error that hiersearch raises on purpose.

    Args:
        message: What happened, and to which thing. No full stop at its end.
        hint: What to do next, as an imperative sentence without a full stop.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}." if self.hint else self.message


class UsageError(HiersearchError):
    """The request cannot be carried out as written."""

    exit_code = 2


class VocabularyError(UsageError):
    """A vocabulary breaks a rule: a cycle, a duplicate, an empty or over-long line.

    Args:
        message: What is wrong.
        line: The line of the file it was found on, counted from 1, where there is one.
        hint: What to do next.
    """

    def __init__(self, message: str, *, line: int | None = None, hint: str = "") -> None:
        super().__init__(f"line {line}: {message}" if line is not None else message, hint=hint)
        self.line = line


class FilterError(UsageError):
    """A `--where` expression cannot be read."""


class PhotosNotFoundError(UsageError):
    """A path is not there, or holds no photo."""


class ModelMismatchError(UsageError):
    """An index was made by another model than the one asked for."""


class ModelNotFoundError(HiersearchError):
    """The model is not on this machine."""


class ModelError(HiersearchError):
    """The model is there, but cannot be used: damaged, or without a tower that is needed."""


class MissingDataError(HiersearchError):
    """Data of a benchmark is not on this machine; says what, and where it comes from."""


class UnreadablePhotoError(HiersearchError):
    """One photo cannot be decoded; `message` says why."""


class MissingPhotosError(HiersearchError):
    """A folder of the index is gone or suddenly empty; nothing below it was dropped."""


class StoreError(HiersearchError):
    """The store answers, but not as it should."""


class IndexNotFoundError(StoreError):
    """No index lies at that place yet."""


class CollectionError(StoreError):
    """A collection is missing, or was not made for what is asked of it."""


class VectorError(StoreError):
    """Vectors have a wrong shape, or are not finite, or have no length."""


class StoreUnreachableError(StoreError):
    """The store cannot be opened."""

    exit_code = 3


class StoreLockedError(StoreUnreachableError):
    """Another process has the store open."""
