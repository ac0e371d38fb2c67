"""The models that have a name, as data, and where models lie on this machine.

To add a model, add an entry to `MODELS`: the command line, the default and the errors follow.
A model is looked for on this machine before the network is asked. Imports no model libraries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from hiersearch.config import cache_dir
from hiersearch.errors import MissingPackageError, ModelError, ModelNotFoundError, require

__all__ = [
    "FORMER",
    "IN_MEMORY",
    "MINI",
    "MODELS",
    "MODEL_CHOICES",
    "MODEL_NAMES",
    "Builder",
    "Model",
    "better_model",
    "current_name",
    "default_model",
    "find_model",
    "graph_folder",
    "model_folder",
]

IN_MEMORY = "a model in memory"
"""The name of a model that was passed as an object, and so has neither name nor folder."""

HUB_TIMEOUT = 5.0
"""Seconds to wait for the model hub's first answer."""

OTHER_FORMATS = ["*.h5", "*.msgpack", "*.onnx", "*.ot", "*.tflite", "onnx/*", "openvino/*"]
"""Weights in formats that are not read here."""

Builder: TypeAlias = Callable[[Path], Path]
"""From the cache folder to the folder of a model, which is built there on first use."""


@dataclass(frozen=True)
class Model:
    """A model with a short name.

    Attributes:
        name: What users call it.
        source: Its Hugging Face repository, or what builds it on this machine.
        dimension: Length of its vectors.
        licence: The licence of its weights, as an SPDX identifier where there is one.
        sees: What it is good at, in one sentence.
        id: `HierarchicalEncoder.id`, where it is known without loading the model. Indexes and
            attachments remember it: a name may come to mean newer weights.
        followed_by: The model that does the same better, where there is one.
        graphs: Gives the folder of its graphs, where they come with hiersearch.
    """

    name: str
    source: str | Builder
    dimension: int
    licence: str
    sees: str
    id: str | None = None
    followed_by: str | None = None
    graphs: Callable[[], Path] | None = None


def _mini(cache: Path) -> Path:
    from hiersearch.encoder.mini.second_generation import mini_folder

    return mini_folder(cache)


def _mini_1(cache: Path) -> Path:
    require("torch", extra="mini-1", purpose="the model mini-1")
    from hiersearch.encoder.mini.first_generation import mini_1_folder

    return mini_1_folder(cache)


def _mini_aligned_1(cache: Path) -> Path:
    require("torch", extra="mini-1", purpose="the model mini-aligned-1")
    from hiersearch.encoder.mini.first_generation import mini_aligned_1_folder

    return mini_aligned_1_folder(cache)


MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "mini",
            _mini,
            384,
            "Apache-2.0",
            "People, animals, things, scenes; small details, counts and colours only roughly.",
            id="mini-2-a36de36dc884",
            graphs=lambda: _packed(),
        ),
        Model(
            "clip-b",
            "openai/clip-vit-base-patch32",
            512,
            "MIT",
            "Everyday photos, people and colours included; not trained on hierarchies.",
        ),
        Model(
            "clip-l",
            "openai/clip-vit-large-patch14",
            768,
            "MIT",
            "The same as clip-b in more detail, at several times the cost.",
        ),
        Model(
            "hierarcaps-clip-b",
            "malper/hierarcaps-clip-b",
            512,
            "see its page on Hugging Face",
            "Everyday photos, people and colours included; aligned with HierarCaps' hierarchies.",
        ),
        Model(
            "hierarcaps-clip-l",
            "malper/hierarcaps-clip-l",
            768,
            "see its page on Hugging Face",
            "The same as hierarcaps-clip-b in more detail, at several times the cost.",
        ),
        Model(
            "mini-1",
            _mini_1,
            384,
            "Apache-2.0",
            "What mini was: things, animals, food and places, hardly people. For old indexes.",
            id="mini-1-53aa51172d14-579344248a93",
            followed_by="mini",
        ),
        Model(
            "mini-aligned-1",
            _mini_aligned_1,
            384,
            "Apache-2.0",
            "The photos of mini-1, with texts moved so that general ones lie near the root.",
            id="mini-aligned-4ef2a05750c3-mini-1-53aa51172d14-579344248a93",
            followed_by="mini",
        ),
    )
}
"""The models that have a short name, by that name."""

