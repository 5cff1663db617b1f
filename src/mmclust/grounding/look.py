"""Looking at every image once, beside what is in it.

One forward pass feeds every visual evaluation.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.images import decode, read_files
from mmclust.core.progress import track
from mmclust.grounding.boxes import (
    OVERLAP,
    box_iou,
    box_of,
    encode,
    inside,
    mask_iou,
    match_counts,
    outline,
    peaks,
    random_boxes,
    random_points,
    region,
    scale_boxes,
)
from mmclust.grounding.model import Network, prepared

if TYPE_CHECKING:
    from mmclust.core.manifest import Manifest
    from mmclust.core.types import Objects
    from mmclust.grounding.model import Model

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Gold:
    """The objects of a benchmark's n images.

    Parameters
    ----------
    classes
        The k categories whose names are one word, in the publisher's order: words of
        captions are tokens, so that no other name can be learned.
    instances
        int64 (n, k): objects of each class in each image, crowds included.
    rows
        Of each image, its objects' positions in ``objects``.
    objects
        All of them.
    """

    classes: tuple[str, ...]
    instances: Array
    rows: list[Array]
    objects: Objects

    def boxes(self, image: int, width: int, height: int, side: int) -> Array:
        """Return an image's boxes on the square input: int64 (g, 4)."""
        boxes = self.objects.boxes[self.rows[image]]
        return scale_boxes(boxes, width, height, side)

    def masks(self, image: int, width: int, height: int, side: int) -> list[Any]:
        """Return the masks of those of an image's objects that have one."""
        texts = [self.objects.masks[row] for row in self.rows[image].tolist()]
        where = f"objects of manifest row {image}"
        return [outline(t, width, height, side, where) for t in texts if t]


def read_gold(objects: Objects, manifest: Manifest) -> Gold:
    """Join objects to a manifest."""
    classes = tuple(n for n in objects.categories if len(n.split()) == 1)
    row_of = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    owner = np.array([row_of.get(i, -1) for i in objects.image_ids], np.int64)
    if (owner < 0).any() or not classes:
        raise MmclustError(
            "Objects and manifest do not belong together",
            where=manifest.folder / "objects.parquet",
            expected="objects of the manifest's images, in categories of one word",
            found=f"{int((owner < 0).sum()):,} objects of other images, "
            f"{len(classes)} such categories",
            do=f"build it again: mmclust build {manifest.benchmark}",
        )
    place = {name: at for at, name in enumerate(classes)}
    kind = np.array([place.get(name, -1) for name in objects.names], np.int64)
    instances = np.zeros((len(manifest), len(classes)), np.int64)
    named = kind >= 0
    np.add.at(instances, (owner[named], kind[named]), 1)
    order = np.argsort(owner, kind="stable")  # an image's objects keep their order
    bounds = np.searchsorted(owner[order], np.arange(len(manifest) + 1))
    rows = [order[a:b] for a, b in pairwise(bounds)]
    return Gold(classes, instances, rows, objects)


BATCH = 16
"""Pictures in one forward pass. Fixed: sums of another order differ in the last bit."""
LOCAL = ("box", "mask", "heatmap_as_published", "heatmap")
"""Evaluations of where clusters look."""


@dataclass
class Seen:
    """What one run's network saw in n images.

    Parameters
    ----------
    active
        Of each image, bool (C,).
    boxes
        Of each image, int (m, 4), one for each active cluster; inverted where its
        map is flat.
    points
        Of each image, int (m, 2): x and y of each map's maximum.
    counts
        By evaluation, TP, FP and FN of each image.
    """

    active: list[Array] = field(default_factory=list)
    boxes: list[Array] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    counts: dict[str, list[tuple[int, int, int]]] = field(
        default_factory=lambda: {name: [] for name in LOCAL}
    )


@dataclass(frozen=True)
class Truth:
    """One image's boxes and masks on the square input."""

    boxes: Array
    masks: list[Any]


def look(
    model: Model,
    manifest: Manifest,
    rows: Array,
    gold: Gold,
    *,
    device: str = "cpu",
    workers: int = 1,
) -> tuple[list[Seen], list[Array]]:
    """Run each network of a model on images, each decoded once."""
    side = model.size
    networks = [Network(model, seed, device) for seed in range(model.n_seeds)]
    seen = [Seen() for _ in networks]
    boxes: list[Array] = []
    files = track(read_files(manifest, rows.tolist()), "look", len(rows), "images")
    with ThreadPoolExecutor(workers) as pool:
        while block := list(islice(files, BATCH)):
            made = list(pool.map(partial(_picture, manifest, side), block))
            pictures = np.stack([picture for picture, _, _ in made])
            truths = [
                Truth(gold.boxes(row, w, h, side), gold.masks(row, w, h, side))
                for (row, _), (_, w, h) in zip(block, made, strict=True)
            ]
            boxes += [truth.boxes for truth in truths]
            for network, run in zip(networks, seen, strict=True):
                active = network.outputs(pictures) >= model.threshold
                for at, truth in enumerate(truths):
                    judge(network, at, active[at], truth, run)
    return seen, boxes


def _picture(
    manifest: Manifest, side: int, file: tuple[int, bytes]
) -> tuple[Array, int, int]:
    """Return a picture as the networks see it, and its own width and height."""
    row, data = file
    member = manifest.table["member"][row].as_py()
    rgb = decode(data, f"{manifest.folder}, {member}")
    return prepared(rgb, side), rgb.shape[1], rgb.shape[0]


def judge(network: Network, at: int, active: Array, truth: Truth, run: Seen) -> None:
    """Add one picture of the latest batch to what a run saw.

    Every active cluster predicts one box, one mask and one point; without one there
    is no prediction.
    """
    small, large = network.maps(at, np.flatnonzero(active))
    regions = [region(heat) for heat in large]
    boxes = np.array([box_of(each) for each in regions], np.int64).reshape(-1, 4)
    points = peaks(large)[:, ::-1]
    masks = mask_iou([encode(each) for each in regions], truth.masks)
    matches = {
        "box": box_iou(boxes, truth.boxes) >= OVERLAP,
        "mask": masks >= OVERLAP,
        # The defect as it is: row and column of the small map, unscaled, as x and y.
        "heatmap_as_published": inside(peaks(small), truth.boxes),
        "heatmap": inside(points, truth.boxes),
    }
    for name, each in matches.items():
        run.counts[name].append(match_counts(each))
    run.active.append(active)
    run.boxes.append(boxes)
    run.points.append(points)


def by_chance(
    boxes: list[Array], side: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Count what random boxes and points hit, as many as each image has gold boxes.

    Returns
    -------
    dict
        ``random_box`` and ``random_heatmap``: int64 (1, n, 3).
    """
    ends = np.cumsum([len(each) for each in boxes])[:-1]
    total = sum(len(each) for each in boxes)
    drawn = np.split(random_boxes(rng, total, side), ends)
    points = np.split(random_points(rng, total, side), ends)
    hits = {
        "random_box": [
            box_iou(d, g) >= OVERLAP for d, g in zip(drawn, boxes, strict=True)
        ],
        "random_heatmap": [inside(p, g) for p, g in zip(points, boxes, strict=True)],
    }
    return {
        name: np.array([[match_counts(each) for each in matches]], np.int64)
        for name, matches in hits.items()
    }
