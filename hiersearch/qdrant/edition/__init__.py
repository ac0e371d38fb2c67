"""What was last stored in an embedded collection, in a file that anybody may read at any time.

The engine lets one process open a collection, and only where it can write. An edition is the points
once more, in one file that is replaced as a whole: readers map it into memory, share it with each
other and with a process that writes, and find in it what was stored when it was published.
"""

from __future__ import annotations

__all__: list[str] = []
