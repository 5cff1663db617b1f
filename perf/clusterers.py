"""Clusterers at the size that people have: processor time and memory of `mmclust fit`.

    PYTHONPATH=src python perf/clusterers.py [--n 100000 --d 64] [--only spectral]

Rows around centres, in a file. Each method is a command of its own, start, reading and
writing included, on one thread; memory is the process's peak, of which the share of the
features is printed after what a process holds that clusters a hundred rows. The largest
case, ``--n 10000000 --only minibatch_kmeans``, makes a file of 2.6 GB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from growth import measured

BLOCK = 100_000


def write(path: Path, n: int, d: int, k: int) -> None:
    """Write n rows around k centres, sorted by centre, some at a time."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((k, d), dtype=np.float32)
    own = np.sort(rng.integers(k, size=n))
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    for start in range(0, n, BLOCK):
        part = own[start : start + BLOCK]
        noise = rng.standard_normal((len(part), d), dtype=np.float32)
        rows[start : start + BLOCK] = noise + 2 * centres[part]
    rows.flush()


def main() -> None:
    """Measure each method that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--k", default="43")
    parser.add_argument("--only", default="spectral,dbscan,ward_graph")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "few.npy", 100, args.d, 4)
        write(folder / "rows.npy", args.n, args.d, int(args.k))
        size = args.n * args.d * 4 / 2**20
        for method in args.only.split(","):
            command = ["fit", method, "--out", "out.csv"]
            command += [f"--set={option}" for option in args.set]
            if method not in ("dbscan", "hdbscan"):
                command += ["--k", args.k]
            few = ["--k", "4"] if "--k" in command else []
            least = measured(
                folder, ["fit", method, *few, "--out", "few.csv", "--features=few.npy"]
            )[1]
            seconds, peak = measured(folder, [*command, "--features=rows.npy"])
            print(
                f"{method}, {args.n:,} x {args.d}: {seconds:.1f} s, {peak:.0f} MiB, "
                f"{(peak - least) / size:.2f} of the features beyond the start's "
                f"{least:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
