"""The bootstrap of one benchmark as a whole: every method, every seed.

    PYTHONPATH=src python perf/bootstrap.py [--methods 25 --seeds 10 --n 23189]

Each method's labels are the classes with a share of the images put elsewhere, another
share for each. Methods are scored as ``mmclust score`` does it in one process, and
each is compared with the first. Target: 60 s of processor time.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from mmclust.core.seeds import generator
from mmclust.scoring.clustering import METRICS, score_runs
from mmclust.scoring.intervals import compared


def main() -> None:
    """Score the methods, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("methods", 25), ("seeds", 10), ("n", 23_189), ("k", 43), ("resamples", 1000)
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    rng = generator(782, "perf", "bootstrap")
    truth = np.arange(args.n) % args.k
    figures = []
    start, wall = time.process_time(), time.perf_counter()
    for method in range(args.methods):
        other = rng.integers(args.k, size=(args.seeds, args.n))
        moved = rng.random(other.shape) < (method + 1) / (args.methods + 1)
        labels = np.where(moved, other, truth).astype(np.int32)
        # Equal generators draw equal images for all.
        drawn = generator(782, "score", "perf")
        figures.append(score_runs(truth, labels, n_resamples=args.resamples, rng=drawn))
    for one in figures[1:]:
        for metric in METRICS:
            compared(one[metric], figures[0][metric])
    used, seconds = time.process_time() - start, time.perf_counter() - wall
    print(f"{args.methods} methods: {used:.1f} s of processor time ({seconds:.0f} s)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
