"""COCO's captioned images with their objects, to learn words from.

Captions are the publisher's, untouched; the images of the training part are learned
from, those of the validation part are scored. By the published filter an image is left
out, the first reason counting, when it has no annotated object, is stored in grey, or
shows a category whose name has several words: 15 of COCO's 80 names have, 65 stay.

Source: Berger et al., NAACL 2022 (COCO 2014; train2014 learned from, val2014 scored).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from mmclust.benchmarks._coco_annotations import read_captions, read_coco_objects
from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import (
    container_notes,
    faulty,
    require,
    source_folders,
)
from mmclust.benchmarks._splits import splits_of
from mmclust.core.errors import MmclustError
from mmclust.core.images import read_files, size_of
from mmclust.core.manifest import Manifest
from mmclust.core.progress import track
from mmclust.core.types import Built, Objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.benchmarks._coco_annotations import CocoObjects
    from mmclust.core.manifest import Row


SOURCES = ("coco2014", "coco2017")
DEFAULT_SPLIT = "all"
IMAGES = {
    "coco2014": {"train": 82_783, "val": 40_504},
    "coco2017": {"train": 118_287, "val": 5_000},
}


@dataclass(frozen=True)
class Params:
    """Which COCO, and which of its images."""

    source: Literal["coco2014", "coco2017"] = "coco2014"
    """Whose train and val parts."""
    filter: Literal["published", "none"] = "published"
    """``none``: every image that has a caption."""
    masks: bool = True
    """Whether the outlines of the objects that are scored are kept, besides boxes."""


@dataclass
class Part:
    """Train or val on its way through the filter."""

    name: str
    folder: str  # of the pictures, for instance `val2014`
    captions: dict[int, tuple[str, ...]]
    objects: CocoObjects
    chosen: set[int]  # images that stay
    n_empty: int
    dropped: dict[str, int]
    """Images by the first rule that they fell to."""

    def file(self, image: int) -> str:
        """Return the name of an image's file; COCO's rule where none is stated."""
        record = self.objects.images.get(image)
        prefix = f"COCO_{self.folder}_" if self.folder.endswith("2014") else ""
        return (record and record.file_name) or f"{prefix}{image:012d}.jpg"

    def image_id(self, image: int) -> str:
        """Return the name of an image's file without its ending."""
        return PurePosixPath(self.file(image)).stem


def sources(params: Params) -> tuple[str, ...]:
    """Return the one source that is read."""
    return (params.source,)


def pictures(raw: Path, params: Params, *, split: str) -> list[str]:
    """Return the pictures that :func:`build` looks at: grey ones fall only then."""
    parts = _parts(source_folders(raw, (params.source,)), params, split, {})
    return [f"{part.folder}/{part.file(i)}" for part in parts for i in part.chosen]


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images before the filter; after it, they are not published."""
    if params.filter != "none":
        return None
    images = IMAGES[params.source]
    return {"": sum(images[part] for part in splits_of(split, images))}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images, with their captions and objects."""
    folders = source_folders(raw, (params.source,))
    digests: dict[str, str] = {}
    parts = _parts(folders, params, split, digests)
    rows: list[Row] = []
    for part in parts:
        known = part.objects.images
        ids = {str(i): i for i in sorted(part.chosen)}
        files = {at: f"{part.folder}/{part.file(i)}" for at, i in ids.items()}
        splits = dict.fromkeys(ids, part.name)
        captions = {at: part.captions[i] for at, i in ids.items()}
        stated = {at: known[i] for at, i in ids.items() if i in known}
        sizes = {at: (image.width, image.height) for at, image in stated.items()}
        found = captioned_rows(folders, files, splits, captions, sizes, images=images)
        if params.filter == "published":
            # Stored in grey; then a category of a name of several words.
            grey = {ids[at] for at in _grey(found)} if images else set()
            of_long = np.isin(part.objects.names, _long(part.objects.categories))
            long = set(part.objects.image_ids[of_long].tolist()) - grey
            part.dropped["greyscale"] = len(grey)
            part.dropped["name_of_several_words"] = len(part.chosen & long)
            part.chosen -= grey | long
        rows += (
            replace(row, image_id=part.image_id(ids[row.image_id]))
            for row in found
            if ids[row.image_id] in part.chosen
        )
    if not rows:
        raise MmclustError(
            "No image is left to learn words from",
            where=raw,
            expected="captioned images with objects of one-word names",
            found=str({part.name: part.dropped for part in parts}),
            do="give the publisher's own annotations, or set filter: none",
        )
    notes = _notes(split, params, parts, images=images)
    return Built(
        rows,
        {},
        protocol="1",
        sources=digests,
        notes=notes | {"image_files": container_notes(raw, rows) or "none"},
        fit=("train",),
        evaluate=("val",),
        objects=_objects(parts),
    )


