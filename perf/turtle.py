# ruff: noqa: ANN001, ANN201, ANN202 (benchmark helpers, read top to bottom)
"""Steps of TURTLE, beside their bare arithmetic: the same products in a plain loop.

    PYTHONPATH=src python perf/turtle.py [--n 10000] [--k 10] [--steps 20]

Two spaces of 512 and 384 features. Bare, for one seed: of each space the labelling's
forward and backward product and 21 of the classifiers, softmax and Adam left out. One
core; the best of three rounds, one after the other in turn.
Targets: one seed at most 1.15 x bare; three seeds side by side at most 2 x bare.
"""

from __future__ import annotations

import argparse
import time

from mmclust.core import numerics

numerics.settle()

import numpy as np  # noqa: E402

from mmclust.core.numerics import threads  # noqa: E402
from mmclust.core.types import HeadInputs  # noqa: E402
from mmclust.heads import turtle  # noqa: E402

DIMS = (512, 384)


def bare(spaces, k, steps):
    """Multiply as often as one seed's steps do."""
    for rows in spaces:
        weights = np.full((k, rows.shape[1]), 0.01, np.float32)
        for _ in range(steps):
            for _ in range(11):  # the labelling's, and ten of the classifiers
                logits = weights @ rows.T
                logits @ rows
            weights @ rows.T  # the classifiers' last word


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    draw = np.random.default_rng(0)
    spaces = tuple(draw.standard_normal((given.n, d)).astype(np.float32) for d in DIMS)
    inputs = HeadInputs(spaces=spaces)

    def ours(n_seeds, steps):
        params = turtle.Params(steps=steps)
        seeds = list(range(n_seeds))
        turtle.train(inputs, given.k, params, seeds=seeds, device="cpu")

    def clock(run):
        start = time.process_time()
        run()
        return time.process_time() - start

    best = [np.inf] * 3
    ours(1, 1)  # libraries are loaded
    with threads(1):
        for _ in range(3):
            seen = [clock(lambda: bare(spaces, given.k, given.steps))]
            seen += [clock(lambda s=s: ours(s, given.steps)) for s in (1, 3)]
            best = [min(a, b) for a, b in zip(best, seen, strict=True)]
    milli = [1000 * t / given.steps for t in best]
    print(f"a step: bare {milli[0]:.0f} ms, one seed {milli[1]:.0f} ms "
          f"({milli[1] / milli[0]:.2f} x), three {milli[2]:.0f} ms "
          f"({milli[2] / milli[0]:.2f} x)")  # fmt: skip
    print(f"6000 steps, one seed: {6 * milli[1] / 60:.0f} min")


if __name__ == "__main__":
    main()
