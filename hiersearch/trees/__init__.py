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
from hiersearch.trees.risk import CONFIDENCE, THRESHOLDS, Trials, risk_floor
from hiersearch.trees.statistics import (
    MEMBERSHIP_FILE,
    Curve,
    PhotoStatistics,
    read_statistics,
    statistics_id,
    write_statistics,
)
from hiersearch.trees.tally import Tally, expected_counts

__all__ = [
    "CHAIN",
    "CONCEPT",
    "CONCEPTS",
    "CONFIDENCE",
    "FLOOR",
    "LIKELY",
    "MAIN_FROM",
    "MASSES",
    "MEMBERSHIP_FILE",
    "PERHAPS",
    "SURE",
    "THRESHOLDS",
    "Calibration",
    "Chain",
    "Curve",
    "Labeller",
    "Link",
    "Membership",
    "PhotoStatistics",
    "PosteriorDescent",
    "Tally",
    "Tree",
    "Trials",
    "calibrate",
    "concept_payload",
    "expected_counts",
    "heaviest_path",
    "read_statistics",
    "risk_floor",
    "statistics_id",
    "trim",
    "write_statistics",
]
