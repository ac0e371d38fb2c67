"""A training step against a plain implementation's, on the same batches in the same run.

    python benchmarks/training_step.py HIERARCHIES [--steps 20] [--threads 1]

HIERARCHIES is a file in HierarCaps' train format. Both train the offline model's last two layers
with the RE loss. *plain* embeds all 8B texts of a batch, repeats too, padded to the longest, and
runs the frozen encoder in each step; *ours* is what `hiersearch train` does: distinct texts in
groups of similar length, and vectors from before training kept. Their steps take turns; losses must
agree. Tokenising counts; the time to make the kept vectors is reported separately.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from hiersearch.alignment.batches import HierarchyCollator
from hiersearch.alignment.freezing import train_last_layers
from hiersearch.alignment.losses import RadialEmbeddingLoss
from hiersearch.alignment.losses.radial_embedding import AngleCost
from hiersearch.alignment.losses.triples import triple_terms
from hiersearch.alignment.rows import drawn_rows, hierarchy_rows, rows_texts
from hiersearch.alignment.training import Teacher
from hiersearch.data.training_data import load_data
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.evaluation.embedder import Embedder

BATCH = 32
AGREE = 1e-4


class Plain:
    """As one would write it down: every text of the batch, and the teacher in every step."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.teacher = copy.deepcopy(model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-4)

    def __call__(self, rows: list[dict[str, str]]) -> dict[str, float]:
        texts = [row[name] for name in rows[0] for row in rows]
        features = self.model.preprocess([{"text": text} for text in [*texts, ""]])
        vectors = normalize(self.model(dict(features))["sentence_embedding"])
        with torch.no_grad():
            before = normalize(self.teacher(dict(features))["sentence_embedding"])
        columns = vectors[:-1].reshape(len(rows[0]), len(rows), -1).transpose(0, 1)
        tiers = columns.shape[1] // 2
        mean, minimax = triple_terms(
            columns[:, :tiers], columns[:, tiers:], vectors[-1], AngleCost()
        )
        cosines = (vectors[:-1] * before[:-1]).sum(dim=1)
        parts = {
            "mean": mean,
            "minimax": minimax,
            "regulariser": 10.0 * (1.0 - cosines.mean()) / 2.0,
        }
        return stepped(parts, self.optimizer)


class Ours:
    """What `hiersearch train` does in a step."""

    def __init__(self, model: Any, teacher: Teacher) -> None:
        self.collator = HierarchyCollator(model, frozen=teacher)
        self.loss = RadialEmbeddingLoss(model, frozen="given")
        self.optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-4)

    def __call__(self, rows: list[dict[str, str]]) -> dict[str, float]:
        batch = self.collator(rows)
        features = {name.removeprefix("texts_"): value for name, value in batch.items()}
        return stepped(self.loss([features]), self.optimizer)


def stepped(parts: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer) -> dict[str, float]:
    torch.stack(list(parts.values())).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return {name: float(part.detach()) for name, part in parts.items()}


def trainable() -> Any:
    model = HierarchicalEncoder("mini").model
    train_last_layers(model, 2)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hierarchies", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = load_data(options.hierarchies, environ={}, seed=0)
    rows = drawn_rows(hierarchy_rows(data.hierarchies), (options.steps + 1) * BATCH, seed=0)
    begun = time.perf_counter()
    teacher = Teacher(Embedder(HierarchicalEncoder("mini"), cache=None), rows_texts(rows))
    kept = (time.perf_counter() - begun) / (options.steps + 1)
    ways = {"plain": Plain(trainable()), "ours": Ours(trainable(), teacher)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    worst = 0.0
    for step in range(options.steps + 1):
        batch = rows[step * BATCH : (step + 1) * BATCH]
        losses = {}
        for name in list(ways)[:: 1 if step % 2 else -1]:
            begun = time.perf_counter()
            losses[name] = ways[name](batch)
            if step:  # the first one warms up
                times[name].append(time.perf_counter() - begun)
        apart = [abs(losses["plain"][part] - losses["ours"][part]) for part in losses["plain"]]
        worst = max(worst, *apart)
    plain, ours = (statistics.median(times[name]) for name in ("plain", "ours"))
    ratio = statistics.median(o / p for o, p in zip(times["ours"], times["plain"], strict=True))
    print("command  python", *sys.argv)
    print(
        f"plain    {1000 * plain:.0f} ms a step, of {BATCH} hierarchies, {options.threads} threads"
    )
    print(f"ours     {1000 * ours:.0f} ms a step")
    print(
        f"ratio    {ratio:.2f} (median over steps); with the kept vectors made for one pass only "
    )
    print(f"         {(ours + kept) / plain:.2f}: they take {1000 * kept:.0f} ms for each step")
    print(f"losses   differ by at most {worst:.1e}")
    if worst > AGREE:
        sys.exit("the losses do not agree")


if __name__ == "__main__":
    main()
