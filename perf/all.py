"""Run every benchmark of this folder and print one table, with aims.

    PYTHONPATH=src python perf/all.py [--only kmeans,heads] [--runs 3] [--write]

A row is a script and a figure that it prints. A figure is a ratio in one run where
there is something to compare with; of several runs of a script the median is taken,
and least and most stand beside it. Runs go round: if the machine slows down, it does
so for all.
``--quick`` takes sizes that try the scripts themselves. ``--write`` puts the table
between the markers of docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs/performance.md"
MARKERS = ("<!-- perf/all.py: begin -->", "<!-- perf/all.py: end -->")


class Figure(NamedTuple):
    """What a pattern finds in a script's output, and what it should be."""

    work: str
    pattern: str
    aim: str


class Script(NamedTuple):
    """A script with its options, those for a quick run, and its figures.

    A script that takes minutes runs once; none runs for longer than ``limit`` seconds.
    """

    command: str
    quick: str
    figures: tuple[Figure, ...]
    runs: int = 5
    limit: int = 300


SCRIPTS = (
    Script("build.py", "--scale 0.02", (
        Figure("COCO-all, captions and annotations, against json.load",
               r" (?!1\.0x)([\d.]+)x as fast \(whole", "at least 15"),
        Figure("… share of its memory", r"\), (?!1\.00)([\d.]+) of the memory",
               "at most 0.2"),
    ), runs=1),
    Script("encode.py --only reading", "--images 50", (
        Figure("reading by offset against files", r": ([\d.]+)   \(target 1\)",
               "at least 1"),
    ), runs=3),
    Script("encode.py --only vit --images 512", "--tower tiny --images 40", (
        Figure("ViT-B/32, a further picture, against one at a time",
               r"one at a time +([\d.]+)   ", "at least 1.8"),
        Figure("… against the model alone", r"model alone +([\d.]+)   ",
               "at least 0.97"),
        Figure("… starting: seconds", r"starting +([\d.]+) s", ""),
    ), runs=1),
    Script("encoders_classical.py", "", (
        Figure("HOG, LBP against scikit-image", r"square: .*?([\d.]+) times",
               "at least 3"),
    ), runs=3),
    Script("kmeans.py --n 23189 --k 43 --starts 10", "--n 2000 --starts 2", (
        Figure("k-means, 23,189 x 512, k 43, 10 starts, against the faster of faiss "
               "and scikit-learn", r"faster: ([\d.]+)", "at most 0.8"),
        Figure("… objective over the best of theirs", r"best of theirs: ([\d.]+)",
               "at most 1"),
    ), runs=3),
    Script("kmeans.py --n 1000000 --d 128 --k 1000 --starts 1 --steps 5",
           "--n 2000 --k 20", (
        Figure("k-means, 1,000,000 x 128, k 1,000, 5 iterations", r"faster: ([\d.]+)",
               "at most 0.8"),
        Figure("… memory over the features", r"ours holds ([\d.]+)", "at most 1.2"),
    ), runs=1, limit=600),
    Script("clusterers.py --only spectral,dbscan", "--n 2000", (
        Figure("spectral, DBSCAN, 100,000 x 64, start and files included: seconds",
               r": ([\d.]+) s,", "at most 300, 180"),
        Figure("… MiB", r"s, (\d+) MiB", ""),
    ), runs=1, limit=600),
    Script("clusterers.py --only minibatch_kmeans --n 2000000", "--n 2000", (
        Figure("k-means by mini-batches, 2,000,000 x 64, k 43: seconds",
               r": ([\d.]+) s,", ""),
        Figure("… MiB", r"s, (\d+) MiB", "at most 2048 at 10,000,000"),
    ), runs=1),
    Script("neighbors.py", "--n 500", (
        Figure("50 neighbours of 8,000 x 512 against faiss", r"ratio ([\d.]+)",
               "at most 1"),
    )),
    Script("heads.py", "--n 1024", (
        Figure("TAC, DXMC: an epoch against its arithmetic", r"s \(ratio ([\d.]+)\), p",
               "at most 1.05"),
        Figure("… a plain loop against ours", r"plain .*?\(ratio ([\d.]+)\)",
               "at least 1.6, 1.5"),
    ), runs=2),
    Script("retrieval.py --queries 5000 --pool 25000", "--queries 200 --pool 1000", (
        Figure("ranks, 5,000 x 25,000, against the product", r"\(([\d.]+) of it\)",
               "at most 1.25"),
        Figure("… an argsort a query against ours", r"\(([\d.]+) times ours\)",
               "at least 20"),
    ), runs=3),
    Script("retrieval.py --queries 25000", "--queries 200 --pool 1000", (
        Figure("ranks, 25,000 x 31,244, against the product", r"\(([\d.]+) of it\)",
               "at most 1.2"),
    ), runs=1),
    Script("cognition.py", "", (
        Figure("association, 480,000 rows, reading included, against dictionaries",
               r"arrays: ([\d.]+) times", "at least 12"),
    ), runs=2),
    Script("bootstrap.py", "--methods 2 --n 500", (
        Figure("bootstrap, 25 methods of 10 seeds, 23,189 images, 1,000 resamples: "
               "processor seconds", r"methods: ([\d.]+) s", "at most 60"),
    ), runs=1),
    Script("words.py", "", (
        Figure("a step's text side against dictionaries", r"ratio: +([\d.]+)",
               "at least 50"),
    ), runs=3),
    Script("near_duplicates.py", "--images 500", (
        Figure("two groups of equal hashes, seconds", r"the same +([\d.]+) s",
               "at most 5"),
    ), runs=3),
    Script("startup.py", "", (
        Figure("mmclust --help, seconds", r"--help +([\d.]+) s", "at most 0.4"),
    ), runs=1),
    Script("nouns.py", "--images 500 --nouns 2000", (
        Figure("30,000 nouns near 10,000 images, plain against ours",
               r"ratio ([\d.]+) in",
               "at least 4"),
    ), runs=1),
    Script("turtle.py", "--n 500 --steps 3", (
        Figure("TURTLE: a step of one seed, and of three, against its products",
               r"\(([\d.]+) x\)", "at most 1.15, 2"),
    ), runs=1),
    Script("page.py", "--images 400 --clusters 4", (
        Figure("page of 23,000 images: loaded, seconds", r"loaded in ([\d.]+)",
               "at most 2"),
        Figure("… written, seconds", r"written in (\d+)", ""),
    ), runs=1),
    Script("growth.py", "--n 100 --factors 1 2", (
        Figure("{}: exponent of time over images, 1,000 to 16,000",
               r"^(\w+): .*exponent ([\d.-]+)", "about 1"),
        Figure("{}: seconds and MiB of each size", r"^(\w+): (.*); exponent", ""),
    ), runs=1, limit=900),
)  # fmt: skip


