"""The prompts, and the vectors made with them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hiersearch.errors import UsageError
from hiersearch.evaluation.embedder import (
    CIFAR_PROMPTS,
    IMAGENET_PROMPTS,
    PAIR_PROMPTS,
    fill,
    named_prompts,
    prompt_vectors,
)
from tests.evaluation.made_embedder import MadeEmbedder, drawn, unit


@pytest.mark.parametrize(
    ("prompts", "count", "digest"),
    [(IMAGENET_PROMPTS, 80, "a8a4822f2921936e"), (CIFAR_PROMPTS, 18, "d6ee29646b422971")],
)
def test_the_ensembles_are_those_of_clip(prompts, count, digest):
    # The digests are of the released lists, sorted.
    assert len(set(prompts)) == len(prompts) == count
    assert hashlib.sha256("\n".join(sorted(prompts)).encode()).hexdigest()[:16] == digest


def test_prompts_for_two_labels_hold_both():
    assert len(PAIR_PROMPTS) == 5
    assert all("{coarse}" in prompt and "{fine}" in prompt for prompt in PAIR_PROMPTS)


def test_names_and_texts_of_prompts():
    assert named_prompts("imagenet") == IMAGENET_PROMPTS
    assert named_prompts("name") == ("{}",)
    assert named_prompts("a {} here") == ("a {} here",)
    assert named_prompts(["{}", "my {}"]) == ("{}", "my {}")
    assert fill("a {}, my {}", "c{}t") == "a c{}t, my c{}t"


@pytest.mark.parametrize("prompts", ["imagenet!", [], ["{}", "none"]])
def test_prompts_without_a_slot_are_refused(prompts):
    with pytest.raises(UsageError):
        named_prompts(prompts)


def test_a_class_is_the_mean_over_its_prompts():
    found = prompt_vectors(MadeEmbedder().texts, ["cat", "dog"], ["a {}", "my {}", "{}s"])
    for row, name in zip(found, ["cat", "dog"], strict=True):
        mean = drawn(f"a {name}") + drawn(f"my {name}") + drawn(f"{name}s")
        np.testing.assert_allclose(row, unit(*mean), atol=1e-6)
    assert found.dtype == np.float32


def test_prompts_that_cancel_each_other_out_leave_the_first():
    opposite = MadeEmbedder(text=lambda text: drawn("x") * (-1 if text == "not x" else 1))
    found = prompt_vectors(opposite.texts, ["x"], ["{}", "not {}"])
    np.testing.assert_allclose(found[0], drawn("x"), atol=1e-6)
