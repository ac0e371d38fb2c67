"""The offline model, which comes with hiersearch, and what it was before."""

__all__: list[str] = []
