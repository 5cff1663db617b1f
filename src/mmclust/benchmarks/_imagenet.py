"""ImageNet-1K as its users have it: class folders, zips of them, official tars."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._image_places import (
    in_folder,
    in_zip,
    refuse_empty,
    require_classes,
)
from mmclust.benchmarks._source_files import Layout, read_layout
from mmclust.core.archives import Place, check_folder, locate_members
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from mmclust.benchmarks._image_places import Listing


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
    listing: Listing = {}
    for base in dict.fromkeys((raw / subset, raw)):
        listing = _look(base, split, wnids)
        if listing:
            break
    tar = TRAIN_TAR if split == "train" else f"{VAL_TAR} and {DEVKIT.archive}"
    places = f"{split}/<wnid>/*.JPEG, {split}.zip, or {tar}"
    require_classes(listing, wnids, raw, places)
    return listing


def image_id(split: str, wnid: str, name: str) -> str:
    """Return the official name, which is unique, or else split, class and name."""
    stem = PurePosixPath(name).stem
    return stem if OFFICIAL.fullmatch(stem) else f"{split}_{wnid}_{stem}"


def _look(base: Path, split: str, wnids: Sequence[str]) -> Listing:
    """List one place; empty when there is nothing of these classes."""
    found = in_folder(base / split, wnids)
    if not found and (base / f"{split}.zip").is_file():
        found = in_zip(base / f"{split}.zip", [split, ""], wnids)
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
    if missing:
        raise MmclustError(
            "Validation images are missing",
            where=where,
            expected=f"{len(truth):,} images of these classes",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="fetch the source again",
        )
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
        i
        for i, n in enumerate(lines, 1)
        if not (n.isdigit() and len(n) < 10 and int(n) in numbers)  # noqa: PLR2004
    ]
    if odd:
        raise MmclustError(
            "The validation truth names classes that the development kit has not",
            where=f"{where}, {TRUTH}",
            expected=f"one of the {len(numbers):,} numbers of {META} in each line",
            found=f"{len(odd):,} other lines: {some(odd)}",
            do="fetch the source again",
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
        raise MmclustError(
            "The development kit's class list cannot be read",
            where=where,
            expected="a MATLAB file with synsets: ILSVRC2012_ID, WNID",
            found=error,
            do="fetch the source again",
        ) from error
