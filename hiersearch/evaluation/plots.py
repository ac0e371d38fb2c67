"""Plots of what single numbers hide, as PNG files.

How far texts are from the root, by which radius they are found, and whether a small angle means
that one text follows from the other. Needs matplotlib, which the extra `eval` installs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hiersearch.errors import MissingPackageError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hiersearch.evaluation.benchmark import Result
    from hiersearch.evaluation.report import Report

    Labelled: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]

__all__ = ["angle_bins", "require_matplotlib", "write_plots"]

SIZE = (7.0, 4.2)
"""Inches."""

DOTS = 150
"""Per inch."""

BINS = 12
LEAST_PAIRS = 10
"""Bins with fewer pairs are not drawn."""

COLOURS = ("#0b6e99", "#d1711f", "#7a7a7a")
"""Model, baseline and reference; can be told apart without seeing red and green."""


def require_matplotlib() -> None:
    """Check that matplotlib is installed.

    Raises:
        MissingPackageError: It is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingPackageError("matplotlib", extra="eval", purpose="plotting")


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Write the plots that a report's results have data for.

    Args:
        report: If it has a baseline, its curves are drawn too.
        folder: The folder to write to; created if needed.

    Returns:
        The files, in a fixed order; empty if there is nothing to draw.

    Raises:
        MissingPackageError: matplotlib is not installed.
        UsageError: The folder cannot be written to.
    """
    require_matplotlib()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _written(folder / f"{result.benchmark}-{name.replace('_', '-')}.png", draw, given)
            for result in report.results
            for name, draw in DRAWN.items()
            if (given := _series(report, result, name))
        ]
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written to: {error.strerror or error}",
            hint="Choose another folder",
        ) from error


def angle_bins(
    positive: Sequence[float], negative: Sequence[float], bins: int = BINS
) -> tuple[list[float], list[float], list[int]]:
    """The share of positive pairs among pairs of similar angles.

    Args:
        positive: Angles in radians of pairs that entail.
        negative: Angles in radians of pairs that do not. At least one of the two is not empty.
        bins: Number of bins, equally wide, from the smallest to the largest angle.

    Returns:
        For each bin that is not empty: its middle in radians, the share from 0 to 1, and its number
        of pairs.
    """
    angles = np.array([*positive, *negative], dtype=np.float64)
    edges = np.linspace(angles.min(), angles.max(), bins + 1)
    hits, _ = np.histogram(np.asarray(positive, dtype=np.float64), edges)
    total, _ = np.histogram(angles, edges)
    middles = (edges[:-1] + edges[1:]) / 2
    some = total > 0
    return middles[some].tolist(), (hits[some] / total[some]).tolist(), total[some].tolist()


def _series(report: Report, result: Result, name: str) -> Labelled:
    """The data of each model with its label, the measured model first."""
    baseline = report.baseline_results.get(result.benchmark)
    labels = [(_label(report.model.name), result)]
    if baseline is not None and report.baseline is not None:
        labels.append((_label(report.baseline.name), baseline))
    found = [(label, each.series.get(name)) for label, each in labels]
    return [(label, each) for label, each in found if isinstance(each, Mapping) and _any(each)]


def _any(series: Mapping[str, Any]) -> bool:
    return all(len(values) > 0 for values in series.values()) and len(series) > 0


def _label(name: str) -> str:
    """The last part of a folder's path; a model's name as it is."""
    return Path(name).name if Path(name).is_absolute() else name


def _written(path: Path, draw: Callable[[Axes, Labelled], None], given: Labelled) -> Path:
    # Not pyplot, which keeps figures and looks for a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    draw(axes, given)
    figure.savefig(path, dpi=DOTS, format="png")
    return path


def _draw_distances(axes: Axes, given: Labelled, groups: str, title: str) -> None:
    """Boxes of root distances, side by side for each model."""
    names = list(given[0][1])
    width = 0.6 / len(given)
    for at, (label, series) in enumerate(given):
        offset = (at - (len(given) - 1) / 2) * (width + 0.06)
        colour = COLOURS[at]
        boxes = axes.boxplot(
            [series[name] for name in names],
            positions=[place + offset for place in range(len(names))],
            widths=width,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": f"{colour}55", "edgecolor": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            medianprops={"color": colour, "linewidth": 2},
        )
        boxes["boxes"][0].set_label(label)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlabel(groups)
    axes.set_ylabel("root distance (unit vectors, 0 to 2)")
    axes.set_title(f"{title}\nbox: middle half, line: median, whiskers: 5 % to 95 %", fontsize=11)
    axes.legend(frameon=False, loc="best")


def _draw_tiers(axes: Axes, given: Labelled) -> None:
    _draw_distances(
        axes, given, "tier, 1 general to 4 specific", "Do general texts lie nearer to the root?"
    )


def _draw_ranks(axes: Axes, given: Labelled) -> None:
    _draw_distances(
        axes, given, "rank, general to specific", "Do general names lie nearer to the root?"
    )


def _draw_recall(axes: Axes, given: Labelled) -> None:
    for colour, (label, series) in zip(COLOURS, given, strict=False):
        axes.plot(series["radius"], series["recall"], color=colour, label=label, linewidth=2)
    axes.set_xlabel("radius: root distance up to which texts are looked at")
    axes.set_ylabel("recall, mean over photos")
    axes.set_ylim(bottom=0.0)
    axes.set_title(
        "Share of a photo's true texts found by each radius\n(official protocol)", fontsize=11
    )
    axes.legend(frameon=False, loc="upper left")


def _draw_reliability(axes: Axes, given: Labelled) -> None:
    for colour, (label, series) in zip(COLOURS, given, strict=False):
        middles, shares, counts = angle_bins(series["positive"], series["negative"])
        kept = [at for at, count in enumerate(counts) if count >= LEAST_PAIRS] or range(len(counts))
        axes.plot(
            [math.degrees(middles[at]) for at in kept],
            [shares[at] for at in kept],
            "o-",
            color=colour,
            label=label,
        )
    first = given[0][1]
    base = len(first["positive"]) / (len(first["positive"]) + len(first["negative"]))
    axes.axhline(base, color=COLOURS[2], linestyle="--", linewidth=1, label="all pairs: chance")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("exterior angle of the pair, degrees")
    axes.set_ylabel("share of pairs that entail")
    axes.set_title(
        f"Does a small angle mean entailment?\n"
        f"pairs in bins by angle, those with fewer than {LEAST_PAIRS} left out",
        fontsize=11,
    )
    axes.legend(frameon=False, loc="best")


DRAWN: Mapping[str, Callable[[Axes, Labelled], None]] = {
    "root_distance_by_tier": _draw_tiers,
    "recall_by_radius": _draw_recall,
    "entailment": _draw_reliability,
    "root_distance_by_rank": _draw_ranks,
}
"""The plot of each of a result's series."""
