from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense

from hiersearch.concepts import builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.graphs import read_notes
from hiersearch.encoder.graphs.graph_folder import NOTES, TEXT_GRAPH, WEIGHTS
from hiersearch.encoder.mini.first_generation import TEXT_WEIGHTS
from hiersearch.encoder.mini.second_generation import mini_folder, packed_folder
from hiersearch.encoder.model_export import export_model
from hiersearch.encoder.model_folder import SIDECAR_NAME
from hiersearch.errors import MissingPackageError, ModelError, ModelNotFoundError, UsageError

TEXTS = [
    "a cat",
    "",
    "a bird perched on top of a tree branch in a tree, looking at the sea in the evening",
    "naïve café — “quotes” 猫 🐶",
    "word " * 500,
    "cat.jpg",
]


def least_cosine(one, other) -> float:
    return float((one.astype(float) * other).sum(axis=1).min())


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folders(request, tmp_path_factory):
    """A model's folder, and the folder of its graphs."""
    folder = request.getfixturevalue(f"{request.param}_folder")
    made = tmp_path_factory.mktemp("exported") / request.param
    assert export_model(HierarchicalEncoder(folder, device="cpu"), made) > 0.9999
    return folder, made


@pytest.fixture
def exported(graphs_of_clip, tmp_path) -> Path:
    """A copy of the folder of a model's graphs, to be damaged."""
    return shutil.copytree(graphs_of_clip, tmp_path / "graphs")


