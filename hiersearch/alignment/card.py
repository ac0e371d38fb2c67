"""What a trained model's folder says for people: its README.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiersearch.alignment.validation import Validation

if TYPE_CHECKING:
    from hiersearch.alignment.trainer import TrainingRun

__all__ = ["model_card"]


def model_card(run: TrainingRun, versions: Mapping[str, str]) -> str:
    """Markdown, with the metadata that model hubs read at its top.

    Args:
        run: The run.
        versions: Of the packages that it was trained with.
    """
    settings = run.settings
    model = Path(settings.model).name  # no folders of whoever trained it
    told = {**settings.to_json(), "learning_rate": run.learning_rate, "steps": run.steps}
    told |= {"model": model, "data": run.data}
    lines = [
        "---",
        "library_name: sentence-transformers",
        "tags: [sentence-transformers, hiersearch, hierarchical-image-search]",
        *([f"base_model: {settings.model}"] if settings.model.count("/") == 1 else []),
        "---",
        f"# {model}, aligned with {run.data}",
        "",
        "A dual encoder whose geometry follows hierarchies: general texts lie near the embedding",
        "of the empty text, specific ones further out. Made by hiersearch "
        f"{versions['hiersearch']}.",
        "",
        "```python",
        "from sentence_transformers import SentenceTransformer",
        "",
        'model = SentenceTransformer("path/of/this/folder")',
        "```",
        "`hiersearch index PHOTOS --model path/of/this/folder` indexes photos with it.",
        "",
        f"Trained: {run.trained.layers} of {run.trained.of} layers of the text tower. "
        f"Licence and terms are those of {model} and of {run.data}.",
        "",
        *_scores(run.before, run.after),
        "## Training",
        "| setting | value |",
        "| --- | --- |",
        *(f"| {name} | {_shown(value)} |" for name, value in told.items() if value is not None),
        f"| time | {run.seconds:.0f} s |",
        *(f"| {package} | {version} |" for package, version in versions.items()),
    ]
    return "\n".join(lines) + "\n"


def _scores(before: Validation | None, after: Validation | None) -> list[str]:
    if before is None or after is None:
        return ["Not validated: no data was kept for it.", ""]
    return [
        "## Validation",
        "On hierarchies that were not trained on, each one's most specific text in the place of",
        "a photo.",
        "",
        "| measure | before | after |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {getattr(before, name):.3f} | {value:.3f} |"
            for name, value in vars(after).items()
        ),
        "",
    ]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items()) or "the loss's own"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
