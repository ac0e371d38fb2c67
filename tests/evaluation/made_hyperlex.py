"""HyperLex' file, with a few pairs."""

from __future__ import annotations

from pathlib import Path

PAIRS = """\
WORD1 WORD2 POS TYPE AVG_SCORE
cat animal N hyp-1 5.8
animal cat N r-hyp-1 1.2
dog animal N hyp-1 5.7
cat dog N cohyp 0.9
run move V hyp-1 5.5
move run V r-hyp-1 2.0
"""


def make_hyperlex(data: Path) -> Path:
    """HyperLex in a folder of all benchmarks' data."""
    (data / "hyperlex").mkdir(parents=True)
    (data / "hyperlex" / "hyperlex-all.txt").write_text(PAIRS, encoding="utf-8")
    return data
