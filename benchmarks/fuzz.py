"""Fuzz what reads foreign bytes: python benchmarks/fuzz.py TARGET [--seconds N] [--corpus FOLDER].

Needs `pip install atheris`, which steers its inputs by the branches that they reach. TARGET:

* photos: a file is read as a photo, or refused as one; pixels have the size that is stated
* vocabularies: a file is read as a vocabulary, or refused; concepts are distinct, and have parents
  among them
* where: a condition is read as a filter, or refused; a filter can be handed to Qdrant's client

Any other exception ends the run with its input in a file `crash-...`, as does one input that takes
30 seconds. FOLDER keeps the inputs that reached something new, for a later run to begin with.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import atheris

LAZY = (
    *("hiersearch.photos.formats.bitmaps", "hiersearch.photos.formats.deep_tiff"),
    *(f"PIL.{form}ImagePlugin" for form in ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff")),
    "PIL.WebPImagePlugin",
)
"""What is imported with the first file that needs it, too late to be steered by."""

with atheris.instrument_imports(include=["hiersearch", "PIL"], enable_loader_override=False):
    for name in LAZY:
        import_module(name)
    from hostile import seeds

    from hiersearch.concepts.formats import parse_vocabulary
    from hiersearch.errors import FilterError, UnreadablePhotoError, VocabularyError
    from hiersearch.index.fields import KEYS, field_filter, parse_where
    from hiersearch.photos.photo import read_photo

MEMORY = 60 * 2**20
GREATEST = 3000
"""Megabytes that the process may take."""
SCRATCH = Path("/dev/shm")
CONDITIONS = ("taken>=2020-05", "size<=2MB", "folder=Holidays", "concept!=cat", "x=1.5e3")
VOCABULARIES = (
    b"animal\nbird\n",
    b"animal/bird/parrot\n",
    b"concept,parent\nanimal,\nbird,animal\n",
    b'{"animal": [], "bird": ["animal"]}',
    b'[{"name": "bird", "parents": ["animal"], "synonyms": ["fowl"]}, "animal"]',
)


def photos(scratch: Path) -> Callable[[bytes], None]:
    path = scratch / "photo"

    def one(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(UnreadablePhotoError):
            photo = read_photo(path, min_side=64, max_memory=MEMORY)
            width, height = photo.image.size
            assert photo.image.mode == "RGB"
            assert len(photo.image.tobytes()) == 3 * width * height
            assert photo.width >= 1
            assert photo.height >= 1

    return one


def vocabularies(data: bytes) -> None:
    with contextlib.suppress(VocabularyError):
        concepts = parse_vocabulary(data, name="fuzzed").concepts
        ids = {concept.id for concept in concepts}
        assert len(ids) == len(concepts)
        assert all(parent in ids for concept in concepts for parent in concept.parents)


def where(data: bytes) -> None:
    text = data.decode("utf-8", errors="surrogateescape")
    for read in (parse_where, field_filter):
        with contextlib.suppress(FilterError):
            found = read([text]) if read is parse_where else read(text)
            if found is not None:
                found.model_dump_json()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=["photos", "vocabularies", "where"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=SCRATCH if SCRATCH.is_dir() else None) as folder:
        scratch = Path(folder)
        target, begin = {
            "photos": (photos(scratch), list(seeds().values())),
            "vocabularies": (vocabularies, list(VOCABULARIES)),
            "where": (where, [each.encode() for each in CONDITIONS]),
        }[options.target]
        corpus = options.corpus or scratch / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(begin):
            (corpus / f"seed-{number}").write_bytes(data)
        limits = [f"-max_total_time={options.seconds}", "-timeout=30", f"-rss_limit_mb={GREATEST}"]
        words = [f"-dict={_dictionary(scratch)}"] if options.target == "where" else []
        atheris.Setup([sys.argv[0], *limits, *words, "-max_len=20000", str(corpus)], target)
        atheris.Fuzz()


def _dictionary(scratch: Path) -> Path:
    words = [*KEYS, "!=", ">=", "<=", "==", "true", "2020", "-05", "T14:30", "MB"]
    path = scratch / "words"
    path.write_text("".join(f'"{word}"\n' for word in words), encoding="ascii")
    return path


if __name__ == "__main__":
    main()
