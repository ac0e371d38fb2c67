"""Align a text encoder with hierarchies, using sentence-transformers' own trainer.

python examples/loss_with_stock_trainer.py [FOLDER]

Trains the offline model for a few steps on the hierarchies below, and prints how far general and
specific texts are from the root, before and after. With FOLDER, the model and its card go there.
"""

from __future__ import annotations

import copy
import sys
import tempfile

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

from hiersearch import HierarchicalEncoder
from hiersearch.alignment.losses import RadialEmbeddingLoss

# Three texts, general to specific, then for each one that is like it but not below it.
COLUMNS = ["positive_1", "positive_2", "positive_3", "negative_1", "negative_2", "negative_3"]
KINDS = {"animal": ["goat", "cat", "parrot"], "vehicle": ["car", "bus", "boat"]}
ROWS = [
    (kind, name, f"a red {name} near a house", other, f"a {wrong}", f"a red {name} at sea")
    for kind, other in (("animal", "vehicle"), ("vehicle", "animal"))
    for name, wrong in zip(KINDS[kind], reversed(KINDS[kind]), strict=True)
]


def main(folder: str | None = None) -> None:
    encoder = HierarchicalEncoder("mini")
    model = copy.deepcopy(encoder.model)

    # Train the last layer of the text tower alone; the photos keep their vectors.
    model.requires_grad_(False)
    model[0].sub_modules["text"][0].model.encoder.layer[-1].requires_grad_(True)

    # No dropout: it would be noise in angles that are to be compared.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    # The loss reads columns in their order: positives, general to specific, then negatives.
    dataset = Dataset.from_list([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])
    with tempfile.TemporaryDirectory() as scratch:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch,
            max_steps=5,
            per_device_train_batch_size=len(ROWS),
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            # A model with a tower for texts and one for photos has to be told which takes what.
            router_mapping=dict.fromkeys(COLUMNS, "text"),
            logging_steps=1,
            save_strategy="no",
            dataloader_pin_memory=False,
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=dataset,
            loss=RadialEmbeddingLoss(model),
        )
        trainer.train()

    aligned = HierarchicalEncoder(model.cpu())
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    for text in ROWS[0][:3]:
        before, after = (distance(one, text) for one in (encoder, aligned))
        print(f"{before:.2f} -> {after:.2f}  {text}")
    if folder is not None:
        model.save(folder)


def distance(encoder: HierarchicalEncoder, text: str) -> float:
    vector = torch.from_numpy(encoder.encode_texts([text])[0] - encoder.root)
    return float(vector.norm())


if __name__ == "__main__":
    main(*sys.argv[1:2])
