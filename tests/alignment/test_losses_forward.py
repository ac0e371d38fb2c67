"""Losses as modules: from features to parts, and from parts to the weights."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from PIL import Image

from hiersearch.alignment.batches import HierarchyCollator
from hiersearch.alignment.losses import (
    ContrastiveLoss,
    EntailmentConeLoss,
    RadialCrossModalLoss,
    RadialEmbeddingLoss,
)
from hiersearch.alignment.losses.entailment_cone import ConeCost
from hiersearch.alignment.losses.radial_cross_modal import path_terms
from hiersearch.alignment.losses.radial_embedding import AngleCost
from hiersearch.alignment.losses.roots import make_root
from hiersearch.alignment.losses.triples import triple_terms
from hiersearch.errors import UsageError

POSITIVES = [
    ["animal", "a goat", "a small goat", "a small goat near the old house"],
    ["animal", "a cat", "a grey cat", "a grey cat sits on a tree"],
    ["vehicle", "a car", "a red car", "a red car near the sea"],
]
NEGATIVES = [
    ["plant", "a portrait", "a big goat", "a small goat in a field"],
    ["vehicle", "a dog", "a red cat", "a grey cat runs"],
    ["animal", "a rose", "an old car", "a red car in a field"],
]
LOSSES = [RadialEmbeddingLoss, EntailmentConeLoss, RadialCrossModalLoss, ContrastiveLoss]


def rows(positives=POSITIVES, negatives=NEGATIVES):
    sides = {"positive": positives, "negative": negatives}
    return [
        {
            f"{side}_{tier + 1}": texts[number][tier]
            for side, texts in sides.items()
            if texts
            for tier in range(len(texts[number]))
        }
        for number in range(len(positives))
    ]


def columns(model, positives=POSITIVES, negatives=NEGATIVES):
    """What the trainer makes of the stock collator's batch."""
    every = [
        list(column)
        for side in (positives, negatives)
        if side
        for column in zip(*side, strict=True)
    ]
    return [dict(model.preprocess(column, prompt=None, task=None)) for column in every]


def collated(model, given, **settings):
    """What the trainer makes of our collator's batch."""
    batch = HierarchyCollator(model, **settings)(given)
    found = [{key[6:]: value for key, value in batch.items() if key.startswith("texts_")}]
    photos = {key[6:]: value for key, value in batch.items() if key.startswith("photo_")}
    return [*found, photos] if photos else found


def encoded(model, hierarchies):
    flat = [text for texts in hierarchies for text in texts]
    vectors = model.encode(flat, convert_to_tensor=True, normalize_embeddings=True)
    return vectors.reshape(len(hierarchies), -1, vectors.shape[-1])


def vectors(model):
    root = model.encode([""], convert_to_tensor=True, normalize_embeddings=True)[0]
    return encoded(model, POSITIVES), encoded(model, NEGATIVES), root


def values(parts):
    return {name: float(part.detach()) for name, part in parts.items()}


