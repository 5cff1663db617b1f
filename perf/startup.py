"""How long `mmclust --help` takes, beside a bare `import torch` in the same run.

    PYTHONPATH=src python perf/startup.py

Target: below 0.3 s. Prints the median of nine starts of each.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "mmclust --help": [sys.executable, "-m", "mmclust", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def main() -> None:
    medians = {}
    for name, command in COMMANDS.items():
        seconds = []
        for _ in range(9):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
        medians[name] = statistics.median(seconds)
        print(f"{name:<16}{medians[name]:.2f} s")
    ratio = medians["import torch"] / medians["mmclust --help"]
    print(f"{'ratio':<16}{ratio:.1f}")


if __name__ == "__main__":
    main()
