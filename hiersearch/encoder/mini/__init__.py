"""The offline models, built on first use from installed packages."""

__all__: list[str] = []
