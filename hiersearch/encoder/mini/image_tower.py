"""EfficientNet-Lite0 as a stock EfficientNet of transformers, and its image processor.

Lite is an EfficientNet without squeeze-and-excitation gates, with ReLU6, and with the stem and the
head left at their size (github.com/tensorflow/tpu, efficientnet/lite).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import EfficientNetConfig, EfficientNetImageProcessorPil, EfficientNetModel

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["image_processor", "image_tower"]

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
