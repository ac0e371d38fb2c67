"""An index used for a long time: python benchmarks/soak.py [MINUTES], from the project's folder.

Runs the state machine of tests/index/test_state_machine.py, which indexes, edits, moves, deletes,
labels again, copies and queries at random and compares with what should be there, again and again
in one process. Prints every minute how many runs there were, the resident memory and the open
files; both should stay where they are after the first minute. Ends at the first difference.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1]))

from hiersearch.encoder import HierarchicalEncoder
from tests.index.test_state_machine import Library


def resident() -> float:
    """MiB of memory that this process has."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    machine = type("Soaked", (Library,), {"encoder": HierarchicalEncoder("mini")})
    few = settings(
        max_examples=5,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    begun = shown = time.monotonic()
    runs = 0
    while time.monotonic() - begun < 60 * minutes:
        run_state_machine_as_test(machine, settings=few)
        runs += few.max_examples
        if time.monotonic() - shown >= 60:
            shown = time.monotonic()
            files = len(list(Path("/proc/self/fd").iterdir()))
            print(
                f"{(shown - begun) / 60:4.0f} min  {runs:5} runs  {resident():6.0f} MiB  "
                f"{files:3} open files",
                flush=True,
            )


if __name__ == "__main__":
    main()