def _parts(
    folders: Sequence[Path], params: Params, split: str, digests: dict[str, str]
) -> list[Part]:
    """Read the parts; chosen are the images whose files are to be looked at."""
    year = params.source.removeprefix("coco")
    archive = f"annotations_trainval{year}.zip"
    parts = []
    for name in splits_of(split, IMAGES[params.source]):
        for kind in ("captions", "instances"):
            member = f"annotations/{kind}_{name}{year}.json"
            where = require(folders, archive, member)
            if kind == "captions":
                captions, n_empty, digest = read_captions(where, None, strip=False)
            else:
                outlines = params.masks and name == "val"
                objects = read_coco_objects(where, outlines=outlines)
                digest = objects.digest
            digests[member] = digest
        chosen = set(captions)
        dropped: dict[str, int] = {}
        if params.filter == "published":
            # The first rule needs no picture; crowds are objects.
            chosen &= set(objects.image_ids.tolist())
            dropped["no_object"] = len(captions) - len(chosen)
        folder = f"{name}{year}"
        part = Part(name, folder, captions, objects, chosen, n_empty, dropped)
        parts.append(part)
    return parts


def _objects(parts: Sequence[Part]) -> Objects:
    """Return the objects of the chosen images, part by part, in the file's order."""
    categories = parts[0].objects.categories
    for part in parts[1:]:
        if part.objects.categories != categories:
            raise faulty(
                "The parts do not list the same categories",
                f"annotations/instances_{part.folder}.json",
                f"the {len(categories)} of {parts[0].folder}, in their order",
                f"{len(part.objects.categories)}",
            )
    kept = [
        np.flatnonzero(np.isin(p.objects.image_ids, np.array(sorted(p.chosen), int)))
        for p in parts
    ]
    each = list(zip(parts, kept, strict=True))
    return Objects(
        categories,
        [p.image_id(i) for p, k in each for i in p.objects.image_ids[k].tolist()],
        [categories[n] for p, k in each for n in p.objects.names[k].tolist()],
        np.concatenate([p.objects.boxes[k] for p, k in each]),
        np.concatenate([p.objects.crowd[k] for p, k in each]),
        [p.objects.outlines[row] for p, k in each for row in k.tolist()],
    )


def _long(names: Sequence[str]) -> list[int]:
    """Return where the names of several words are."""
    return [at for at, name in enumerate(names) if len(name.split()) > 1]


def _notes(
    split: str, params: Params, parts: Sequence[Part], *, images: bool
) -> dict[str, Any]:
    names = parts[0].objects.categories
    notes: dict[str, Any] = {
        "split": split,
        "source": params.source,
        "filter": params.filter,
        "captioned_images": {p.name: len(p.captions) for p in parts},
        "categories": len(names),
        "categories_of_several_words": [names[at] for at in _long(names)],
        "empty_captions_dropped": sum(p.n_empty for p in parts),
        "objects_outlined": "of val" if params.masks else "none",
    }
    if params.filter == "published":
        notes["dropped"] = {p.name: p.dropped for p in parts}
        if not images:
            notes[GREY] = "not applied: image files were not looked for"
    return notes


GREY = "greyscale_rule"
_GREY_MODES = ("1", "L", "P", "I", "F", "I;16", "I;16B")
"""What decodes to an array of two dimensions."""


def _grey(rows: Sequence[Row]) -> set[str]:
    """Return the images whose decoded arrays have two dimensions, as headers say."""
    import pyarrow as pa
    from PIL import Image

    places = {
        "container": pa.array(
            [str(cast("Path", row.container).absolute()) for row in rows]
        ),
        "member": pa.array([row.member for row in rows]),
        "offset": pa.array([row.offset for row in rows], pa.int64()),
        "length": pa.array([row.length for row in rows], pa.int64()),
        "crc32": pa.array([row.crc32 for row in rows], pa.uint32()),
    }
    found = set()
    files = read_files(Manifest(Path(), pa.table(places), {}), range(len(rows)))
    for at, data in track(files, "grey images", len(rows), unit="images"):
        size_of(data, f"{rows[at].container}, {rows[at].member}")
        with Image.open(io.BytesIO(data)) as image:
            if image.mode in _GREY_MODES:
                found.add(rows[at].image_id)
    return found
