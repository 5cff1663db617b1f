"""The published filter of captioned images with objects (Berger et al., NAACL 2022)."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mmclust.core.decoding import size_of
from mmclust.core.images import read_files
from mmclust.core.manifest import Manifest
from mmclust.core.progress import track

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.benchmarks._coco_objects import CocoObjects
    from mmclust.benchmarks._images import Place

GREY = "greyscale_rule"
_GREY_MODES = ("1", "L", "P", "I", "F", "I;16", "I;16B")
"""What decodes to an array of two dimensions."""


@dataclass
class Part:
    """Train or val on its way through the filter.

    Parameters
    ----------
    name, folder
        For instance ``val``, ``val2014``.
    captions
        Of each captioned image.
    objects
        Of all images.
    chosen
        Images that stay.
    places
        Where their bytes are, where images were looked for.
    dropped
        Images by the first rule that they fell to.
    n_empty
        Blank captions left out.
    """

    name: str
    folder: str
    captions: dict[int, tuple[str, ...]]
    objects: CocoObjects
    chosen: set[int]
    n_empty: int
    places: dict[int, Place] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def file(self, image: int) -> str:
        """Return the name of an image's file; COCO's rule where none is stated."""
        record = self.objects.images.get(image)
        return (record and record.file_name) or fallback_name(self.folder, image)

    def image_id(self, image: int) -> str:
        """Return the name of an image's file without its ending."""
        return PurePosixPath(self.file(image)).stem


def fallback_name(folder: str, image: int) -> str:
    """Return the file that COCO's rule gives an image."""
    prefix = f"COCO_{folder}_" if folder.endswith("2014") else ""
    return f"{prefix}{image:012d}.jpg"


def drop_bare(part: Part) -> None:
    """Take out of ``part.chosen`` the images without object; crowds are objects.

    It is the filter's first rule, and the one that needs no picture.
    """
    bare = part.chosen - set(part.objects.image_ids.tolist())
    part.dropped["no_object"] = len(bare)
    part.chosen = part.chosen - bare


def drop(part: Part, raw: Path) -> None:
    """Take out of ``part.chosen`` what falls to the other rules, and count it by rule.

    In this order: stored in grey; a category whose name has several words. Grey is
    told by the file's header, which says how many dimensions the decoded array has.

    Raises
    ------
    MmclustError
        When a file is missing or is no image.
    """
    objects, left = part.objects, part.chosen
    grey = _grey(part, sorted(left), raw) if part.places else set()
    left = left - grey
    long = {at for at, name in enumerate(objects.categories) if len(name.split()) > 1}
    named = {
        image
        for image, name in zip(
            objects.image_ids.tolist(), objects.names.tolist(), strict=True
        )
        if name in long
    }
    part.dropped |= {
        "greyscale": len(grey),
        "name_of_several_words": len(left & named),
    }
    part.chosen = left - named


def _grey(part: Part, images: list[int], raw: Path) -> set[int]:
    """Return those of the images whose decoded arrays have two dimensions."""
    import pyarrow as pa
    from PIL import Image

    places = [part.places[image] for image in images]
    table = pa.table(
        {
            "container": [str(place.container.absolute()) for place in places],
            "member": [place.member for place in places],
            "offset": pa.array([place.offset for place in places], pa.int64()),
            "length": pa.array([place.length for place in places], pa.int64()),
        }
    )
    found = set()
    files = read_files(Manifest(raw, table, {}), range(len(images)))
    for row, data in track(files, "grey images", len(images), unit="images"):
        size_of(data, f"{places[row].container}, {places[row].member}")
        with Image.open(io.BytesIO(data)) as image:
            if image.mode in _GREY_MODES:
                found.add(images[row])
    return found
