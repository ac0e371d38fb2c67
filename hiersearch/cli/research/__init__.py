"""Commands for aligning and evaluating models."""

__all__: list[str] = []
