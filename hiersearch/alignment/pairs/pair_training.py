"""`train_pairs`: from captioned photos to a folder that `SentenceTransformer` opens."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.alignment.batches import Features
from hiersearch.alignment.card import pair_card
from hiersearch.alignment.freezing import text_tower, train_last_layers
from hiersearch.alignment.pairs.eye import CutTower, Head, grow_head, has_eye
from hiersearch.alignment.pairs.image_text_loss import CITATION, ImageTextLoss
from hiersearch.alignment.pairs.pair_batches import Look, PairCollator, PairData, Shown
from hiersearch.alignment.pairs.pair_settings import PairSettings
from hiersearch.alignment.pairs.views import make_views, named_photo
from hiersearch.alignment.trainer import AlignmentTrainer, RunFolder, unwritable
from hiersearch.alignment.training import (
    PACKAGES,
    RECORD,
    Teacher,
    require_finite,
    require_packages,
)
from hiersearch.concepts import PEOPLE, Mentions, builtin_vocabulary
from hiersearch.config import absolute, cache_dir
from hiersearch.data.captioned_photos import CaptionedPhoto, CaptionedPhotos, read_captioned
from hiersearch.data.hyperlex_pairs import read_pairs
from hiersearch.data.training_data import load_data, named_path
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.model_folder import Sidecar, fingerprint, quiet, write_sidecar
from hiersearch.errors import UsageError
from hiersearch.evaluation.embedder import Embedder
from hiersearch.evaluation.metrics import best_ranks, recall_at
from hiersearch.progress import Progress, tell_nobody

__all__ = ["Found", "PairRun", "train_pairs"]

MEASURED = 2000
"""The most photos that before and after are measured on."""

WARM_UP = 0.1
"""The share of the steps in which learning rates rise; then they fall along a cosine."""


@dataclass(frozen=True)
class Found:
    """How well captions find their photos, among the photos that were kept from training.

    Attributes:
        photos: How many there are.
        recall_1: Share of the captions whose photo comes first.
        recall_10: Share of the captions whose photo is among the first ten.
    """

    photos: int
    recall_1: float
    recall_10: float


@dataclass(frozen=True)
class PairRun:
    """What a finished run did.

    Attributes:
        output: The folder of the trained model.
        settings: Its settings.
        before: What was found before the first step; None if no photos were kept.
        after: The same, after the last.
        steps: The number of batches.
        photos: How many photos were trained on.
        missing: Files that the data names and that are not there.
        left_out: The number of malformed rows of the data.
        losses: The loss of each step, and its parts.
        seconds: Time since the first step in this process.
    """

    output: Path
    settings: PairSettings
    before: Found | None
    after: Found | None
    steps: int
    photos: int
    missing: tuple[str, ...]
    left_out: int
    losses: tuple[Mapping[str, float], ...]
    seconds: float


def train_pairs(
    settings: PairSettings,
    output: str | Path,
    *,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> PairRun:
    """Train a dual encoder on captioned photos.

    An interrupted run resumes from its last checkpoint when this is called again with the same
    settings and output.

    Args:
        settings: What to train on what, and how.
        output: A new folder, or that of the unfinished run.
        on_progress: Called with the photos, texts and steps that are done.
        environ: The environment; names the folders of data and caches.

    Returns:
        What was done. The folder opens with `SentenceTransformer` and `HierarchicalEncoder`, and
        also holds README.md (a model card) and training.json (a record of the run).

    Raises:
        UsageError: Settings, data or output are not as required.
        MissingDataError: None of the photos is there.
        UnreadablePhotoError: A photo cannot be decoded.
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: It cannot be used, or training made its weights infinite.
        HiersearchError: Packages are missing, or the output or the cache cannot be written to.
    """
    require_packages()
    torch.manual_seed(settings.seed)
    photos = read_captioned(
        named_path(settings.data, environ), named_path(settings.photos, environ)
    )
    encoder = HierarchicalEncoder(settings.model)
    model = encoder.model
    folder = RunFolder(absolute(output))
    data_id = fingerprint_of(photos)
    checkpoint = folder.begin(settings.to_json() | {"model_id": encoder.id, "data_id": data_id})
    data = _data(settings, photos.train, environ)
    embedder = Embedder(encoder, cache=cache_dir(environ))
    teacher = None
    if not settings.text_layers or settings.regulariser:
        teacher = Teacher(embedder, data.texts(), on_progress=on_progress)
    kept = photos.kept[:MEASURED]
    before = _found(embedder, kept, on_progress)
    classes = _class_texts(settings, environ)
    eye, look = _image_side(
        settings, encoder, photos.train, len(classes), folder, embedder, on_progress
    )
    if settings.text_layers:
        _train_texts(model, settings.text_layers)
    start = {} if settings.mix == 1 else _copied(model)
    loss = ImageTextLoss(model, settings, eye, classes)
    collator = PairCollator(model, data, look, teacher, settings)
    begun = time.monotonic()
    with quiet():
        trainer, steps = _trainer(settings, len(photos.train), folder, loss, collator, on_progress)
        try:
            trainer.resume(checkpoint)
        except OSError as error:
            raise unwritable(folder.path, error) from error
        model.to("cpu")
        if loss.head is not None:
            loss.head.to("cpu").write()
        _mix(model, start, settings.mix)
        loss.read_classes()
        if loss.head is not None:
            loss.head.write_classes()
    require_finite(model)
    run = PairRun(
        output=folder.output,
        settings=settings,
        before=before,
        after=_found(Embedder(HierarchicalEncoder(model), cache=None), kept, on_progress),
        steps=steps,
        photos=len(photos.train),
        missing=photos.missing,
        left_out=len(photos.problems),
        losses=tuple(folder.losses()),
        seconds=time.monotonic() - begun,
    )
    # Of a text tower that was trained, a root that was fixed before means nothing any more.
    root = None if settings.text_layers else tuple(float(x) for x in encoder.root)
    _save(run, folder, model, root)
    return run


def fingerprint_of(photos: CaptionedPhotos) -> str:
    """16 hexadecimal digits that change with the photos' names, their captions or their order."""
    content = json.dumps([[photo.path.name, photo.captions] for photo in photos.train])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _found(
    embedder: Embedder, kept: Sequence[CaptionedPhoto], on_progress: Progress
) -> Found | None:
    """How well captions find their photos, among photos that were kept from training."""
    if not kept:
        return None
    photos = embedder.photos([one.path for one in kept], on_progress)
    texts = embedder.texts([text for one in kept for text in one.captions])
    own = np.repeat(np.arange(len(kept)), [len(one.captions) for one in kept])
    ranks = best_ranks(texts @ photos.T, own[:, None] == np.arange(len(kept)))
    return Found(len(kept), recall_at(ranks, 1), recall_at(ranks, 10))


