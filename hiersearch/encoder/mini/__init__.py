"""The offline model, built from installed packages."""

__all__: list[str] = []
