"""Commands for indexes of photos."""

__all__: list[str] = []
