"""What stages cost as benchmarks grow: seconds, memory, and the exponent of time.

    PYTHONPATH=src python perf/growth.py [--n 1000 --factors 1 4 16]

Each size is a synthetic benchmark (perf/synthetic.py; for ``build`` the annotations of
perf/build.py) without pixels, so that ``encode`` is of captions. Each stage is a
command of its own: processor seconds and peak resident memory are of the whole process
and its children. ``diff`` compares the scores with those of one cluster fewer. The
exponent is of time from the smallest to the largest size, starting included: 1 is
linear.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from build import N_IMAGES, write_captions, write_synthetic
from synthetic import make

STAGES = {
    "build": [
        "build", "coco_all", "--raw", "raw", "--out", "built", "--annotations-only",
        "--set", "min_images=1",
    ],
    "encode": ["encode", "folder", "lsa"],
    "cluster": ["cluster", "--benchmark", "folder", "--encoder", "random"],
    "score": ["score", "benchmark", "folder"],
    "report": ["report"],
    "diff": ["diff", "HEAD"],
}  # fmt: skip
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "mmclust", *sys.argv[1:]],
                      capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.stderr if done.returncode else json.dumps(
    [used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(done.returncode)
"""


def measured(folder: Path, command: list[str]) -> tuple[float, float]:
    """Return processor seconds and peak MiB of one command."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout}")
    seconds, memory = map(float, done.stdout.strip("[]\n").split(","))
    return seconds, memory


def score_otherwise(folder: Path) -> None:
    """Commit the scores, and score one cluster fewer."""
    for command in (
        ["init", "--quiet"],
        ["add", "--force", "metrics", "params.yaml"],
        [
            "-c",
            "user.name=perf",
            "-c",
            "user.email=perf",
            "commit",
            "--quiet",
            "-m",
            ".",
        ],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("k: 43", "k: 42"))
    for stage in ("cluster", "score"):
        measured(folder, STAGES[stage])


def main() -> None:
    """Measure each stage at each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in STAGES}
    for factor in args.factors:
        with tempfile.TemporaryDirectory() as name:
            make(Path(name), n=args.n * factor, seeds=args.seeds)
            path = Path(name, "raw/annotations/instances_train2017.json")
            write_synthetic(path, args.n * factor / N_IMAGES)
            write_captions(
                path.with_name("captions_train2017.json"), args.n * factor / N_IMAGES
            )
            params = Path(name, "params.yaml")
            text = params.read_text()
            for stage, command in STAGES.items():
                if stage == "diff":
                    score_otherwise(Path(name))
                else:
                    other = text.replace("random", "lsa")
                    params.write_text(other if stage == "encode" else text)
                found[stage].append(measured(Path(name), command))
    for stage, costs in found.items():
        span = args.factors[-1] / args.factors[0]
        power = math.log(costs[-1][0] / costs[0][0]) / math.log(span) if span > 1 else 0
        each = "; ".join(
            f"{args.n * factor:,} images {seconds:.1f} s, {memory:.0f} MiB"
            for factor, (seconds, memory) in zip(args.factors, costs, strict=True)
        )
        print(f"{stage}: {each}; exponent {power:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"(making them took {peak:.1f} GiB)")


if __name__ == "__main__":
    main()
