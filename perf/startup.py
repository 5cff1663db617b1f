"""How long commands take that have nothing to do, beside a bare `import torch`.

    PYTHONPATH=src python perf/startup.py

`budget` and `fetch` find nothing there, and say so. Target: at most 0.4 s each.
Prints the medians of nine rounds: seconds, and processor seconds, which others who use
the machine change less.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MMCLUST = [sys.executable, "-m", "mmclust"]
COMMANDS = {
    "mmclust --help": [*MMCLUST, "--help"],
    "mmclust preset --check": [*MMCLUST, "preset", "--check"],
    "mmclust budget": [*MMCLUST, "budget"],
    "mmclust fetch": [*MMCLUST, "fetch", "coco2017"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def main() -> None:
    """Run the commands in rounds, in a folder that has params.yaml and no data."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_text("{}\n")
        (folder / "data").mkdir()
        shutil.copy(ROOT / "data/sources.yaml", folder / "data")
        for _ in range(9):
            for what, command in COMMANDS.items():
                found[what].append(measured(command, folder))
    for what, costs in found.items():
        wall, processor = map(statistics.median, zip(*costs, strict=True))
        print(f"{what:<24}{wall:.2f} s, {processor:.2f} s of processor time")


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds of a command, and its processor's."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True
    )
    seconds, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds - start, used


if __name__ == "__main__":
    main()
