"""What a GPU gives, in one table for docs/performance.md, within eight minutes.

    PYTHONPATH=src python perf/gpu.py [--device cuda] [--small]

Each row is another script of this folder, in a process of its own, and its own figures:
encoding from JPEG bytes beside the model alone, heads of ten seeds in one pass beside
the plain loop, k-means and neighbours. ``--small`` takes sizes that try the script
itself, on a CPU too.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LIMIT = 480


def rows(device: str, *, small: bool) -> list[tuple[str, list[str]]]:
    """Return what is measured: its name, and the command."""
    on = ["--device", device]
    workers = str(os.cpu_count() or 1)
    n = {"ViT-B/32": 40 if small else 20_000, "ViT-L/14": 40 if small else 4_000}
    encode = [
        (
            f"CLIP {tower}, images a second",
            ["encode.py", "--only", "vit", "--images", str(count), *on,
             "--workers", "2" if small else workers,
             "--tower", "tiny" if small else tower],
        )
        for tower, count in n.items()
    ]  # fmt: skip
    heads = ["heads.py", "--n", "1024" if small else "13000", "--seeds", "10", *on]
    size = ("2000", "16", "10", "3") if small else ("1000000", "128", "1000", "20")
    kmeans = ["kmeans.py", "--rival", "torch", "--starts", "1", *on]
    for name, value in zip(("--n", "--d", "--k", "--steps"), size, strict=True):
        kmeans += [name, value]
    neighbours = ["neighbors.py", "--n", "500" if small else "50000", *on]
    return [
        *encode,
        ("heads, an epoch of ten seeds", heads),
        (f"k-means, {size[0]} x {size[1]}, k {size[2]}, {size[3]} steps", kmeans),
        ("50 neighbours, x 512", neighbours),
    ]


def main() -> None:
    """Run them all and print the table; what does not fit into the limit is said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    begin, table = time.monotonic(), []
    for name, command in rows(args.device, small=args.small):
        left = LIMIT - (time.monotonic() - begin)
        try:
            done = subprocess.run(
                [sys.executable, str(HERE / command[0]), *command[1:]],
                capture_output=True, text=True, timeout=max(left, 1), check=False,
            )  # fmt: skip
            said = done.stdout if not done.returncode else f"failed: {done.stderr}"
        except subprocess.TimeoutExpired:
            said = "not finished within the limit"
        print(f"# {name}\n{said}", flush=True)
        lines = [re.sub(r"\s+", " ", line).strip() for line in said.splitlines()]
        figures = [line for line in lines if re.search(r"\d", line)] or lines[-1:]
        table.append(f"| {name} | {'; '.join(figures)[:400]} |")
    print("| work | measured |\n|---|---|")
    print("\n".join(table))


if __name__ == "__main__":
    main()
