# ruff: noqa: ANN001, ANN201 (benchmark helpers, read top to bottom)
"""The semantic space beside a plain implementation: time and peak memory.

    PYTHONPATH=src python perf/nouns.py [--images 50000 --nouns 119034 --centres 167]

From ready embeddings and centre labels (k-means is measured by perf/kmeans.py):
centres, classes of the nouns, the five best of each, and counterparts. Plain: masks in
a Python loop, the dense centre-by-noun matrix, half precision as released. Each runs in
a process of its own, which prints its peak. Targets: a quarter of the processor time,
half the memory. gradnorm: its own choice of nouns, from raw embeddings; target: 1 s.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np


def inputs(n, m, k):
    from mmclust.core.features import normalised

    rng = np.random.default_rng(0)
    images = normalised(rng.standard_normal((n, 512), dtype=np.float32))
    nouns = normalised(rng.standard_normal((m, 512), dtype=np.float32))
    return images, nouns, rng.integers(k, size=n)


def ours(images, nouns, labels, k):
    from mmclust.heads._space import (
        choose_nouns,
        classify_nouns,
        counterparts,
        mean_directions,
    )

    centres = mean_directions(images, labels, k)
    chosen = choose_nouns(*classify_nouns(nouns, centres), 5)
    return counterparts(images, nouns[chosen.rows])


def gradnorm(images, nouns, labels, k):
    from mmclust.heads._inputs import GivenNouns
    from mmclust.heads._space import mean_directions
    from mmclust.heads.gradnorm import Params, kept_nouns

    words, centres = ["word"] * len(nouns), mean_directions(images, labels, k)
    return kept_nouns(
        GivenNouns(words, np.arange(len(nouns)), centres, (nouns,)), Params()
    )


def plain(images, nouns, labels, k):
    import torch

    torch.set_num_threads(1)
    v, t = torch.from_numpy(images).half(), torch.from_numpy(nouns).half()
    group = torch.from_numpy(labels)
    centres = torch.stack([v[group == c].float().mean(0) for c in range(k)])
    centres = torch.nn.functional.normalize(centres, dim=1).half()
    shares = (centres @ t.T).float().softmax(0)
    confidence, classes = shares.max(0)
    keep = torch.zeros(len(t), dtype=torch.bool)
    for c in range(k):
        mine = torch.where(classes == c)[0]
        if len(mine):
            top = torch.argsort(confidence[classes == c], descending=True)[:5]
            keep[mine[top]] = True
    words = t[keep]
    parts = []
    for start in range(0, len(v), 8192):
        scores = v[start : start + 8192] @ words.T / 0.005
        mixed = scores.float().softmax(1).half() @ words
        parts.append(torch.nn.functional.normalize(mixed.float(), dim=1).half())
    return torch.cat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("images", 10_000), ("nouns", 30_000), ("centres", 167)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--one", choices=("ours", "gradnorm", "plain"))
    args = parser.parse_args()
    if args.one:
        import torch  # noqa: F401  (both need it: no part of what is measured)

        made = inputs(args.images, args.nouns, args.centres)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        {"ours": ours, "gradnorm": gradnorm, "plain": plain}[args.one](
            *made, args.centres
        )
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(seconds, (peak - before) / 1024)
        return
    figures = {}
    for name in ("ours", "gradnorm", "plain"):
        done = subprocess.run(
            [sys.executable, *sys.argv, "--one", name],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        figures[name] = [float(x) for x in done.stdout.split()]
        seconds, memory = figures[name]
        print(f"{name:<9}{seconds:8.2f} s  {memory:8.0f} MiB beyond the inputs")
    (a, p), (b, q) = figures["ours"], figures["plain"]
    print(f"ratio {b / a:.1f} in time, {q / max(p, 1):.1f} in memory")


if __name__ == "__main__":
    main()
