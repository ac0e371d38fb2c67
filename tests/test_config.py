from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.config import (
    DEFAULT_NAME,
    ServerPlace,
    Settings,
    cache_dir,
    check_name,
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


@pytest.mark.parametrize(
    "store",
    [
        "user:secret@host:6333/photos",
        "user:secret@host",
        ":secret@host:6333",
        "secret@host:6333",
        "secret@host:6333/photos",
        "user:se/cret@host:6333/photos",
        "user:secret@x@host:6333/photos",
        "http:/user:secret@host:6333/photos",
        "http:user:secret@host:6333/photos",
        "http//user:secret@host:6333/photos",
        "//user:secret@host:6333/photos",
        "user:secret@http://host:6333/photos",
        "ftp://user:secret@host/photos",
        "http://user:sec/secret@host:6333/photos",
        "http://user:12/secret@host:6333/photos",
        "http://user:1?secret@host:6333/photos",
        "http://user:1#secret@host:6333/photos",
        "http://user:secret?@host:6333/photos",
        "user:p@host:6333/photos?api_key=secret",
        "http://user:secret@",
    ],
)
def test_what_may_be_a_password_is_never_named(store):
    from hiersearch.qdrant import connect

    for refused in (
        lambda: index_place(store, {}),
        lambda: index_place(None, {"HIERSEARCH_STORE": store}),
        lambda: connect(store) if "ftp:" not in store else index_place(store, {}),
    ):
        with pytest.raises(UsageError) as caught:
            refused()
        assert "secret" not in str(caught.value)
        assert "user:" not in str(caught.value)
        assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)
        assert caught.value.hint


def test_folders_that_look_like_addresses_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("./10:30@noon", str(tmp_path / "10:30@noon"), "../10:30@noon"):
        assert index_place(name, {}).name == "10:30@noon"
    assert index_place(Path("10:30@noon"), {}) == tmp_path / "10:30@noon"
    for name in ("me@work", "10:30", "a@b/c", "photos@home.index"):
        assert index_place(name, {}) == tmp_path / name


@pytest.mark.parametrize(
    "text",
    [
        'store = ["http://ann:secret@host"]',
        'stroe = "http://ann:secret@host"',
        'stroe = "ann:secret@host:6333"',
        'api_key = "secret"',
        '[server]\npassword = "secret"\nurl = "ann:secret@host"',
        'token = "secret"',
    ],
)
def test_secrets_of_a_wrong_file_are_not_named(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml sets") as caught:
        read_settings({"HIERSEARCH_CONFIG": str(file)})
    assert "secret" not in str(caught.value).replace(str(tmp_path), "")


class TestNames:
    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("", "it is empty"),
            ("a\nb", "it has a line break"),
            ("a\r", "it has a line break"),
            ("a\u2028b", "it has a line break"),
            ("a\x85b", "it has a line break"),
            ("a\tb", "it has a character that cannot be seen"),
            ("a\x1b[31m", "it has a character that cannot be seen"),
            ("a\x9b", "it has a character that cannot be seen"),
            ("a\u202eb", "it has a character that cannot be seen"),
            ("a\ufeffb", "it has a character that cannot be seen"),
            ("a\x7f", "it has a character that cannot be seen"),
            ("a\udcff", "it is not valid text"),
            (" a", "it begins or ends with a blank"),
            ("a ", "it begins or ends with a blank"),
            ("a\u00a0", "it begins or ends with a blank"),
            ("\u3000a", "it begins or ends with a blank"),
            ("a\\b", "it has a backslash"),
            ("a/b", "it has a slash"),
            ("\u9e1f" * 100, "it takes 300 bytes; the limit is 255"),
        ],
    )
    def test_what_cannot_be_a_name(self, name, why):
        with pytest.raises(UsageError, match=why) as caught:
            check_name(name, "an index")
        assert "cannot name an index" in str(caught.value)
        assert str(caught.value).isprintable()
        with pytest.raises(UsageError, match=why):
            index_place(None, {}, name)
        if name and "\udcff" not in name:
            with pytest.raises(UsageError):
                index_place(f"http://host/{quote(name, safe='')}", {})

    @given(name=st.text(min_size=1, max_size=300))
    def test_every_name_that_is_taken_is_a_plain_file_name(self, name):
        try:
            place = index_place(None, {"HIERSEARCH_HOME": "/home"}, name)
        except UsageError as error:
            said = str(error)
        else:
            assert place == Path("/home/indexes") / name
            said = ""
        if said:
            assert said.isprintable()
            return
        assert len(name.encode()) <= 255
        assert name == name.strip()
        kinds = {unicodedata.category(char) for char in name if char not in "\u200c\u200d"}
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert "\\" not in name

    @pytest.mark.parametrize("name", ["birds", "caf\u00e9 \u9e1f", "a b", "x" * 255, "2020-05.old"])
    def test_what_can(self, name):
        assert index_place(None, {"HIERSEARCH_HOME": "/home"}, name).name == name

    def test_what_is_too_long_says_how_long_it_may_be(self):
        for place, limit in (
            (lambda name: index_place(None, {}, name), 255),
            (lambda name: index_place(f"http://host/{name}", {}), 100),
        ):
            with pytest.raises(UsageError, match=f"300 characters; the limit is {limit}") as caught:
                place("x" * 300)
            assert len(str(caught.value)) < 120


class TestTimeout:
    def test_it_belongs_to_the_way_to_a_server(self):
        place = index_place("http://host/x", {}, timeout=7)
        assert place.timeout == 7
        assert place == ServerPlace("http://host:6333", "x")
        assert index_place(place, {}).timeout == 7
        assert index_place(place, {}, timeout=9).timeout == 9
        assert index_place("http://host/x", {}).timeout == 30
        assert index_place("here", {}, timeout=7) == Path.cwd() / "here"

    @pytest.mark.parametrize("timeout", [0, -1, 86_401, 10**30, 1.5, float("nan")])
    def test_what_is_none(self, timeout):
        with pytest.raises(UsageError, match="no number of seconds"):
            index_place("http://host/x", {}, timeout=timeout)
