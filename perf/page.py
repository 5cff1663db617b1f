"""The page with 23,000 images: how fast it opens, and what it holds in memory.

    python perf/page.py [--images 23000 --clusters 43 --folder DIR]

Makes a benchmark of drawn pictures and random places on three maps (t-SNE is left
out), writes its page in so much processor time, and opens it in Chromium from disk.
The ratio is to the target, five seconds. A page in DIR is opened again, not remade.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

Array = np.ndarray[Any, Any]

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/report")]
TARGET = 5.0
READY = "document.querySelector('section[data-ready]')"


def make(folder: Path, images: int, clusters: int) -> None:
    import conftest as toy

    from mmclust.report import maps
    from mmclust.report.page import make_report

    def anywhere(features: Array) -> Array:
        spread = np.random.default_rng(0).normal(500, 150, (len(features), 2))
        placed: Array = spread.clip(0, 1000).astype(int)
        return placed

    names = tuple(f"class {i}" for i in range(clusters))
    kind = toy.Fake(n=images, classes=clusters, n_clusters=clusters, names=names)
    params = toy.make_run(folder, kind)
    params = replace(
        params, report=replace(params.report, thumbnails=12, points=25_000)
    )
    start = time.process_time()
    with mock.patch.object(maps, "lay_out", anywhere):
        make_report(folder, params, folder / "report/index.html")
    print(f"written in {time.process_time() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=23_000)
    parser.add_argument("--clusters", type=int, default=43)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    from browser import Browser

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        page = folder / "report/index.html"
        if not page.is_file():
            make(folder, options.images, options.clusters)
        sizes = [p.stat().st_size for p in page.parent.rglob("*") if p.is_file()]
        print(f"{len(sizes)} files, {sum(sizes) / 1e6:.0f} MB; "
              f"index.html {page.stat().st_size / 1e6:.2f} MB")  # fmt: skip
        with Browser(Path(temporary) / "profile") as browser:
            start = time.perf_counter()
            browser.open(page)
            loaded = time.perf_counter() - start
            browser.spot("canvas")
            browser.wait(READY)
            seconds = time.perf_counter() - start
            heap = browser.call("Runtime.getHeapUsage")["usedSize"] / 1e6
            step = browser.run("""(() => {
                const canvas = document.querySelector("canvas"), steps = 10;
                canvas.focus();
                const start = performance.now();
                for (let i = 0; i < steps; i += 1) canvas.dispatchEvent(
                    new KeyboardEvent("keydown", {key: i % 2 ? "-" : "+"}));
                canvas.getContext("2d").getImageData(0, 0, 1, 1);
                return (performance.now() - start) / steps;
            })()""")
            print(f"loaded in {loaded:.2f} s; maps drawn after {seconds:.2f} s "
                  f"({seconds / TARGET:.2f} of the target)")  # fmt: skip
            print(f"a step of zoom {step:.0f} ms; JavaScript holds {heap:.0f} MB")


if __name__ == "__main__":
    main()
