"""Commands for Qdrant collections."""

__all__: list[str] = []
