"""Names from the outside world, made safe to print."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

__all__ = ["printable"]

# Control and format characters, lone surrogates, line and paragraph ends. What joins emoji stays.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")


def printable(text: Path | str) -> str:
    """A name without what would garble a terminal or pass for a line of its own."""
    read = os.fsencode(text).decode(errors="replace")
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unsafe(char) else char for char in read)


def _is_unsafe(char: str) -> bool:
    return unicodedata.category(char) in _UNSAFE and char not in _JOINERS
