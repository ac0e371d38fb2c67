"""How a run that changes an index gets along with threads that query it meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from hiersearch.errors import StoreError
from hiersearch.qdrant import HierarchicalCollection

__all__ = ["Sharing"]

logger = logging.getLogger(__name__)


def _optimize(photos: HierarchicalCollection) -> None:
    try:
        photos.optimize()
    except StoreError as error:
        # The photos are stored, and what the run did is to be told.
        logger.warning("the store is tidied up by a later run instead: %s", error)


@dataclass(frozen=True)
class Sharing:
    """What a run does where others read the index; by default nobody does.

    Attributes:
        alone: A `with` block that nobody reads in: for changes that readers must not see a part
            of, such as new labels. Photos are added and dropped outside of it.
        optimize: Lets the store tidy up the photos at the end of a run that changed something.
    """

    alone: Callable[[], AbstractContextManager[object]] = nullcontext
    optimize: Callable[[HierarchicalCollection], object] = _optimize
