"""Alignment: fine-tuning a dual encoder so that its geometry follows hierarchies."""

from __future__ import annotations

__all__: list[str] = []
