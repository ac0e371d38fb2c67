"""Training of dual encoders on captioned photos."""

__all__: list[str] = []