def moved(model):
    """The model, a little elsewhere."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.03)
    return model


@pytest.mark.parametrize("features", [columns, lambda model: collated(model, rows())])
class TestForward:
    def test_radial_embedding(self, tiny, features):
        found = RadialEmbeddingLoss(tiny, mean=2.0, minimax=0.5)(features(tiny))
        mean, minimax = triple_terms(*vectors(tiny), AngleCost())
        expected = {"mean": 2.0 * mean, "minimax": 0.5 * minimax, "regulariser": torch.tensor(0.0)}
        assert values(found) == pytest.approx(values(expected), abs=1e-4)

    def test_entailment_cone(self, tiny, features):
        found = EntailmentConeLoss(tiny, margin=0.4, k=0.2)(features(tiny))
        mean, minimax = triple_terms(*vectors(tiny), ConeCost(margin=0.4, k=0.2))
        expected = {"mean": mean, "minimax": minimax, "regulariser": torch.tensor(0.0)}
        assert values(found) == pytest.approx(values(expected), abs=1e-4)

    def test_radial_cross_modal(self, tiny, features):
        found = RadialCrossModalLoss(tiny)(features(tiny))
        local, minimax, whole = path_terms(*vectors(tiny), slack=math.pi / 2)
        expected = {
            "local": local,
            "minimax": minimax,
            "global": whole,
            "regulariser": torch.tensor(0.0),
        }
        assert values(found) == pytest.approx(values(expected), abs=1e-4)

    def test_regulariser(self, make_tiny, features):
        model = make_tiny()
        loss = RadialEmbeddingLoss(model)
        now, before = moved(model), make_tiny()
        cosines = torch.cat(
            [
                torch.cosine_similarity(encoded(now, side), encoded(before, side), dim=-1)
                for side in (POSITIVES, NEGATIVES)
            ]
        )
        found = loss(features(model))["regulariser"].item()
        assert 0.001 < found == pytest.approx(10 * (1 - cosines.mean().item()) / 2, abs=1e-4)

        half = RadialEmbeddingLoss(model, regularised="positives")
        half.frozen = loss.frozen
        expected = 10 * (1 - cosines[:3].mean().item()) / 2
        assert half(features(model))["regulariser"].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
class TestEachLoss:
    def test_its_gradient_reaches_the_weights(self, tiny, loss):
        parts = loss(tiny)(columns(tiny))
        sum(parts.values()).backward()
        for name, parameter in tiny.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        assert any(parameter.grad.abs().max() > 1e-4 for parameter in tiny.parameters())

    def test_the_copy_is_not_trained(self, tiny, loss):
        found = loss(tiny)
        assert {id(p) for p in found.parameters() if p.requires_grad} == {
            id(p) for p in tiny.parameters()
        }
        found.train()
        assert not any(module.training for module in found.frozen.modules())
        assert tiny.training

    def test_without_a_regulariser_nothing_is_copied(self, tiny, loss):
        found = loss(tiny, regulariser=0)
        assert found.frozen is None
        assert "regulariser" not in found(columns(tiny))

    def test_positives_only(self, tiny, loss):
        torch.manual_seed(0)
        one = loss(tiny, negatives=False)(columns(tiny, negatives=None))
        torch.manual_seed(0)
        other = loss(tiny, negatives=False)(collated(tiny, rows(negatives=None)))
        assert values(one) == pytest.approx(values(other), abs=1e-5)

    @pytest.mark.parametrize("tiers", [2, 3, 4])
    def test_tiers_beyond_a_hierarchys_own_count_for_nothing(self, tiny, loss, tiers):
        def cut(texts, to):
            return [[*chain[:tiers], *[""] * (to - tiers)] for chain in texts]

        found = loss(tiny)
        torch.manual_seed(0)
        short = found(columns(tiny, cut(POSITIVES, tiers), cut(NEGATIVES, tiers)))
        for features in (
            columns(tiny, cut(POSITIVES, 6), cut(NEGATIVES, 6)),
            collated(tiny, rows(cut(POSITIVES, 6), cut(NEGATIVES, 6))),
        ):
            torch.manual_seed(0)
            padded = found(features)
            if "contrastive" in padded and tiers > 2:  # other draws
                padded.pop("contrastive")
                short.pop("contrastive", None)
            assert values(padded) == pytest.approx(values(short), abs=1e-4)

    def test_hierarchies_of_equal_texts(self, tiny, loss):
        same = [["animal"] * 4, [""] * 4, ["animal", "", "a goat", "a goat"]]
        parts = loss(tiny)(columns(tiny, same, same))
        sum(parts.values()).backward()
        assert all(part.isfinite() for part in parts.values())
        assert all(p.grad.isfinite().all() for p in tiny.parameters() if p.grad is not None)

    @pytest.mark.parametrize("count", [0, 1, 3, 5])
    def test_columns_that_are_no_hierarchies(self, tiny, loss, count):
        with pytest.raises(UsageError, match=r"no hierarchies|no texts"):
            loss(tiny)(columns(tiny)[:count])

    def test_coefficients_below_zero(self, tiny, loss):
        for value in (-1.0, math.nan, math.inf):
            with pytest.raises(UsageError, match="regulariser is"):
                loss(tiny, regulariser=value)

    @pytest.mark.parametrize("choice", [{"regularised": "some"}, {"frozen": "later"}])
    def test_choices_that_there_are_not(self, tiny, loss, choice):
        with pytest.raises(UsageError, match="not"):
            loss(tiny, **choice)

    def test_the_model_card_has_its_settings(self, tiny, loss):
        settings = loss(tiny).get_config_dict()
        assert settings["regulariser"] == 10.0
        assert all(isinstance(value, str | float | bool) for value in settings.values())


class TestFrozenVectors:
    def test_all_sources_agree(self, make_tiny):
        model, before = make_tiny(), make_tiny()
        both = [[*p, *n] for p, n in zip(POSITIVES, NEGATIVES, strict=True)]
        table = encoded(before, both)

        def lookup(texts):
            return before.encode(list(texts), convert_to_tensor=True, normalize_embeddings=True)

        copied = RadialEmbeddingLoss(model)
        given = RadialEmbeddingLoss(model, frozen="given")
        looked_up = RadialEmbeddingLoss(model, frozen=lambda labels: table[labels])
        assert given.frozen is looked_up.frozen is None
        moved(model)
        found = [
            loss(features, labels)["regulariser"].item()
            for loss, features, labels in (
                (copied, columns(model), None),
                (given, columns(model), table),
                (given, collated(model, rows(), frozen=lookup), None),
                (looked_up, columns(model), torch.arange(3)),
            )
        ]
        assert found == pytest.approx([found[0]] * 4, abs=1e-5)
        assert found[0] > 0.001

    def test_missing_ones_are_named(self, tiny):
        loss = RadialEmbeddingLoss(tiny, frozen="given")
        for labels in (None, torch.arange(3)):
            with pytest.raises(UsageError, match="does not hold the vectors before"):
                loss(columns(tiny), labels)

    def test_those_of_another_shape_are_refused(self, tiny):
        loss = RadialEmbeddingLoss(tiny, frozen="given")
        with pytest.raises(UsageError, match="shape"):
            loss(columns(tiny), torch.zeros(3, 4, 32))


class TestRoots:
    def test_only_the_root_is_learned(self, tiny):
        tiny.requires_grad_(False)
        loss = RadialEmbeddingLoss(tiny, root=make_root("parameter", tiny), regulariser=0)
        sum(loss(columns(tiny)).values()).backward()
        (learned,) = [p for p in loss.parameters() if p.requires_grad]
        assert learned.grad is not None
        assert learned.grad.abs().max() > 0

    @pytest.mark.parametrize("choice", ["first", "mean", "origin"])
    @pytest.mark.parametrize("loss", LOSSES[:3])
    def test_kept_ones(self, tiny, choice, loss):
        root = make_root(choice, tiny, texts=POSITIVES[0])
        parts = loss(tiny, root=root)(columns(tiny))
        sum(parts.values()).backward()
        assert all(p.grad.isfinite().all() for p in tiny.parameters())

    def test_a_fixed_root_at_its_first_value_changes_gradients_alone(self, tiny):
        features = columns(tiny)
        gradients, found = [], []
        for root in (None, make_root("first", tiny)):
            tiny.zero_grad()
            parts = RadialEmbeddingLoss(tiny, root=root)(features)
            sum(parts.values()).backward()
            found.append(values(parts))
            gradients.append(torch.cat([p.grad.flatten() for p in tiny.parameters()]))
        assert found[0] == pytest.approx(found[1], abs=1e-5)
        assert (gradients[0] - gradients[1]).abs().max() > 1e-3


class TestPhotos:
    def test_they_are_contrasted_with_the_most_specific_texts(self, tiny):
        photos = {"sentence_embedding": encoded(tiny, [[texts[-1]] for texts in POSITIVES])[:, 0]}
        parts = RadialCrossModalLoss(tiny, temperature=0.1)([*columns(tiny), photos])
        assert "regulariser" not in parts
        texts = photos["sentence_embedding"]
        expected = torch.nn.functional.cross_entropy(texts @ texts.T / 0.1, torch.arange(3))
        assert parts["cross_modal"].item() == pytest.approx(0.1 * expected.item(), abs=1e-4)

        both = RadialCrossModalLoss(tiny, regularise_photos=True)([*columns(tiny), photos])
        assert {"cross_modal", "regulariser"} <= set(both)

    def test_hierarchies_without_one_are_regularised_and_others_contrasted(self, make_tiny):
        tiny = make_tiny()
        frozen = copy.deepcopy(tiny)
        vectors = encoded(tiny, [["a grey dog"], ["a grey cat"], ["a red car"]])[:, 0]
        with torch.no_grad():
            for weights in tiny.parameters():
                weights.add_(0.05 * torch.randn_like(weights))
        given = [
            row | {"photo": photo} for row, photo in zip(rows(), ["dog", "", "car"], strict=True)
        ]
        number = {"dog": 0, "car": 2}
        batch = collated(
            tiny,
            given,
            frozen=lambda texts: encoded(frozen, [[text] for text in texts])[:, 0],
            photos=lambda names: vectors[[number[name] for name in names]],
        )
        parts = RadialCrossModalLoss(tiny, temperature=0.1, frozen="given")(batch)

        texts = encoded(tiny, [[POSITIVES[0][-1]], [POSITIVES[2][-1]]])[:, 0]
        expected = torch.nn.functional.cross_entropy(
            texts @ vectors[[0, 2]].T / 0.1, torch.arange(2)
        )
        back = torch.nn.functional.cross_entropy(vectors[[0, 2]] @ texts.T / 0.1, torch.arange(2))
        wanted = 0.1 * (expected + back).item() / 2
        assert parts["cross_modal"].item() == pytest.approx(wanted, abs=1e-4)
        own = [[text] for text in POSITIVES[1] + NEGATIVES[1]]
        cosines = (encoded(tiny, own)[:, 0] * encoded(frozen, own)[:, 0]).sum(dim=1)
        moved = 10.0 * (1.0 - cosines.mean().item()) / 2.0
        assert parts["regulariser"].item() == pytest.approx(moved, abs=1e-3)
        assert moved > 1e-2

    @pytest.mark.parametrize("loss", [RadialCrossModalLoss, ContrastiveLoss])
    def test_both_towers_of_the_offline_model(self, mini, loss):
        model = copy.deepcopy(mini.model).eval()
        given = [
            row | {"photo": Image.new("RGB", (64, 64), colour)}
            for row, colour in zip(rows(), ["red", "green", "blue"], strict=True)
        ]
        parts = loss(model, regulariser=0)(collated(model, given))
        sum(parts.values()).backward()
        for part in ("text", "image"):
            tower = model[0].sub_modules[part]
            found = [p.grad for p in tower.parameters() if p.grad is not None]
            assert found
            assert all(gradient.isfinite().all() for gradient in found)


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision(make_tiny, loss):
    model = make_tiny()
    torch.manual_seed(0)
    plain = values(loss(model)(columns(model)))
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        parts = loss(model)(columns(model))
    assert all(part.dtype == torch.float32 for part in parts.values())
    assert values(parts) == pytest.approx(plain, abs=0.5)
