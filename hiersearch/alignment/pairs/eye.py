"""The image side of a model in training: which of its weights are trained, and the way through it.

Of an EfficientNet the last blocks are trained, from maps of the first ones that are computed once
for each photo (`views`). Statistics of batches stay as they are: batch normalisations are folded
into the convolutions before them, which leaves the stock modules, and what they compute, in place.
Depthwise filters stay as they are, too: they are a fiftieth of the weights and, on a CPU, most of
the time of a step.

Other models have their image half trained whole, or locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Router
from torch import Tensor, nn
from torch.nn import functional
from transformers import EfficientNetModel

from hiersearch.encoder.fusing import is_open
from hiersearch.errors import UsageError

__all__ = ["CutTower", "Glance", "Head", "grow_head", "has_eye"]

DROPOUT = 0.3
"""The share of the head's inputs and hidden units that is left out in each step."""

SHIFT = 20.0
"""How far below 0 the head's hidden units are, where a sigmoid is an exponential. The shift changes
nothing but the lengths of vectors, which do not count."""

AT_ONCE = 32
"""Photos whose maps pass through the tower together."""

LARGEST = 12.0
"""Above this, exponents of hidden units do not count in training: nothing overflows."""

TINY = 1e-6
"""Added to lengths, whose logarithms are taken."""

FIRST_WEIGHT = 0.02
FIRST_READ = 0.6
"""Sizes of a new head's weights: its vectors begin about as long as those of the classes."""

SIZE = 3.0
"""What the exponents of `mini-1`'s classes are lowered by."""


@dataclass(frozen=True)
class Glance:
    """What the eye makes of a batch.

    Attributes:
        vectors: (n, dim), of any length.
        outweighs: (n,), the logarithm of how much longer the learned part of a vector is than the
            part that comes from the classes that are kept; None if there are none.
        logits: (n, classes), the exponents of those classes; None if there are none.
    """

    vectors: Tensor
    outweighs: Tensor | None
    logits: Tensor | None


