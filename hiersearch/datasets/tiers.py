"""How HierarCaps' files hold a hierarchy in one cell: its texts joined by " => "."""

from __future__ import annotations

__all__ = ["tier_texts"]

SEPARATOR = "=>"


def tier_texts(cell: str) -> tuple[str, ...]:
    """The texts of a cell, general to specific, without surrounding blanks; some may be empty."""
    return tuple(text.strip() for text in cell.split(SEPARATOR))
