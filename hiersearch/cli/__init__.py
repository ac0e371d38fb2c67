"""The command line. Importing it imports neither torch nor Qdrant."""

from __future__ import annotations

from hiersearch.cli.main import app, main

__all__ = ["app", "main"]
