"""The model card: README.md in a trained model's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hiersearch.alignment.freezing import Trained
from hiersearch.alignment.settings import TrainingSettings
from hiersearch.alignment.validation import Validation

__all__ = ["model_card"]


def model_card(
    settings: TrainingSettings,
    *,
    data: str,
    learning_rate: float,
    steps: int,
    trained: Trained,
    before: Validation | None,
    after: Validation | None,
    seconds: float,
    citation: str,
    versions: Mapping[str, str],
) -> str:
    """Markdown, with the metadata that model hubs read at its top.

    Args:
        settings: The settings of the run.
        data: The name of its data.
        learning_rate: The one that was used.
        steps: The number of batches.
        trained: Which weights were trained.
        before: Measures before training; None if no data was kept for validation.
        after: The same afterwards.
        seconds: How long training took.
        citation: BibTeX of the loss.
        versions: Of the packages that the model was trained with.
    """
    model = Path(settings.model).name  # no folders of whoever trained it
    shown = {**settings.to_json(), "learning_rate": learning_rate, "steps": steps}
    shown |= {"model": model, "data": data}
    lines = [
        "---",
        "library_name: sentence-transformers",
        "tags: [sentence-transformers, hiersearch, hierarchical-image-search]",
        *([f"base_model: {settings.model}"] if settings.model.count("/") == 1 else []),
        "---",
        f"# {model}, aligned with {data}",
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
        f"Trained: {trained.layers} of {trained.of} layers of the text tower. "
        f"Licence and terms are those of {model} and of {data}.",
        "",
        *_scores(before, after),
        "## Training",
        "| setting | value |",
        "| --- | --- |",
        *(f"| {name} | {_shown(value)} |" for name, value in shown.items() if value is not None),
        f"| time | {seconds:.0f} s |",
        *(f"| {package} | {version} |" for package, version in versions.items()),
        "",
        "## Citation",
        "```bibtex",
        citation.strip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _scores(before: Validation | None, after: Validation | None) -> list[str]:
    if before is None or after is None:
        return ["Not validated: no data was kept for it.", ""]
    return [
        "## Validation",
        "On hierarchies that were not trained on, with the most specific text of each in place of",
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
