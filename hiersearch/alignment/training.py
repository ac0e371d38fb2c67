"""`train`: from settings to a folder that `SentenceTransformer` opens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
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
from hiersearch.alignment.losses import HierarchyLoss, make_loss
from hiersearch.alignment.losses.roots import LearnedRoot, Root, make_root
from hiersearch.alignment.rows import PHOTO, PreparedData, prepare_data, rows_texts
from hiersearch.alignment.settings import TrainingSettings
from hiersearch.alignment.trainer import RECORD, RunFolder, unwritable
from hiersearch.alignment.validation import Validation, validate
from hiersearch.config import absolute, cache_dir
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.model_folder import Sidecar, fingerprint, quiet, write_sidecar
from hiersearch.errors import MissingPackageError, ModelError
from hiersearch.evaluation.embedder import Embedder
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from hiersearch.alignment.trainer import AlignmentTrainer
    from hiersearch.types import Floats


__all__ = [
    "PACKAGES",
    "RECORD",
    "Teacher",
    "TrainingRun",
    "require_finite",
    "require_packages",
    "train",
]

PACKAGES = ("hiersearch", "torch", "transformers", "sentence-transformers")
"""Whose versions the card and the record of a run name."""

MOST_OFTEN = 25
"""Steps between validations: one takes as long as some ten steps."""

UNIT = 1e-3
"""How far from 1 the length of a root may be that an index can use."""

TEXTS_AT_ONCE = 2048
"""Texts that the teacher embeds between two calls of `on_progress`."""


@dataclass(frozen=True)
class TrainingRun:
    """What a finished run did.

    Attributes:
        output: The folder of the trained model.
        settings: Its settings.
        data: The name of its data.
        before: Measures before the first step; None if no data was kept for validation.
        after: The same for the model that was kept: the best, not the last.
        root: (dim,), what angles were measured from at the end; if it is not of length 1, an
            index measures from the empty text instead.
        learning_rate: The one that was used.
        trained: Which weights were trained.
        steps: The number of batches.
        losses: The loss of each step, and its parts.
        seconds: Time since the first step in this process.
        notes: What the user should know about the data.
        left_out: The number of malformed rows of the data.
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
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> TrainingRun:
    """Align an encoder with hierarchies.

    An interrupted run resumes from its last checkpoint when `train` is called again with the same
    settings and output, and computes what it would have computed without the interruption.

    Args:
        settings: What to train on what, and how.
        output: A new folder, or that of the unfinished run.
        on_progress: Called with the bytes, texts and steps that are done.
        environ: The environment; names the folders of data and caches.

    Returns:
        What was done. The folder opens with `SentenceTransformer` and `HierarchicalEncoder`, and
        also holds README.md (a model card) and training.json (a record of the run).

    Raises:
        UsageError: Settings, data or output are not as required.
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: It cannot be used, or training made its weights infinite.
        HiersearchError: Packages are missing, or the output or the cache cannot be written to.
    """
    require_packages()
    prepared = prepare_data(settings, on_progress=on_progress, environ=environ)
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
    # Vectors of random weights are of no use to a later run.
    embedder = Embedder(encoder, cache=None if settings.scratch else cache_dir(environ))
    texts = [*rows_texts(prepared.rows), *_validation_texts(prepared)]
    teacher = Teacher(embedder, texts, on_progress=on_progress)
    root = _root(settings, model, teacher, prepared)
    loss = make_loss(
        settings.loss,
        model,
        root=root,
        negatives=any(name.startswith("negative") for name in prepared.rows[0]),
        options=settings.options,
    )

    def measure() -> Validation:
        return validate(
            prepared.validation,
            lambda texts: encoded(model, texts).cpu().numpy(),
            lambda texts: teacher(texts).numpy(),
            _root_vector(root, model),
        )

    first = measure() if prepared.validation else None
    collator = HierarchyCollator(
        model, frozen=teacher, photos=_photos(embedder, prepared, on_progress)
    )
    begun = time.monotonic()
    with quiet():
        trainer = _trainer(
            settings, prepared, folder, rate, model, loss, collator, measure, on_progress
        )
        try:
            trainer.resume(checkpoint)
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
    _save(run, folder, model, loss)
    return run


class Teacher:
    """The encoder before training, as a table of its vectors; make it before the first step.

    Args:
        embedder: The encoder; not used afterwards.
        texts: All texts that will be asked for, besides the empty text; repeats cost nothing.
        on_progress: Called with the number of texts done.

    Raises:
        HiersearchError: The embedder's cache cannot be written.
    """

    def __init__(
        self, embedder: Embedder, texts: Iterable[str], *, on_progress: Progress = tell_nobody
    ) -> None:
        distinct = sorted({*texts, ""})
        parts = []
        for start in range(0, len(distinct), TEXTS_AT_ONCE):
            on_progress("embedding texts", start, len(distinct))
            parts.append(embedder.texts(distinct[start : start + TEXTS_AT_ONCE]))
        on_progress("embedding texts", len(distinct), len(distinct))
        self._row_of = {text: row for row, text in enumerate(distinct)}
        self._vectors = torch.from_numpy(np.concatenate(parts))

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(n, dim) float32, of length 1, on the CPU."""
        return self._vectors[[self._row_of[text] for text in texts]]


def require_packages() -> None:
    """Check that the packages of the extra `train` are there.

    Raises:
        MissingPackageError: One is not installed.
    """
    for package in ("accelerate", "datasets"):
        if find_spec(package) is None:
            raise MissingPackageError(package, extra="train", purpose="training")


def require_finite(model: SentenceTransformer) -> None:
    """Check that training has not made a model useless.

    Raises:
        ModelError: Some of its weights are not finite.
    """
    if not all(bool(value.isfinite().all()) for value in model.state_dict().values()):
        raise ModelError("training made the weights infinite", hint="Choose a lower learning rate")


def _validation_texts(prepared: PreparedData) -> list[str]:
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


def _photos(embedder: Embedder, data: PreparedData, on_progress: Progress) -> Any:
    """From photos to vectors, computed once: the image tower is frozen."""
    paths = sorted({row.get(PHOTO, "") for row in (*data.rows, *data.kept_rows)} - {""})
    if not paths:
        return None
    vectors = torch.from_numpy(embedder.photos([Path(path) for path in paths], on_progress))
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
    on_progress: Progress,
) -> AlignmentTrainer:
    # Optional packages, and slow to import.
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments

    from hiersearch.alignment.trainer import AlignmentTrainer, Validator

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
        on_progress=on_progress,
        one_cycle=settings.schedule == "one-cycle",
    )


def _save(
    run: TrainingRun, folder: RunFolder, model: SentenceTransformer, loss: HierarchyLoss
) -> None:
    require_finite(model)
    versions = {name: version(name) for name in PACKAGES}
    usable = abs(float(np.linalg.norm(run.root)) - 1.0) <= UNIT
    fixed = not isinstance(loss.root, LearnedRoot)
    root = tuple(float(x) for x in run.root) if fixed and usable else None
    card = model_card(
        run.settings,
        data=run.data,
        learning_rate=run.learning_rate,
        steps=run.steps,
        trained=run.trained,
        before=run.before,
        after=run.after,
        seconds=run.seconds,
        citation=loss.citation,
        versions=versions,
    )

    def write(finished: Path) -> None:
        with quiet():
            model.save(str(finished), create_model_card=False)
        write_sidecar(finished, Sidecar(root=root, weights=fingerprint(model.state_dict())))
        (finished / "README.md").write_text(card, encoding="utf-8")
        (finished / RECORD).write_text(_record(run, versions), encoding="utf-8")

    folder.finish(write)


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
