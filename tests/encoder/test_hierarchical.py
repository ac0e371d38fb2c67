from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from transformers import CLIPModel, CLIPProcessor

from hiersearch.encoder import MODELS, HierarchicalEncoder
from hiersearch.encoder.mini.first_generation import TEXT_WEIGHTS
from hiersearch.encoder.mini.second_generation import packed_folder
from hiersearch.encoder.model_folder import SIDECAR_NAME, Sidecar, read_sidecar, write_sidecar
from hiersearch.errors import (
    HiersearchError,
    ModelError,
    ModelNotFoundError,
    PhotosNotFoundError,
    UnreadablePhotoError,
    UsageError,
)

TEXTS = [
    "a cat",
    "",
    "a bird perched on top of a tree branch in a tree, looking at the sea in the evening",
    "animal",
    "two dogs",
    "an espresso in a white cup",
    "a rocket",
    "a temple on a hill",
    "cat.jpg",
    "https://example.org/cat.jpg",
    "data:image/png;base64,AAAA",
]


@pytest.fixture(scope="session")
def minilm() -> HierarchicalEncoder:
    """A model that reads texts only."""
    return HierarchicalEncoder(TEXT_WEIGHTS.locate().parent)


@pytest.fixture(params=["mini", "clip"])
def encoder(request) -> HierarchicalEncoder:
    return request.getfixturevalue(request.param)


class TestVectors:
    def test_they_are_float32_rows_of_length_one(self, encoder, images):
        for vectors, rows in (
            (encoder.encode_texts(TEXTS), len(TEXTS)),
            (encoder.encode_photos(images), len(images)),
            (encoder.root[None], 1),
        ):
            assert vectors.shape == (rows, encoder.dimension)
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_they_are_those_of_plain_sentence_transformers(self, encoder, images):
        plain = encoder.model.encode([{"text": text} for text in TEXTS], normalize_embeddings=True)
        np.testing.assert_allclose(encoder.encode_texts(TEXTS), plain, atol=1e-6)

        plain = encoder.model.encode(images, normalize_embeddings=True)
        np.testing.assert_allclose(encoder.encode_photos(images), plain, atol=1e-6)

    def test_each_is_in_its_place(self, encoder, images):
        texts = TEXTS * 3
        alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
        np.testing.assert_allclose(encoder.encode_texts(texts, batch_size=4), alone, atol=1e-6)

        alone = np.concatenate([encoder.encode_photos([image]) for image in images])
        np.testing.assert_allclose(encoder.encode_photos(images, batch_size=2), alone, atol=1e-6)

    def test_batches_give_what_photos_alone_give(self, encoder, images):
        alone = encoder.encode_photos(images)
        batches = [images[:2], [], images[2:]]

        found = list(encoder.encode_photo_batches(batches))

        assert [len(vectors) for vectors in found] == [len(batch) for batch in batches]
        np.testing.assert_allclose(np.concatenate(found), alone, atol=1e-6)

    @pytest.mark.parametrize("threads", [1, 3])
    def test_they_do_not_depend_on_threads(self, encoder, images, threads):
        expected = encoder.encode_photos(images), encoder.encode_texts(TEXTS)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found = encoder.encode_photos(images), encoder.encode_texts(TEXTS)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)

        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)

    def test_no_texts_and_no_photos(self, encoder):
        assert encoder.encode_texts([]).shape == (0, encoder.dimension)
        assert encoder.encode_photos([]).shape == (0, encoder.dimension)
        assert encoder.encode_photos([]).dtype == np.float32

    def test_the_root_is_the_empty_text(self, encoder):
        # On a busy machine, sums are shared out among threads in another way.
        np.testing.assert_allclose(encoder.root, encoder.encode_texts([""])[0], atol=1e-6)

    def test_a_text_that_looks_like_a_file_is_a_text(self, encoder, tmp_path, monkeypatch, images):
        images[0].save(tmp_path / "cat.jpg")
        expected = encoder.encode_texts(["cat.jpg"])
        monkeypatch.chdir(tmp_path)

        np.testing.assert_array_equal(encoder.encode_texts(["cat.jpg"]), expected)

    def test_nothing_is_printed(self, encoder, images, capfd):
        encoder.encode_texts(TEXTS)
        encoder.encode_photos(images)

        assert capfd.readouterr() == ("", "")


