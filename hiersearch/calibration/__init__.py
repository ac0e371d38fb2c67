"""Fits what is known of a model's vectors of photos to photos that people have described."""

from __future__ import annotations

from hiersearch.calibration.calibrating import Band, CalibrationReport, calibrate_model
from hiersearch.calibration.descriptions import Described, Description, read_described

__all__ = [
    "Band",
    "CalibrationReport",
    "Described",
    "Description",
    "calibrate_model",
    "read_described",
]