class Head(nn.Module):
    """A head of exponential units, in the form in which it is trained.

    A photo's vector is Σ exp(w_k·z + b_k) r_k, of which only the direction counts: a mixture of
    vectors r_k, weighted by how well the feature z fits. Some of the units may be classes of a
    classifier, with the texts of the classes as r_k (ConSE, Norouzi et al. 2014); they stay as they
    are, while the others learn.

    The features are standardised, which the stock layers have folded into their weights.

    Args:
        first: From features to hidden units, a sigmoid far below 0.
        second: From hidden units to vectors.
        kept: How many of the hidden units, counted from the last, are classes.
        mean: (width,), of the features of photos.
        deviation: (width,), above 0.

    Raises:
        UsageError: These layers are no such head.
    """

    def __init__(
        self, first: Dense, second: Dense, *, kept: int, mean: Tensor, deviation: Tensor
    ) -> None:
        super().__init__()
        added: Tensor | None = second.linear.bias  # whose type hides that there may be none
        if not isinstance(first.activation_function, nn.Sigmoid) or added is not None:
            raise UsageError(
                "the model's head has other units than those that are trained here",
                hint="Give it a new one: set head to a number of hidden units",
            )
        units = first.linear.out_features
        if kept > units:
            raise UsageError(
                f"the model's head has {units} units, fewer than {kept} classes",
                hint="Leave class_texts out, or name the file of this model's classes",
            )
        self._layers = (first, second)
        weight, bias = first.linear.weight.detach(), first.linear.bias.detach() + SHIFT
        read = second.linear.weight.detach()
        self.learned = len(weight) - kept
        own = weight[: self.learned]
        self.weight = nn.Parameter(own * deviation)
        self.bias = nn.Parameter(bias[: self.learned] + own @ mean)
        self.read = nn.Parameter(read[:, : self.learned].clone())
        for name, value in (
            ("mean", mean),
            ("deviation", deviation),
            ("class_weight", weight[self.learned :].clone()),
            ("class_bias", bias[self.learned :].clone()),
            ("class_read", read[:, self.learned :].clone()),
        ):
            self.register_buffer(name, value)

    mean: Tensor
    deviation: Tensor
    class_weight: Tensor
    class_bias: Tensor
    class_read: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """(n, classes), the exponents of the classes that are kept."""
        return functional.linear(features, self.class_weight, self.class_bias).float()

    def mixture(self, logits: Tensor) -> Tensor:
        """(n, dim) the part of vectors that comes from these classes, of any length."""
        return functional.linear(torch.exp(logits), self.class_read).float()

    def forward(self, features: Tensor) -> Glance:
        """What the head makes of features (n, width)."""
        standard = (features - self.mean) / self.deviation
        exponents = functional.linear(
            functional.dropout(standard, DROPOUT, self.training), self.weight, self.bias
        )
        hidden = torch.exp(exponents.float().clamp(max=LARGEST))
        hidden = functional.dropout(hidden, DROPOUT, self.training)
        learned = functional.linear(hidden, self.read).float()
        if not len(self.class_bias):
            return Glance(learned, None, None)
        logits = self.logits(features)
        classes = self.mixture(logits)
        outweighs = torch.log(learned.norm(dim=1) + TINY) - torch.log(classes.norm(dim=1) + TINY)
        return Glance(learned + classes, outweighs, logits)

    @torch.no_grad()
    def read_classes_as(self, texts: Tensor) -> None:
        """Read the classes as these vectors (classes, dim) of their texts from now on."""
        self.class_read.copy_(class_vectors(texts).T)

    @torch.no_grad()
    def write(self) -> None:
        """Put what was learned into the stock layers."""
        first, second = (layer.linear for layer in self._layers)
        weight = self.weight / self.deviation
        first.weight[: self.learned] = weight
        first.bias[: self.learned] = self.bias - weight @ self.mean - SHIFT
        second.weight[:, : self.learned] = self.read
        self.write_classes()

    @torch.no_grad()
    def write_classes(self) -> None:
        """Put what the classes are read as into the stock layers."""
        self._layers[1].linear.weight[:, self.learned :] = self.class_read


class CutTower:
    """The last blocks of a model's EfficientNet, as they are trained.

    Args:
        model: Changed in place: what is trained has gradients, the rest of the image route has not.
        blocks: How many of the tower's last blocks are trained; 0 for none.

    Attributes:
        tower: The stock module.
        processor: Prepares photos for it.
        layers: The stock layers of the head.
    """

    def __init__(self, model: SentenceTransformer, *, blocks: int) -> None:
        transformer, self.layers = _image_route(model)
        self.tower: Any = transformer.model
        self.processor = transformer.processor
        self.blocks = blocks
        every = list(self.tower.encoder.blocks)
        if blocks > len(every):
            raise UsageError(
                f"the image tower has {len(every)} blocks, not {blocks}",
                hint="Ask for fewer with image_blocks",
            )
        if not all(is_open(block.squeeze_excite) for block in every):
            raise UsageError(
                "the image tower has squeeze-and-excitation gates, which cannot be trained here",
                hint="Start from mini, or lock the image side with lock_image",
            )
        self.tower.requires_grad_(False).eval()
        for dense in self.layers:
            dense.requires_grad_(False)
        self._upper = every[len(every) - blocks :]
        if not blocks:
            return
        fold(self.tower)
        trained = [self.tower.encoder.top_conv.weight, self.tower.encoder.top_bn.bias]
        for block in self._upper:
            trained += [layer.weight for layer in _pointwise(block)]
            trained += [norm.bias for norm in _norms(block)]
        for weight in trained:
            weight.requires_grad_(True)

    def pooled(self, maps: Tensor) -> Tensor:
        """Pooled features (n, width) of maps (n, channels, height, width).

        Features that are pooled already, (n, width), are returned as they are: with 0 blocks
        nothing is left to compute. A few photos at a time are several times as fast as all of them.
        """
        if maps.ndim == 2:
            return maps
        return torch.cat([self._pooled(part) for part in torch.split(maps, AT_ONCE)])

    def _pooled(self, maps: Tensor) -> Tensor:
        hidden = maps.contiguous(memory_format=torch.channels_last)
        for block in self._upper:
            hidden = _through(block, hidden)
        encoder = self.tower.encoder
        top = _normalised(functional.conv2d(hidden, encoder.top_conv.weight), encoder.top_bn)
        pooled: Tensor = encoder.top_activation(top).mean(dim=(2, 3))
        return pooled.float()


