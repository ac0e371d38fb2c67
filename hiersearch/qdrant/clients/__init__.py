"""Clients of stores: what they must offer, how they are opened, and how stores refuse."""

__all__: list[str] = []
