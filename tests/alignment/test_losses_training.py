"""Losses under the real trainer."""

from __future__ import annotations

import copy
from importlib.util import find_spec

import pytest
import torch
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

from hiersearch.alignment.batches import HierarchyCollator
from hiersearch.alignment.losses import (
    ContrastiveLoss,
    EntailmentConeLoss,
    RadialCrossModalLoss,
    RadialEmbeddingLoss,
)
from hiersearch.alignment.losses.roots import make_root
from hiersearch.errors import UsageError

MISSING = [package for package in ("accelerate", "datasets") if find_spec(package) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: pip install hiersearch[train]"
)

ANIMALS = ["bird", "cat", "dog", "goat"]
PLACES = ["on the sea", "near a house", "of a tree", "on a field"]
ROWS = [
    {
        "positive_1": "animal",
        "positive_2": f"a {animal}",
        "positive_3": f"a {colour} {animal}",
        "positive_4": f"a {colour} {animal} runs {place}",
        "negative_1": "vehicle",
        "negative_2": "a red car",
        "negative_3": f"a small {animal} on a tree",
        "negative_4": f"an old {animal} sits {place}",
    }
    for animal, place in zip(ANIMALS, PLACES, strict=True)
    for colour in ("grey", "red")
]
LOSSES = {
    "radial embedding": (RadialEmbeddingLoss, {}, {"mean", "minimax", "regulariser"}),
    "entailment cone": (EntailmentConeLoss, {"margin": 0.5}, {"mean", "minimax", "regulariser"}),
    "radial cross-modal": (
        RadialCrossModalLoss,
        {},
        {"local", "minimax", "global", "regulariser"},
    ),
    "contrastive": (ContrastiveLoss, {"temperature": 0.1}, {"contrastive", "regulariser"}),
}


def train(model, loss, folder, *, steps=10, rate=1e-3, collator=None, rows=ROWS, batch=8):
    """The trainer's log, an entry for each step."""
    from datasets import Dataset

    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        lr_scheduler_type="constant",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=3,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        loss=loss,
        data_collator=collator,
    )
    trainer.train()
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def mean(log, key="loss"):
    return sum(entry[key] for entry in log) / len(log)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("stock", [True, False])
def test_each_loss_goes_down(make_tiny, tmp_path, name, stock):
    kind, settings, parts = LOSSES[name]
    model = make_tiny()
    collator = None if stock else HierarchyCollator(model)

    log = train(model, kind(model, **settings), tmp_path, steps=12, collator=collator)

    assert mean(log[-3:]) < mean(log[:3]) - 0.02
    assert all(parts <= set(entry) for entry in log)
    for entry in log:
        assert sum(entry[part] for part in parts) == pytest.approx(entry["loss"], abs=1e-3)


def test_the_short_way_gives_the_losses_of_the_plain_one(make_tiny, tmp_path):
    """Distinct texts and vectors kept from before, against columns and a copy run each step."""
    plain = make_tiny()
    expected = train(plain, RadialEmbeddingLoss(plain), tmp_path / "plain")

    model, before = make_tiny(), make_tiny()
    texts = sorted({text for row in ROWS for text in row.values()} | {""})
    table = before.encode(texts, convert_to_tensor=True, normalize_embeddings=True)
    row_of = {text: row for row, text in enumerate(texts)}
    collator = HierarchyCollator(model, frozen=lambda texts: table[[row_of[t] for t in texts]])
    loss = RadialEmbeddingLoss(model, frozen="given")
    found = train(model, loss, tmp_path / "short", collator=collator)

    for one, other in zip(found, expected, strict=True):
        for part in ("loss", "mean", "minimax", "regulariser"):
            assert one[part] == pytest.approx(other[part], abs=3e-4)


def test_columns_in_another_order_are_refused(tiny, tmp_path):
    names = [*list(ROWS[0])[4:], *list(ROWS[0])[:4]]
    rows = [{name: row[name] for name in names} for row in ROWS]

    with pytest.raises(UsageError, match=r"order negative_1, .*, positive_4.* as positive_1"):
        train(tiny, RadialEmbeddingLoss(tiny), tmp_path, rows=rows)


def test_our_collator_takes_columns_in_any_order(make_tiny, tmp_path):
    expected, found = (
        train(
            model,
            RadialEmbeddingLoss(model),
            tmp_path,
            steps=2,
            collator=HierarchyCollator(model),
            rows=rows,
        )
        for model, rows in (
            (make_tiny(), ROWS),
            (make_tiny(), [dict(reversed(row.items())) for row in ROWS]),
        )
    )
    assert [entry["loss"] for entry in found] == pytest.approx(
        [entry["loss"] for entry in expected], abs=1e-5
    )


def test_columns_with_other_names_are_taken_in_their_order(make_tiny, tmp_path):
    named = [dict(zip("abcdefgh", row.values(), strict=True)) for row in ROWS]
    expected, found = (
        train(model, RadialEmbeddingLoss(model), tmp_path, steps=1, rows=rows)
        for model, rows in ((make_tiny(), ROWS), (make_tiny(), named))
    )
    assert found[0]["loss"] == pytest.approx(expected[0]["loss"], abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_the_stock_model_card_cites_the_paper(tiny, tmp_path, name):
    kind, settings, _ = LOSSES[name]

    train(tiny, kind(tiny, **settings), tmp_path / "run", steps=1)
    tiny.save(str(tmp_path / "out"))

    assert kind.citation.strip() in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_only_the_root_is_learned(tiny, tmp_path):
    tiny.requires_grad_(False)
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    root = make_root("parameter", tiny)
    start = root.vector.detach().clone()
    loss = RadialEmbeddingLoss(tiny, root=root, regulariser=0)

    log = train(tiny, loss, tmp_path, rate=1e-2)

    assert mean(log[-3:], "mean") < mean(log[:3], "mean") - 0.02
    assert not torch.equal(root.vector, start)
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


def test_the_offline_model_takes_a_step(mini, tmp_path):
    model = copy.deepcopy(mini.model)
    model.requires_grad_(False)
    tower = model[0].sub_modules["text"]
    last = tower[0].model.encoder.layer[-1].requires_grad_(True)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    log = train(
        model,
        RadialEmbeddingLoss(model),
        tmp_path,
        steps=2,
        rate=1e-4,
        collator=HierarchyCollator(model),
    )

    assert len(log) == 2
    changed = {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name]) and "running" not in name
    }
    assert changed
    assert all(".text." in name and ".layer.5." in name for name in changed)
    assert all(parameter.isfinite().all() for parameter in last.parameters())
