from __future__ import annotations

from hiersearch.data.taxonomies import RANKS, rank_texts, with_genus

CROW = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus", "Corvus corax")


def test_an_epithet_gets_its_genus():
    assert with_genus("corax", "Corvus") == "Corvus corax"
    assert with_genus("Corvus corax", "Corvus") == "Corvus corax"
    assert with_genus("corax", "") == "corax"
    assert with_genus("", "Corvus") == ""


def test_the_genus_stands_once_in_a_path():
    texts = rank_texts(CROW, RANKS)
    assert texts[:2] == ("Animalia", "Animalia Chordata")
    assert texts[-1] == "Animalia Chordata Aves Passeriformes Corvidae Corvus corax"
    assert rank_texts(CROW, RANKS, "name") == CROW
    # What is no species keeps its name, also where it begins as what is above it does.
    assert rank_texts(("Fruit", "Fruit salad"), ("aisle", "shelf"))[1] == "Fruit Fruit salad"
    assert rank_texts(("Corvus corax",), ("species",)) == ("Corvus corax",)
