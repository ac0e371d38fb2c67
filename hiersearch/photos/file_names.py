"""Paths as the text of a payload: any file name there and back, also one that is not UTF-8."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

__all__ = ["path_to_text", "photo_folders", "text_to_path"]

# No path is mistaken for a URI: pathlib makes one slash out of two.
_SCHEME = "file://"


def path_to_text(path: Path) -> str:
    """A path as it is stored in a payload.

    Args:
        path: An absolute path. (A relative one survives too, but not as a valid URI.)

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
    """The path that `path_to_text` turned into this text."""
    if text.startswith(_SCHEME):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_SCHEME))))
    return Path(text)


def photo_folders(path: str) -> list[str]:
    """Every value of `folder=...` that finds a photo: its folders' full paths and their names.

    `/home/ann/Photos/2020/cat.jpg` lies in `/home/ann/Photos/2020`, `/home/ann/Photos`, ..., `/`,
    and in any folder called `2020`, `Photos`, `ann` or `home`.

    Args:
        path: An absolute path as `path_to_text` gives it. Of a percent-encoded `file://` URI,
            those folders that are valid Unicode are given as they are, the others encoded.

    Returns:
        Full paths from the innermost out, then names likewise, each once.
    """
    encoded = path.startswith(_SCHEME)
    # Plain text work: this runs for every photo of an index.
    names = path.removeprefix(_SCHEME).strip("/").split("/")[:-1]
    full = [f"/{'/'.join(names[:depth])}" for depth in range(len(names), -1, -1)]
    names.reverse()
    if encoded:
        full = [_decoded(folder) or _SCHEME + folder for folder in full]
        names = [_decoded(name) or name for name in names]
    return list(dict.fromkeys(full + names))


def _decoded(text: str) -> str | None:
    """The text without percent encoding, where that is valid Unicode."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None
