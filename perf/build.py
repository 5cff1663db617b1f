"""Building COCO-all with captions from full-size annotations: time and peak memory.

Makes a synthetic ``instances_train2017.json`` (118k images, 860k annotations with
polygons, about 540 MB) and ``captions_train2017.json`` (592k captions, about 70 MB) and
runs, each in a fresh process,

- the plain way: ``json.load`` and Python loops over annotations and captions;
- ``mmclust build coco_all --annotations-only``.

Of the fastest of a few alternating rounds: seconds of the work itself, after the
imports and with sha256 (ours) included; wall-clock and processor seconds of the whole
process; megabytes of its peak resident set, mapped file pages included. All must
count the same.

    PYTHONPATH=src python perf/build.py [--rounds 2] [--scale 1] [--zip]

With ``--zip`` a third row reads the same file from a compressed archive.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmclust.core.seeds import generator

N_IMAGES = 118_287
N_ANNOTATIONS = 860_001
N_CAPTIONS = 591_753
N_CATEGORIES = 80
TARGETS = (15.0, 0.2)

PLAIN = """
import json, sys, time
from collections import Counter, defaultdict
start = time.perf_counter()
with open(sys.argv[1] + "/annotations/instances_train2017.json") as file:
    content = json.load(file)
name_of = {c["id"]: c["name"] for c in content["categories"]}
seen = defaultdict(set)
for annotation in content["annotations"]:
    seen[annotation["image_id"]].add(name_of[annotation["category_id"]])
single = {i: next(iter(names)) for i, names in seen.items() if len(names) == 1}
counts = Counter(single.values())
kept = {n for n, c in counts.items() if c >= 100}
classes = Counter(n for n in single.values() if n in kept)
with open(sys.argv[1] + "/annotations/captions_train2017.json") as file:
    content = json.load(file)
captions = defaultdict(list)
for entry in content["annotations"]:
    if single.get(entry["image_id"]) in kept:
        text = entry["caption"].strip()
        if text:
            captions[entry["image_id"]].append(text)
