"""Neighbours of each row without itself, beside faiss's IndexFlatIP.

    PYTHONPATH=src python perf/neighbors.py [--n 50000]

The target: at most 1.1 x the index, on as many threads (one), in processor seconds.
"""

from __future__ import annotations

import argparse
import time

import faiss
import numpy as np

from mmclust.core.features import normalised
from mmclust.kernels.nearest_neighbors import nearest_neighbors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=8000)
    parser.add_argument("--device", default="cpu", help="of ours; faiss: one thread")
    args = parser.parse_args()
    n = args.n
    rng = np.random.default_rng(0)
    rows = normalised(rng.standard_normal((n, 512)).astype(np.float32))
    clock = time.process_time if args.device == "cpu" else time.perf_counter
    if args.device != "cpu":
        nearest_neighbors(rows[:100], 50, device=args.device)  # warm
    start = clock()
    ours = nearest_neighbors(rows, 50, device=args.device)
    middle = clock()
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(512)
    index.add(rows)
    found = index.search(rows, 51)[1][:, 1:]
    end = clock()
    same = (ours == found).mean()
    ratio = (middle - start) / (end - middle)
    print(f"ours         {middle - start:8.2f} s")
    print(f"IndexFlatIP  {end - middle:8.2f} s")
    print(f"ratio {ratio:.2f}; {same:.4%} of the neighbours are the same")


if __name__ == "__main__":
    main()
