"""Run every benchmark of this folder and print one table, with aims.

    PYTHONPATH=src python perf/all.py [--only kmeans,heads] [--small]

A row is a script and a figure that it prints; a figure is a ratio in one run. Where the
machine is shared, run it several times and take the median. ``--small`` takes sizes
that try the scripts themselves. docs/performance.md has the table as it was measured.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Figure(NamedTuple):
    """What a pattern finds in a script's output, and what it should be."""

    work: str
    pattern: str
    aim: str


class Script(NamedTuple):
    """A script with its options, those for a small run, and its figures."""

    command: str
    small: str
    figures: tuple[Figure, ...]


SCRIPTS = (
    Script("build.py", "--scale 0.02", (
        Figure("COCO-all, captions and annotations, against json.load",
               r"([\d.]+)x as fast \(whole", "at least 15"),
        Figure("… share of its memory", r"([\d.]+) of the memory", "at most 0.2"),
    )),
    Script("encode.py --only reading", "--images 50", (
        Figure("reading by offset against files", r": ([\d.]+)   \(target 1\)",
               "at least 1"),
    )),
    Script("encode.py --only vit --images 128", "--tower tiny --images 40", (
        Figure("ViT-B/32 against one image at a time", r"one at a time +([\d.]+)   ",
               "at least 1.8"),
        Figure("… against the model alone", r"model alone +([\d.]+)   ",
               "at least 0.97"),
    )),
    Script("encoders_classical.py", "", (
        Figure("HOG, LBP against scikit-image", r"square: .*?([\d.]+) times",
               "at least 3"),
    )),
    Script("kmeans.py --n 23189 --k 43 --starts 10", "--n 2000 --starts 2", (
        Figure("k-means, 23,189 x 512, k 43, 10 starts", r"faster: ([\d.]+)",
               "at most 0.8"),
    )),
    Script("kmeans.py --n 200000 --d 128 --k 1000 --starts 1",
           "--n 2000 --k 20 --steps 5", (
        Figure("k-means, 200,000 x 128, k 1,000", r"faster: ([\d.]+)", "at most 0.8"),
    )),
    Script("neighbors.py", "--n 500", (
        Figure("50 neighbours of 8,000 x 512 against faiss", r"ratio ([\d.]+)",
               "at most 1"),
    )),
    Script("heads.py", "--n 1024", (
        Figure("TAC, DXMC: an epoch against its arithmetic", r"s \(ratio ([\d.]+)\), p",
               "at most 1.05"),
        Figure("… a plain loop against ours", r"plain .*?\(ratio ([\d.]+)\)",
               "at least 1.6, 1.5"),
    )),
    Script("retrieval.py --queries 5000 --pool 25000", "--queries 200 --pool 1000", (
        Figure("ranks, 5,000 x 25,000, against the product", r"\(([\d.]+) of it\)",
               "at most 1.25"),
        Figure("… an argsort a query against ours", r"\(([\d.]+) times ours\)",
               "at least 20"),
    )),
    Script("retrieval.py --queries 25000", "--queries 200 --pool 1000", (
        Figure("ranks, 25,000 x 31,244, against the product", r"\(([\d.]+) of it\)",
               "at most 1.2"),
    )),
    Script("cognition.py", "", (
        Figure("association, 480,000 rows, reading included, against dictionaries",
               r"arrays: ([\d.]+) times", "at least 12"),
    )),
    Script("words.py", "", (
        Figure("a step's text side against dictionaries", r"ratio: +([\d.]+)",
               "at least 50"),
    )),
    Script("near_duplicates.py", "", (
        Figure("two groups of equal hashes, seconds", r"the same +([\d.]+) s",
               "at most 5"),
    )),
    Script("startup.py", "", (
        Figure("mmclust --help, seconds", r"--help +([\d.]+) s", "at most 0.4"),
    )),
    Script("growth.py", "--n 500 --factors 1 2", (
        Figure("cluster, score: exponent of time over images", r"exponent ([\d.]+)",
               "about 1"),
    )),
)  # fmt: skip


def main() -> None:
    """Run what is asked for, one script after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="parts of scripts' names: a,b")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    wanted = args.only.split(",")
    print("| work | measured | aim | script |\n|---|---|---|---|")
    for script in SCRIPTS:
        if not any(part in script.command for part in wanted):
            continue
        name, *options = script.command.split()
        options += script.small.split() if args.small else []
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(HERE / name), *options],
            capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(HERE.parent / "src")},
        )  # fmt: skip
        if done.returncode:
            print(f"{name} failed:\n{done.stderr}", file=sys.stderr)
        for figure in script.figures:
            found = ", ".join(re.findall(figure.pattern, done.stdout)) or "no figure"
            print(f"| {figure.work} | {found} | {figure.aim} | `{name}` |", flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
