"""What is in the pictures, by manifest row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.grounding._masks import outline
from mmclust.scoring.boxes import scale_boxes

if TYPE_CHECKING:
    from mmclust.core.manifest import Manifest
    from mmclust.core.types import Objects

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
    """Join objects to a manifest.

    Raises
    ------
    MmclustError
        When an object is of an image that the manifest lacks, or no category has a
        name of one word.
    """
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
