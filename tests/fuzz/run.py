"""Run the mutation fuzzer: ``python -m tests.fuzz.run --count N --seed S --time``.

With ``--time`` it also fails when one question took more than 50 ms of processor time, or the process needed more than
64 MiB of Python memory beyond the corpus.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from .corpus import build
from .explore import Explorer
from .hostile import hostile_images
from .mutations import Mutant, Seed

SLOWEST = 0.050
MEMORY = 64 * 1024 * 1024


def fuzz(seeds: list[Seed], count: int, seed: int, explorer: Explorer) -> None:
    """Explore ``count`` mutants. Each is made from ``seed`` and its number alone, so that any can be made again."""
    for number in range(count):
        randomness = random.Random(seed * 1_000_003 + number)
        mutant = Mutant(randomness.choice(seeds), randomness)
        try:
            explorer.explore(mutant, randomness)
        except Exception as error:
            error.add_note(f"mutant {number} of seed {seed}")
            raise


def load() -> list[Seed]:
    """Build the corpus."""
    with tempfile.TemporaryDirectory() as directory:
        return [Seed(name, data) for name, data in build(Path(directory)).items()]


def say(text: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(text + "\n")


def main() -> int:
    """Fuzz and say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time", action="store_true", help="measure time and memory, and fail beyond the limits")
    options = parser.parse_args()
    seeds = load()
    explorer = Explorer(timed=options.time)
    start = time.perf_counter()
    fuzz(seeds, options.count, options.seed, explorer)
    say(
        f"{options.count} mutants of seed {options.seed} in {time.perf_counter() - start:.0f} s: "
        f"{explorer.opened} opened, {explorer.refused} refused, {explorer.failed_calls} questions refused; "
        f"at most {explorer.most_reads} reads and {explorer.most_bytes} bytes for one question"
    )
    if not options.time:
        return 0
    for hostile in hostile_images():
        explorer.question(hostile.name, hostile, hostile.question)
    tracemalloc.start()
    fuzz(seeds, min(options.count, 2000), options.seed + 1, Explorer())
    peak = tracemalloc.get_traced_memory()[1]
    say(f"slowest question: {explorer.slowest_question}, {explorer.slowest * 1000:.1f} ms; peak memory {peak} bytes")
    return 1 if explorer.slowest > SLOWEST or peak > MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