def _data(
    settings: PairSettings, photos: Sequence[CaptionedPhoto], environ: Mapping[str, str]
) -> PairData:
    if settings.batch_size > len(photos):
        raise UsageError(
            f"there are {len(photos)} photos to train on, less than a batch of "
            f"{settings.batch_size}",
            hint="Choose a smaller batch_size",
        )
    shown = people = None
    if settings.words or settings.reading:
        vocabulary = builtin_vocabulary()
        mentions = Mentions(
            vocabulary,
            leave_out=settings.leave_out,
            also=dict.fromkeys(PEOPLE, "person"),
        )
        shown = Shown.by_captions(photos, vocabulary.names, mentions)
        people = shown.showing("person") if settings.reading else None
    pairs = [pair for path in settings.exclude for pair in read_pairs(named_path(path, environ))]
    sources = settings.hierarchies if settings.text_layers and settings.hierarchy else ()
    hierarchies = [
        load_data(source, seed=settings.seed, tiers=4, exclude=pairs, environ=environ).hierarchies
        for source in sources
    ]
    return PairData(photos, shown if settings.words else None, hierarchies, people)


def _class_texts(settings: PairSettings, environ: Mapping[str, str]) -> list[str]:
    if not settings.class_texts:
        return []
    path = named_path(settings.class_texts, environ)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the class_texts {path} cannot be read: {error}") from error
    return [line for line in lines if line and not line.startswith("#")]


def _image_side(
    settings: PairSettings,
    encoder: HierarchicalEncoder,
    photos: Sequence[CaptionedPhoto],
    classes: int,
    folder: RunFolder,
    embedder: Embedder,
    on_progress: Progress,
) -> tuple[tuple[CutTower, Head] | None, Look]:
    """What is trained of the image side, and where a batch's features of photos come from."""
    model = encoder.model
    model.requires_grad_(False)
    files = [photo.path for photo in photos]
    if not has_eye(model) and settings.head is None and settings.image_blocks:
        return None, _whole_side(model, files)
    if settings.lock_image or (not has_eye(model) and settings.head is None):
        if not settings.text_layers:
            raise UsageError(
                f"of {encoder.name} only the towers can be trained, and both are locked",
                hint="Train some layers of its text tower with --layers",
            )
        vectors = torch.from_numpy(embedder.photos(files, on_progress))

        def locked(numbers: Sequence[int], _: np.random.Generator) -> Features:
            return {"sentence_embedding": vectors[list(numbers)]}

        return None, locked
    if settings.head is not None:
        kept = grow_head(model, settings.head, keep=classes > 0)
        if kept != classes:
            raise UsageError(
                f"the model reads photos through {kept} classes, not {classes}",
                hint="Name the file of their texts as class_texts",
            )
    tower = CutTower(model, blocks=settings.image_blocks)
    try:
        views = make_views(
            folder.path / "views",
            files,
            tower,
            count=settings.views,
            bf16=settings.bf16,
            on_progress=on_progress,
        )
    except OSError as error:
        raise unwritable(folder.path, error) from error
    mean, deviation = views.spread()
    head = Head(*tower.layers, kept=classes, mean=mean, deviation=deviation)

    def drawn(numbers: Sequence[int], generator: np.random.Generator) -> Features:
        maps, before = views.draw(numbers, generator)
        return {"pixel_values": maps, "before": before}

    return (tower, head), drawn


