"""The formats of photo files: which one a file is, and what is done about each one's faults."""

from __future__ import annotations

__all__: list[str] = []
