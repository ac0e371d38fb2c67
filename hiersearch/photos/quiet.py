"""Keeps Pillow from writing to stderr while it decodes, in as many threads as there are."""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any, cast

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence

__all__ = ["PILLOW_QUIET"]

# An entry as `warnings.filterwarnings("ignore", module="PIL")` makes it.
_FILTER = ("ignore", None, Warning, re.compile(r"PIL(\.|$)"), 0)


class _PillowQuiet:
    """While any thread is inside, Pillow warns nobody.

    `warnings.catch_warnings` saves the list of filters and puts it back: with several threads,
    one may put back what another had only borrowed. So the first thread in adds one filter and the
    last one out removes just that filter; whatever others do to the list meanwhile stays.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._no_last_resort = logging.NullHandler()
        self._set_tiff_handler: Callable[[int | None], int | None] | None = None
        self._tiff_handler: int | None = None

    def __enter__(self) -> None:
        filters = cast("MutableSequence[object]", warnings.filters)
        with self._lock:
            self._inside += 1
            if _FILTER not in filters:
                filters.insert(0, _FILTER)
            if self._inside == 1:
                # Without any handler, logging prints errors on stderr; handlers of the program's
                # own still get them.
                logging.getLogger("PIL").addHandler(self._no_last_resort)
                self._set_tiff_handler = self._set_tiff_handler or _find_set_tiff_handler()
                self._tiff_handler = self._set_tiff_handler(None)

    def __exit__(self, *exception: object) -> None:
        filters = cast("MutableSequence[object]", warnings.filters)
        with self._lock:
            self._inside -= 1
            if not self._inside:
                if _FILTER in filters:
                    filters.remove(_FILTER)
                logging.getLogger("PIL").removeHandler(self._no_last_resort)
                if self._set_tiff_handler is not None:
                    self._set_tiff_handler(self._tiff_handler)


def _find_set_tiff_handler() -> Callable[[int | None], int | None]:
    """Find the libtiff function that says where errors go: by default to stderr, past Python.

    One damaged TIFF can write hundreds of lines. Pillow has no setting for it.
    """
    try:
        extension = Image.core.__file__  # type: ignore[attr-defined]
        setter: Any = ctypes.CDLL(extension).TIFFSetErrorHandler
    except (AttributeError, OSError):  # a Pillow without libtiff, or that hides its symbols
        return lambda handler: handler
    setter.argtypes = [ctypes.c_void_p]
    setter.restype = ctypes.c_void_p
    return cast("Callable[[int | None], int | None]", setter)


# One for the process, because what it changes is one for the process.
PILLOW_QUIET = _PillowQuiet()
