# ruff: noqa: ANN202 (benchmark helpers, read top to bottom)
"""k-means beside faiss and scikit-learn (Lloyd), each in its own words.

    PYTHONPATH=src python perf/kmeans.py [--n 23189 --d 512 --k 43 --starts 10]

Rows drawn around centres; random starts; all rows; the objective is printed, because
a faster search for a worse one is no gain. On a CPU one thread each, in processor
seconds, and the target is at most 1.1 x the faster. --device cuda runs ours there.
"""

from __future__ import annotations

import argparse
import time

import faiss
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from mmclust.kernels.kmeans import kmeans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("n", 8000), ("d", 512), ("k", 43), ("starts", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((args.k, args.d), dtype=np.float32)
    rows = rng.standard_normal((args.n, args.d), dtype=np.float32)
    rows += centres[rng.integers(args.k, size=args.n)] / 2

    def ours():
        return kmeans(
            rows, args.k, seed=1, n_init=args.starts, init="random", device=args.device
        ).inertia

    def by_faiss():
        solver = faiss.Kmeans(
            args.d, args.k, niter=300, nredo=args.starts, seed=1,
            max_points_per_centroid=args.n, min_points_per_centroid=1,
        )  # fmt: skip
        solver.train(rows)
        return float(solver.index.search(rows, 1)[0].sum(dtype=np.float64))

    def by_sklearn():
        model = KMeans(
            args.k, n_init=args.starts, init="random", max_iter=300, random_state=1
        )
        return model.fit(rows).inertia_

    clock = time.process_time if args.device == "cpu" else time.perf_counter
    threadpool_limits(1)
    seconds = {}
    for name, run in (("ours", ours), ("faiss", by_faiss), ("sklearn", by_sklearn)):
        start = clock()
        objective = run()
        seconds[name] = clock() - start
        print(f"{name:<8}{seconds[name]:8.2f} s   objective {objective:.6g}")
    best = min(seconds["faiss"], seconds["sklearn"])
    print(f"ratio to the faster: {seconds['ours'] / best:.2f}")


if __name__ == "__main__":
    main()