def grow_head(model: SentenceTransformer, hidden: int, *, keep: bool) -> int:
    """Replace the head of a model's image route by one that can learn; see `Head`.

    Args:
        model: Changed in place.
        hidden: The number of new hidden units, drawn by torch's generator.
        keep: Whether the classes are kept that the model reads photos through, as `mini-1` does:
            what it could name before, it still can where the new units have nothing to say.

    Returns:
        The number of classes that were kept.

    Raises:
        UsageError: The model has no image route with such a head.
    """
    transformer, old = _image_route(model)
    width, dim = transformer.model.config.hidden_dim, old[-1].linear.out_features
    weight = torch.randn(hidden, width) * FIRST_WEIGHT
    bias = torch.full((hidden,), -SHIFT)
    read = torch.randn(dim, hidden) * FIRST_READ / hidden**0.5
    if keep:
        if not isinstance(old[0].activation_function, nn.Sigmoid):
            raise UsageError(
                "the model's head does not read photos through classes",
                hint="Start from mini-1, or leave kept out",
            )
        classes = class_vectors(old[1].linear.weight.detach().T).T
        weight = torch.cat([weight, old[0].linear.weight.detach()])
        # Their exponents stay as they are: those of the new units are of that size.
        bias = torch.cat([bias, old[0].linear.bias.detach() - SIZE])
        read = torch.cat([read, classes], dim=1)
    first = Dense(
        width,
        len(weight),
        activation_function=nn.Sigmoid(),
        init_weight=weight.contiguous(),
        init_bias=bias,
    )
    second = Dense(
        len(weight), dim, bias=False, activation_function=None, init_weight=read.contiguous()
    )
    for dense in (first, second):
        dense.module_input_name = dense.module_output_name = "sentence_embedding"
    router: Any = next(iter(model.children()))
    route = router.sub_modules["image"]
    route[1], route[2] = first, second
    return len(weight) - hidden


def class_vectors(texts: Tensor) -> Tensor:
    """What sets the texts of classes apart from each other: (classes, dim), about of length 1."""
    apart = texts - texts.mean(dim=0)
    scaled: Tensor = apart / apart.norm(dim=1).mean()
    return scaled


