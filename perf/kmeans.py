"""k-means beside faiss and scikit-learn (Lloyd), each in its own words.

    PYTHONPATH=src python perf/kmeans.py [--n 23189 --d 512 --k 43 --starts 10]

Rows drawn around centres; random starts; all rows; the objective is printed, because
a faster search for a worse one is no gain. On a CPU one thread each, in processor
seconds, and the target is at most 0.8 x the faster. What ours holds is the growth of
the process's peak memory while it runs, before the others, over the rows, which are
counted, too. --device cuda runs ours there.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import faiss
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from mmclust.kernels.kmeans import kmeans

Array = np.ndarray[Any, Any]


def ours(rows: Array, args: argparse.Namespace) -> float:
    found = kmeans(
        rows, args.k, seed=1, n_init=args.starts, init="random",
        max_iter=args.steps, device=args.device,
    )  # fmt: skip
    total = 0.0
    for start in range(0, args.n, 4096):  # a copy of all would be large
        part = slice(start, start + 4096)
        apart = rows[part] - found.centroids[found.labels[part]]
        total += float(np.einsum("ij,ij->", apart, apart, dtype=np.float64))
    return total


def by_faiss(rows: Array, args: argparse.Namespace) -> float:
    solver = faiss.Kmeans(
        args.d, args.k, niter=args.steps, nredo=args.starts, seed=1,
        max_points_per_centroid=args.n, min_points_per_centroid=1,
    )  # fmt: skip
    solver.train(rows)
    return float(solver.index.search(rows, 1)[0].sum(dtype=np.float64))


def by_sklearn(rows: Array, args: argparse.Namespace) -> float:
    model = KMeans(
        args.k, n_init=args.starts, init="random", max_iter=args.steps, random_state=1
    )
    return model.fit(rows).inertia_


def by_torch(rows: Array, args: argparse.Namespace) -> float:
    """Run the plain loop on the device: all distances, means by index_add."""
    import torch

    points = torch.from_numpy(rows).to(args.device)
    best = np.inf
    for start in range(args.starts):
        order = torch.randperm(args.n, generator=torch.Generator().manual_seed(start))
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


RIVALS = {"faiss": by_faiss, "sklearn": by_sklearn, "torch": by_torch}


def drawn(n: int, d: int, k: int) -> Array:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((k, d), dtype=np.float32)
    rows = rng.standard_normal((n, d), dtype=np.float32)
    own = rng.integers(k, size=n)
    for start in range(0, n, 4096):  # a copy of all would hide what is held
        rows[start : start + 4096] += centres[own[start : start + 4096]] / 2
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("n", 8000), ("d", 512), ("k", 43), ("starts", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rival", choices=tuple(RIVALS))
    args = parser.parse_args()
    rows = drawn(args.n, args.d, args.k)
    clock = time.process_time if args.device == "cpu" else time.perf_counter
    threadpool_limits(1)
    if args.device != "cpu":
        kmeans(rows[:1000], 10, seed=0, device=args.device)  # warm
    names = [args.rival] if args.rival else ["faiss", "sklearn"]
    seconds, objectives, peaks = {}, {}, [peak()]
    for name in ("ours", *names):
        start = clock()
        objectives[name] = RIVALS.get(name, ours)(rows, args)
        seconds[name] = clock() - start
        peaks.append(peak())
        print(
            f"{name:<8}{seconds[name]:8.2f} s   objective {objectives[name]:.6g}",
            flush=True,
        )
    fastest = min(seconds[name] for name in names)
    least = min(objectives[name] for name in names)
    print(f"ratio to the faster: {seconds['ours'] / fastest:.2f}")
    print(f"objective over the best of theirs: {objectives['ours'] / least:.5f}")
    print(f"ours holds {1 + (peaks[1] - peaks[0]) / rows.nbytes:.2f} of the rows")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
