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
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rival", choices=("faiss", "sklearn", "torch"))
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((args.k, args.d), dtype=np.float32)
    rows = rng.standard_normal((args.n, args.d), dtype=np.float32)
    rows += centres[rng.integers(args.k, size=args.n)] / 2

    def ours():
        return kmeans(
            rows, args.k, seed=1, n_init=args.starts, init="random",
            max_iter=args.steps, device=args.device,
        ).inertia  # fmt: skip

    def by_faiss():
        solver = faiss.Kmeans(
            args.d, args.k, niter=args.steps, nredo=args.starts, seed=1,
            max_points_per_centroid=args.n, min_points_per_centroid=1,
        )  # fmt: skip
        solver.train(rows)
        return float(solver.index.search(rows, 1)[0].sum(dtype=np.float64))

    def by_sklearn():
        model = KMeans(
            args.k,
            n_init=args.starts,
            init="random",
            max_iter=args.steps,
            random_state=1,
        )
        return model.fit(rows).inertia_

    def by_torch():
        """Run the plain loop on the device: all distances, means by index_add."""
        import torch

        points = torch.from_numpy(rows).to(args.device)
        best = np.inf
        for start in range(args.starts):
            order = torch.randperm(
                args.n, generator=torch.Generator().manual_seed(start)
            )
            centroids = points[order[: args.k].to(args.device)]
            for _ in range(args.steps):
                blocks = points.split(1 << 16)
                found = [torch.cdist(b, centroids).min(1) for b in blocks]
                near = torch.cat([each.indices for each in found])
                loss = float(sum(each.values.square().sum() for each in found))
                sums = torch.zeros_like(centroids).index_add_(0, near, points)
                counts = torch.bincount(near, minlength=args.k).clamp(min=1)
                centroids = sums / counts[:, None]
            best = min(best, loss)
        return best

    clock = time.process_time if args.device == "cpu" else time.perf_counter
    threadpool_limits(1)
    seconds = {}
    rivals = {"faiss": by_faiss, "sklearn": by_sklearn, "torch": by_torch}
    names = [args.rival] if args.rival else ["faiss", "sklearn"]
    if args.device != "cpu":
        kmeans(rows[:1000], 10, seed=0, device=args.device)  # warm
    for name, run in (("ours", ours), *((name, rivals[name]) for name in names)):
        start = clock()
        objective = run()
        seconds[name] = clock() - start
        print(f"{name:<8}{seconds[name]:8.2f} s   objective {objective:.6g}")
    best = min(seconds[name] for name in names)
    print(f"ratio to the faster: {seconds['ours'] / best:.2f}")


if __name__ == "__main__":
    main()
