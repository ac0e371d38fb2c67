from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from hiersearch.errors import HiersearchError, UsageError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.plots import angle_bins, require_matplotlib, write_plots
from hiersearch.evaluation.report import ModelLabel, Report

DRAWN = np.random.default_rng(0)
SERIES = {
    "root_distance_by_tier": {
        str(tier): DRAWN.normal(tier, 0.3, 50).tolist() for tier in (1, 2, 3, 4)
    },
    "recall_by_radius": {"radius": [0.1, 0.2, 0.3], "recall": [0.0, 0.1, 0.3]},
    "entailment": {
        "positive": DRAWN.normal(1.4, 0.2, 200).tolist(),
        "negative": DRAWN.normal(1.8, 0.2, 200).tolist(),
    },
}


def report(series=SERIES, *, baseline: bool = False) -> Report:
    result = Result("hierarcaps", {"n": 1}, series=series)
    more = {"baseline": ModelLabel("/of/base", "b"), "baseline_results": {"hierarcaps": result}}
    return Report(ModelLabel("mini", "m"), [result], **(more if baseline else {}))


@pytest.mark.parametrize("baseline", [False, True])
def test_a_picture_of_each_series(tmp_path, baseline):
    paths = write_plots(report(baseline=baseline), tmp_path / "plots")
    assert [path.name for path in paths] == [
        "hierarcaps-root-distance-by-tier.png",
        "hierarcaps-recall-by-radius.png",
        "hierarcaps-entailment.png",
    ]
    for path in paths:
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert len(image.convert("RGB").getcolors(2**20)) > 50  # something is drawn


def test_ranks_of_species(tmp_path):
    series = {"root_distance_by_rank": {"kingdom": [1.0], "species": [1.2, 1.3]}}
    given = Report(ModelLabel("mini", "m"), [Result("species", {"n": 1}, series=series)])
    (path,) = write_plots(given, tmp_path)
    assert path.name == "species-root-distance-by-rank.png"


def test_nothing_to_draw(tmp_path):
    empty = {"entailment": {"positive": [], "negative": []}, "other": [1.0]}
    assert write_plots(report(empty), tmp_path) == []


def test_pairs_that_all_have_one_angle(tmp_path):
    series = {"entailment": {"positive": [1.0, 1.0], "negative": [1.0]}}
    assert len(write_plots(report(series), tmp_path)) == 1


def test_bins_count_every_pair_once():
    positive, negative = [0.0, 0.1, 0.9], [0.95, 1.0]
    middles, shares, counts = angle_bins(positive, negative, bins=2)
    assert middles == [0.25, 0.75]
    assert shares == pytest.approx([1.0, 1 / 3])
    assert counts == [2, 3]


def test_bins_against_a_plain_count():
    given = SERIES["entailment"]
    every = given["positive"] + given["negative"]
    low, step = min(every), (max(every) - min(every)) / 12
    for middle, share, count in zip(*angle_bins(**given), strict=True):

        def within(angles, middle=middle):
            return sum(
                min(int((each - low) / step), 11) == round((middle - low) / step - 0.5)
                for each in angles
            )

        assert within(every) == count
        assert within(given["positive"]) / count == share


def test_without_matplotlib_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HiersearchError, match="matplotlib") as caught:
        require_matplotlib()
    assert "hiersearch[eval]" in caught.value.hint
    with pytest.raises(HiersearchError):
        write_plots(report(), tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written to"):
        write_plots(report(), tmp_path / "file" / "plots")