class TestPhotos:
    def test_paths_and_images_are_the_same(self, encoder, paths, images):
        found = encoder.encode_photos([paths[0], str(paths[1]), images[2]])

        np.testing.assert_allclose(found, encoder.encode_photos(images[:3]), atol=1e-6)

    def test_photos_are_turned_upright(self, encoder, images, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = images[0].transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / "turned.png", exif=exif)

        found = encoder.encode_photos([tmp_path / "turned.png"])

        np.testing.assert_allclose(found, encoder.encode_photos(images[:1]), atol=1e-6)

    @pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 3), (1, 4000), (4000, 1)])
    def test_odd_sizes(self, encoder, size):
        assert encoder.encode_photos([Image.new("RGB", size)]).shape == (1, encoder.dimension)

    @pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
    def test_odd_modes(self, encoder, images, mode):
        grey = images[0].convert("L")
        if mode == "I;16":
            odd = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        else:
            odd = grey.convert(mode)

        similarity = encoder.encode_photos([odd]) @ encoder.encode_photos([grey]).T

        assert similarity.item() > 0.999

    def test_a_missing_path(self, encoder, tmp_path):
        with pytest.raises(PhotosNotFoundError, match=r"none\.jpg"):
            encoder.encode_photos([tmp_path / "none.jpg"])

    def test_a_file_that_is_no_photo(self, encoder, tmp_path):
        path = tmp_path / "text.jpg"
        path.write_text("no photo")

        with pytest.raises(UnreadablePhotoError, match=r"text\.jpg"):
            encoder.encode_photos([path])

    def test_a_model_for_texts_says_so(self, minilm, images):
        for use in (lambda: minilm.encode_photos(images), lambda: minilm.photo_size):
            with pytest.raises(ModelError, match="reads texts only") as caught:
                use()
            assert "mini" in caught.value.hint

    def test_photo_size(self, mini, clip):
        assert mini.photo_size == 256
        assert clip.photo_size == 32


class TestWrongUse:
    @pytest.mark.parametrize("texts", ["a cat", b"a cat", Path("cat")])
    def test_one_text_is_no_list(self, mini, texts):
        with pytest.raises(UsageError, match="one text"):
            mini.encode_texts(texts)

    @pytest.mark.parametrize("text", [None, 3, b"cat", Path("cat"), Image.new("RGB", (9, 9))])
    def test_what_is_no_text(self, mini, text):
        with pytest.raises(UsageError, match=r"texts\[1\] is of type"):
            mini.encode_texts(["a cat", text])

    @pytest.mark.parametrize("photos", ["cat.jpg", Path("cat.jpg"), Image.new("RGB", (9, 9))])
    def test_one_photo_is_no_list(self, mini, photos):
        with pytest.raises(UsageError, match="one photo"):
            mini.encode_photos(photos)

    @pytest.mark.parametrize("photo", [None, b"cat", np.zeros((9, 9, 3), dtype=np.uint8)])
    def test_what_is_no_photo(self, mini, photo):
        with pytest.raises(UsageError, match=r"photos\[0\] is of type"):
            mini.encode_photos([photo])

    @pytest.mark.parametrize("size", [0, -1])
    def test_batch_sizes(self, mini, images, size):
        with pytest.raises(UsageError, match="batch size"):
            mini.encode_texts(["a cat"], batch_size=size)
        with pytest.raises(UsageError, match="batch size"):
            mini.encode_photos(images, batch_size=size)


class TestSaving:
    def test_plain_sentence_transformer_opens_it(self, encoder, images, tmp_path, capfd):
        encoder.save(tmp_path / "saved")
        assert capfd.readouterr() == ("", "")

        plain = SentenceTransformer(str(tmp_path / "saved"), device="cpu")

        texts = plain.encode(TEXTS[:8], normalize_embeddings=True)
        np.testing.assert_allclose(texts, encoder.encode_texts(TEXTS[:8]), atol=1e-6)
        photos = plain.encode(images, normalize_embeddings=True)
        np.testing.assert_allclose(photos, encoder.encode_photos(images), atol=1e-6)

    def test_it_stays_what_it_is(self, encoder, images, tmp_path):
        encoder.save(tmp_path / "saved")
        saved = HierarchicalEncoder(tmp_path / "saved")

        assert saved.id == encoder.id
        assert saved.temperature == encoder.temperature
        assert saved.name == str(tmp_path / "saved")
        np.testing.assert_allclose(saved.root, encoder.root, atol=1e-6)
        np.testing.assert_allclose(
            saved.encode_photos(images), encoder.encode_photos(images), atol=1e-6
        )

    def test_a_place_that_cannot_be_written_to(self, mini, tmp_path):
        (tmp_path / "file").touch()

        with pytest.raises(ModelError, match="cannot be saved"):
            mini.save(tmp_path / "file")

    def test_a_fixed_root_is_kept(self, clip, tmp_path):
        root = np.eye(clip.dimension, dtype=np.float32)[3]
        clip.save(tmp_path / "one")
        write_sidecar(tmp_path / "one", Sidecar(root=tuple(root.tolist())))

        HierarchicalEncoder(tmp_path / "one").save(tmp_path / "two")

        np.testing.assert_array_equal(HierarchicalEncoder(tmp_path / "two").root, root)

    @pytest.mark.parametrize("root", [(1.0,), (0.5,) * 24])
    def test_a_root_that_cannot_be_one(self, clip, tmp_path, root):
        clip.save(tmp_path / "saved")
        write_sidecar(tmp_path / "saved", Sidecar(root=root))

        with pytest.raises(ModelError, match="root"):
            HierarchicalEncoder(tmp_path / "saved")


