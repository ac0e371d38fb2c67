from __future__ import annotations

from pathlib import Path

import pytest

from hiersearch.alignment.rows import prepare_data
from hiersearch.alignment.settings import TrainingSettings

SHOP = "".join(f"shop > shelf {at % 3} > thing {at}\n" for at in range(12))
CAPTIONS = "positive,negative\n" + "".join(
    f"animal => dog {at} => dog {at} on a mat,{negative}\n"
    for at, negative in enumerate(["plant => cat => cat on a mat", ""] * 10)
)
SPECIES = "order,genus,species\n" + "".join(
    f"Order {at % 2},Genus{at % 6},Genus{at % 6} no{at}\n" for at in range(12)
)


def prepared(tmp_path: Path, content: str, name: str, **told):
    (tmp_path / name).write_text(content)
    settings = TrainingSettings(data=str(tmp_path / name), batch_size=4, **told)
    return prepare_data(settings, environ={})


@pytest.mark.parametrize(("name", "content"), [("shop.txt", SHOP), ("taxonomy.csv", SPECIES)])
def test_each_epoch_draws_other_negatives(tmp_path, name, content):
    once = prepared(tmp_path, content, name, validation=0.0)
    twice = prepared(tmp_path, content, name, validation=0.0, epochs=2.0)
    half = prepared(tmp_path, content, name, validation=0.0, epochs=1.5)

    assert (once.steps, half.steps, twice.steps) == (3, 5, 6)
    assert (len(once.rows), len(twice.rows)) == (12, 24)
    assert len({str(row) for row in twice.rows}) > 12


def test_rows_kept_for_validation_have_the_columns_of_the_others(tmp_path):
    found = prepared(tmp_path, CAPTIONS, "captions.csv", validation=0.1)

    assert len(found.kept_rows) == len(found.validation) > 0
    assert {tuple(row) for row in found.kept_rows} == {tuple(found.rows[0])}
    assert "negative_1" in found.rows[0]
