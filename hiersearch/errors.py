"""What can go wrong, as one tree.

HiersearchError                  exit code 1
├── UsageError                   exit code 2: the request cannot be carried out as written
│   ├── VocabularyError          a vocabulary file breaks a rule; names the line
│   ├── FilterError              a `--where` expression that cannot be read
│   ├── PhotosNotFoundError      a path does not exist, or holds no photo
│   └── ModelMismatchError       the index was made by a different model
├── MissingPackageError          an optional package is not installed; names the extra
├── ModelNotFoundError           the model is not on this machine
├── ModelError                   the model was found, but cannot be used
├── MissingDataError             a benchmark's data is not on this machine
├── UnreadablePhotoError         one photo cannot be decoded
├── MissingPhotosError           an indexed folder is gone or empty; nothing was dropped
└── StoreError                   the store answers, but not as it should
    ├── IndexNotFoundError       there is no index at that place
    ├── CollectionError          a collection is missing, or unsuitable
    ├── VectorError              vectors have the wrong shape, or are not finite
    └── StoreUnreachableError    exit code 3: the store cannot be opened
        └── StoreLockedError     another process has it open
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import ClassVar

__all__ = [
    "CollectionError",
    "FilterError",
    "HiersearchError",
    "IndexNotFoundError",
    "MissingDataError",
    "MissingPackageError",
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
    "require",
]


class HiersearchError(Exception):
    """Base of every error that hiersearch raises on purpose.

    Args:
        message: What happened, and to what. Without a full stop.
        hint: What to do next, in the imperative. Without a full stop.
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
        line: The line of the file, counted from 1, if there is one.
        hint: What to do next.
    """

    def __init__(self, message: str, *, line: int | None = None, hint: str = "") -> None:
        super().__init__(f"line {line}: {message}" if line is not None else message, hint=hint)
        self.line = line


class FilterError(UsageError):
    """A `--where` expression cannot be read."""


class PhotosNotFoundError(UsageError):
    """A path does not exist, or holds no photo."""


class ModelMismatchError(UsageError):
    """The index was made by a different model from the one asked for."""


WITH_TORCH = ("models", "train", "eval", "export")
"""The extras that bring PyTorch."""


class MissingPackageError(HiersearchError, ImportError):
    """A package that an extra of hiersearch installs is missing; an `ImportError` too.

    Args:
        package: The package's name, as pip knows it.
        extra: The extra that installs it, such as "models".
        purpose: What needs it, for the message.
        instead: What can be done instead of installing it, for the hint.
    """

    def __init__(
        self, package: str, *, extra: str, purpose: str = "this", instead: str = ""
    ) -> None:
        install = f'Install it: pip install "hiersearch[{extra}]"'
        if extra in WITH_TORCH:
            install += (
                " (on a machine without a GPU, PyTorch's CPU build first, which saves gigabytes: "
                "pytorch.org/get-started)"
            )
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            hint=f"{install}; or {instead}" if instead else install,
        )
        self.package = package
        self.extra = extra


class ModelNotFoundError(HiersearchError):
    """The model is not on this machine."""


class ModelError(HiersearchError):
    """The model was found but cannot be used: it is damaged, or lacks a tower that is needed."""


class MissingDataError(HiersearchError):
    """A benchmark's data is not on this machine; says what is missing and where to get it."""


class UnreadablePhotoError(HiersearchError):
    """One photo cannot be decoded; `message` says why."""


class MissingPhotosError(HiersearchError):
    """An indexed folder is gone or suddenly empty; no photo below it was dropped."""


class StoreError(HiersearchError):
    """The store answers, but not as it should."""


class IndexNotFoundError(StoreError):
    """There is no index at that place."""


class CollectionError(StoreError):
    """A collection is missing, or does not support what is asked of it."""


class VectorError(StoreError):
    """Vectors have the wrong shape, are not finite, or have no length."""


class StoreUnreachableError(StoreError):
    """The store cannot be opened."""

    exit_code = 3


class StoreLockedError(StoreUnreachableError):
    """Another process has the store open."""


def require(module: str, *, extra: str, purpose: str = "this") -> ModuleType:
    """Imports a module of an optional package.

    Args:
        module: The module, such as "matplotlib.figure".
        extra: The extra of hiersearch that installs its package.
        purpose: What needs it, for the message.

    Raises:
        MissingPackageError: The package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != top:
            raise  # one of the package's own requirements
        raise MissingPackageError(top.replace("_", "-"), extra=extra, purpose=purpose) from None
