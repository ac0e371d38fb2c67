from __future__ import annotations

import pytest

from hiersearch.evaluation import BENCHMARKS
from hiersearch.evaluation.references import all_references, references_for
from hiersearch.evaluation.report import flat


def test_table_1_by_either_name_of_the_model():
    (found,) = references_for("clip-b", "hierarcaps")
    assert references_for("openai/clip-vit-base-patch32", "hierarcaps") == (found,)
    assert found.scores == {"official": {"precision": 0.14, "recall": 0.36, "tau": 0.89}}
    assert found.table == "table 1"
    assert "2407.08521" in found.source
    assert "inferred" not in found.source


def test_rows_whose_labels_were_lost_say_so():
    (found,) = references_for("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "hyperlex")
    assert found.scores == {"picture": {"all": 0.06, "nouns": 0.03}}
    assert found.inferred
    assert "(inferred)" in found.source
    assert found.to_json()["inferred"] is True


def test_several_tables_of_one_model():
    found = references_for("hierarcaps-clip-b", "retrieval")
    values = {path: value for each in found for path, value in flat(each.scores)}
    assert values["coco", "text_to_image", "recall_at_5"] == 0.56
    assert values["flickr30k", "text_to_image", "recall_at_10"] == 0.91


@pytest.mark.parametrize("model", ["mini", "/models/clip-b", "clip-b-of-mine", "", "CLIP"])
def test_other_models_have_none(model):
    assert not any(references_for(model, benchmark) for benchmark in BENCHMARKS)


def test_each_has_its_source_and_numbers_that_can_be():
    for each in all_references():
        assert each.benchmark in BENCHMARKS
        assert all((each.paper, each.table, each.row, each.data))
        for _, value in flat(each.scores):
            assert isinstance(value, int | float)
            assert 0 <= value <= 1


def test_the_sums_of_table_1_are_those_of_the_paper():
    """A slip in copying a column would show."""
    rows = [each for each in all_references() if each.table == "table 1"]
    precision = [
        value
        for each in rows
        for path, value in flat(each.scores)
        if (each.benchmark, path) == ("hierarcaps", ("official", "precision"))
    ]
    assert len(precision) == 10
    assert sum(precision) == pytest.approx(1.54)