FORMER: Mapping[str, str] = {"mini": "mini-1", "mini-aligned": "mini-aligned-1"}
"""What names meant before: collections that were attached then know only the name and the root."""

MODEL_NAMES = tuple(name for name, model in MODELS.items() if model.followed_by is None)
"""The short names to choose from; those of models that others have followed are still known."""

MODEL_CHOICES = f"{', '.join(MODEL_NAMES)}, a Hugging Face name or a folder"
"""What `--model` and its like accept, for help texts."""

MINI = "mini"
"""The default where the preferred model is not on this machine: it needs no network."""

PREFERRED = "hierarcaps-clip-b"
"""The default where it is on this machine."""


def default_model(environ: Mapping[str, str] = os.environ) -> tuple[str, str | None]:
    """The model to use if none was named and no index remembers one.

    Args:
        environ: The environment; `HIERSEARCH_MODEL` names the default.

    Returns:
        The model's name, and one line for the user if a better model could be downloaded.

    Raises:
        MissingPackageError: No model can be used: what computes them is not installed.
    """
    if chosen := environ.get("HIERSEARCH_MODEL"):
        return chosen, None
    can_load = find_spec("sentence_transformers") is not None
    if can_load and find_model(PREFERRED, environ) is not None:
        return PREFERRED, None
    if not can_load and find_spec("onnxruntime") is None:
        raise MissingPackageError("onnxruntime", extra=MINI, purpose="encoding photos")
    how = "is downloaded once" if can_load else 'needs "hiersearch[models]"'
    return MINI, (
        f"Using the small offline model, which sees small details, counts and colours only "
        f"roughly; --model {PREFERRED} sees more, and {how}"
    )


def better_model(name: str) -> str | None:
    """One line for the user of an index whose model has been followed by a better one.

    Args:
        name: The index's model.
    """
    model = MODELS.get(name)
    if model is None or model.followed_by is None:
        return None
    return (
        f"This index was made with {name}, which hardly sees people; {model.followed_by} does, and "
        f"finds more by captions. 'hiersearch index --model {model.followed_by}', with the same "
        "--name or --store, moves the index: its photos are read again"
    )


def _packed() -> Path:
    """The folder of the offline model's files, which come with hiersearch."""
    from hiersearch.encoder.mini.second_generation import packed_folder

    return packed_folder()


def current_name(name: str, model_id: str) -> str:
    """What a model is called now.

    Args:
        name: What it was called when its id was recorded; a short name may since have come to mean
            newer weights.
        model_id: Its id.
    """
    if name not in MODELS and name not in FORMER:
        return name
    return next((model.name for model in MODELS.values() if model.id == model_id), name)


