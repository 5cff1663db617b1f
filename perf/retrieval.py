"""Retrieval at the published sizes: against the bare product, and a per-query sort.

    python perf/retrieval.py [--queries 25000 --pool 31244 --dim 512]

Prints seconds and ratios in one run. The per-query argsort is measured on some of
the queries and scaled up.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.retrieval.ranks import ROWS, rank_embeddings

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]


def seconds(work: Callable[[], object], repeats: int = 2) -> float:
    """Return the shortest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def product(queries: Array, pool: Array) -> None:
    """Multiply in blocks and keep nothing."""
    flipped = np.ascontiguousarray(pool).T
    out = np.empty((ROWS, len(pool)), np.float32)
    for start in range(0, len(queries), ROWS):
        block = queries[start : start + ROWS]
        np.matmul(block, flipped, out=out[: len(block)])


def sorting(queries: Array, pool: Array, right: Array) -> None:
    """One query at a time: scores, a whole argsort, the place of the right one."""
    for query, own in zip(queries, right, strict=True):
        order = np.argsort(-(pool @ query))
        np.flatnonzero(order == own[0])


def main() -> None:
    """Measure both sizes, or the one that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--pool", type=int, default=31_244)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--chance", action="store_true", help="positives anywhere")
    given = parser.parse_args()
    sizes = [(5000, 25_000), (25_000, 31_244)]
    if given.queries:
        sizes = [(given.queries, given.pool)]
    rng = np.random.default_rng(0)
    for m, n in sizes:
        queries = rng.standard_normal((m, given.dim), dtype=np.float32)
        pool = rng.standard_normal((n, given.dim), dtype=np.float32)
        # As in the protocol: five captions an image, or an image a caption.
        per = 5 if m < n / 4 else 1
        right = rng.integers(0, n, (m, per))
        if not given.chance:  # a model that finds most among the first hundred
            queries /= np.sqrt(given.dim)
            for j in range(per):
                queries += pool[right[:, j]] * (4 / given.dim / per)
        sections = (n,) if per > 1 else (n // 6, n)
        bare = seconds(lambda q=queries, p=pool: product(q, p))
        ours = seconds(
            lambda q=queries, p=pool, r=right, s=sections: rank_embeddings(
                q, p, r, sections=s
            )
        )
        few = min(m, 200)
        loop = seconds(
            lambda q=queries, p=pool, r=right, k=few: sorting(q[:k], p, r[:k]), 1
        )
        loop *= m / few
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{m:,} x {n:,}, d = {given.dim}: product {bare:.2f} s, ours {ours:.2f} s "
            f"({ours / bare:.2f} of it), per-query argsort {loop:.1f} s "
            f"({loop / ours:.1f} times ours), peak {peak:.2f} GiB"
        )


if __name__ == "__main__":
    main()
