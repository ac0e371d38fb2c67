"""Data sets: one reader for each, for training and evaluation alike, and where they come from."""

__all__: list[str] = []
