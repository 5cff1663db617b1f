"""ImageNet-1K as its users have it, and the classes that deep-clustering papers take.

It comes as class folders, zips of them, or the official tars.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._image_places import (
    in_archive,
    in_folder,
    refuse_empty,
    row_at,
)
from mmclust.benchmarks._source_files import Layout, faulty, read_layout, refuse
from mmclust.benchmarks._splits import TwoParts
from mmclust.core.archives import Place, check_folder, locate_members
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import digest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from mmclust.benchmarks._image_places import Listing
    from mmclust.benchmarks._splits import SplitParams
    from mmclust.core.manifest import Row
    from mmclust.core.types import Built


TRAIN_TAR, VAL_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
DEVKIT = Layout(
    "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12/data", (TRUTH, META)
)
# What SciPy raises on bytes that are no MATLAB file, or one it does not read.
BROKEN = (
    EOFError, IndexError, KeyError, NotImplementedError, OSError, OverflowError,
    TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
OFFICIAL = re.compile(r"n\d{8}_\d+|ILSVRC2012_val_\d{8}")


def class_images(
    raw: Path, split: str, wnids: Sequence[str], subset: str = ""
) -> Listing:
    """Find the images of some classes.

    Looked at in this order, below ``raw/<subset>/`` and then ``raw/``:
    ``<split>/<wnid>/``, ``<split>.zip`` with these folders, the official tar of the
    split (for val with the development kit, and so for ``val/`` without folders).
    """
    check_folder(raw)
    listing = _look(raw / subset, split, wnids) or _look(raw, split, wnids)
    tar = TRAIN_TAR if split == "train" else f"{VAL_TAR} and {DEVKIT.archive}"
    places = f"{split}/<wnid>/*.JPEG, {split}.zip, or {tar}"
    if bare := [wnid for wnid in wnids if not listing.get(wnid)]:
        raise MmclustError(
            "Classes have no image",
            where=raw,
            expected=places,
            found=f"none of {len(bare)} of {len(wnids)} classes: {some(bare)}",
            do="fetch the source again, or give its folder with --raw",
        )
    return listing


def image_id(split: str, wnid: str, name: str) -> str:
    """Return the official name, which is unique, or else split, class and name."""
    stem = PurePosixPath(name).stem
    return stem if OFFICIAL.fullmatch(stem) else f"{split}_{wnid}_{stem}"


def _look(base: Path, split: str, wnids: Sequence[str]) -> Listing:
    """List one place; empty when there is nothing of these classes."""
    found = in_folder(base / split, wnids)
    if not found and (base / f"{split}.zip").is_file():
        found = in_archive(base / f"{split}.zip", [split, ""], wnids)
    if found:
        return found
    if split == "train" and (base / TRAIN_TAR).is_file():
        return _train_tar(base / TRAIN_TAR, wnids)
    if split == "val" and (base / VAL_TAR).is_file():
        truth = _validation_truth(base, wnids)
        return _by_truth(truth, locate_members(base / VAL_TAR, truth), base / VAL_TAR)
    if split == "val" and any((base / "val").glob("ILSVRC2012_val_*.JPEG")):
        truth = _validation_truth(base, wnids)
        folder = base / "val"
        flat = {n: Place(folder, n) for n in truth if (folder / n).is_file()}
        refuse_empty(folder, [n for n in flat if (folder / n).stat().st_size == 0])
        return _by_truth(truth, flat, folder)
    return {}


def _train_tar(archive: Path, wnids: Collection[str]) -> Listing:
    inner = locate_members(archive, {f"{wnid}.tar" for wnid in wnids})
    listing: Listing = {}
    for name, place in inner.items():
        found = locate_members(archive, lambda _: True, within=place)
        refuse_empty(
            archive, [f"{name}, {n}" for n, p in found.items() if not p.length]
        )
        listing[name.removesuffix(".tar")] = found
    return listing


def _by_truth(truth: dict[str, str], places: dict[str, Place], where: Path) -> Listing:
    """Sort validation images into classes; all that the truth names must be there."""
    missing = sorted(truth.keys() - places.keys())
    expected = f"{len(truth):,} images of these classes"
    refuse(missing, "Validation images are missing", where, expected, "missing")
    refuse_empty(where, [name for name in truth if places[name].length == 0])
    listing: Listing = {}
    for name, wnid in truth.items():
        listing.setdefault(wnid, {})[name] = places[name]
    return listing


def _validation_truth(base: Path, wnids: Collection[str]) -> dict[str, str]:
    """Return file name → wnid of these classes' validation images.

    The truth has one line per image, the class's number in the development kit,
    which is not the alphabetical order of wnids: ``meta.mat`` translates.
    """
    _, files, where = read_layout(base, [DEVKIT])
    numbers = _synsets(files[META], f"{where}, {META}")
    wanted = {number: wnid for number, wnid in numbers.items() if wnid in set(wnids)}
    lines = files[TRUTH].split()
    odd = [
        str(i)
        for i, n in enumerate(lines, 1)
        if not (n.isdigit() and len(n) < 10 and int(n) in numbers)  # noqa: PLR2004
    ]
    refuse(
        odd,
        "The validation truth names classes that the development kit has not",
        f"{where}, {TRUTH}",
        f"one of the {len(numbers):,} numbers of {META} in each line",
        "other lines",
    )
    return {
        f"ILSVRC2012_val_{i:08d}.JPEG": wanted[int(number)]
        for i, number in enumerate(lines, 1)
        if int(number) in wanted
    }


def _synsets(data: bytes, where: str) -> dict[int, str]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        table: Any = loadmat(io.BytesIO(data), squeeze_me=True)["synsets"]
        entries = np.atleast_1d(table)
        return {int(e["ILSVRC2012_ID"]): str(e["WNID"]) for e in entries}
    except (MatReadError, *BROKEN) as error:
        raise faulty(
            "The development kit's class list cannot be read",
            where,
            "a MATLAB file with synsets: ILSVRC2012_ID, WNID",
            error,
        ) from error


@dataclass(frozen=True, kw_only=True)
class Subset(TwoParts):
    """All images of some classes, below a folder of its own or ImageNet's."""

    folder: str
    CLASSES: Mapping[str, str]
    SOURCE: str = "imagenet1k"
    per_class: Mapping[str, int] = field(
        default_factory=lambda: {"train": 1_300, "val": 50}
    )

    def build(
        self, raw: Path, params: SplitParams, *, split: str, images: bool
    ) -> Built:
        """Take all images of the classes."""
        classes = self.CLASSES
        rows: list[Row] = []
        labels: dict[str, str] = {}
        sources: dict[str, str] = {}
        twice: list[str] = []
        for part in self.roles(split, params.split_policy).parts:
            listing = class_images(raw, part, tuple(classes), self.folder)
            names = {wnid: sorted(listing[wnid]) for wnid in classes}
            sources[f"names of {part}"] = digest_of(names)
            for wnid, name in ((w, n) for w in classes for n in names[w]):
                identity, place = image_id(part, wnid, name), listing[wnid][name]
                if identity in labels:
                    twice.append(f"{identity} ({labels[identity]}, {wnid})")
                labels[identity] = wnid
                found = place if images else None
                rows.append(row_at(identity, found, f"{part}/{wnid}/{name}", part))
        what, expected = "Images occur twice", "each image in one class and one split"
        refuse(twice, what, raw, expected, "", "remove the copies from the source")
        names_of = dict(classes)
        return self.built(split, params, rows, labels, sources, class_names=names_of)


