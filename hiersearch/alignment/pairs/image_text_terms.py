"""What photos and texts cost that do not lie where they belong; pure functions of vectors.

All vectors are of length 1. A photo has a caption, and the words for what the caption names, at
every level: *a man riding a wave* is also *surfer*, *person* and *wave*.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, logsigmoid, softmax, softplus

from hiersearch.alignment.losses.contrastive import symmetric_contrastive

__all__ = ["info_nce", "kept_reading", "kept_words", "several_positives", "siglip", "word_loss"]


def info_nce(photos: Tensor, captions: Tensor, *, temperature: float) -> Tensor:
    """Each photo among the batch's captions, and each caption among its photos; at least 0.

    Radford et al. 2021 (CLIP). A caption that several photos of a batch have is right for each.

    Args:
        photos: (n, dim).
        captions: (n, dim), the captions of these photos.
        temperature: Above 0.
    """
    return symmetric_contrastive(captions, photos, temperature=temperature)


def siglip(
    photos: Tensor, captions: Tensor, *, temperature: float, threshold: float = 0.3
) -> Tensor:
    """Each photo with each caption on its own: does this caption belong to this photo?

    Zhai et al. 2023 (SigLIP, arXiv 2303.15343), whose bias is −threshold / temperature here.

    Args:
        photos: (n, dim).
        captions: (n, dim), the captions of these photos.
        temperature: Above 0.
        threshold: The cosine at which a pair is as likely right as wrong.

    Returns:
        At least 0.
    """
    logits = (photos @ captions.T - threshold) / temperature
    signs = 2 * torch.eye(len(photos), device=logits.device) - 1
    return -logsigmoid(signs * logits).sum() / len(photos)


def several_positives(scores: Tensor, right: Tensor) -> Tensor:
    """Each right one of a row against all wrong ones of that row; mean over rows that have any.

    Mean over the right ones of −log(e^s / (e^s + Σ e^wrong)): right ones do not compete.
    Khosla et al. 2020 (arXiv 2004.11362) have them compete, which punishes a photo for showing
    several things.

    Args:
        scores: (n, k), divided by a temperature.
        right: (n, k) bool.
    """
    wrong = torch.logsumexp(scores.masked_fill(right, -1e4), dim=1, keepdim=True)
    costs = softplus(wrong - scores) * right
    counts = right.sum(dim=1)
    rows = counts > 0
    return (costs.sum(dim=1)[rows] / counts[rows]).sum() / rows.sum().clamp(min=1)


def word_loss(photos: Tensor, words: Tensor, shown: Tensor, *, temperature: float) -> Tensor:
    """Photos among those that a word is not true of, and words among those not true of a photo.

    Args:
        photos: (n, dim).
        words: (k, dim).
        shown: (n, k) bool, whether a photo's captions say the word or a kind of it.
        temperature: Above 0.
    """
    scores = photos @ words.T / temperature
    return (several_positives(scores, shown) + several_positives(scores.T, shown.T)) / 2


def kept_words(
    photos: Tensor, before: Tensor, words: Tensor, weights: Tensor, *, temperature: float
) -> Tensor:
    """How differently photos read, by their likeness to words, from vectors that are to be kept.

    Mean over all photos of weight · KL(before ‖ now): what a photo's vector learns shall not
    shuffle the words that it named well before, such as those for kinds of birds, of which captions
    say nothing.

    Args:
        photos: (n, dim).
        before: (n, dim), the vectors that are to be kept.
        words: (k, dim).
        weights: (n,), at least 0, of the photos.
        temperature: Of the reading, above 0.
    """
    now = log_softmax(photos @ words.T / temperature, dim=1)
    kept = softmax(before @ words.T / temperature, dim=1)
    return (kl_div(now, kept, reduction="none").sum(dim=1) * weights).mean()


def kept_reading(logits: Tensor, before: Tensor) -> Tensor:
    """How far a classifier's shares have moved: KL(before ‖ now), Hinton et al. 2015.

    Args:
        logits: (n, classes), of the tower that is trained.
        before: (n, classes), of the tower before training.
    """
    return kl_div(log_softmax(logits, dim=1), softmax(before, dim=1), reduction="batchmean")
