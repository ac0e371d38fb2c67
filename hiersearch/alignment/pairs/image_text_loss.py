"""The loss of training on captioned photos: photos with captions, with words, and hierarchies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn.functional import normalize, softmax

from hiersearch.alignment.batches import Features, embed_distinct, encoded, unit_rows
from hiersearch.alignment.losses.contrastive import ContrastiveLoss
from hiersearch.alignment.losses.hierarchy_loss import drift
from hiersearch.alignment.losses.radial_embedding import AngleCost, RadialEmbeddingLoss
from hiersearch.alignment.losses.triples import triple_terms
from hiersearch.alignment.pairs.eye import CutTower, Head
from hiersearch.alignment.pairs.image_text_terms import (
    info_nce,
    kept_reading,
    kept_words,
    siglip,
    word_loss,
)
from hiersearch.alignment.pairs.pair_settings import PairSettings

__all__ = ["CITATION", "ImageTextLoss"]

REREAD = 40
"""Steps after which the classes that the head keeps are read anew."""

READING = 0.04
"""The temperature at which photos are read as words that are to be kept."""

HALVED = 2.0
"""`mini-1` reads the classes at half their classifier's logits; whether that was sure is asked of
the whole ones."""

CITATION = ContrastiveLoss.citation + RadialEmbeddingLoss.citation
"""BibTeX of the losses that this one is made of."""


class ImageTextLoss(nn.Module):
    """Photos beside their captions and words, and texts in their hierarchies, at once.

    ``loss = pairs + words · L_words + hierarchy · (mean of L_RE) + classes · L_classes
    + reading · L_reading + regulariser · L_reg
    + balance · (logarithm of how much the learned part outweighs)²``

    Each part, its weight and what it is for: `PairSettings` and `image_text_terms`.

    Args:
        model: The model to train.
        settings: The weights of the parts.
        eye: The part of the image tower that is trained, and the head; None if photos come as
            vectors, or as pixels for the whole tower.
        class_texts: Those of the classes that the head keeps.

    Inputs:
        The batches of `PairCollator`.

    References:
        - Learning Transferable Visual Models From Natural Language Supervision:
          https://arxiv.org/abs/2103.00020
        - Sigmoid Loss for Language Image Pre-Training: https://arxiv.org/abs/2303.15343
        - Emergent Visual-Semantic Hierarchies in Image-Text Representations:
          https://arxiv.org/abs/2407.08521
    """

    citation = CITATION

    def __init__(
        self,
        model: SentenceTransformer,
        settings: PairSettings,
        eye: tuple[CutTower, Head] | None,
        class_texts: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.tower: CutTower | None = None if eye is None else eye[0]
        self.head: Head | None = None if eye is None else eye[1]
        self._class_texts = list(class_texts)
        self._classes: Tensor | None = None
        self._steps = 0

    def forward(self, features: list[Features], labels: Tensor | None = None) -> dict[str, Tensor]:
        """The parts of the loss, each with its weight."""
        del labels
        texts, photos = features
        if self._steps % REREAD == 0:
            self.read_classes()
        self._steps += 1
        seen = self._photos(photos)
        vectors = self._texts(texts)
        settings = self.settings
        # Cosines in half precision are too coarse to be divided by a temperature.
        with torch.autocast(seen["vectors"].device.type, enabled=False):
            found = {"pairs": self._pairs(seen["vectors"], vectors[texts["captions"]])}
            if settings.words:
                words = word_loss(
                    seen["vectors"],
                    vectors[texts["words"]],
                    texts["shown"],
                    temperature=settings.word_temperature,
                )
                found["words"] = settings.words * words
            if settings.classes and "logits" in seen:
                kept = kept_reading(seen["logits"], seen["before"])
                found["classes"] = settings.classes * kept
            if settings.reading and "logits" in seen:
                found["reading"] = settings.reading * self._reading(seen, photos["people"])
            if settings.balance and "outweighs" in seen:
                found["balance"] = settings.balance * seen["outweighs"].square().mean()
            if settings.text_layers:
                found |= self._text_parts(texts, vectors)
        return found

    def read_classes(self) -> None:
        """Let the head read the classes that it keeps as what the text tower makes of them now."""
        if self.head is None or not self._class_texts:
            return
        if self._classes is None or self.settings.text_layers:
            found = encoded(self.model, self._class_texts)
            self._classes = found.clone().to(self.head.class_read)
        if self.settings.text_layers:
            self.head.read_classes_as(self._classes)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings that a model card shows."""
        return self.settings.to_json()

    def _pairs(self, photos: Tensor, captions: Tensor) -> Tensor:
        cost = info_nce if self.settings.loss == "infonce" else siglip
        return cost(photos, captions, temperature=self.settings.temperature)

    def _reading(self, seen: Mapping[str, Tensor], people: Tensor) -> Tensor:
        """Only what was read surely counts, and only photos that show nobody by their captions.

        A classifier that knows no people reads what they wear.
        """
        assert self.head is not None
        assert self._classes is not None
        before = seen["before"]
        sure = softmax(HALVED * before, dim=1).amax(dim=1) ** 2 * ~people
        mixture = normalize(self.head.mixture(before), dim=-1)
        return kept_words(seen["vectors"], mixture, self._classes, sure, temperature=READING)

    def _text_parts(self, texts: Features, vectors: Tensor) -> dict[str, Tensor]:
        settings = self.settings
        found: dict[str, Tensor] = {}
        if settings.regulariser:
            found["regulariser"] = settings.regulariser * drift(vectors, texts["frozen"])
        if settings.hierarchy and "hierarchies" in texts:
            rows, present = texts["hierarchies"], texts["present"]
            tiers = rows.shape[1] // 2
            mean, _ = triple_terms(
                vectors[rows[:, :tiers]],
                vectors[rows[:, tiers:]],
                vectors[-1],  # the empty text, which moves with the tower
                AngleCost(),
                has_positives=present[:, :tiers],
                has_negatives=present[:, tiers:],
            )
            found["hierarchy"] = settings.hierarchy * mean
        return found

    def _texts(self, features: Features) -> Tensor:
        """(distinct texts, dim) of length 1; from before training, if the text tower is locked."""
        if not self.settings.text_layers:
            frozen: Tensor = features["frozen"]
            return frozen
        tokens: Features = {
            name: features[name]
            for name in ("input_ids", "attention_mask", "token_type_ids")
            if name in features
        }
        return embed_distinct(self.model, tokens)

    def _photos(self, features: Features) -> dict[str, Tensor]:
        if self.tower is not None and self.head is not None:
            # What is left out at random is left out of the head alone.
            self.head.train()
            seen = self.head(self.tower.pooled(features["pixel_values"]))
            found = {"vectors": normalize(seen.vectors, dim=-1)}
            if seen.logits is not None:
                found |= {"logits": seen.logits, "outweighs": seen.outweighs}
                found["before"] = self.head.logits(features["before"])
            return found
        if "sentence_embedding" in features:
            return {"vectors": features["sentence_embedding"]}
        return {"vectors": unit_rows(self.model(dict(features))["sentence_embedding"])}
