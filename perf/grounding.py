# ruff: noqa: ANN001, ANN002, ANN201 (benchmark helpers, read top to bottom)
"""Threshold search, and one pass per image, beside plain implementations.

    PYTHONPATH=src python perf/grounding.py [--pairs 10000000 --images 12]

Plain, written from the description of the published evaluator: the search goes through
the distinct values in ascending order with growing lists; each of five evaluators
decodes the picture and runs the network anew, and finds connected pieces by walking
over pixels. Target: under a second per million pairs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from pathlib import Path

import numpy as np


def clock(work, *given):
    start = time.perf_counter()
    found = work(*given)
    return time.perf_counter() - start, found


def plain_search(scores, right):
    pairs = sorted(zip(scores.tolist(), right.tolist(), strict=True))
    best, best_f1, below, at = None, -1.0, [], 0
    while at < len(pairs):
        above = pairs[at:]
        tp = sum(r for _, r in above)
        wrong = len(above) - tp + sum(r for _, r in below)
        f1 = tp / (tp + 0.5 * wrong) if tp + wrong else 0.0
        if f1 > best_f1:
            best, best_f1 = pairs[at][0], f1
        value = pairs[at][0]
        while at < len(pairs) and pairs[at][0] == value:
            at += 1
        below = pairs[:at]
    return best, best_f1


def search(n_pairs):
    from mmclust.grounding.classes import best_threshold

    rng = np.random.default_rng(0)
    right = rng.random(n_pairs) < 0.045  # about three of 65 classes
    scores = rng.normal(0.17 + 0.03 * right, 0.02).astype(np.float32)
    seconds, (threshold, f1) = clock(best_threshold, scores, right)
    each = seconds / n_pairs * 1e6
    print(f"search   {n_pairs:,} pairs {seconds:.2f} s, {each:.2f} s per million")
    few = min(n_pairs, 4000)
    ours, a = clock(best_threshold, scores[:few], right[:few])
    plain, b = clock(plain_search, scores[:few], right[:few])
    assert a == b
    print(
        f"         {few:,} pairs: ratio {plain / ours:.0f} ({threshold:.3f}, {f1:.3f})"
    )


def plain_region(mask):
    """Walk over pixels; the largest 8-connected piece."""
    height, width = mask.shape
    seen, best = set(), []
    for start in zip(*np.nonzero(mask), strict=True):
        if start in seen:
            continue
        piece, queue = [], deque([start])
        seen.add(start)
        while queue:
            r, c = queue.popleft()
            piece.append((r, c))
            for i in (-1, 0, 1):
                for j in (-1, 0, 1):
                    near = r + i, c + j
                    if not (0 <= near[0] < height and 0 <= near[1] < width):
                        continue
                    if mask[near] and near not in seen:
                        seen.add(near)
                        queue.append(near)
        if len(piece) > len(best):
            best = piece
    return best


def plain_images(manifest, model, rows):
    """Five evaluators, one after the other; boxes and heat maps need the maps."""
    from mmclust.core.images import read_images
    from mmclust.grounding.look import Network, prepared

    network, boxes = Network(model, 0), []
    for evaluator in ("names", "cooccurrence", "iou", "boxes", "heatmap"):
        for _, rgb in read_images(manifest, rows):
            output = network.outputs(prepared(rgb, model.size)[None])[0]
            active = np.flatnonzero(output >= model.threshold)
            if evaluator in ("boxes", "heatmap"):
                _, large = network.maps(0, active)
                if evaluator == "boxes":
                    pieces = [plain_region(h >= 0.5 * h.max()) for h in large]
                    found = [np.array(p) for p in pieces]
                    boxes.append([[*p.min(0)[::-1], *p.max(0)[::-1]] for p in found])
    return boxes


def images(count, backbone, clusters):
    import torch
    from PIL import Image
    from safetensors.torch import save_file

    from mmclust.core.clusters import WordClusters, write_words
    from mmclust.core.io import write_json
    from mmclust.core.manifest import Row, read_manifest, write_manifest
    from mmclust.core.types import Objects
    from mmclust.grounding.look import look, read_gold, read_model
    from mmclust.models.backbones import build

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rows = []
        for at in range(count):
            rough = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
            Image.fromarray(rough).resize((640, 480)).save(root / f"{at:03d}.jpg")
            rows.append(Row(f"{at:03d}", root, f"{at:03d}.jpg", None, None, 640, 480,
                            ("a dog",), "val"))  # fmt: skip
        path = root / "manifest.parquet"
        write_manifest(path, rows, benchmark="perf", protocol="1", sources={},
                       fit=("val",), evaluate=("val",))  # fmt: skip
        manifest = read_manifest(path)
        (root / "m/seed_0").mkdir(parents=True)
        module = build(backbone, clusters)
        with torch.no_grad():  # three active clusters, about as many as are learned
            module.fc.bias.copy_(torch.where(torch.arange(clusters) < 3, 9.0, -9.0))
        save_file(module.state_dict(), root / "m/seed_0/visual.safetensors")
        dog = WordClusters(("dog",), np.ones(1, int), np.zeros((1, 1), np.int32))
        write_words(root / "m/words.parquet", dog)
        write_json(root / "m/model.json", {
            "backbone": backbone, "size": 224, "clusters": clusters,
            "mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28],
            "visual_threshold": 0.5, "text_threshold": 0.03,
        })  # fmt: skip
        model = read_model(root / "m")
        gold = read_gold(
            Objects(
                ("dog",),
                [r.image_id for r in rows],
                ["dog"] * count,
                np.tile([9, 9, 300, 300], (count, 1)),
                np.zeros(count, bool),
                [""] * count,
            ),
            manifest,
        )
        every = np.arange(count)
        look(model, manifest, every[:1], gold)  # load what both need
        ours, (seen, _) = clock(look, model, manifest, every, gold)
        plain, boxes = clock(plain_images, manifest, model, range(count))
    same = [a.tolist() == np.array(b).reshape(-1, 4).tolist()
            for a, b in zip(seen[0].boxes, boxes, strict=True)]  # fmt: skip
    active = np.mean([row.sum() for row in seen[0].active])
    print(
        f"images   {count} with {active:.1f} active of {clusters} clusters, {backbone}"
    )
    print(f"         one pass {ours:.2f} s, five evaluators {plain:.2f} s: ratio "
          f"{plain / ours:.1f} (equal boxes in {sum(same)} of {count})")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--clusters", type=int, default=100)
    args = parser.parse_args()
    search(args.pairs)
    images(args.images, args.backbone, args.clusters)


if __name__ == "__main__":
    main()
