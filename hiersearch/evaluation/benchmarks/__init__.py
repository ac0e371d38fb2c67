"""The benchmarks of the papers, one module each."""

__all__: list[str] = []
