"""Reading COCO's objects: a box each, its category, and its outline where wanted.

Boxes are ``[int(x), int(y), int(x + w), int(y + h)]``, truncated, as Berger et al.
(NAACL 2022) have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mmclust.benchmarks._coco_json import (
    Category,
    Id,
    ImageRecord,
    column,
    decode_file,
)
from mmclust.benchmarks._ids import positions

if TYPE_CHECKING:
    from mmclust.benchmarks._raw import Found


class _Object(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Outlined(_Object):
    segmentation: list[list[float]] | dict[str, Any] | None = None


class _ObjectsFile(msgspec.Struct):
    images: list[ImageRecord]
    categories: list[Category]
    annotations: list[_Object]


class _OutlinesFile(msgspec.Struct):
    images: list[ImageRecord]
    categories: list[Category]
    annotations: list[_Outlined]


@dataclass(frozen=True)
class CocoObjects:
    """What an instances file says of where things are.

    Parameters
    ----------
    images
        Its records by id.
    categories
        Names in the order of the file.
    image_ids
        int64 (a,): the image of each object.
    names
        int64 (a,): positions in ``categories``.
    boxes
        int32 (a, 4).
    crowd
        bool (a,).
    outlines
        JSON of each; empty strings where not wanted or not given.
    digest
        sha256 of the file.
    """

    images: dict[int, ImageRecord]
    categories: tuple[str, ...]
    image_ids: np.ndarray[Any, Any]
    names: np.ndarray[Any, Any]
    boxes: np.ndarray[Any, Any]
    crowd: np.ndarray[Any, Any]
    outlines: list[str]
    digest: str


def read_coco_objects(found: Found, *, outlines: bool) -> CocoObjects:
    """Read an instances file with its boxes.

    Parameters
    ----------
    found
        For instance ``annotations/instances_val2014.json``.
    outlines
        Whether to keep the outlines.

    Raises
    ------
    MmclustError
        When the file is not JSON, lacks what is needed, names an image or a category
        that it does not list, or lists one twice.
    """
    kind = _OutlinesFile if outlines else _ObjectsFile
    content: Any
    content, digest = decode_file(found, kind)
    entries = content.annotations
    image_ids = column(entries, "image_id")
    positions(column(content.images, "id"), image_ids, "image", found)
    names = positions(
        column(content.categories, "id"),
        column(entries, "category_id"),
        "category",
        found,
    )
    corners = np.array([e.bbox for e in entries], np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    drawn = [getattr(entry, "segmentation", None) for entry in entries]
    return CocoObjects(
        {image.id: image for image in content.images},
        tuple(category.name for category in content.categories),
        image_ids,
        names,
        corners.astype(np.int32),  # towards zero, as int() does
        column(entries, "iscrowd").astype(bool),
        [msgspec.json.encode(d).decode() if d else "" for d in drawn],
        digest,
    )
