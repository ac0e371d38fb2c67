"""Paths as text, for a payload: any file name there and back, also one that is not UTF-8."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

__all__ = ["path_to_text", "text_to_path"]

# A Path never begins like this: pathlib makes one slash out of two. So no path is taken for a URI.
_SCHEME = "file://"


def path_to_text(path: Path) -> str:
    """Return a path as it stands in a payload.

    Args:
        path: An absolute path. (A relative one comes back unharmed too, but is no valid URI.)

    Returns:
        The path itself where it is valid Unicode, else a percent-encoded `file://` URI (RFC 8089).
    """
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SCHEME + quote(os.fsencode(text))
    return text


def text_to_path(text: str) -> Path:
    """Return the path that `path_to_text` made the text from."""
    if text.startswith(_SCHEME):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_SCHEME))))
    return Path(text)
