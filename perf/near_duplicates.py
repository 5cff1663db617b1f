"""Finding near duplicates among 20,000 images: seconds, against comparing all pairs.

Makes hashes of 20,000 pictures, some of them copies a few bits apart, and looks for the
pairs at most four bits apart

- the plain way: each hash against all later ones, as one array operation a row;
- as ``mmclust build`` does, by bands, with the whole report and its table;
- and, beyond decoding, from 32 × 32 pixels: transform, hash and report.

All must find the same pairs. The worst case, where every picture has the same hash, is
timed as well.

    PYTHONPATH=src python perf/near_duplicates.py [--images 20000]
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
import pyarrow as pa

from mmclust.benchmarks._duplicates import (
    DISTANCE,
    Fingerprints,
    find_duplicates,
    perceptual_hashes,
)
from mmclust.core.seeds import generator

TARGET = 60.0


def synthetic(n: int) -> np.ndarray[Any, Any]:
    """Return n hashes, a tenth of them copies of others with up to six bits changed."""
    rng = generator(782, "perf", "near_duplicates")
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64, endpoint=False)
    copies = rng.choice(n, n // 10, replace=False)
    hashes[copies] = hashes[rng.integers(0, n, len(copies))]
    for _ in range(6):
        bits = np.uint64(1) << rng.integers(0, 64, len(copies)).astype(np.uint64)
        hashes[copies] ^= np.where(rng.random(len(copies)) < 0.5, bits, 0).astype(
            np.uint64
        )
    return hashes


def plain(hashes: np.ndarray[Any, Any]) -> int:
    found = 0
    for row in range(len(hashes) - 1):
        other = np.bitwise_count(hashes[row + 1 :] ^ hashes[row])
        found += int((other <= DISTANCE).sum())
    return found


def report(hashes: np.ndarray[Any, Any]) -> dict[str, Any]:
    n = len(hashes)
    digests = np.array([row.to_bytes(32, "big") for row in range(1, n + 1)], "S32")
    prints = Fingerprints(digests, hashes, np.ones(n, bool))
    ids = [f"{row:012d}" for row in range(n)]
    splits = np.array(["train", "test"])[np.arange(n) % 2]
    labels = {image_id: str(row % 43) for row, image_id in enumerate(ids)}
    summary, _ = find_duplicates(prints, ids, splits, labels)
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    n = parser.parse_args().images
    hashes = synthetic(n)
    pa.table({"warm": [["imports what is imported late"]]})
    start = time.perf_counter()
    expected = plain(hashes)
    all_pairs = time.perf_counter() - start
    start = time.perf_counter()
    found = report(hashes)["near"]["pairs"]
    by_bands = time.perf_counter() - start
    if found != expected:
        sys.exit(f"found {found} pairs, all pairs compared: {expected}")
    rng = generator(782, "perf", "pixels")
    pixels = rng.integers(0, 256, (n, 32, 32), dtype=np.uint8)
    start = time.perf_counter()
    blocks = [perceptual_hashes(pixels[at : at + 4096]) for at in range(0, n, 4096)]
    report(np.concatenate(blocks))
    beyond_decoding = time.perf_counter() - start
    start = time.perf_counter()
    worst = report(np.zeros(n, np.uint64))["near"]["pairs"]
    same_hash = time.perf_counter() - start
    if worst != n * (n - 1) // 2:
        sys.exit(f"found {worst} of {n * (n - 1) // 2} pairs of equal hashes")
    print(f"{n:,} images, {found:,} near pairs")
    print(f"all pairs, row by row    {all_pairs:7.2f} s")
    print(f"by bands, with report    {by_bands:7.2f} s")
    print(f"{'':<24} {all_pairs / by_bands:.1f}x as fast")
    print(f"beyond decoding, in all  {beyond_decoding:7.2f} s (target {TARGET:.0f})")
    print(f"worst case, all the same {same_hash:7.2f} s")


if __name__ == "__main__":
    main()