@torch.no_grad()
def fold(tower: EfficientNetModel) -> None:
    """Fold the batch normalisations of a tower into the convolutions before them, in place.

    Each stays behind as the addition of a bias. What the tower computes changes by rounding only.
    """
    inner: Any = tower
    pairs = [
        (inner.embeddings.convolution, inner.embeddings.batchnorm),
        (inner.encoder.top_conv, inner.encoder.top_bn),
    ]
    for block in inner.encoder.blocks:
        if block.expand_ratio != 1:
            pairs.append((block.expansion.expand_conv, block.expansion.expand_bn))
        pairs.append((block.depthwise_conv.depthwise_conv, block.depthwise_conv.depthwise_norm))
        pairs.append((block.projection.project_conv, block.projection.project_bn))
    for convolution, norm in pairs:
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        convolution.weight.copy_(convolution.weight.double() * scale[:, None, None, None])
        norm.bias.copy_(norm.bias.double() - norm.running_mean.double() * scale)
        norm.weight.fill_(1.0)
        norm.running_mean.fill_(0.0)
        norm.running_var.fill_(1.0 - norm.eps)


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution whose filters are not trained.

    On a CPU its gradient is computed as a convolution with the filters turned round, which is
    several times as fast as what torch does.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int, before: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.before = stride, before
        size = weight.shape[-1]
        if stride > 1:
            after = size - stride - before
            maps = functional.pad(maps, (before, after, before, after))
        padding = size // 2 if stride == 1 else 0
        return functional.conv2d(maps, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = gradients
        (weight,) = ctx.saved_tensors
        turned, size = weight.flip(2, 3), weight.shape[-1]
        if ctx.stride == 1:
            found = functional.conv2d(gradient, turned, padding=size // 2, groups=len(weight))
            return found, None, None, None
        count, channels, height, width = gradient.shape
        spread = gradient.new_zeros(count, channels, height * ctx.stride, width * ctx.stride)
        spread = spread.contiguous(memory_format=torch.channels_last)
        spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
        left = size - 1 - ctx.before
        right = size - 1 - left
        spread = functional.pad(spread, (left, right, left, right))
        return functional.conv2d(spread, turned, groups=len(weight)), None, None, None


def depthwise(maps: Tensor, weight: Tensor, stride: int, before: int) -> Tensor:
    """A depthwise convolution whose filters get no gradient.

    Args:
        maps: (n, channels, height, width).
        weight: (channels, 1, size, size).
        stride: 1, which keeps height and width, or 2, which halves them, if they are even.
        before: Rows and columns of zeros added at the top and on the left, with a stride of 2.
    """
    found: Tensor = _Depthwise.apply(maps, weight, stride, before)  # type: ignore[no-untyped-call]
    return found


def _through(block: Any, maps: Tensor) -> Tensor:
    """A block of the tower whose batch normalisations are folded and whose gates are open."""
    hidden = maps
    if block.expand_ratio != 1:
        layer = block.expansion
        hidden = _normalised(functional.conv2d(hidden, layer.expand_conv.weight), layer.expand_bn)
        hidden = layer.expand_act(hidden)
    layer = block.depthwise_conv
    before = layer.depthwise_conv_pad.padding[0] if layer.stride == 2 else 0
    hidden = depthwise(hidden, layer.depthwise_conv.weight.to(hidden.dtype), layer.stride, before)
    hidden = layer.depthwise_act(_normalised(hidden, layer.depthwise_norm))
    last = block.projection
    hidden = _normalised(functional.conv2d(hidden, last.project_conv.weight), last.project_bn)
    return hidden + maps if last.apply_dropout else hidden


def _normalised(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """A folded batch normalisation: only its bias is left."""
    return maps + norm.bias.to(maps.dtype)[:, None, None]


def _pointwise(block: Any) -> list[nn.Module]:
    layers = [block.projection.project_conv]
    return [block.expansion.expand_conv, *layers] if block.expand_ratio != 1 else layers


def _norms(block: Any) -> list[Any]:
    norms = [block.depthwise_conv.depthwise_norm, block.projection.project_bn]
    return [block.expansion.expand_bn, *norms] if block.expand_ratio != 1 else norms


def has_eye(model: SentenceTransformer) -> bool:
    """Whether a model's image route is an EfficientNet with a head of two layers."""
    try:
        _image_route(model)
    except UsageError:
        return False
    return True


def _image_route(model: SentenceTransformer) -> tuple[Any, tuple[Any, Any]]:
    """The image tower's module and the head's two layers.

    Raises:
        UsageError: The model has no such route.
    """
    router: Any = next(iter(model.children()))
    found: Any = router.sub_modules["image"] if isinstance(router, Router) else ()
    route = list(found)
    if (
        len(route) != 3
        or not isinstance(getattr(route[0], "model", None), EfficientNetModel)
        or not all(isinstance(layer, Dense) for layer in route[1:])
    ):
        raise UsageError(
            "the model has no EfficientNet with a head of two layers",
            hint="Start from mini",
        )
    return route[0], (route[1], route[2])