seconds = time.perf_counter() - start
counted = {
    "images": classes.total(),
    "captions": sum(map(len, captions.values())),
    "per_class": classes,
}
print(json.dumps([seconds, counted]))
"""

OURS = """
import json, sys, time
from pathlib import Path
import pyarrow.parquet, yaml
from mmclust.benchmarks import coco_single_category
from mmclust.benchmarks._build import build_benchmark
pyarrow.table({"warm": [["imports pandas, where there is one"]]})
start = time.perf_counter()
raw, out = Path(sys.argv[1]), Path(sys.argv[2])
summary = build_benchmark("coco_all", raw, out, images=False)
seconds = time.perf_counter() - start
counted = {key: summary[key] for key in ("images", "captions", "per_class")}
print(json.dumps([seconds, counted]))
"""


class Measured(NamedTuple):
    """One run: seconds of work, of the process, of processors; peak MB; counts."""

    work: float
    wall: float
    cpu: float
    peak: float
    counted: dict[str, Any]


def write_synthetic(path: Path, scale: float) -> None:
    """Write an instances file with the real one's counts, keys and number widths."""
    rng = generator(782, "perf", "build")
    n_images, n_annotations = int(N_IMAGES * scale), int(N_ANNOTATIONS * scale)
    ids = np.sort(rng.choice(600_000, n_images, replace=False))
    # An image's objects come from a main category or, less often, from any.
    weights = 1 / np.arange(1, N_CATEGORIES + 1)
    weights /= weights.sum()
    main = rng.choice(N_CATEGORIES, n_images, p=weights)
    image = rng.integers(n_images, size=n_annotations)
    other = rng.choice(N_CATEGORIES, n_annotations, p=weights)
    own = rng.random(n_annotations) < 0.75
    category = np.where(own, main[image], other) + 1
    polygons = [_polygon(rng) for _ in range(2_000)]
    pick = rng.integers(len(polygons), size=n_annotations)
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"year": 2017}, "licenses": [], "images": [')
        file.write(", ".join(_image(i) for i in ids.tolist()))
        file.write('], "annotations": [')
        rows = zip(ids[image].tolist(), category.tolist(), pick.tolist(), strict=True)
        for number, (image_id, category_id, which) in enumerate(rows):
            file.write(
                f"{', ' if number else ''}{polygons[which]}, "
                f'"image_id": {image_id}, "bbox": [473.07, 395.93, 38.65, 28.67], '
                f'"category_id": {category_id}, "id": {number}}}'
            )
        file.write('], "categories": ')
        numbers = range(1, N_CATEGORIES + 1)
        names = [
            {"supercategory": "any", "id": n, "name": f"thing {n}"} for n in numbers
        ]
        file.write(json.dumps(names) + "}")


def write_captions(path: Path, scale: float) -> None:
    """Write captions for the images of :func:`write_synthetic`, five or more each."""
    rng = generator(782, "perf", "build")  # the same first draw: the same ids
    n_images = int(N_IMAGES * scale)
    ids = np.sort(rng.choice(600_000, n_images, replace=False))
    n_captions = max(int(N_CAPTIONS * scale), 5 * n_images)
    extra = rng.integers(n_images, size=n_captions - 5 * n_images)
    of = ids[np.concatenate([np.repeat(np.arange(n_images), 5), extra])]
    of = of[rng.permutation(len(of))].tolist()
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"year": 2017}, "licenses": [], "annotations": [')
        for number, image_id in enumerate(of):
            file.write(
                f'{", " if number else ""}{{"image_id": {image_id}, "id": {number}, '
                f'"caption": "A man with a red helmet on a small moped, no {number}."}}'
            )
        file.write("]}")


def _image(image_id: int) -> str:
    name = f"{image_id:012d}.jpg"
    return (
        f'{{"license": 3, "file_name": "{name}", '
        f'"coco_url": "http://example.org/train2017/{name}", "height": 427, '
        '"width": 640, "date_captured": "2013-11-14 11:18:45", '
        f'"flickr_url": "http://example.org/1/{name}", "id": {image_id}}}'
    )


def _polygon(rng: np.random.Generator) -> str:
    """Return the beginning of an annotation: around 31 corners, as in COCO."""
    corners = rng.uniform(10, 639, 2 * int(rng.integers(8, 56))).round(2)
    numbers = ",".join(map(str, corners.tolist()))  # without blanks, as published
    return f'{{"segmentation": [[{numbers}]], "area": 702.1057, "iscrowd": 0'


def measure(code: str, raw: Path, out: Path) -> Measured:
    """Run code in a fresh process."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(raw), str(out)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the measured process ended with {process.returncode}")
    work, counted = json.loads(text)
    return Measured(
        work,
        time.perf_counter() - start,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        counted,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--zip", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "unpacked")
        path = raw / "annotations" / "instances_train2017.json"
        captions = path.with_name("captions_train2017.json")
        write_synthetic(path, arguments.scale)
        write_captions(captions, arguments.scale)
        for file in (path, captions):
            print(f"{file.name}: {file.stat().st_size / 1e6:.0f} MB")
        ways = {"json.load + loop": (PLAIN, raw), "mmclust build": (OURS, raw)}
        if arguments.zip:
            ways["mmclust build, zip"] = (
                OURS,
                pack([path, captions], Path(folder, "packed")),
            )
        rounds = [
            {name: measure(*way, Path(folder, "out")) for name, way in ways.items()}
            for _ in range(arguments.rounds)
        ]
    report({name: min((r[name] for r in rounds), key=itemgetter(0)) for name in ways})


def pack(paths: list[Path], raw: Path) -> Path:
    raw.mkdir()
    archive = raw / "annotations_trainval2017.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in paths:
            file.write(path, f"annotations/{path.name}")
    return raw


def report(runs: dict[str, Measured]) -> None:
    plain = runs["json.load + loop"]
    for name, run in runs.items():
        if run.counted != plain.counted:
            sys.exit(f"{name} counts otherwise: {run.counted}, {plain.counted}")
        print(
            f"{name:<20} work {run.work:6.2f} s, process {run.wall:6.2f} s, "
            f"CPU {run.cpu:6.2f} s, peak {run.peak:5.0f} MB"
        )
        print(
            f"{'':<20} {plain.work / run.work:.1f}x as fast (whole process "
            f"{plain.wall / run.wall:.1f}x, CPU {plain.cpu / run.cpu:.1f}x), "
            f"{run.peak / plain.peak:.2f} of the memory"
        )
    counted = plain.counted
    print(
        f"all count {counted['images']:,} images, {len(counted['per_class'])} classes, "
        f"{counted['captions']:,} captions"
    )
    faster, less = TARGETS
    print(f"targets: at least {faster:.0f}x as fast, at most {less:.2f} of the memory")


if __name__ == "__main__":
    main()
