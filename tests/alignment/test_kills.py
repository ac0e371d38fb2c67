"""A run that is killed at any moment is finished by running it again, and computes the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from tests.alignment.test_trainer import needs_packages

# Imports once, then forks a run for each line that it is given, and kills it after so many steps
# and so long; or lets it end.
KILLER = """
import os, signal, sys, time
import datasets, torch
torch.set_num_threads(1)
from hiersearch.alignment import TrainingSettings, train
import hiersearch.alignment.trainer
import json
for line in sys.stdin:
    told = json.loads(line)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        train(
            TrainingSettings(**told["settings"]),
            told["output"],
            environ=os.environ,
            on_progress=lambda task, *_: os.write(writing, task[:1].encode()),
        )
        os._exit(0)
    os.close(writing)
    steps = told["steps"]
    if steps is not None:
        while steps and (step := os.read(reading, 1)):
            steps -= step == b"t"
        time.sleep(told["delay"])
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""

STEPS = 40
KILLS = 4


@pytest.fixture
def killer(environ):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(settings, output, steps=None, delay=0.0) -> int:
        told = {"settings": settings, "output": str(output), "steps": steps, "delay": delay}
        print(json.dumps(told), file=process.stdin, flush=True)
        return int(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait()


def losses(output):
    record = json.loads((output / "training.json").read_text())
    return [[step["step"], step["loss"]] for step in record["losses"]]


@needs_packages
def test_a_run_that_is_killed_again_and_again(killer, settings, tmp_path):
    settings |= {"steps": STEPS, "validate_every": 2}
    assert killer(settings, tmp_path / "whole") == 0
    chance = random.Random(0)
    codes = [
        killer(
            settings, tmp_path / "out", steps=chance.randint(1, 4), delay=chance.uniform(0, 0.05)
        )
        for _ in range(KILLS)
    ]
    assert codes == [-9] * KILLS  # forty steps are far more than they get to
    assert not (tmp_path / "out" / "training.json").exists()

    assert killer(settings, tmp_path / "out") == 0

    whole, again = losses(tmp_path / "whole"), losses(tmp_path / "out")
    assert [step for step, _ in again] == list(range(1, STEPS + 1))
    for (_, one), (_, other) in zip(whole, again, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert not (tmp_path / "out" / "run").exists()
