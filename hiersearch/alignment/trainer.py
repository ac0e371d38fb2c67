"""sentence-transformers' trainer, with what alignment needs in addition.

No dropout, the losses of every step noted, a learned root kept in checkpoints, and runs that resume
from a checkpoint.

A run that is not finished lies in a folder beside its output, from which it resumes.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.evaluation import BaseEvaluator
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from transformers import PrinterCallback, TrainerState

from hiersearch.alignment.validation import Validation
from hiersearch.errors import HiersearchError, UsageError
from hiersearch.files import whole_file
from hiersearch.progress import Progress

__all__ = [
    "LAST_WRITTEN",
    "RECORD",
    "AlignmentTrainer",
    "RunFolder",
    "Validator",
    "unwritable",
]

LAST_WRITTEN = "trainer_state.json"
"""The trainer writes this file last: a checkpoint that has it is complete."""

RECORD = "training.json"
"""The file in a trained model's folder that says what the run did."""

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_PARTS = frozenset({"settings.json", "losses.jsonl", "finished", "views"})


class RunFolder:
    """The folder of an unfinished run.

    Args:
        output: The folder that the trained model will be in.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output / "run"
        self._settings = self.path / "settings.json"
        self._losses = self.path / "losses.jsonl"

    def begin(self, settings: Mapping[str, Any]) -> Path | None:
        """Create the folder, or reopen that of an unfinished run.

        Args:
            settings: Everything that decides what the run computes, as JSON.

        Returns:
            The checkpoint to resume from; None to begin at the first step.

        Raises:
            UsageError: The folder holds a trained model, something else, or a run with other
                settings.
            HiersearchError: The folder cannot be written to.
        """
        try:
            if self._settings.exists():
                self._require_same(settings)
                checkpoint = self.newest()
                self._forget_after(0 if checkpoint is None else _step(checkpoint))
                return checkpoint
            if (self.output / RECORD).is_file():
                self._remove_rest()
                raise UsageError(
                    f"{self.output} holds a model whose training is done",
                    hint="Use it, or name a new folder with --output",
                )
            if self.output.exists() and (not self.output.is_dir() or any(self.output.iterdir())):
                raise UsageError(
                    f"{self.output} already exists and holds no unfinished run",
                    hint="Name a new folder with --output",
                )
            self.path.mkdir(parents=True, exist_ok=True)
            with whole_file(self._settings) as file:
                file.write(json.dumps(settings, indent=1).encode() + b"\n")
        except OSError as error:
            raise unwritable(self.output, error) from error
        return None

    def newest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = [path for path in self.path.iterdir() if _CHECKPOINT.fullmatch(path.name)]
        whole = [path for path in found if (path / LAST_WRITTEN).is_file()]
        return max(whole, key=_step, default=None)

    def note_losses(self, step: int, losses: Mapping[str, float]) -> None:
        """Append a step's losses; steps are counted from 1."""
        with self._losses.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **losses}) + "\n")

    def losses(self) -> list[dict[str, float]]:
        """The losses of all steps so far, in order; an incomplete last line is ignored."""
        if not self._losses.exists():
            return []
        found = []
        for line in self._losses.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def finish(self, write: Callable[[Path], None]) -> None:
        """Put the trained model in place and remove the folder.

        If it is interrupted, the run is still unfinished, and can be repeated.

        Args:
            write: Writes the trained model's files to a folder.

        Raises:
            HiersearchError: The folder cannot be written to.
        """
        finished = self.path / "finished"
        try:
            shutil.rmtree(finished, ignore_errors=True)
            finished.mkdir()
            write(finished)
            for path in sorted(finished.iterdir()):
                target = self.output / path.name
                if target.is_dir():  # of an interrupted attempt
                    shutil.rmtree(target)
                path.replace(target)
        except OSError as error:
            raise unwritable(self.output, error) from error
        self.end()

    def end(self) -> None:
        """Remove the folder."""
        # First what makes it an unfinished run, should a kill leave the rest.
        with suppress(OSError):
            self._settings.unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    def _remove_rest(self) -> None:
        """Remove what a kill has kept from being removed, and nothing that is not of a run."""
        names = [path.name for path in self.path.iterdir()] if self.path.is_dir() else []
        if all(_CHECKPOINT.fullmatch(name) or name in _PARTS for name in names):
            self.end()

    def _require_same(self, settings: Mapping[str, Any]) -> None:
        try:
            before = json.loads(self._settings.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(
                f"{self._settings} cannot be read: {error}", hint=f"Delete {self.output}"
            ) from error
        now = json.loads(json.dumps(settings))
        changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
        if changed:
            raise UsageError(
                f"{self.output} holds an unfinished run with another {', '.join(changed)}",
                hint="Repeat that run's command to finish it, or name another folder with --output",
            )

    def _forget_after(self, step: int) -> None:
        kept = [line for line in self.losses() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        with whole_file(self._losses) as file:
            file.write(text.encode())


def unwritable(folder: Path, error: OSError) -> HiersearchError:
    """The error for a folder that cannot be written to."""
    return HiersearchError(
        f"{folder} cannot be written: {error.strerror or error}",
        hint="Make room there, or name another folder with --output",
    )


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


OWN_FILE = "root.safetensors"
"""The weights of the loss itself, in a checkpoint."""


class AlignmentTrainer(SentenceTransformerTrainer):
    """Trains without dropout, notes every step's losses, and saves what the loss itself learns.

    Args:
        note_losses: Called after each step with its number, from 1, and its losses by name.
        on_progress: Called with the number of steps done.
        one_cycle: Whether the learning rate rises and falls once, overriding the arguments.
        settings: What `SentenceTransformerTrainer` takes.
    """

    def __init__(
        self,
        *,
        note_losses: Callable[[int, Mapping[str, float]], None],
        on_progress: Progress,
        one_cycle: bool = False,
        **settings: Any,
    ) -> None:
        self._note_losses = note_losses
        self._on_progress = on_progress
        self._one_cycle = one_cycle
        self._parts: dict[str, float] = {}
        super().__init__(**settings)
        self.remove_callback(PrinterCallback)

    def resume(self, checkpoint: Path | None) -> None:
        """Train from a checkpoint or from the start; load the best model if all steps are done.

        Args:
            checkpoint: A complete one; None for the start.
        """
        if checkpoint is not None:
            state = TrainerState.load_from_json(str(checkpoint / LAST_WRITTEN))
            if state.global_step >= self.args.max_steps:  # the stock trainer would do one more
                self._load_from_checkpoint(state.best_model_checkpoint or str(checkpoint))
                return
        self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))

    def training_step(self, *args: Any, **settings: Any) -> Tensor:
        """One step; its losses are noted."""
        loss: Tensor = super().training_step(*args, **settings)
        step = self.state.global_step + 1
        self._note_losses(step, {"loss": sum(self._parts.values()), **self._parts})
        self._on_progress("training", step, self.state.max_steps)
        return loss

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none: the run writes its own card, and the stock one takes paths for texts."""
        del default_args_dict

    def compute_loss(self, model: Any, *args: Any, **settings: Any) -> Any:
        """The loss without dropout, and without a batch's statistics entering frozen towers."""
        model.eval()
        return super().compute_loss(model, *args, **settings)

    def track_loss_components(self, loss: dict[str, Tensor]) -> None:
        """Keep the parts of the loss as well."""
        self._parts = {name: float(part.detach()) for name, part in loss.items()}
        super().track_loss_components(loss)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LRScheduler:
        """The schedule of the arguments, or one cycle."""
        if self._one_cycle and self.lr_scheduler is None:
            chosen = optimizer or self.optimizer
            assert chosen is not None
            # transformers takes any scheduler, though its annotation names one kind.
            self.lr_scheduler = OneCycleLR(  # type: ignore[assignment]
                chosen,
                max_lr=self.args.learning_rate,
                total_steps=num_training_steps,
            )
        scheduler: LRScheduler = super().create_scheduler(num_training_steps, optimizer)
        return scheduler

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # The stock trainer knows the model's weights alone; a learned root or head is the loss's.
        super()._save(output_dir, state_dict)
        own = _own_weights(self.loss)
        if own:
            folder = output_dir or self.args.output_dir
            assert folder is not None
            save_file(own, Path(folder) / OWN_FILE)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:  # type: ignore[override]
        super()._load_from_checkpoint(checkpoint_path)
        own = _own_weights(self.loss)
        if own:
            for name, value in load_file(Path(checkpoint_path) / OWN_FILE).items():
                own[name].copy_(value)


class Validator(BaseEvaluator):
    """Measures while a model trains.

    Args:
        measure: What to measure.
    """

    def __init__(self, measure: Callable[[], Validation]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._measure = measure
        self.found: dict[int, Validation] = {}

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """The measures by name."""
        del model, output_path, epoch
        found = self._measure()
        self.found[steps] = found
        return dict(vars(found))


def _own_weights(loss: Any) -> dict[str, Tensor]:
    """The values of a loss's own parameters: a root, or a head, apart from the model's weights."""
    own = getattr(loss, "root", None) or getattr(loss, "head", None)
    return {} if own is None else {n: p.data for n, p in own.named_parameters()}