def run(script: Script, *, quick: bool) -> str:
    """Return what a script prints; say so where it fails."""
    name, *options = script.command.split()
    options += script.quick.split() if quick else []
    start = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / name), *options],
            capture_output=True, text=True, check=False, timeout=script.limit,
            env={**os.environ, "PYTHONPATH": str(HERE.parent / "src")},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"{script.command}: over {script.limit} s", file=sys.stderr)
        return ""
    if done.returncode:
        print(f"{script.command} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
    print(f"{script.command}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return done.stdout


def rows_of(script: Script, printed: list[str]) -> list[str]:
    """Return the table's rows of a script: each figure's median over its runs."""
    rows = []
    name = script.command.split()[0]
    for figure in script.figures:
        found = [re.findall(figure.pattern, text, re.MULTILINE) for text in printed]
        if "{}" in figure.work:  # a row for each that is named
            rows += [
                f"| {figure.work.format(what)} | {value} | {figure.aim} | `{name}` |"
                for what, value in found[0]
            ]
            continue
        full = [each for each in found if each]
        shown = ", ".join(map(_middle, zip(*full, strict=False))) or "no figure"
        rows.append(f"| {figure.work} | {shown} | {figure.aim} | `{name}` |")
    return rows


def _middle(values: tuple[str, ...]) -> str:
    """Return the median, and least and most where they differ."""
    numbers = sorted(map(float, values))
    middle = f"{statistics.median(numbers):g}"
    if numbers[0] == numbers[-1]:
        return middle
    return f"{middle} ({numbers[0]:g} to {numbers[-1]:g})"


def write(table: str) -> None:
    """Put the table between the markers of docs/performance.md."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    PAGE.write_text(
        f"{before}{MARKERS[0]}\n{table}\n{MARKERS[1]}{after}", encoding="utf-8"
    )


def main() -> None:
    """Run what is asked for, in rounds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="parts of commands: a,b")
    parser.add_argument("--runs", type=int, default=5, help="of a script, at most")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    wanted = args.only.split(",")
    scripts = [s for s in SCRIPTS if any(part in s.command for part in wanted)]
    printed: list[list[str]] = [[] for _ in scripts]
    for number in range(1 if args.quick else args.runs):
        for script, texts in zip(scripts, printed, strict=True):
            if number >= script.runs:
                continue
            texts.append(run(script, quick=args.quick))
            if args.write:  # at once: what was measured stays if this is stopped
                write(_table(scripts, printed))
    print(_table(scripts, printed))


def _table(scripts: list[Script], printed: list[list[str]]) -> str:
    rows = ["| work | measured | aim | script |", "|---|---|---|---|"]
    for script, texts in zip(scripts, printed, strict=True):
        rows += rows_of(script, texts) if texts else []
    return "\n".join(rows)


if __name__ == "__main__":
    main()
