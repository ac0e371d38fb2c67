from __future__ import annotations

import pytest

from hiersearch.data.hierarcaps_files import tier_texts


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("animal => cat", ("animal", "cat")),
        (" a=>b  c =>d ", ("a", "b  c", "d")),
        ("alone", ("alone",)),
        ("a =>  => c", ("a", "", "c")),
        ("", ("",)),
    ],
)
def test_texts_of_a_cell(cell, texts):
    assert tier_texts(cell) == texts
