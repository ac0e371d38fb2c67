"""`qdrant_client.models`, imported when one of them is first used.

The embedded engine answers most calls without any, and the import alone takes longer than a query.
"""

from __future__ import annotations

__all__: list[str] = []


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from qdrant_client import models

    globals()[name] = found = getattr(models, name)  # the next use finds it at once
    return found