def find_model(name: str | Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Looks for a model on this machine: a folder, or a repository in the hub's cache.

    Args:
        name: A short name, a Hugging Face name, or a folder.
        environ: The environment, for the place of the hub's cache.

    Returns:
        The model's folder; None if it is not on this machine, or still has to be built.

    Raises:
        MissingPackageError: The Hugging Face client is not installed.
    """
    folder = Path(name).expanduser()
    if isinstance(name, Path) or _is_path(name):
        return folder if folder.is_dir() else None
    if name not in MODELS and _holds_model(folder):
        return folder
    repository = _repository(name)
    if repository is None:
        return None
    held = f"models--{repository.replace('/', '--')}"
    caches = [cache for cache in _hub_caches(environ) if (cache / held).is_dir()]
    if not caches:
        return None  # without the half second that the hub's client takes to load
    hub = _hub()
    for cache in caches:
        cached: str | None
        try:
            cached = hub.snapshot_download(repository, cache_dir=cache, local_files_only=True)
        except hub.errors.HFValidationError:
            return None
        except hub.errors.LocalEntryNotFoundError as error:
            # Also raised where only files of other formats are missing.
            cached = getattr(error, "snapshot_path", None)
        if cached is not None and _holds_model(Path(cached)):
            return Path(cached)
    return None


def model_folder(name: str | Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of a model, which is built or downloaded if it is not on this machine.

    Args:
        name: A short name, a Hugging Face name, or a folder.
        environ: The environment, for the cache folders.

    Returns:
        A folder that holds a model.

    Raises:
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: There is such a folder, but no model in it; or the model cannot be built.
        MissingPackageError: A package that is needed to build or to download it is missing.
    """
    known = MODELS.get(name) if isinstance(name, str) else None
    if known is not None and not isinstance(known.source, str):
        return known.source(cache_dir(environ))
    found = find_model(name, environ)
    if found is not None:
        if not _holds_model(found):
            raise ModelError(
                f"the folder {found} holds no model",
                hint="Name a folder that has a config.json or modules.json and weights",
            )
        return found
    if isinstance(name, Path) or _is_path(name):
        raise ModelNotFoundError(f"there is no model folder {name}", hint=f"Choose {MODEL_CHOICES}")
    if name in FORMER:
        raise ModelNotFoundError(
            f"the model {name} has become part of {MINI}",
            hint=f"Use {MINI}; or {FORMER[name]}, if its vectors have to be the same as before",
        )
    return _download(name, environ)


def graph_folder(name: str | Path) -> Path | None:
    """The folder of a model's graphs; None if it has none, or if nothing here computes them.

    Args:
        name: A short name, or a folder that `hiersearch export` made.
    """
    known = MODELS.get(name) if isinstance(name, str) else None
    if known is not None:
        # With the model libraries alone, the stock model does the same.
        computed = find_spec("onnxruntime") or not find_spec("sentence_transformers")
        return known.graphs() if known.graphs is not None and computed else None
    from hiersearch.encoder.graphs.graph_folder import NOTES

    folder = Path(name).expanduser()
    return folder if (folder / NOTES).is_file() else None


def _download(name: str, environ: Mapping[str, str]) -> Path:
    hub = _hub()
    repository = _repository(name)
    try:
        files = hub.HfApi().model_info(repository, timeout=HUB_TIMEOUT).siblings or []
        ignored = list(OTHER_FORMATS)
        if any(file.rfilename.endswith(".safetensors") for file in files):
            ignored.append("*.bin")
        folder = hub.snapshot_download(
            repository, cache_dir=_hub_caches(environ)[0], ignore_patterns=ignored
        )
    except (hub.errors.HFValidationError, hub.errors.RepositoryNotFoundError) as error:
        # A gated repository is a RepositoryNotFoundError, too.
        if isinstance(error, hub.errors.GatedRepoError):
            raise ModelNotFoundError(
                f"access to the model {repository} has to be requested",
                hint=f"Request it at https://huggingface.co/{repository}, then run: hf auth login",
            ) from error
        raise ModelNotFoundError(
            f"no model is called {name}", hint=f"Choose {MODEL_CHOICES}"
        ) from error
    # HTTPError is that of whichever HTTP library the hub's client uses.
    except (hub.errors.HTTPError, OSError) as error:
        raise ModelNotFoundError(
            f"the model {name} was not found on this machine and could not be downloaded: {error}",
            hint=f"Check the name, go online once, or use the offline model, {MINI}",
        ) from error
    return Path(folder)


def _hub() -> Any:
    """Hugging Face's client, with its `errors`."""
    require("huggingface_hub.errors", extra="models", purpose="finding a model")
    return require("huggingface_hub", extra="models", purpose="finding a model")


def _repository(name: str) -> str | None:
    """The full Hugging Face name; None for a model that is built here."""
    if name in MODELS:
        source = MODELS[name].source
        return source if isinstance(source, str) else None
    return name if "/" in name else f"sentence-transformers/{name}"


def _is_path(name: str) -> bool:
    """Whether a name can only be a path: Hugging Face names have one slash, and not in front."""
    return (
        name.startswith((".", "~", os.sep))
        or name.endswith(("/", os.sep))
        or name.count("/") > 1
        or (os.sep != "/" and os.sep in name)
    )


def _holds_model(folder: Path) -> bool:
    """Whether the folder has a model's configuration and some weights."""
    configured = (folder / "modules.json").is_file() or (folder / "config.json").is_file()
    return configured and any(path.suffix in (".safetensors", ".bin") for path in folder.rglob("*"))


def _hub_caches(environ: Mapping[str, str]) -> Sequence[Path]:
    """Where Hugging Face's libraries keep their downloads; the first is written to."""
    places = []
    if own := environ.get("SENTENCE_TRANSFORMERS_HOME"):
        places.append(Path(own).expanduser())
    hub = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    if hub:
        return [*places, Path(hub).expanduser()]
    home = environ.get("HF_HOME")
    if home:
        return [*places, Path(home).expanduser() / "hub"]
    cache = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return [*places, cache / "huggingface" / "hub"]
