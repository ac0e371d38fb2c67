"""Search photos from general to specific."""

__version__ = "0.1.0"
