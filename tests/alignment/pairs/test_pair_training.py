"""Whole runs on captioned photos, with a small dual encoder of random weights."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer

from hiersearch.alignment import PairSettings, read_pair_recipe, train_pairs
from hiersearch.alignment.pairs.eye import class_vectors
from hiersearch.data.captioned_photos import is_kept
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.errors import MissingDataError, UnreadablePhotoError, UsageError

MISSING = [package for package in ("accelerate", "datasets") if find_spec(package) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: pip install hiersearch[train]"
)


class InterruptedRunError(Exception):
    pass


@pytest.fixture
def settings(captioned, dual_folder):
    data, photos = captioned
    return {
        "data": str(data),
        "photos": str(photos),
        "model": str(dual_folder),
        "head": 16,
        "batch_size": 12,
        "epochs": 15,
        "head_rate": 0.01,
        "checkpoint_every": 3,
        "views": 2,
    }


@pytest.fixture
def classes(tmp_path) -> str:
    path = tmp_path / "classes.txt"
    path.write_text("# five\ncat\ndog\ngoat\nbird\nhouse\n")
    return str(path)


def kept_names(photos: str) -> list[str]:
    return [file.name for file in Path(photos).iterdir() if is_kept(file.name)]


def test_a_head_learns_what_captions_say(settings, environ, tmp_path):
    told = []
    run = train_pairs(
        PairSettings(**settings),
        tmp_path / "out",
        environ=environ,
        on_progress=lambda task, done, total: told.append((task, done, total)),
    )

    kept = kept_names(settings["photos"])
    assert run.photos == 60 - len(kept)
    assert run.after.photos == run.before.photos == len(kept) > 0
    assert [loss["step"] for loss in run.losses] == list(range(1, run.steps + 1))
    first, last = run.losses[0]["pairs"], np.mean([loss["pairs"] for loss in run.losses[-3:]])
    assert last < first - 0.5
    assert ("training", run.steps, run.steps) in told
    photos = [Image.open(Path(settings["photos"]) / name) for name in kept]
    encoder = HierarchicalEncoder(run.output)
    texts = ["a red cat", "a grey dog", "a green goat"]
    scores = encoder.encode_photos(photos) @ encoder.encode_texts(texts).T
    shown = [int(name.removesuffix(".png")) % 3 for name in kept]
    assert np.mean(scores.argmax(axis=1) == shown) > 0.7
    photo = photos[0]
    plain = SentenceTransformer(str(run.output), device="cpu")
    np.testing.assert_allclose(
        plain.encode([photo])[0], encoder.encode_photos([photo])[0], atol=1e-5
    )
    record = json.loads((run.output / "training.json").read_text())
    assert record["settings"]["head"] == 16
    assert record["after"]["photos"] == len(kept)
    card = (run.output / "README.md").read_text()
    assert str(Path(settings["photos"]).parent) not in card
    assert "| recall_10 |" in card


def test_towers_are_trained_together(settings, classes, environ, data, tmp_path):
    settings |= {
        "class_texts": classes,
        "image_blocks": 2,
        "text_layers": 1,
        "words": 0.5,
        "classes": 1.0,
        "reading": 2.0,
        "balance": 0.5,
        "regulariser": 1.0,
        "hierarchies": (str(data),),
        "hierarchy_count": 2,
        "epochs": 2,
    }
    before = SentenceTransformer(settings["model"], device="cpu").state_dict()

    run = train_pairs(PairSettings(**settings), tmp_path / "out", environ=environ)

    assert set(run.losses[0]) == {
        *("step", "loss", "pairs", "words", "classes", "reading", "balance"),
        *("regulariser", "hierarchy"),
    }
    after = SentenceTransformer(str(run.output), device="cpu").state_dict()
    moved = {name for name in after if not torch.equal(after[name], before.get(name, after[name]))}
    assert any(".text.0." in name and ".layer.1." in name for name in moved)
    assert not any(".text.0." in name and ".layer.0." in name for name in moved)
    first_block = [n for n in moved if "blocks.0." in n and not n.endswith("num_batches_tracked")]
    last = max(int(n.split("blocks.")[1].split(".")[0]) for n in after if "blocks." in n)
    # What is not trained is folded, and computes the same.
    assert any(f"blocks.{last}.projection.project_conv" in name for name in moved)
    assert all("conv" in name or "norm" in name or "bn" in name for name in first_block)


def test_a_head_keeps_what_its_classes_read(settings, classes, environ, tmp_path):
    settings |= {"class_texts": classes, "reading": 1e3, "words": 0.0, "epochs": 3}

    run = train_pairs(PairSettings(**settings), tmp_path / "out", environ=environ)

    assert {"pairs", "reading"} <= set(run.losses[0])
    assert run.losses[-1]["reading"] < run.losses[0]["reading"] / 2


def test_weights_are_mixed_with_those_before(settings, classes, environ, tmp_path):
    first = train_pairs(
        PairSettings(**settings | {"class_texts": classes, "epochs": 1}),
        tmp_path / "first",
        environ=environ,
    )
    more = {"model": str(first.output), "head": None, "class_texts": classes, "epochs": 1}
    more |= {"image_blocks": 1, "text_layers": 1, "hierarchy": 0.0}
    found = {}
    for mix in (1e-9, 0.5, 1.0):
        run = train_pairs(
            PairSettings(**settings | more | {"mix": mix}), tmp_path / f"{mix}", environ=environ
        )
        found[mix] = SentenceTransformer(str(run.output), device="cpu").state_dict()

    moved = 0
    for name, half in found[0.5].items():
        if not half.is_floating_point() or name.endswith("image.2.linear.weight"):
            continue  # which holds the classes as the mixed text tower reads them
        expected = (found[1e-9][name] + found[1.0][name]) / 2
        torch.testing.assert_close(half, expected, atol=1e-6, rtol=1e-5)
        moved += int(not torch.equal(found[1e-9][name], found[1.0][name]))
    assert moved > 5
    head = found[0.5]["0.sub_modules.image.2.linear.weight"]
    mixed = SentenceTransformer(str(tmp_path / "0.5"), device="cpu")
    texts = mixed.encode(
        [{"text": text} for text in Path(classes).read_text().splitlines()[1:]],
        convert_to_tensor=True,
        normalize_embeddings=True,
    )
    torch.testing.assert_close(head[:, -5:], class_vectors(texts).T, atol=1e-5, rtol=1e-4)


def test_a_run_that_is_cut_off_ends_as_if_it_had_not_been(settings, environ, tmp_path):
    def cut_off(task, done, total):
        del total
        if task == "training" and done == 5:
            raise InterruptedRunError

    chosen = PairSettings(**settings | {"epochs": 2})
    whole = train_pairs(chosen, tmp_path / "whole", environ=environ)
    with pytest.raises(InterruptedRunError):
        train_pairs(chosen, tmp_path / "part", environ=environ, on_progress=cut_off)
    assert not (tmp_path / "part" / "modules.json").exists()

    part = train_pairs(chosen, tmp_path / "part", environ=environ)

    assert [loss["step"] for loss in part.losses] == [loss["step"] for loss in whole.losses]
    one, two = (
        SentenceTransformer(str(run.output), device="cpu").state_dict() for run in (whole, part)
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4, msg=name)
    with pytest.raises(UsageError, match="whose training is done"):
        train_pairs(chosen, tmp_path / "part", environ=environ)


def test_a_locked_image_side_trains_texts_towards_photos(settings, environ, tmp_path):
    settings |= {"head": None, "lock_image": True, "text_layers": 2, "text_rate": 1e-3}

    run = train_pairs(PairSettings(**settings), tmp_path / "out", environ=environ)

    assert run.losses[-1]["pairs"] < run.losses[0]["pairs"]
    photo = sorted(Path(settings["photos"]).iterdir())[0]
    np.testing.assert_allclose(
        HierarchicalEncoder(run.output).encode_photos([photo]),
        HierarchicalEncoder(settings["model"]).encode_photos([photo]),
        atol=1e-6,
    )


@pytest.mark.parametrize("image_blocks", [0, 1])
def test_other_dual_encoders(settings, clip_folder, environ, tmp_path, image_blocks):
    settings |= {
        "model": str(clip_folder),
        "head": None,
        "image_blocks": image_blocks,
        "text_layers": 1,
        "text_rate": 1e-3,
        "image_rate": 1e-3,
        "epochs": 2,
    }

    run = train_pairs(PairSettings(**settings), tmp_path / "out", environ=environ)

    photo = sorted(Path(settings["photos"]).iterdir())[0]
    before, after = (HierarchicalEncoder(path) for path in (clip_folder, run.output))
    texts = ["a red cat"]
    assert not np.allclose(after.encode_texts(texts), before.encode_texts(texts), atol=1e-5)
    same = np.allclose(after.encode_photos([photo]), before.encode_photos([photo]), atol=1e-5)
    assert same == (image_blocks == 0)


def test_where_nothing_can_be_trained(settings, clip_folder, environ, tmp_path):
    chosen = PairSettings(**settings | {"model": str(clip_folder), "head": None})

    with pytest.raises(UsageError, match="both are locked") as caught:
        train_pairs(chosen, tmp_path / "out", environ=environ)

    assert "--layers" in caught.value.hint


def test_siglip(settings, environ, tmp_path):
    run = train_pairs(
        PairSettings(**settings | {"loss": "siglip"}), tmp_path / "out", environ=environ
    )

    assert run.losses[-1]["pairs"] < run.losses[0]["pairs"]


def test_what_is_missing_is_said(settings, environ, tmp_path):
    sorted(Path(settings["photos"]).iterdir())[3].unlink()
    run = train_pairs(PairSettings(**settings | {"epochs": 0.5}), tmp_path / "out", environ=environ)

    assert len(run.missing) == 1
    with pytest.raises(MissingDataError, match="none of the 60 photos"):
        train_pairs(
            PairSettings(**settings | {"photos": str(tmp_path)}),
            tmp_path / "other",
            environ=environ,
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lock_image": True}, "both towers are locked"),
        ({"lock_image": True, "text_layers": 1, "head": 8}, "cannot be locked and trained"),
        ({"batch_size": 1}, "nothing to tell it from"),
        ({"temperature": 0.0}, "not a number above 0"),
        ({"words": -1.0}, "below 0"),
        ({"reading": 1.0}, "there are none"),
        ({"mix": 0.0}, "above 0 and at most 1"),
        ({"mix": 0.5, "head": 8}, "no weights before training"),
        ({"views": 0}, "below 1"),
        ({"loss": "triplet"}, "cannot be 'triplet'"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    chosen = {"data": "a.csv", "photos": "b", **changes}

    with pytest.raises(UsageError, match=message):
        PairSettings(**chosen)


def test_a_photo_that_cannot_be_read_is_named(settings, environ, tmp_path):
    photos = Path(settings["photos"])
    broken = next(path for path in sorted(photos.iterdir()) if not is_kept(path.name))
    broken.write_bytes(b"no photo")

    with pytest.raises(UnreadablePhotoError, match=broken.name):
        train_pairs(PairSettings(**settings), tmp_path / "out", environ=environ)


def test_a_batch_larger_than_the_data(settings, environ, tmp_path):
    with pytest.raises(UsageError, match="less than a batch of 600"):
        train_pairs(
            PairSettings(**settings | {"batch_size": 600}), tmp_path / "out", environ=environ
        )


def test_classes_that_the_model_does_not_have(settings, environ, tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("cat\ndog\n")

    with pytest.raises(UsageError, match="through 5 classes, not 2"):
        train_pairs(
            PairSettings(**settings | {"class_texts": str(path)}),
            tmp_path / "out",
            environ=environ,
        )


def test_recipes(tmp_path):
    (tmp_path / "base.toml").write_text('data = "a.csv"\nphotos = "p"\nleave_out = ["orange"]\n')
    path = tmp_path / "recipe.toml"
    path.write_text('extends = "base.toml"\nwords = 1.0\n')

    assert read_pair_recipe(path) == {
        "data": "a.csv",
        "photos": "p",
        "leave_out": ("orange",),
        "words": 1.0,
    }
    path.write_text("layers = 2\n")
    with pytest.raises(UsageError, match="'layers', which is not a setting"):
        read_pair_recipe(path)