class TestIdentity:
    def test_mini(self, mini):
        assert mini.id == MODELS["mini"].id
        assert mini.temperature == read_sidecar(packed_folder()).temperature
        assert mini.name == "mini"
        assert mini.dimension == MODELS["mini"].dimension

    def test_other_models_are_known_by_their_weights(self, clip, clip_folder):
        loaded = SentenceTransformer(str(clip_folder), device="cpu")
        same = HierarchicalEncoder(loaded)

        assert len(clip.id) == 32
        assert same.id == clip.id
        assert clip.temperature is None
        with torch.no_grad():
            next(loaded.parameters()).view(-1)[0] += 1e-3
        assert HierarchicalEncoder(loaded).id != clip.id

    def test_weights_that_a_folder_leaves_out_are_the_same_each_time(self, tmp_path):
        folder = shutil.copytree(TEXT_WEIGHTS.locate().parent, tmp_path / "no-pooler")
        weights = load_file(folder / "model.safetensors")
        kept = {name: weight for name, weight in weights.items() if "pooler" not in name}
        assert len(kept) < len(weights)
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        state = torch.get_rng_state()

        assert HierarchicalEncoder(folder).id == HierarchicalEncoder(folder).id
        assert torch.equal(torch.get_rng_state(), state)

    def test_half_precision_is_the_same_model(self, clip, tmp_path):
        clip.save(tmp_path / "half")
        model = SentenceTransformer(str(tmp_path / "half"), device="cpu").half()
        model.save(str(tmp_path / "half"))
        loaded = HierarchicalEncoder(tmp_path / "half")

        assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
        assert loaded.id == HierarchicalEncoder(model).id

    def test_a_trained_mini_is_no_longer_mini(self, mini, tmp_path):
        folder = tmp_path / "trained"
        mini.save(folder)
        model = SentenceTransformer(str(folder), device="cpu")
        with torch.no_grad():
            model[0].sub_modules["text"][0].model.pooler.dense.bias[0] += 0.01
        model.save(str(folder))  # the sidecar is left as it was
        assert read_sidecar(folder).id == mini.id

        trained = HierarchicalEncoder(folder)

        assert trained.id != mini.id
        assert trained.temperature is None
        trained.save(tmp_path / "again")
        again = HierarchicalEncoder(tmp_path / "again")
        assert (again.id, again.temperature) == (trained.id, None)

    def test_a_sidecar_cannot_claim_to_be_mini(self, clip, mini, tmp_path):
        clip.save(tmp_path / "saved")
        write_sidecar(tmp_path / "saved", Sidecar(id=mini.id, temperature=0.1))

        assert HierarchicalEncoder(tmp_path / "saved").id == clip.id


class TestClip:
    @torch.inference_mode()
    def test_vectors_are_those_of_transformers(self, clip, clip_folder, images):
        model = CLIPModel.from_pretrained(clip_folder).eval()
        processor = CLIPProcessor.from_pretrained(clip_folder, backend="pil")
        inputs = processor(
            text=TEXTS, images=images, return_tensors="pt", padding=True, truncation=True
        )
        expected = model(**inputs)

        np.testing.assert_allclose(clip.encode_texts(TEXTS), expected.text_embeds, atol=1e-5)
        np.testing.assert_allclose(clip.encode_photos(images), expected.image_embeds, atol=1e-5)

    def test_a_model_in_the_hubs_cache_needs_no_network(
        self, clip, clip_folder, tmp_path, monkeypatch
    ):
        stored = tmp_path / "models--openai--clip-vit-base-patch32"
        (stored / "refs").mkdir(parents=True)
        (stored / "refs" / "main").write_text("b" * 40)
        shutil.copytree(clip_folder, stored / "snapshots" / ("b" * 40))
        monkeypatch.setattr(huggingface_hub, "HfApi", None)

        found = HierarchicalEncoder("clip-b", environ={"HF_HUB_CACHE": str(tmp_path)})

        assert found.name == "clip-b"
        assert found.id == clip.id

    def test_loading_prints_nothing(self, clip_folder, capfd):
        HierarchicalEncoder(clip_folder)

        assert capfd.readouterr() == ("", "")


