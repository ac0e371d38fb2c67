"""Alignment from end to end: from settings to a folder that `SentenceTransformer` opens."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hiersearch.alignment.batches import HierarchyCollator, encoded
from hiersearch.alignment.card import model_card
from hiersearch.alignment.freezing import (
    Trained,
    reset_weights,
    suitable_learning_rate,
    train_last_layers,
)
from hiersearch.alignment.losses import make_loss
from hiersearch.alignment.losses.roots import LearnedRoot, Root, make_root
from hiersearch.alignment.rows import PHOTO, PreparedData, prepare_data, rows_texts
from hiersearch.alignment.settings import TrainingSettings
from hiersearch.alignment.stock_trainer import RunFolder, unwritable
from hiersearch.alignment.teacher import Teacher
from hiersearch.alignment.validation import Validation, validate
from hiersearch.config import absolute, cache_dir
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.loading import quiet
from hiersearch.encoder.model_folder import Sidecar, fingerprint, write_sidecar
from hiersearch.errors import MissingPackageError, ModelError
from hiersearch.evaluation.embedder import Embedder
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from hiersearch.alignment.stock_trainer import AlignmentTrainer
    from hiersearch.types import Floats


__all__ = ["TrainingRun", "train"]

PACKAGES = ("hiersearch", "torch", "transformers", "sentence-transformers")
RECORD = "training.json"
MOST_OFTEN = 25
"""Steps between validations: one takes as long as some ten steps."""

UNIT = 1e-3
"""How far from 1 the length of a root may be that an index can use."""


@dataclass(frozen=True)
class TrainingRun:
    """A run that has ended.

    Attributes:
        output: The folder of the trained model.
        settings: What the run was told.
        data: What its data is called.
        before: Measures before the first step; None where no data was kept for validation.
        after: The same of the model that was kept: the best, not the last.
        root: (dim,), what angles were measured from at the end; where it is not of length 1, an
            index measures from the empty text instead.
        learning_rate: The one that was used.
        trained: Which weights were.
        steps: How many batches.
        losses: Of each step, with the parts that they are made of.
        seconds: From the first step on, in this process.
        notes: What the user should know of the data.
        left_out: Malformed rows of the data.
    """

    output: Path
    settings: TrainingSettings
    data: str
    before: Validation | None
    after: Validation | None
    root: Floats
    learning_rate: float
    trained: Trained
    steps: int
    losses: tuple[Mapping[str, float], ...]
    seconds: float
    notes: tuple[str, ...]
    left_out: int


def train(
    settings: TrainingSettings,
    output: str | Path,
    *,
    environ: Mapping[str, str],
    progress: Progress = tell_nobody,
) -> TrainingRun:
    """Align an encoder with hierarchies.

    A run that was killed goes on from its last checkpoint when it is called again with the same
    settings and output, and computes what it would have computed.

    Args:
        settings: What to do.
        output: A folder that is not there yet, or that of the unfinished run.
        environ: The environment; names the folders of data and caches.
        progress: Told of bytes, texts and steps.

    Returns:
        What was done. The folder opens with `SentenceTransformer` and `HierarchicalEncoder`, and
        holds README.md and training.json besides.

    Raises:
        UsageError: Settings, data or output are not as they must be.
        ModelNotFoundError: The model is neither here nor to be had.
        ModelError: It cannot be used, or training made its weights infinite.
        MissingPackageError: A package of the extra `train` is not installed.
        HiersearchError: The output or the cache cannot be written to.
    """
    _require_packages()
    prepared = prepare_data(settings, environ=environ, progress=progress)
    torch.manual_seed(settings.seed)
    encoder = HierarchicalEncoder(settings.model)
    model = encoder.model
    if settings.scratch:
        reset_weights(model)
        encoder = HierarchicalEncoder(model)
    trained = train_last_layers(model, settings.layers)
    rate = settings.learning_rate or suitable_learning_rate(trained.weights)
    folder = RunFolder(absolute(output))
    told = settings.to_json() | {"data_id": prepared.id, "model_id": encoder.id, "rate": rate}
    checkpoint = folder.begin(told)
    # Random weights are no use to a later run.
    embedder = Embedder(encoder, cache=None if settings.scratch else cache_dir(environ))
    texts = [*rows_texts(prepared.rows), *_texts(prepared)]
    teacher = Teacher(embedder, texts, progress=progress)
    root = _root(settings, model, teacher, prepared)
    loss = make_loss(
        settings.loss,
        model,
        root=root,
        negatives=any(name.startswith("negative") for name in prepared.rows[0]),
        options=settings.options,
    )

    def measure() -> Validation:
        now = _root_vector(root, model)
        return validate(
            prepared.validation, lambda texts: encoded(model, texts).cpu().numpy(), before, now
        )

    def before(texts: Any) -> Floats:
        vectors: Floats = teacher(texts).numpy()
        return vectors

    first = measure() if prepared.validation else None
    collator = HierarchyCollator(
        model, frozen=teacher, photos=_photos(embedder, prepared, progress)
    )
    begun = time.monotonic()
    with quiet():
        trainer = _trainer(
            settings, prepared, folder, rate, model, loss, collator, measure, progress
        )
        try:
            trainer.go_on(checkpoint)
        except OSError as error:
            raise unwritable(folder.path, error) from error
        model.to("cpu")
    run = TrainingRun(
        output=folder.output,
        settings=settings,
        data=prepared.source.name,
        before=first,
        after=measure() if prepared.validation else None,
        root=_root_vector(root, model),
        learning_rate=rate,
        trained=trained,
        steps=prepared.steps,
        losses=tuple(folder.losses()),
        seconds=time.monotonic() - begun,
        notes=prepared.source.notes,
        left_out=len(prepared.source.problems),
    )
    _save(run, folder, model, fixed=not isinstance(root, LearnedRoot))
    return run


def _require_packages() -> None:
    for package in ("accelerate", "datasets"):
        if find_spec(package) is None:
            raise MissingPackageError(package, extra="train", purpose="training")


def _texts(prepared: PreparedData) -> list[str]:
    return [text for h in prepared.validation for text in (*h.positive, *h.negative)]


def _root(
    settings: TrainingSettings, model: SentenceTransformer, teacher: Teacher, data: PreparedData
) -> Root:
    if settings.root == "mean":
        texts = sorted({text for text in rows_texts(data.rows) if text})
        return make_root(teacher(texts).mean(dim=0), model)
    return make_root(settings.root, model)


def _root_vector(root: Root, model: SentenceTransformer) -> Floats:
    with torch.no_grad():
        vector: Floats = root(encoded(model, [""])[0]).cpu().numpy()
    return vector


def _photos(embedder: Embedder, data: PreparedData, progress: Progress) -> Any:
    """From photos to vectors: the image tower is frozen, so that they are computed once."""
    paths = sorted({row.get(PHOTO, "") for row in (*data.rows, *data.kept_rows)} - {""})
    if not paths:
        return None
    vectors = torch.from_numpy(embedder.photos([Path(path) for path in paths], progress))
    row_of = {path: row for row, path in enumerate(paths)}

    def found(photos: list[str]) -> Tensor:
        return vectors[[row_of[photo] for photo in photos]]

    return found


def _trainer(
    settings: TrainingSettings,
    data: PreparedData,
    folder: RunFolder,
    rate: float,
    model: SentenceTransformer,
    loss: torch.nn.Module,
    collator: HierarchyCollator,
    measure: Any,
    progress: Progress,
) -> AlignmentTrainer:
    # Optional packages; and they are slow to import.
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments

    from hiersearch.alignment.stock_trainer import AlignmentTrainer, Validator

    every = settings.validate_every or max(MOST_OFTEN, data.steps // 10)
    validating = bool(data.validation)
    on_cpu = model.device.type == "cpu"
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder.path),
        max_steps=data.steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=rate,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        weight_decay=settings.weight_decay,
        lr_scheduler_type="linear" if settings.schedule == "linear" else "constant",
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        use_cpu=on_cpu,
        eval_strategy="steps" if validating else "no",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=validating,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=settings.seed,
    )
    return AlignmentTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(data.rows),
        eval_dataset=Dataset.from_list(data.kept_rows) if validating else None,
        evaluator=Validator(measure) if validating else None,
        loss=loss,
        data_collator=collator,
        note_losses=folder.note_losses,
        progress=progress,
        one_cycle=settings.schedule == "one-cycle",
    )


def _save(run: TrainingRun, folder: RunFolder, model: SentenceTransformer, *, fixed: bool) -> None:
    """Put the trained model where it belongs; a kill in between leaves an unfinished run."""
    if not all(bool(value.isfinite().all()) for value in model.state_dict().values()):
        raise ModelError(
            "training made the weights infinite", hint="Choose a lower --learning-rate"
        )
    versions = {name: version(name) for name in PACKAGES}
    finished = folder.path / "finished"
    usable = abs(float(np.linalg.norm(run.root)) - 1.0) <= UNIT
    try:
        shutil.rmtree(finished, ignore_errors=True)
        finished.mkdir()
        with quiet():
            model.save(str(finished), create_model_card=False)
        kept = tuple(float(x) for x in run.root) if fixed and usable else None
        write_sidecar(finished, Sidecar(root=kept, weights=fingerprint(model.state_dict())))
        (finished / "README.md").write_text(model_card(run, versions), encoding="utf-8")
        (finished / RECORD).write_text(_record(run, versions), encoding="utf-8")
        for path in sorted(finished.iterdir()):
            target = folder.output / path.name
            if target.is_dir():  # of an end that was cut off
                shutil.rmtree(target)
            path.replace(target)
    except OSError as error:
        raise unwritable(folder.output, error) from error
    folder.end()


def _record(run: TrainingRun, versions: Mapping[str, str]) -> str:
    record = {
        "version": 1,
        "settings": run.settings.to_json(),
        "data": run.data,
        "learning_rate": run.learning_rate,
        "trained": vars(run.trained),
        "steps": run.steps,
        "seconds": round(run.seconds, 1),
        "before": None if run.before is None else vars(run.before),
        "after": None if run.after is None else vars(run.after),
        "root": [float(x) for x in run.root],
        "versions": versions,
        "losses": run.losses,
    }
    return json.dumps(record, indent=1) + "\n"
