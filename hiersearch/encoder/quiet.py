"""Keeps the model libraries from writing progress bars and notices to stderr."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from transformers.utils import logging as transformers_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars, its notices below errors, and Python warnings.

    What was set before is set again afterwards.
    """
    bars = transformers_logging.is_progress_bar_enabled()
    verbosity = transformers_logging.get_verbosity()
    disable_bars: Callable[[], None] = transformers_logging.disable_progress_bar
    enable_bars: Callable[[], None] = transformers_logging.enable_progress_bar
    disable_bars()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            enable_bars()
