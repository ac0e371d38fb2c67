"""Draw the pictures of the documentation: python docs/draw_pictures.py.

Root distances come from the offline model. The shares of found descendants are those of
benchmarks/RESULTS.md, "Ranking by exterior angle".
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from hiersearch import HierarchicalEncoder
from hiersearch.geometry import root_distance

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
RESULTS = DOCS.parent / "benchmarks" / "RESULTS.md"

CHAINS = (
    ("animal", "bird", "parrot", "a green parrot on a branch"),
    ("vehicle", "motorcycle", "a motorcycle in a garage", "an old motorcycle in a dark garage"),
    ("food", "drink", "a cup of coffee", "a cup of coffee beside a spoon"),
)


def main() -> None:
    """Draw all of them."""
    mpl.rcParams.update({"svg.hashsalt": "hiersearch", "font.size": 9, "svg.fonttype": "none"})
    PICTURES.mkdir(exist_ok=True)
    draw_root_distance(PICTURES / "root_distance.svg")
    draw_candidates(PICTURES / "candidates.svg")


def draw_root_distance(path: Path) -> None:
    """A line for each chain of texts, general to specific, along the distance from the root."""
    encoder = HierarchicalEncoder("mini")
    figure, frame = plt.subplots(figsize=(7.2, 3.4))
    for height, chain in enumerate(reversed(CHAINS)):
        distances = root_distance(encoder.encode_texts(list(chain)), encoder.root)
        frame.plot(distances, [height] * len(chain), color="#9aa5b1", linewidth=1, zorder=1)
        frame.scatter(distances, [height] * len(chain), s=22, color="#3b5bdb", zorder=2)
        for number, (text, distance) in enumerate(zip(chain, distances, strict=True)):
            above = number % 2 == 0
            frame.annotate(
                text,
                (distance, height),
                xytext=(0, 7 if above else -15),
                textcoords="offset points",
                ha="center",
            )
    frame.set_xlabel('distance from the root, the embedding of "" (mini)')
    frame.set_ylim(-0.6, len(CHAINS) - 0.4)
    frame.margins(x=0.18)
    frame.set_yticks([])
    frame.spines[["top", "right", "left"]].set_visible(False)
    save(figure, path)


def draw_candidates(path: Path) -> None:
    """What share of the ten best descendants is found, read from the table of results."""
    rows = table_below(RESULTS.read_text(encoding="utf-8"), "| ranking | candidates nearest to |")
    numbers = [int(cell) for cell in rows[0][2:]]
    figure, frame = plt.subplots(figsize=(6.4, 3.4))
    for row in rows[2:5]:
        name = row[1].removesuffix(" (used)")
        frame.plot(numbers, [float(cell) for cell in row[2:]], marker="o", label=name)
    frame.set_xscale("log", base=10)
    frame.set_xlabel("candidates, of 100,000 photos")
    frame.set_ylabel("share of the ten best found")
    frame.set_ylim(0, 1.03)
    frame.legend(title="fetched by", frameon=False)
    frame.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def table_below(text: str, start: str) -> list[list[str]]:
    """The cells of the Markdown table whose first line begins so, its header first."""
    lines = text[text.index(start) :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"\|", line)[1:-1]] for line in lines]


def save(figure: plt.Figure, path: Path) -> None:
    """As SVG that does not change from run to run."""
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
