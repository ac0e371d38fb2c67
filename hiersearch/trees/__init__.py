"""What a vector shows: the chain of a text or a photo, the tree of a photo."""

from __future__ import annotations

from hiersearch.trees.chains import (
    CHAIN,
    CONCEPT,
    CONCEPTS,
    LIKELY,
    MASSES,
    Chain,
    Link,
    Tree,
    concept_payload,
    heaviest_path,
    trim,
)
from hiersearch.trees.descent import FLOOR, Calibration, PosteriorDescent, calibrate
from hiersearch.trees.labeller import MAIN_FROM, Labeller
from hiersearch.trees.membership import PERHAPS, SURE, Membership
from hiersearch.trees.statistics import (
    MEMBERSHIP_FILE,
    Curve,
    PhotoStatistics,
    read_statistics,
    statistics_id,
    write_statistics,
)

__all__ = [
    "CHAIN",
    "CONCEPT",
    "CONCEPTS",
    "FLOOR",
    "LIKELY",
    "MAIN_FROM",
    "MASSES",
    "MEMBERSHIP_FILE",
    "PERHAPS",
    "SURE",
    "Calibration",
    "Chain",
    "Curve",
    "Labeller",
    "Link",
    "Membership",
    "PhotoStatistics",
    "PosteriorDescent",
    "Tree",
    "calibrate",
    "concept_payload",
    "heaviest_path",
    "read_statistics",
    "statistics_id",
    "trim",
    "write_statistics",
]
