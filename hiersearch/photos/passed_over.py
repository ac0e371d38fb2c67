"""What a search for photos leaves where it is, counted, so that nothing is passed over in silence.

Files are counted by their suffix. Three groups of names are counted apart from them, for nobody
looks for a photo there: files that programs and cameras keep beside photos, hidden names, and the
folders in which systems keep thumbnails or deleted files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

__all__ = [
    "HIDDEN",
    "LINK",
    "SIDECAR",
    "SPECIAL",
    "SYSTEM_FOLDER",
    "UNKNOWN",
    "PassedOver",
    "kind_of",
    "suffix_of",
]

SIDECAR, HIDDEN, LINK = "sidecar", "hidden", "link"
SYSTEM_FOLDER, SPECIAL = "system folder", "special"
UNKNOWN = "unknown"
"""The kind of files without a suffix, or with one that tells nothing, as in `scan.0001`."""

_LONGEST_SUFFIX = 10
_SHOWN = 6

# What people take for their photos or films, and will miss first.
_PICTURES = frozenset(
    {"3FR", "ARW", "CR2", "CR3", "CRW", "DCR", "DNG", "ERF", "FFF", "GPR", "IIQ", "K25", "KDC"}
    | {"MEF", "MOS", "MRW", "NEF", "NRW", "ORF", "PEF", "RAF", "RAW", "RW2", "RWL", "SR2", "SRF"}
    | {"SRW", "X3F"}
    | {"AI", "EPS", "EXR", "HDR", "ICO", "J2K", "JP2", "JXL", "JXR", "PCX", "PDF", "PPM", "PSB"}
    | {"PSD", "SVG", "SVGZ", "TGA", "XCF"}
    | {"3GP", "AVI", "INSV", "LIVP", "M2TS", "M4V", "MKV", "MOV", "MP4", "MPEG", "MPG", "MTS"}
    | {"WEBM", "WMV"}
)

# Beside photos: edits and thumbnails that cameras and programs keep, and lists of systems.
_SIDECARS = frozenset(
    {"AAE", "COS", "CTG", "DB", "DOP", "INI", "JSON", "LRV", "ON1", "PP3", "THM", "TXT", "XML"}
    | {"XMP"}
)

_NAMES_OF_OTHERS = {
    SIDECAR: ("sidecar file", "sidecar files"),
    HIDDEN: ("hidden name", "hidden names"),
    LINK: ("link", "links"),
    SYSTEM_FOLDER: ("system folder", "system folders"),
    SPECIAL: ("pipe, socket or device", "pipes, sockets or devices"),
}


@dataclass(frozen=True)
class PassedOver:
    """What a search passed over, in numbers.

    Attributes:
        files: Regular files that are no photos, by their suffix in capital letters, such as NEF;
            "unknown" for those without a suffix, or with one that tells nothing.
        others: What else was passed over: "sidecar" (files that belong to photos or to the system,
            such as .xmp, .aae, .json, .txt, .ini and .db), "hidden" (files and folders whose name
            begins with a dot), "link" (links that were not followed), "system folder" (of
            thumbnails or deleted files), "special" (pipes, sockets and devices).
    """

    files: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, kinds: Iterable[str]) -> Self:
        """Counts the kinds that `kind_of` and the search name; those to be missed first come first.

        Args:
            kinds: One for each file, link or folder.
        """
        counts = Counter(kinds)
        others = {kind: counts.pop(kind) for kind in _NAMES_OF_OTHERS if kind in counts}
        return cls(dict(sorted(counts.items(), key=_missed_first)), others)

    def __bool__(self) -> bool:
        """Whether anything was passed over."""
        return bool(self.files or self.others)

    def sentence(self, shown: int = _SHOWN) -> str:
        """A line for people, without a full stop; "" if nothing was passed over.

        Args:
            shown: The most kinds of files that are named; the others are counted together.
        """
        parts = []
        if self.files:
            count = sum(self.files.values())
            noun = "1 file of another kind" if count == 1 else f"{count} files of other kinds"
            parts.append(f"{noun} passed over ({', '.join(self._named(shown))})")
        others = [
            f"{count} {_NAMES_OF_OTHERS[kind][count != 1]}" for kind, count in self.others.items()
        ]
        if others:
            parts.append(f"{'also ' if parts else ''}{_listed(others)}")
            if len(parts) == 1:
                parts[0] += " passed over"
        return "; ".join(parts)

    def _named(self, shown: int) -> list[str]:
        named = [f"{count} {kind}" for kind, count in self.files.items()]
        if len(named) <= shown + 1:
            return named
        rest = list(self.files.values())[shown:]
        return [*named[:shown], f"{sum(rest)} of {len(rest)} more kinds"]

    def to_json(self) -> dict[str, dict[str, int]]:
        """The numbers as plain data."""
        return {"files": dict(self.files), "others": dict(self.others)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_json` made plain."""
        return cls(dict(plain["files"]), dict(plain["others"]))


def suffix_of(name: str) -> str:
    """The suffix of a file's name, without the dot; "" if there is none."""
    _, dot, suffix = name.rpartition(".")
    return suffix if dot else ""


def kind_of(name: str) -> str:
    """The kind of a regular file that is no photo: its suffix, "sidecar" or "unknown"."""
    suffix = suffix_of(name).upper()
    if suffix in _SIDECARS:
        return SIDECAR
    telling = suffix.isalnum() and not suffix.isdecimal() and len(suffix) <= _LONGEST_SUFFIX
    return suffix if telling else UNKNOWN


def _missed_first(pair: tuple[str, int]) -> tuple[bool, bool, int, str]:
    kind, count = pair
    return kind == UNKNOWN, kind not in _PICTURES, -count, kind


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