class TestLoading:
    def test_a_model_in_memory(self, clip, clip_folder, images):
        loaded = SentenceTransformer(str(clip_folder), device="cpu")

        found = HierarchicalEncoder(loaded)

        assert found.model is loaded
        np.testing.assert_allclose(
            found.encode_photos(images), clip.encode_photos(images), atol=1e-7
        )

    def test_a_relative_folder_is_remembered_as_absolute(self, clip_folder, monkeypatch):
        monkeypatch.chdir(clip_folder.parent)

        assert HierarchicalEncoder("./clip").name == str(clip_folder)
        assert HierarchicalEncoder("clip").name == str(clip_folder)

    def test_a_missing_model(self, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")

        with pytest.raises(ModelNotFoundError):
            HierarchicalEncoder("no-such-model")

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
    def test_a_damaged_folder_is_named(self, clip_folder, tmp_path, name):
        folder = shutil.copytree(clip_folder, tmp_path / "damaged")
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

        with pytest.raises(ModelError, match="cannot be loaded") as caught:
            HierarchicalEncoder(folder)

        assert str(folder) in caught.value.message
        assert "\n" not in str(caught.value)

    def test_weights_that_could_run_a_program_are_refused(self, clip_folder, tmp_path):
        folder = shutil.copytree(clip_folder, tmp_path / "pickled")
        for weights in folder.glob("*.safetensors"):
            weights.unlink()

        class Program:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "has run",))

        torch.save({"program": Program()}, folder / "pytorch_model.bin")
        with pytest.raises(ModelError, match="could run a program") as caught:
            HierarchicalEncoder(folder)
        assert "weights_only" not in str(caught.value)
        assert not (tmp_path / "has run").exists()

    def test_modules_of_the_folder_are_not_imported(self, clip_folder, tmp_path):
        SentenceTransformer(str(clip_folder), device="cpu").save(str(tmp_path / "model"))
        modules = tmp_path / "model" / "modules.json"
        (tmp_path / "model" / "evil.py").write_text(
            f"from pathlib import Path\nPath({str(tmp_path / 'has run')!r}).touch()\n"
            "class Module: pass\n"
        )
        content = json.loads(modules.read_text())
        content.append({"idx": len(content), "name": "x", "path": "", "type": "evil.Module"})
        modules.write_text(json.dumps(content))
        with pytest.raises(ModelError, match="cannot be loaded"):
            HierarchicalEncoder(tmp_path / "model")
        assert not (tmp_path / "has run").exists()

    def test_an_activation_of_its_own_is_refused_not_replaced(self, tmp_path, clip_folder):
        model = SentenceTransformer(str(clip_folder), device="cpu")
        model.append(Dense(24, 8, activation_function=torch.nn.ReLU()))
        model.save(str(tmp_path / "model"))
        assert HierarchicalEncoder(tmp_path / "model").dimension == 8
        config = next(
            path
            for path in (tmp_path / "model").glob("*/config.json")
            if "activation_function" in path.read_text()
        )
        text = config.read_text()
        for other in ("mine.Swish", "torchvision.ops.Whatever", "os.system"):
            config.write_text(text.replace("torch.nn.modules.activation.ReLU", other))
            assert config.read_text() != text
            with pytest.raises(ModelError, match=other):
                HierarchicalEncoder(tmp_path / "model")

    def test_a_damaged_sidecar_is_named(self, clip_folder, tmp_path):
        folder = shutil.copytree(clip_folder, tmp_path / "damaged")
        (folder / SIDECAR_NAME).write_text("{")

        with pytest.raises(ModelError, match=SIDECAR_NAME):
            HierarchicalEncoder(folder)

    @pytest.mark.parametrize("value", [float("nan"), 0.0])
    def test_weights_that_give_no_vectors(self, clip_folder, value):
        loaded = SentenceTransformer(str(clip_folder), device="cpu")
        with torch.no_grad():
            loaded[0].model.text_projection.weight.fill_(value)

        with pytest.raises(HiersearchError, match="not finite, or without length"):
            HierarchicalEncoder(loaded)
