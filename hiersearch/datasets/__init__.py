"""What training and evaluation both know of the data sets they read."""

__all__: list[str] = []
