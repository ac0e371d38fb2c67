from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import httpx
import huggingface_hub
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

import hiersearch.encoder.registry
from hiersearch.encoder import MODEL_CHOICES, MODEL_NAMES, MODELS
from hiersearch.encoder.registry import MINI, default_model, find_model, model_folder
from hiersearch.errors import MissingPackageError, ModelError, ModelNotFoundError

PREFERRED = "hierarcaps-clip-b"


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def cache_model(hub: Path, repository: str) -> Path:
    """A model as the hub's client leaves it in its cache."""
    stored = hub / f"models--{repository.replace('/', '--')}"
    (stored / "refs").mkdir(parents=True)
    (stored / "refs" / "main").write_text("a" * 40)
    return make_model(stored / "snapshots" / ("a" * 40))


@pytest.fixture
def no_hub(monkeypatch):
    """Any question to the hub fails the test."""

    def asked(*arguments, **options):
        pytest.fail("the hub was asked")

    monkeypatch.setattr(HfApi, "model_info", asked)


@pytest.fixture
def hub(tmp_path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def environ(hub) -> dict[str, str]:
    return {"HF_HUB_CACHE": str(hub)}


class TestData:
    def test_each_model_is_one_entry(self):
        assert set(MODEL_NAMES) == {*MODELS} - {"mini-1", "mini-aligned-1"}
        assert all(name in MODEL_CHOICES for name in MODEL_NAMES)
        for name, model in MODELS.items():
            assert name == model.name
            assert model.followed_by is None or model.followed_by in MODEL_NAMES
            assert model.sees.endswith(".")
            assert model.licence
            assert callable(model.source) or model.source.count("/") == 1

    def test_a_new_entry_is_all_that_a_model_needs(self, environ, tmp_path, monkeypatch):
        built = make_model(tmp_path / "built")
        mine = hiersearch.encoder.registry.Model("mine", lambda _: built, 8, "MIT", "All.")
        monkeypatch.setitem(hiersearch.encoder.registry.MODELS, "mine", mine)

        assert model_folder("mine", environ) == built


@pytest.mark.usefixtures("no_hub")
class TestDefault:
    def test_without_the_libraries_the_extra_is_named(self, environ, monkeypatch):
        monkeypatch.setattr("hiersearch.encoder.registry.find_spec", lambda _: None)

        with pytest.raises(MissingPackageError, match=r'pip install "hiersearch\[mini\]"'):
            default_model(environ)

    def test_the_environment_names_it(self, environ):
        assert default_model({**environ, "HIERSEARCH_MODEL": "clip-l"}) == ("clip-l", None)

    def test_the_better_model_is_taken_where_it_is_here(self, environ, hub):
        cache_model(hub, MODELS[PREFERRED].source)

        assert default_model(environ) == (PREFERRED, None)

    def test_otherwise_the_offline_model_and_a_line_on_the_better_one(self, environ):
        name, note = default_model(environ)

        assert name == MINI
        assert note is not None
        assert PREFERRED in note
        assert "\n" not in note


@pytest.mark.usefixtures("no_hub")
class TestFinding:
    def test_short_names(self, environ, hub):
        assert find_model("clip-b", environ) is None
        folder = cache_model(hub, "openai/clip-vit-base-patch32")

        assert find_model("clip-b", environ) == folder
        assert find_model("openai/clip-vit-base-patch32", environ) == folder
        assert model_folder("clip-b", environ) == folder

    def test_names_without_an_owner_are_those_of_sentence_transformers(self, environ, hub):
        folder = cache_model(hub, "sentence-transformers/clip-ViT-B-32")

        assert find_model("clip-ViT-B-32", environ) == folder

    def test_a_download_that_was_broken_off_is_no_model(self, environ, hub):
        folder = cache_model(hub, MODELS["clip-b"].source)
        (folder / "model.safetensors").unlink()

        assert find_model("clip-b", environ) is None

    @pytest.mark.parametrize(
        ("variables", "place"),
        [
            ({"HF_HOME": "home"}, "home/hub"),
            ({"XDG_CACHE_HOME": "cache"}, "cache/huggingface/hub"),
            ({"HF_HUB_CACHE": "hub", "HF_HOME": "home"}, "hub"),
            ({"SENTENCE_TRANSFORMERS_HOME": "own", "HF_HOME": "home"}, "own"),
            ({"SENTENCE_TRANSFORMERS_HOME": "own", "HF_HOME": "home"}, "home/hub"),
        ],
    )
    def test_the_caches_of_the_libraries_are_looked_in(self, tmp_path, variables, place):
        environ = {name: str(tmp_path / value) for name, value in variables.items()}
        folder = cache_model(tmp_path / place, MODELS["clip-b"].source)

        assert find_model("clip-b", environ) == folder

    def test_folders(self, environ, tmp_path, monkeypatch):
        folder = make_model(tmp_path / "mine")
        monkeypatch.chdir(tmp_path)

        assert find_model(folder, environ) == folder
        assert find_model(str(folder), environ) == folder
        assert find_model("./mine", environ) == Path("mine")
        assert find_model("mine", environ) == Path("mine")

    def test_a_short_name_is_not_a_folder(self, environ, tmp_path, monkeypatch):
        make_model(tmp_path / "clip-b")
        monkeypatch.chdir(tmp_path)

        assert find_model("clip-b", environ) is None
        assert find_model("./clip-b", environ) == Path("clip-b")

    @pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none/at/all", Path("none")])
    def test_a_missing_folder_is_not_asked_for_on_the_hub(self, environ, name):
        with pytest.raises(ModelNotFoundError, match="there is no model folder"):
            model_folder(name, environ)

    def test_a_folder_without_a_model(self, environ, tmp_path):
        with pytest.raises(ModelError, match="holds no model"):
            model_folder(tmp_path, environ)

    def test_a_name_that_cannot_be_one(self, environ):
        assert find_model("not a name", environ) is None


def answer(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://hub"))


class TestHub:
    @pytest.fixture
    def ask(self, environ, monkeypatch):
        """Ask for clip-b from a hub that answers with an error."""

        def ask(error: Exception) -> ModelNotFoundError:
            def fail(*arguments, timeout, **options):
                assert timeout <= 10
                raise error

            monkeypatch.setattr(HfApi, "model_info", fail)
            with pytest.raises(ModelNotFoundError) as caught:
                model_folder("clip-b", environ)
            return caught.value

        return ask

    def test_out_of_reach(self, ask):
        for error in (
            OfflineModeIsEnabled("offline"),
            ConnectionError("no route"),
            HTTPError("no route"),
        ):
            assert "was not found on this machine and could not be downloaded" in ask(error).message
            assert MINI in ask(error).hint

    def test_no_such_model(self, ask):
        error = ask(RepositoryNotFoundError("404", response=answer(404)))

        assert error.message == "no model is called clip-b"
        assert "hierarcaps-clip-b" in error.hint

    def test_a_gated_model(self, ask):
        error = ask(GatedRepoError("403", response=answer(403)))

        assert "https://huggingface.co/openai/clip-vit-base-patch32" in error.hint

    def test_a_name_that_cannot_be_one(self, environ):
        with pytest.raises(ModelNotFoundError, match="no model is called not a name"):
            model_folder("not a name", environ)

    def test_only_what_is_read_is_downloaded(self, environ, hub, monkeypatch, tmp_path):
        asked = {}

        def info(self, repository, *, timeout):
            names = ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"]
            return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in names])

        def download(repository, **options):
            if options.get("local_files_only"):
                raise LocalEntryNotFoundError("not here")
            asked.update(options, repository=repository)
            return str(tmp_path)

        monkeypatch.setattr(HfApi, "model_info", info)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

        assert model_folder("clip-b", environ) == tmp_path
        assert asked["repository"] == "openai/clip-vit-base-patch32"
        assert asked["cache_dir"] == hub
        assert {"*.bin", "*.h5"} <= set(asked["ignore_patterns"])