def _whole_side(model: SentenceTransformer, files: Sequence[Path]) -> Look:
    """Lets the whole image half be trained, from photos that are read in each step."""
    model.requires_grad_(True)
    for module in text_tower(model):
        module.requires_grad_(False)

    def read(numbers: Sequence[int], _: np.random.Generator) -> Features:
        images = [named_photo(files[number]) for number in numbers]
        features: Features = model.preprocess(images, prompt=None, task=None)
        return features

    return read


def _train_texts(model: SentenceTransformer, layers: int) -> None:
    """Lets the last layers of the text tower be trained, and leaves the image side as it is."""
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    train_last_layers(model, layers)
    for name, value in model.named_parameters():
        if name in trained:
            value.requires_grad_(True)


def _trainer(
    settings: PairSettings,
    photos: int,
    folder: RunFolder,
    loss: ImageTextLoss,
    collator: PairCollator,
    on_progress: Progress,
) -> tuple[AlignmentTrainer, int]:
    # Optional packages, and slow to import.
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments

    per_epoch = photos // settings.batch_size
    steps = max(1, math.ceil(settings.epochs * per_epoch))
    rows = list(_rows(photos, steps * settings.batch_size, settings.seed))
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder.path),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.head_rate,
        learning_rate_mapping=_rates(settings, loss),
        adam_beta2=0.98,
        weight_decay=settings.weight_decay,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(WARM_UP * steps),
        bf16=settings.bf16,
        use_cpu=loss.model.device.type == "cpu",
        save_strategy="steps",
        save_steps=settings.checkpoint_every,
        save_total_limit=1,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=settings.seed,
        # The rows are in the order in which they are to come.
        train_sampling_strategy="sequential",
    )
    trainer = AlignmentTrainer(
        model=loss.model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        loss=loss,
        data_collator=collator,
        note_losses=folder.note_losses,
        on_progress=on_progress,
    )
    return trainer, steps


def _rows(photos: int, count: int, seed: int) -> Iterator[dict[str, int]]:
    """Every photo once in random order, then again in another one, and so on."""
    generator = np.random.default_rng(seed)
    given, turn = 0, 0
    while given < count:
        for photo in generator.permutation(photos)[: count - given]:
            yield {"photo": int(photo), "turn": turn}
            given += 1
        turn += 1


def _rates(settings: PairSettings, loss: ImageTextLoss) -> dict[str, float]:
    """Learning rates of the towers by pattern of their weights' names; the head has the default."""
    texts = {id(p) for module in text_tower(loss.model) for p in module.parameters()}
    head = set() if loss.head is None else {id(p) for p in loss.head.parameters()}
    return {
        f"^{re.escape(name)}$": settings.text_rate if id(value) in texts else settings.image_rate
        for name, value in loss.named_parameters()
        if value.requires_grad and id(value) not in head
    }


def _copied(model: SentenceTransformer) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


@torch.no_grad()
def _mix(model: SentenceTransformer, start: Mapping[str, Tensor], share: float) -> None:
    """Take the weights back towards those of the start; `PairSettings.mix`."""
    for name, value in model.state_dict().items():
        if name in start and value.is_floating_point():
            value.lerp_(start[name], 1 - share)


def _save(
    run: PairRun, folder: RunFolder, model: SentenceTransformer, root: tuple[float, ...] | None
) -> None:
    versions = {name: version(name) for name in PACKAGES}
    card = pair_card(
        run.settings.to_json(),
        photos=run.photos,
        steps=run.steps,
        before=None if run.before is None else vars(run.before),
        after=None if run.after is None else vars(run.after),
        seconds=run.seconds,
        citation=CITATION,
        versions=versions,
    )

    def write(finished: Path) -> None:
        with quiet():
            model.save(str(finished), create_model_card=False)
        write_sidecar(finished, Sidecar(root=root, weights=fingerprint(model.state_dict())))
        (finished / "README.md").write_text(card, encoding="utf-8")
        (finished / RECORD).write_text(_record(run, versions), encoding="utf-8")

    folder.finish(write)


def _record(run: PairRun, versions: Mapping[str, str]) -> str:
    record = {
        "version": 1,
        "settings": run.settings.to_json(),
        "photos": run.photos,
        "steps": run.steps,
        "seconds": round(run.seconds, 1),
        "before": None if run.before is None else vars(run.before),
        "after": None if run.after is None else vars(run.after),
        "versions": versions,
        "losses": run.losses,
    }
    return json.dumps(record, indent=1) + "\n"
