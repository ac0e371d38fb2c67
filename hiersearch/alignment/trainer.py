"""sentence-transformers' trainer, with what alignment needs in addition.

No dropout, the losses of every step noted, a learned root kept in checkpoints, and runs that resume
from a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.evaluation import BaseEvaluator
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from transformers import PrinterCallback, TrainerState

from hiersearch.alignment.run_folder import LAST_WRITTEN
from hiersearch.alignment.validation import Validation
from hiersearch.progress import Progress

__all__ = ["AlignmentTrainer", "Validator"]

ROOT_FILE = "root.safetensors"


class AlignmentTrainer(SentenceTransformerTrainer):
    """Trains without dropout, notes every step's losses, and saves a root that is learned.

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
        # The stock trainer knows the model's weights alone; a learned root is the loss's.
        super()._save(output_dir, state_dict)
        roots = _roots(self.loss)
        if roots:
            folder = output_dir or self.args.output_dir
            assert folder is not None
            save_file(roots, Path(folder) / ROOT_FILE)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:  # type: ignore[override]
        super()._load_from_checkpoint(checkpoint_path)
        roots = _roots(self.loss)
        if roots:
            for name, value in load_file(Path(checkpoint_path) / ROOT_FILE).items():
                roots[name].copy_(value)


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


def _roots(loss: Any) -> dict[str, Tensor]:
    """The values of a loss's own parameters: a root that is learned apart from the weights."""
    root = getattr(loss, "root", None)
    return {} if root is None else {n: p.data for n, p in root.named_parameters()}