@pytest.fixture(scope="module")
def graphs_of_clip(clip, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "graphs"
    export_model(clip, folder)
    return folder


@pytest.fixture(scope="module")
def stock(tmp_path_factory) -> SentenceTransformer:
    """`mini` as sentence-transformers loads it."""
    folder = mini_folder(tmp_path_factory.mktemp("cache"))
    return SentenceTransformer(str(folder), device="cpu")


class TestMini:
    def test_texts_are_what_sentence_transformers_gives(self, mini, stock):
        expected = stock.encode(TEXTS, normalize_embeddings=True)

        assert least_cosine(mini.encode_texts(TEXTS), expected) > 0.99999

    def test_photos_are_what_sentence_transformers_gives(self, mini, stock, images):
        odd = [Image.new("RGB", (1, 900), "red"), Image.new("RGB", (257, 256), "white")]
        photos = [*images, odd[1]]
        expected = stock.encode(photos, normalize_embeddings=True)

        assert least_cosine(mini.encode_photos(photos), expected) > 0.99999
        assert np.isfinite(mini.encode_photos(odd)).all()

    def test_a_few_texts_get_the_vectors_that_many_do(self, mini):
        found = HierarchicalEncoder("mini")  # which loads its graph quickly at first
        few = np.concatenate([found.encode_texts([text]) for text in TEXTS])
        many = found.encode_texts([*TEXTS, *map(str, range(20))])[: len(TEXTS)]

        assert least_cosine(few, many) > 0.99999
        assert least_cosine(few, mini.encode_texts(TEXTS)) > 0.99999

    def test_the_vectors_of_many_names_are_the_same(self, mini, stock):
        names = builtin_vocabulary().names[::17]
        expected = stock.encode(names, normalize_embeddings=True)

        assert least_cosine(mini.encode_texts(names), expected) > 0.99999

    def test_it_loads_no_torch(self):
        code = (
            "import sys\n"
            "from PIL import Image\n"
            "from hiersearch import HierarchicalEncoder\n"
            "mini = HierarchicalEncoder('mini')\n"
            "mini.encode_texts(['a cat'])\n"
            "mini.encode_photos([Image.new('RGB', (300, 400))])\n"
            "mini.read_words('a cat'), mini.id, mini.temperature, mini.statistics\n"
            "heavy = {'torch', 'transformers', 'sentence_transformers', 'scipy', 'pydantic'}\n"
            "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_its_stock_model_is_there_when_asked_for(self):
        encoder = HierarchicalEncoder("mini")
        stock = encoder.model

        assert isinstance(stock, SentenceTransformer)
        assert encoder.id == HierarchicalEncoder("mini", device="cpu").id

    def test_an_encoder_of_its_stock_model_is_another(self, mini):
        found = HierarchicalEncoder(mini.model)

        assert not found.has_graphs
        assert least_cosine(found.encode_texts(TEXTS), mini.encode_texts(TEXTS)) > 0.99999

    def test_the_notes_say_what_it_is(self):
        notes = read_notes(packed_folder())

        assert notes.source == "mini"
        assert notes.photo.crop == (224, 224)

    def test_without_what_computes_graphs_the_error_names_the_extra(self, monkeypatch):
        monkeypatch.setattr(
            "hiersearch.encoder.graphs.graph_runtime.find_spec",
            lambda name: None if name == "onnxruntime" else object(),
        )
        with pytest.raises(MissingPackageError, match=r"hiersearch\[mini\]"):
            HierarchicalEncoder("mini")

    def test_with_the_model_libraries_alone_the_stock_model_computes(self, monkeypatch, mini):
        monkeypatch.setattr(
            "hiersearch.encoder.registry.find_spec",
            lambda name: None if name == "onnxruntime" else object(),
        )
        found = HierarchicalEncoder("mini")

        assert not found.has_graphs
        assert found.id == mini.id
        assert least_cosine(found.encode_texts(TEXTS), mini.encode_texts(TEXTS)) > 0.99999


class TestExported:
    def test_it_takes_the_place_of_the_model(self, folders, images):
        model = HierarchicalEncoder(folders[0], device="cpu")
        found = HierarchicalEncoder(folders[1])

        assert found.has_graphs
        assert (found.id, found.temperature) == (model.id, model.temperature)
        assert found.photo_size == model.photo_size
        assert found.name == str(folders[1])
        assert found.dimension == model.dimension
        np.testing.assert_allclose(found.root, model.root, atol=1e-6)
        assert least_cosine(found.encode_texts(TEXTS), model.encode_texts(TEXTS)) > 0.99999
        assert least_cosine(found.encode_photos(images), model.encode_photos(images)) > 0.99999

    def test_one_text_gets_the_vector_that_it_gets_among_others(self, exported):
        found = HierarchicalEncoder(exported)
        alone = np.concatenate([found.encode_texts([text]) for text in TEXTS])

        assert least_cosine(found.encode_texts(TEXTS), alone) > 0.99999

    def test_its_stock_model_is_the_one_it_was_made_from(self, folders):
        found = HierarchicalEncoder(folders[1])

        assert HierarchicalEncoder(found.model).id == found.id

    def test_it_is_saved_as_a_stock_model(self, folders, tmp_path):
        found = HierarchicalEncoder(folders[1])
        found.save(tmp_path / "saved")

        saved = HierarchicalEncoder(tmp_path / "saved", device="cpu")
        assert not saved.has_graphs
        assert saved.id == found.id

    def test_a_model_of_texts_only(self, tmp_path):
        model = HierarchicalEncoder(TEXT_WEIGHTS.locate().parent, device="cpu")
        export_model(model, tmp_path / "texts")
        found = HierarchicalEncoder(tmp_path / "texts")

        assert least_cosine(found.encode_texts(TEXTS), model.encode_texts(TEXTS)) > 0.99999
        with pytest.raises(ModelError, match="reads texts only"):
            found.encode_photos([Image.new("RGB", (20, 20))])

    def test_a_later_export_replaces_an_earlier_one(self, folders, tmp_path):
        shutil.copytree(folders[1], tmp_path / "again")
        (tmp_path / "again" / TEXT_GRAPH).write_bytes(b"damaged")
        export_model(HierarchicalEncoder(folders[0], device="cpu"), tmp_path / "again")

        assert HierarchicalEncoder(tmp_path / "again").encode_texts(["a cat"]).shape[0] == 1
        assert [path.name for path in tmp_path.iterdir()] == ["again"]


class TestSource:
    """The stock model that graphs were made of."""

    def test_a_model_that_is_known_by_a_recipe_stays_that(self, mini, tmp_path):
        mini.save(tmp_path / "saved")
        export_model(HierarchicalEncoder(tmp_path / "saved", device="cpu"), tmp_path / "graphs")
        found = HierarchicalEncoder(tmp_path / "graphs")
        found.save(tmp_path / "again")

        again = HierarchicalEncoder(tmp_path / "again", device="cpu")
        for one in (found, again):
            assert (one.id, one.temperature) == (mini.id, mini.temperature)
            assert one.statistics.id == mini.statistics.id

    def test_one_that_was_trained_further_is_another(self, clip, clip_folder, tmp_path):
        source = shutil.copytree(clip_folder, tmp_path / "source")
        export_model(HierarchicalEncoder(source, device="cpu"), tmp_path / "graphs")
        trained = HierarchicalEncoder(source, device="cpu")
        with torch.no_grad():
            next(trained.model.parameters()).add_(1.0)
        trained.model.save(str(source))

        found = HierarchicalEncoder(tmp_path / "graphs")
        assert least_cosine(found.encode_texts(TEXTS), clip.encode_texts(TEXTS)) > 0.99999
        with pytest.raises(ModelError, match="has changed since"):
            _ = found.model

    def test_one_that_is_gone(self, clip_folder, tmp_path):
        source = shutil.copytree(clip_folder, tmp_path / "source")
        export_model(HierarchicalEncoder(source, device="cpu"), tmp_path / "graphs")
        shutil.rmtree(source)

        found = HierarchicalEncoder(tmp_path / "graphs")
        assert len(found.encode_texts(TEXTS)) == len(TEXTS)
        with pytest.raises(ModelNotFoundError, match="source"):
            _ = found.model

    def test_another_device_computes_with_it(self, folders):
        found = HierarchicalEncoder(folders[1], device="cpu:0")
        graphs = HierarchicalEncoder(folders[1])

        assert not found.has_graphs
        assert found.id == graphs.id
        assert least_cosine(found.encode_texts(TEXTS), graphs.encode_texts(TEXTS)) > 0.99999

    def test_a_model_in_memory_has_no_name_to_keep(self, clip, tmp_path):
        with pytest.raises(UsageError, match="has no name"):
            export_model(HierarchicalEncoder(clip.model), tmp_path / "graphs")

    def test_graphs_that_do_not_say_of_what(self, exported):
        (exported / SIDECAR_NAME).unlink()

        with pytest.raises(ModelError, match="do not say of what model"):
            HierarchicalEncoder(exported)


class TestRefusals:
    def test_a_file_is_no_folder(self, clip, tmp_path):
        (tmp_path / "file").touch()

        with pytest.raises(UsageError, match="something else"):
            export_model(clip, tmp_path / "file")

    def test_vectors_that_are_cut_off(self, clip_folder, tmp_path):
        clip = HierarchicalEncoder(clip_folder, device="cpu")
        clip.model.truncate_dim = 8

        with pytest.raises(ModelError, match="cut off"):
            export_model(clip, tmp_path / "graphs")

    def test_a_folder_of_something_else_is_left_alone(self, clip, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")

        with pytest.raises(UsageError, match="something else"):
            export_model(clip, tmp_path)
        assert (tmp_path / "notes.txt").read_text() == "mine"

    def test_graphs_are_not_exported_again(self, mini, tmp_path):
        with pytest.raises(UsageError, match="needs no export"):
            export_model(mini, tmp_path / "mini")

    def test_a_model_whose_code_cannot_be_exported(self, clip_folder, tmp_path):
        class Counting(Dense):
            def forward(self, features):
                if float(features["sentence_embedding"].sum()) > 1e9:  # depends on the data
                    features["sentence_embedding"] = features["sentence_embedding"] * 2
                return super().forward(features)

        clip = HierarchicalEncoder(clip_folder, device="cpu")
        clip.model.append(Counting(24, 24))

        with pytest.raises(ModelError, match="export") as caught:
            export_model(clip, tmp_path / "out")
        assert "works without graphs" in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            (NOTES, b"{"),
            (NOTES, b"[]"),
            (NOTES, b'{"version": 1}'),
            (NOTES, b'{"version": 1, "source": "a", "photo": null, "text": 3}'),
            (NOTES, b'{"version": 9}'),
            (TEXT_GRAPH, b"damaged"),
            (TEXT_GRAPH, None),
            (WEIGHTS, b"damaged"),
            (WEIGHTS, None),
            ("tokenizer.json", b"{}"),
        ],
    )
    def test_a_damaged_folder_is_named(self, exported, name, content):
        if content is None:
            (exported / name).unlink()
        else:
            (exported / name).write_bytes(content)

        with pytest.raises(ModelError) as caught:
            HierarchicalEncoder(exported).encode_texts(["a cat"])
        assert str(exported) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_weights_that_are_cut_off(self, exported):
        with (exported / WEIGHTS).open("r+b") as file:
            file.truncate(4000)

        with pytest.raises(ModelError, match="graphs"):
            HierarchicalEncoder(exported).encode_texts(["a"])

    def test_the_notes_are_json_that_people_can_read(self):
        stored = json.loads((packed_folder() / NOTES).read_text())

        assert stored["photo"]["crop"] == [224, 224]
