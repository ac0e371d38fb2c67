"""How a run that changes an index gets along with threads that query it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from hiersearch.qdrant import HierarchicalCollection

__all__ = ["Sharing"]


@dataclass(frozen=True)
class Sharing:
    """What a run does where others read the index; by default nobody does.

    Attributes:
        alone: A `with` block that nobody reads in: for changes that readers must not see a part
            of, such as new labels. Photos are added and dropped outside of it.
        optimize: Lets the store tidy up the photos at the end of a run that changed something.
    """

    alone: Callable[[], AbstractContextManager[object]] = nullcontext
    optimize: Callable[[HierarchicalCollection], object] = HierarchicalCollection.optimize
