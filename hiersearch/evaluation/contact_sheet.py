"""The texts that are retrieved for photos, to look at: as text, as JSON, and as a contact sheet.

As for the paper's figures, they are retrieved from an expanded set of candidates: the texts of the
test file and, if the file of pairs is there, all of its positive texts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from PIL import Image, ImageDraw, ImageFont, ImageOps

from hiersearch.data.hierarcaps_files import (
    find_pairs_file,
    find_test_file,
    read_items,
    read_pairs,
)
from hiersearch.errors import UnreadablePhotoError, UsageError
from hiersearch.evaluation.protocols import candidates, official_chains, paper_chains
from hiersearch.photos import path_to_text, read_photo
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hiersearch.evaluation.embedder import Embedder

__all__ = [
    "PhotoChain",
    "Protocol",
    "chains_as_json",
    "chains_as_text",
    "contact_sheet",
    "expanded_candidates",
    "retrieve_chains",
    "write_contact_sheet",
]

Protocol: TypeAlias = Literal["official", "paper"]

PHOTO_SIDE = 240
TEXT_WIDTH = 560
MARGIN = 16
INDENT = 18
MAX_INDENT = 180
FONT_SIZE = 17
LINE_HEIGHT = 24
MAX_LINES = 3
"""The most lines that one text may take."""

INK, FAINT, PAPER = (25, 25, 25), (120, 120, 120), (255, 255, 255)


@dataclass(frozen=True)
class PhotoChain:
    """A photo and the texts that were retrieved for it.

    Attributes:
        photo: Its file.
        texts: The texts, general to specific; may be empty.
        root_distances: The root distance of each text, in [0, 2].
        scores: The cosine of each text with the photo, in [−1, 1].
    """

    photo: Path
    texts: tuple[str, ...]
    root_distances: tuple[float, ...]
    scores: tuple[float, ...]


def expanded_candidates(data: Path | None) -> tuple[str, ...]:
    """The distinct texts of the test file, and all positive texts of the file of pairs beside it.

    Args:
        data: The data folder, as for the benchmark.

    Raises:
        MissingDataError: There is no test file.
        UsageError: A file is invalid.
    """
    path = find_test_file(data)
    texts = [text for item in read_items(path) for text in item.texts]
    pairs = find_pairs_file(path)
    if pairs is not None:
        texts += [text for positive, _ in read_pairs(pairs).hierarchies for text in positive]
    return tuple(dict.fromkeys(texts))


def retrieve_chains(
    embedder: Embedder,
    photos: Sequence[Path],
    texts: Sequence[str],
    *,
    protocol: Protocol = "official",
    on_progress: Progress = tell_nobody,
) -> tuple[PhotoChain, ...]:
    """Retrieve a chain of texts for each photo.

    Args:
        embedder: The model.
        photos: Any image files.
        texts: The candidates, at least one.
        protocol: See `hiersearch.evaluation.protocols`.
        on_progress: Called while photos and texts are encoded.

    Raises:
        UsageError: There are no candidates.
        UnreadablePhotoError: A photo cannot be decoded.
        ModelError: The model has no image tower.
    """
    if not photos:
        return ()
    vectors = embedder.photos(photos, on_progress)
    on_progress("encoding texts", 0, len(texts))
    given = candidates(vectors, embedder.texts(texts), embedder.root, texts)
    on_progress("encoding texts", len(texts), len(texts))
    chains = official_chains(given) if protocol == "official" else paper_chains(given)
    # If a text is listed twice, the one nearer to the root is met first.
    column_of = {name: column for column, name in reversed(list(enumerate(given.names)))}
    found = []
    for photo, chain, scores in zip(photos, chains, given.scores.T, strict=True):
        columns = [column_of[text] for text in chain]
        found.append(
            PhotoChain(
                photo=photo,
                texts=chain,
                root_distances=tuple(given.distances[columns].tolist()),
                scores=tuple(scores[columns].tolist()),
            )
        )
    return tuple(found)


def chains_as_text(chains: Sequence[PhotoChain]) -> str:
    """A block of lines for each photo: its path, then its texts, each indented further."""
    blocks = []
    for chain in chains:
        lines = [f"{'  ' * level}{text}" for level, text in enumerate(chain.texts, start=1)]
        blocks.append("\n".join([path_to_text(chain.photo), *(lines or ["  (nothing)"])]))
    return "\n\n".join(blocks)


def chains_as_json(chains: Sequence[PhotoChain]) -> str:
    """A list with an object for each photo: `photo`, and `chain` with each text's numbers."""
    content = [
        {
            "photo": path_to_text(chain.photo),
            "chain": [
                {"text": text, "root_distance": distance, "score": score}
                for text, distance, score in zip(
                    chain.texts, chain.root_distances, chain.scores, strict=True
                )
            ],
        }
        for chain in chains
    ]
    return json.dumps(content, ensure_ascii=False, indent=2)


def contact_sheet(chains: Sequence[PhotoChain]) -> Image.Image:
    """Photos below each other, each beside its chain.

    Args:
        chains: At least one.

    Returns:
        An RGB image.

    Raises:
        UsageError: There is no chain.
        UnreadablePhotoError: A photo cannot be decoded; names it.
    """
    if not chains:
        raise UsageError("a contact sheet needs at least one photo", hint="Name some photos")
    rows = [_row(chain) for chain in chains]
    width = PHOTO_SIDE + TEXT_WIDTH + 3 * MARGIN
    sheet = Image.new("RGB", (width, sum(row.height + MARGIN for row in rows) + MARGIN), PAPER)
    top = MARGIN
    for row in rows:
        sheet.paste(row, (MARGIN, top))
        top += row.height + MARGIN
    return sheet


def write_contact_sheet(chains: Sequence[PhotoChain], path: Path) -> None:
    """Write a contact sheet as PNG.

    Raises:
        UsageError: There is no chain, or the file cannot be written.
        UnreadablePhotoError: A photo cannot be decoded; names it.
    """
    sheet = contact_sheet(chains)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, format="PNG")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", hint="Choose another file"
        ) from error


def _row(chain: PhotoChain) -> Image.Image:
    font = ImageFont.load_default(FONT_SIZE)
    lines: list[tuple[int, str, tuple[int, int, int]]] = []
    for level, text in enumerate(chain.texts):
        left = min(level * INDENT, MAX_INDENT)
        lines += [(left, line, INK) for line in _wrapped(text, font, TEXT_WIDTH - left)]
    lines = lines or [(0, "(nothing)", FAINT)]
    height = max(PHOTO_SIDE, len(lines) * LINE_HEIGHT)
    row = Image.new("RGB", (PHOTO_SIDE + MARGIN + TEXT_WIDTH, height), PAPER)
    photo = ImageOps.contain(_image(chain.photo), (PHOTO_SIDE, PHOTO_SIDE))
    row.paste(photo, ((PHOTO_SIDE - photo.width) // 2, 0))
    draw = ImageDraw.Draw(row)
    for number, (left, line, colour) in enumerate(lines):
        position = (PHOTO_SIDE + MARGIN + left, number * LINE_HEIGHT)
        draw.text(position, line, fill=colour, font=font)
    return row


def _image(path: Path) -> Image.Image:
    try:
        return read_photo(path, min_side=PHOTO_SIDE).image
    except UnreadablePhotoError as error:
        raise UnreadablePhotoError(
            f"the photo {path_to_text(path)} cannot be read: {error.message}", hint=error.hint
        ) from error


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float
) -> list[str]:
    """The text wrapped to the width, in at most MAX_LINES lines."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"{lines[MAX_LINES - 1]} ..."]
    return lines
