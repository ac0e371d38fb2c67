"""Run every benchmark whose data is at hand, on several models, side by side.

    python benchmarks/evaluation.py DATA [--model NAME=MODEL ...] [--json FILE]

DATA is a folder as `hiersearch eval --data` takes it. Models are `mini=mini` and what else is
named, compared with `mini` where a benchmark compares models; and a small random CLIP, built here:
transformers' CLIPConfig with two layers of width 32 in each tower, photos of 32 px in patches of 8,
24 dimensions, a tokenizer of bytes, all weights normal with deviation 0.3, torch's seed 0. It shows
what a model gets that has learned nothing, which is not always what guessing gets.

Prints a Markdown table with a chance level for each score that has one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from hiersearch.errors import HiersearchError
from hiersearch.evaluation import BENCHMARKS, Embedder, evaluate
from hiersearch.evaluation.benchmark import benchmark_named, open_embedder
from hiersearch.evaluation.report import flat

SEED = 0

LEFT_OUT = ("constants", "relations", "n_relations", "control", "accuracy_class_mean")
"""Groups of scores that the table does not show; `--json` has them all."""


def random_clip(folder: Path) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<start>", "<end>", *letters]
    vocabulary = {word: number for number, word in enumerate(words)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<start>",
        eos_token="<end>",
        pad_token="<end>",
        model_max_length=77,
    )
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text: dict[str, Any] = {
        **size,
        "num_attention_heads": 4,
        "vocab_size": len(words),
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = {**size, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}
    torch.manual_seed(SEED)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    for parameter in model.parameters():  # untrained ones hardly depend on what they are given
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)


def run(name: str, embedder: Embedder, data: Path, **options: Any) -> dict[str, Any]:
    try:
        found = evaluate(name, embedder, data=data, seed=SEED, **options)
    except HiersearchError as error:
        return {"failed": str(error)}
    return {
        "scores": found.scores,
        "chance": found.chance,
        "notes": found.notes,
        "files": dict(found.files),
    }


def table(name: str, found: dict[str, dict[str, Any]]) -> list[str]:
    measured = {model: each for model, each in found.items() if "scores" in each}
    if not measured:
        return [f"### {name}", "", *{each["failed"] for each in found.values()}]
    scores = {model: dict(flat(each["scores"])) for model, each in measured.items()}
    chance = {model: dict(flat(each["chance"])) for model, each in measured.items()}
    lines = [
        f"### {name}",
        "",
        f"| score | chance | {' | '.join(measured)} |",
        f"|{' --- |' * (len(measured) + 2)}",
    ]
    for path in next(iter(scores.values())):
        if any(part in LEFT_OUT for part in path):
            continue
        guesses = [shown(each.get(path)) for each in chance.values()]
        # What guessing gets may depend on how much a model retrieves.
        same = guesses[0] if len(set(guesses)) == 1 else " / ".join(guesses)
        cells = [shown(each.get(path)) for each in scores.values()]
        lines.append(f"| {' '.join(path).replace('_', ' ')} | {same} | {' | '.join(cells)} |")
    notes = dict.fromkeys(note for each in measured.values() for note in each["notes"])
    return [*lines, "", *(f"* {note}" for note in notes)]


def shown(value: float | int | str | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if abs(value) >= 0.01 or not value else f"{value:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=MODEL")
    parser.add_argument("--json", type=Path, help="write all scores, notes and checksums there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    named = dict(each.split("=", 1) for each in ["mini=mini", *options.model])
    with TemporaryDirectory() as scratch:
        random_clip(Path(scratch))
        embedders = {name: open_embedder(model) for name, model in named.items()}
        embedders["random CLIP"] = open_embedder(scratch)
        base = embedders["mini"]
        found: dict[str, dict[str, Any]] = {}
        for benchmark in BENCHMARKS:
            found[benchmark] = {
                model: run(benchmark, embedder, options.data, baseline=base)
                for model, embedder in embedders.items()
                if not benchmark_named(benchmark).compares_with_baseline or model in list(named)[1:]
            }
            if found[benchmark]:
                print(*table(benchmark, found[benchmark]), sep="\n", end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
