"""Keeps Pillow and what it uses from printing while photos are decoded in this process."""

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
    """Keeps Pillow from printing while any thread is inside.

    `warnings.catch_warnings` is not safe with threads: it restores a saved list of filters, which
    another thread may have changed. So the first thread in adds one filter, and the last one out
    removes just that filter.
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
                # Without any handler, logging prints errors on stderr; the program's own handlers
                # still get them.
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
    """The libtiff function that sets where errors go; by default to stderr, bypassing Python.

    One damaged TIFF can write hundreds of lines, and Pillow has no setting for it.
    """
    try:
        extension = Image.core.__file__  # type: ignore[attr-defined]
        setter: Any = ctypes.CDLL(extension).TIFFSetErrorHandler
    except (AttributeError, OSError):  # a Pillow without libtiff, or that hides its symbols
        return lambda handler: handler
    setter.argtypes = [ctypes.c_void_p]
    setter.restype = ctypes.c_void_p
    return cast("Callable[[int | None], int | None]", setter)


# One for the process, because warnings, logging and libtiff have one state for the process.
PILLOW_QUIET = _PillowQuiet()
