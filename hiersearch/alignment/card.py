"""The model card: README.md in a trained model's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hiersearch.alignment.freezing import Trained
from hiersearch.alignment.settings import TrainingSettings
from hiersearch.alignment.validation import Validation

__all__ = ["model_card", "pair_card"]


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
        *_top(settings.model),
        f"# {model}, aligned with {data}",
        "",
        "A dual encoder whose geometry follows hierarchies: general texts lie near the embedding",
        "of the empty text, specific ones further out. Made by hiersearch "
        f"{versions['hiersearch']}.",
        "",
        *_OPENING,
        f"Trained: {trained.layers} of {trained.of} layers of the text tower. "
        f"Licence and terms are those of {model} and of {data}.",
        "",
        *_scores(before, after),
        *_training(shown, seconds, versions),
        *_citation(citation),
    ]
    return "\n".join(lines) + "\n"


def pair_card(
    settings: Mapping[str, Any],
    *,
    photos: int,
    steps: int,
    before: Mapping[str, float] | None,
    after: Mapping[str, float] | None,
    seconds: float,
    citation: str,
    versions: Mapping[str, str],
) -> str:
    """The card of a model that was trained on captioned photos.

    Args:
        settings: The settings of the run, as values of JSON.
        photos: How many photos were trained on.
        steps: The number of batches.
        before: What captions found among photos that were kept from training, before it; None if
            no photos were kept.
        after: The same afterwards.
        seconds: How long training took.
        citation: BibTeX of the loss.
        versions: Of the packages that the model was trained with.
    """
    # No folders of whoever trained it.
    names = {name: Path(settings[name]).name for name in ("model", "data")}
    lists = {name: [Path(one).name for one in settings[name]] for name in _LISTS}
    shown = {**settings, **names, **lists, "photos": photos, "steps": steps}
    shown["class_texts"] = Path(settings["class_texts"]).name or None
    lines = [
        *_top(settings["model"]),
        f"# {names['model']}, trained on {names['data']}",
        "",
        f"A dual encoder whose towers were trained on {photos} captioned photos. Made by",
        f"hiersearch {versions['hiersearch']}.",
        "",
        *_OPENING,
        f"Licence and terms are those of {names['model']} and of {names['data']}.",
        "",
    ]
    if before is not None and after is not None:
        lines += [
            "## Validation",
            "Captions of photos that were not trained on, among these photos: the share that finds",
            "its own first, and among the first ten.",
            "",
            "| measure | before | after |",
            "| --- | --- | --- |",
            *(f"| {name} | {before[name]:.3g} | {value:.3g} |" for name, value in after.items()),
            "",
        ]
    lines += [*_training(shown, seconds, versions), *_citation(citation)]
    return "\n".join(lines) + "\n"


_LISTS = ("hierarchies", "exclude")
"""Settings that are lists of files."""

_OPENING = (
    "```python",
    "from sentence_transformers import SentenceTransformer",
    "",
    'model = SentenceTransformer("path/of/this/folder")',
    "```",
    "`hiersearch index PHOTOS --model path/of/this/folder` indexes photos with it.",
    "",
)


def _top(model: str) -> list[str]:
    """The metadata that model hubs read."""
    return [
        "---",
        "library_name: sentence-transformers",
        "tags: [sentence-transformers, hiersearch, hierarchical-image-search]",
        *([f"base_model: {model}"] if model.count("/") == 1 else []),
        "---",
    ]


def _training(shown: Mapping[str, Any], seconds: float, versions: Mapping[str, str]) -> list[str]:
    return [
        "## Training",
        "| setting | value |",
        "| --- | --- |",
        *(f"| {name} | {_shown(value)} |" for name, value in shown.items() if value is not None),
        f"| time | {seconds:.0f} s |",
        *(f"| {package} | {version} |" for package, version in versions.items()),
        "",
    ]


def _citation(citation: str) -> list[str]:
    return ["## Citation", "```bibtex", citation.strip(), "```"]


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
