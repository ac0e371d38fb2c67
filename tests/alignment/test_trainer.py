"""Whole runs, on small models of random weights and on the offline one."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from hiersearch.alignment import TrainingSettings, train
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.errors import HiersearchError, ModelError, UsageError

MISSING = [package for package in ("accelerate", "datasets") if find_spec(package) is None]
ANIMALS = ["bird", "cat", "dog", "goat"]
needs_packages = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: pip install hiersearch[train]"
)


class InterruptedRunError(Exception):
    pass


def interrupt(step):
    """A `Progress` that ends a run in the middle of a step."""

    def progress(task, done, total):
        if task == "training" and done == step:
            raise InterruptedRunError

    return progress


@needs_packages
def test_a_run(settings, environ, tmp_path):
    told = []
    run = train(
        TrainingSettings(**settings),
        tmp_path / "out",
        environ=environ,
        on_progress=lambda task, done, total: told.append((task, done, total)),
    )

    assert [loss["step"] for loss in run.losses] == list(range(1, 13))
    assert np.mean([loss["loss"] for loss in run.losses[-3:]]) < run.losses[0]["loss"] - 0.1
    assert set(run.losses[0]) == {"step", "loss", "mean", "minimax", "regulariser"}
    assert run.after.entailment >= run.before.entailment
    assert run.before.drift == pytest.approx(0, abs=1e-6)
    assert run.after.drift > 1e-4
    assert [one for one in told if one[0] == "training"] == [
        ("training", step, 12) for step in range(1, 13)
    ]
    assert not (tmp_path / "out" / "run").exists()


@needs_packages
def test_the_folder_opens_as_a_model(settings, environ, tmp_path):
    run = train(TrainingSettings(**settings), tmp_path / "out", environ=environ)

    stock = SentenceTransformer(str(run.output), device="cpu")
    encoder = HierarchicalEncoder(run.output)
    vectors = stock.encode(["a grey goat", ""], normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode_texts(["a grey goat"])[0], vectors[0], atol=1e-6)
    np.testing.assert_allclose(encoder.root, vectors[1], atol=1e-6)
    np.testing.assert_allclose(run.root, vectors[1], atol=1e-6)
    record = json.loads((run.output / "training.json").read_text())
    assert record["settings"]["seed"] == 5
    assert len(record["losses"]) == 12
    card = (run.output / "README.md").read_text()
    assert "| tau |" in card
    assert "hierarchies.csv" in card
    assert "Alper, Morris" in card


@needs_packages
def test_the_best_checkpoint_is_kept_not_the_last(settings, environ, tmp_path):
    """A rate that is far too high: whatever comes later is worse."""
    told = settings | {"learning_rate": 0.5, "validate_every": 1, "steps": 6}
    told["options"] = {"regulariser": 1000.0}
    run = train(TrainingSettings(**told), tmp_path / "out", environ=environ)

    losses = [loss["regulariser"] for loss in run.losses]
    # After the first step, before the others: the drift of the kept model is not the last one's.
    assert run.after.drift * 1000 < max(losses)


@needs_packages
@pytest.mark.parametrize("loss", ["radial-embedding", "contrastive"])
@pytest.mark.parametrize("step", [3, 7])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(settings, environ, tmp_path, loss, step):
    told = TrainingSettings(**settings, loss=loss)
    whole = train(told, tmp_path / "whole", environ=environ)
    with pytest.raises(InterruptedRunError):
        train(told, tmp_path / "out", environ=environ, on_progress=interrupt(step))

    again = train(told, tmp_path / "out", environ=environ)

    assert len(again.losses) == len(whole.losses) == 12
    for one, other in zip(again.losses, whole.losses, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    first = HierarchicalEncoder(again.output).encode_texts(ANIMALS)
    np.testing.assert_allclose(
        first, HierarchicalEncoder(whole.output).encode_texts(ANIMALS), atol=1e-5
    )


@needs_packages
def test_an_end_that_was_cut_off_is_repeated(settings, environ, tmp_path, monkeypatch):
    told = TrainingSettings(**settings)
    replace = Path.replace
    moved = []

    def cut_off(self, target):
        if self.parent.name == "finished":
            if len(moved) == 2:
                raise InterruptedRunError
            moved.append(self.name)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off)
        with pytest.raises(InterruptedRunError):
            train(told, tmp_path / "out", environ=environ)
    assert any((tmp_path / "out" / name).is_dir() for name in moved)

    run = train(told, tmp_path / "out", environ=environ)

    assert len(run.losses) == 12
    assert not (run.output / "run").exists()
    HierarchicalEncoder(run.output)


@needs_packages
def test_a_root_that_is_learned_alone_goes_on_too(settings, environ, tmp_path):
    told = TrainingSettings(**settings | {"root": "parameter", "layers": 0})
    whole = train(told, tmp_path / "whole", environ=environ)
    with pytest.raises(InterruptedRunError):
        train(told, tmp_path / "out", environ=environ, on_progress=interrupt(7))

    again = train(told, tmp_path / "out", environ=environ)

    np.testing.assert_allclose(again.root, whole.root, atol=1e-6)
    assert [one["loss"] for one in again.losses] == pytest.approx(
        [one["loss"] for one in whole.losses], abs=1e-5
    )
    assert np.linalg.norm(whole.root - HierarchicalEncoder(settings["model"]).root) > 1e-3
    assert whole.after.drift == pytest.approx(0, abs=1e-6)


@needs_packages
@pytest.mark.parametrize("root", ["first", "mean", "origin"])
def test_roots_that_stay(settings, environ, tmp_path, root):
    before = HierarchicalEncoder(settings["model"])

    run = train(TrainingSettings(**settings | {"root": root}), tmp_path / "out", environ=environ)

    after = HierarchicalEncoder(run.output)
    if root == "first":
        np.testing.assert_allclose(run.root, before.root, atol=1e-6)
        np.testing.assert_allclose(after.root, before.root, atol=1e-6)
    else:
        # Not of length 1: kept in the record, while an index measures from the empty text.
        assert np.linalg.norm(run.root) < 0.99
        np.testing.assert_allclose(after.root, after.encode_texts([""])[0], atol=1e-6)
        record = json.loads((run.output / "training.json").read_text())
        np.testing.assert_allclose(record["root"], run.root, atol=1e-6)


@needs_packages
def test_the_same_seed_gives_the_same_run(settings, environ, tmp_path):
    told = TrainingSettings(**settings)
    one = train(told, tmp_path / "one", environ=environ)
    other = train(told, tmp_path / "other", environ=environ)
    third = train(TrainingSettings(**settings | {"seed": 6}), tmp_path / "third", environ=environ)

    losses = [[loss["loss"] for loss in run.losses] for run in (one, other, third)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert losses[0] != pytest.approx(losses[2], abs=1e-3)


@needs_packages
@pytest.mark.parametrize("schedule", ["linear", "one-cycle"])
def test_schedules(settings, environ, tmp_path, schedule):
    run = train(
        TrainingSettings(**settings | {"schedule": schedule}), tmp_path / "out", environ=environ
    )

    assert run.steps == len(run.losses) == 12


@needs_packages
def test_nothing_kept_for_validation(settings, environ, tmp_path):
    run = train(
        TrainingSettings(**settings | {"validation": 0.0}), tmp_path / "out", environ=environ
    )

    assert run.before is run.after is None
    assert "Not validated" in (run.output / "README.md").read_text()


@needs_packages
def test_random_weights_are_random(settings, environ, tmp_path):
    told = TrainingSettings(**settings | {"scratch": True, "steps": 1})
    run = train(told, tmp_path / "out", environ=environ)

    before = HierarchicalEncoder(settings["model"]).encode_texts(["goat"])
    assert float((HierarchicalEncoder(run.output).encode_texts(["goat"]) @ before.T)[0, 0]) < 0.99


@needs_packages
def test_weights_that_became_infinite(settings, environ, tmp_path):
    told = TrainingSettings(**settings | {"learning_rate": 1e30, "validation": 0.0})

    with pytest.raises(ModelError, match="infinite"):
        train(told, tmp_path / "out", environ=environ)


@needs_packages
def test_epochs(settings, environ, tmp_path):
    told = settings | {"steps": None, "epochs": 1.5, "validation": 0.0}

    run = train(TrainingSettings(**told), tmp_path / "out", environ=environ)

    assert run.steps == 9  # 48 hierarchies make 6 batches of 8


@needs_packages
def test_photos_of_species(mini, environ, tmp_path):
    from PIL import Image

    birds = tmp_path / "birds"
    birds.mkdir()
    lines = ["file,order,genus,species"]
    kinds = "Corvus corax, Corvus corone, Pica pica, Pica nutalli, Parus major, Parus minor"
    for number, (genus, species) in enumerate(kind.split() for kind in kinds.split(", ")):
        Image.new("RGB", (64, 64), (40 * number, 90, 20)).save(birds / f"{number}.png")
        lines.append(f"{number}.png,Passeriformes,{genus},{species}")
    lines += [f",Rodentia,Mus,no{number}" for number in range(4)]
    (birds / "taxonomy.csv").write_text("\n".join(lines))
    told = TrainingSettings(
        data=str(birds),
        loss="rcme",
        layers=1,
        photos=True,
        steps=4,
        batch_size=4,
        validation=0.4,
    )

    run = train(told, tmp_path / "out", environ=environ)

    assert run.after is not None
    assert any({"cross_modal", "regulariser"} <= set(loss) for loss in run.losses)
    assert all(torch.isfinite(torch.tensor(loss["loss"])) for loss in run.losses)
    photos = [birds / "0.png", birds / "3.png"]
    np.testing.assert_allclose(
        HierarchicalEncoder(run.output).encode_photos(photos),
        mini.encode_photos(photos),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"data": "/nowhere.csv"}, "no file of training data"),
        ({"options": {"margin": 1.0}}, "has no option 'margin'"),
        ({"options": {"regulariser": -1.0}}, "regulariser is -1"),
        ({"options": {"regularised": 1.0}}, "cannot be 1"),
        ({"layers": 3}, "2 layers, not 3"),
        ({"photos": True}, "has no photos"),
        ({"exclude": ("/nowhere.txt",)}, "cannot be read"),
    ],
)
@needs_packages
def test_what_cannot_be_done_is_said(settings, environ, tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        train(TrainingSettings(**settings | wrong), tmp_path / "out", environ=environ)


def test_packages_that_are_missing_are_named(settings, environ, tmp_path, monkeypatch):
    monkeypatch.setattr("hiersearch.alignment.training.find_spec", lambda _: None)

    with pytest.raises(HiersearchError, match="training needs the package accelerate"):
        train(TrainingSettings(**settings), tmp_path / "out", environ=environ)
