from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hiersearch.config import (
    DEFAULT_NAME,
    ServerPlace,
    Settings,
    cache_dir,
    data_dir,
    datasets_dir,
    index_place,
    read_settings,
)
from hiersearch.errors import UsageError


@pytest.mark.parametrize(
    ("folder", "variable"), [(cache_dir, "HIERSEARCH_CACHE"), (data_dir, "HIERSEARCH_HOME")]
)
class TestFolders:
    def test_the_environment_names_them(self, folder, variable, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))

        assert folder({variable: str(tmp_path / "here")}) == tmp_path / "here"
        assert folder({variable: "here"}) == tmp_path / "here"
        assert folder({variable: "~/here"}) == tmp_path / "home" / "here"

    def test_otherwise_the_system_does(self, folder, variable):
        for environ in ({}, {variable: ""}):
            assert folder(environ).is_absolute()
            assert folder(environ).name == "hiersearch"

    def test_nothing_is_made(self, folder, variable, tmp_path):
        assert not folder({variable: str(tmp_path / "here")}).exists()


def test_the_folder_of_data_sets_is_named_by_the_environment_alone(tmp_path):
    assert datasets_dir({}) is None
    assert datasets_dir({"HIERSEARCH_DATA": ""}) is None
    assert datasets_dir({"HIERSEARCH_DATA": str(tmp_path)}) == tmp_path


class TestSettings:
    @pytest.fixture
    def config(self, tmp_path) -> Path:
        return tmp_path / "config.toml"

    def test_environment_over_file(self, config):
        config.write_text('model = "clip-b"\nstore = "/photos"\n')
        environ = {"HIERSEARCH_CONFIG": str(config)}

        assert read_settings(environ) == Settings(model="clip-b", store="/photos")
        named = {**environ, "HIERSEARCH_MODEL": "mini", "HIERSEARCH_STORE": "/other"}
        assert read_settings(named) == Settings(model="mini", store="/other")

    def test_without_a_file(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

        assert read_settings({}) == Settings()

    def test_a_named_file_must_be_there(self, config):
        with pytest.raises(UsageError, match="HIERSEARCH_CONFIG"):
            read_settings({"HIERSEARCH_CONFIG": str(config)})

    def test_an_unknown_setting_is_named(self, config):
        config.write_text('modle = "mini"')

        with pytest.raises(UsageError, match="sets 'modle' to 'mini'") as caught:
            read_settings({"HIERSEARCH_CONFIG": str(config)})

        assert caught.value.hint == "Only model and store can be set, and both are text"

    def test_without_a_file_pydantic_is_not_loaded(self):
        code = (
            "import sys; from hiersearch.config import read_settings; read_settings({}); "
            "assert 'pydantic' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    @pytest.mark.parametrize("text", ["model =", 'modle = "mini"', "model = 3", "\xff"])
    def test_a_wrong_file_is_named(self, config, text):
        config.write_text(text, encoding="latin-1")

        with pytest.raises(UsageError, match=r"config\.toml"):
            read_settings({"HIERSEARCH_CONFIG": str(config)})


class TestIndexPlace:
    def test_a_named_store_is_the_folder(self, tmp_path):
        assert index_place(tmp_path / "store", {}) == tmp_path / "store"
        assert index_place(None, {"HIERSEARCH_STORE": str(tmp_path)}) == tmp_path

    def test_otherwise_it_lies_in_the_data_folder(self, tmp_path):
        environ = {"HIERSEARCH_HOME": str(tmp_path)}

        assert index_place(None, environ) == tmp_path / "indexes" / DEFAULT_NAME
        assert index_place(None, environ, "birds") == tmp_path / "indexes" / "birds"

    def test_a_name_is_stronger_than_the_environments_store(self, tmp_path):
        environ = {"HIERSEARCH_HOME": str(tmp_path), "HIERSEARCH_STORE": "/other"}

        assert index_place(None, environ, "birds") == tmp_path / "indexes" / "birds"

    @pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/a"])
    def test_names_that_are_no_file_names(self, name):
        with pytest.raises(UsageError):
            index_place(None, {}, name)

    def test_a_store_and_a_name(self):
        with pytest.raises(UsageError, match="both"):
            index_place("here", {}, "birds")

    @pytest.mark.parametrize(
        ("url", "server", "name"),
        [
            ("http://localhost:6333/holiday", "http://localhost:6333", "holiday"),
            ("http://localhost:6333", "http://localhost:6333", DEFAULT_NAME),
            ("http://localhost/", "http://localhost:6333", DEFAULT_NAME),
            ("https://host/behind/a/proxy/holiday/", "https://host:443/behind/a/proxy", "holiday"),
            ("HTTP://ann:pass@host:1/x?api_key=k#y", "http://host:1", "x"),
            ("http://[::1]:6333/my%2Dphotos.2", "http://[::1]:6333", "my-photos.2"),
        ],
    )
    def test_a_server_and_a_name_there(self, url, server, name):
        place = index_place(url, {})

        assert place == ServerPlace(server, name)
        assert str(place) == f"{server}/{name}"
        assert index_place(place, {}) is place
        assert index_place(str(place), {}) == place
        assert index_place(None, {"HIERSEARCH_STORE": url}) == place

    @pytest.mark.parametrize(
        "url",
        [
            "http://",
            "http://host:port/x",
            "http://[::1",
            "http://host/a%2Fb",
            "http://host/a b",
            "http://host/.hidden",
            "http://host/photos-index",
            "http://host/photos-concepts",
            "ftp://host/x",
            "qdrant://host",
        ],
    )
    def test_urls_that_name_no_index(self, url):
        with pytest.raises(UsageError):
            index_place(url, {})