imagenet10 = Subset(
    about="""ImageNet-10: ten classes of ImageNet-1K, 13,000 images to train and 500 to
report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
""",
    CLASSES={
        "n02056570": "king penguin", "n02085936": "Maltese dog",
        "n02128757": "snow leopard", "n02690373": "airliner", "n02692877": "airship",
        "n03095699": "container ship", "n04254680": "soccer ball",
        "n04285008": "sports car", "n04467665": "trailer truck", "n07747607": "orange",
    },
    folder="ImageNet-10",
)  # fmt: skip


imagenet_dogs = Subset(
    about="""ImageNet-Dogs: fifteen breeds of ImageNet-1K, 19,500 images to train, 750
to report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
TAC reports on val, DXMC on the train images it was fitted on (``split_policy: dxmc``),
so that the two papers' numbers cannot be compared.
""",
    CLASSES={
        "n02085936": "Maltese", "n02086646": "Blenheim spaniel",
        "n02088238": "basset",
        "n02091467": "Norwegian elkhound", "n02097130": "giant schnauzer",
        "n02099601": "golden retriever", "n02101388": "Brittany spaniel",
        "n02101556": "clumber", "n02102177": "Welsh springer spaniel",
        "n02105056": "groenendael", "n02105412": "kelpie",
        "n02105855": "Shetland sheepdog", "n02107142": "Doberman",
        "n02110958": "pug", "n02112137": "chow",
    },
    folder="ImageNet-Dogs",
    dxmc_on_train=True,
)  # fmt: skip
