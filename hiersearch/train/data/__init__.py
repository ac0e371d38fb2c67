"""Hierarchies to train on: where they come from, and what is left out of them."""

from __future__ import annotations

from hiersearch.train.data.excluding import read_pairs, without_pairs
from hiersearch.train.data.hierarchies import Hierarchy, Split, split, split_hierarchies
from hiersearch.train.data.sampling import sample_hierarchies
from hiersearch.train.data.sources import TrainingData, load_data
from hiersearch.train.data.species import Specimen, species_hierarchies
from hiersearch.train.data.taxonomy import Taxonomy

__all__ = [
    "Hierarchy",
    "Specimen",
    "Split",
    "Taxonomy",
    "TrainingData",
    "load_data",
    "read_pairs",
    "sample_hierarchies",
    "species_hierarchies",
    "split",
    "split_hierarchies",
    "without_pairs",
]
