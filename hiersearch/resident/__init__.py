"""A process that has an index open answers others over a socket: `hiersearch serve`, and `index`.

The engine lets one process at a time open a folder's index. Commands ask that process where it
listens, and open the index themselves where nobody does. What asks (`asking`) imports neither
engine nor NumPy.
"""

__all__: list[str] = []
