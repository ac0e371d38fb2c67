from __future__ import annotations

import importlib
import pkgutil

import pytest

import hiersearch

MODULES = [
    module.name
    for module in pkgutil.walk_packages(hiersearch.__path__, "hiersearch.")
    if not module.name.endswith("__main__")
]


def test_the_names_users_import_are_sorted_and_all_there():
    assert hiersearch.__all__ == sorted(hiersearch.__all__)
    for name in hiersearch.__all__:
        assert getattr(hiersearch, name).__name__ == name
        assert name in dir(hiersearch)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        hiersearch.nonsense  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for offered in module.__all__:
        assert hasattr(module, offered)
