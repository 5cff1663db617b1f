"""ImageNet-10 and ImageNet-Dogs: all images of some classes, in train and val."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.benchmarks._imagenet import class_images, image_id
from mmclust.benchmarks._policy import roles
from mmclust.benchmarks._rows import row_at
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import digest_of
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.manifest import Row

PER_CLASS = {"train": 1_300, "val": 50}


def build_subset(
    raw: Path,
    classes: Mapping[str, str],
    subset: str,
    *,
    policy: str,
    split: str,
    images: bool,
    dxmc_on_train: bool = False,
) -> Built:
    """Take all images of some classes.

    Parameters
    ----------
    raw
        Folder of ImageNet-1K, in any form that
        :func:`mmclust.benchmarks._imagenet.class_images` knows.
    classes
        What each WordNet id means. The id is the class name, so that labels follow
        the folders' alphabetical order, as in the publications; the meanings go to
        the summary.
    subset
        A folder that may hold these classes alone, such as ``ImageNet-10``.
    policy, split, dxmc_on_train
        See :func:`mmclust.benchmarks._policy.roles`.
    images
        Whether rows say where the files are.

    Returns
    -------
    Built
        One row per image; sources are digests of the lists of names, for the
        same images may lie in folders or archives.

    Raises
    ------
    MmclustError
        When a class has no image, an image is empty or in two classes, or an
        archive is damaged.
    """
    role = roles(split, policy, report="val", dxmc_on_train=dxmc_on_train)
    rows: list[Row] = []
    labels: dict[str, str] = {}
    sources: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    twice: list[str] = []
    for part in role.parts:
        listing = class_images(raw, part, tuple(classes), subset)
        names = {wnid: sorted(listing[wnid]) for wnid in classes}
        sources[f"names of {part}"] = digest_of(names)
        counts[part] = {wnid: len(names[wnid]) for wnid in classes}
        for wnid, name in ((w, n) for w in classes for n in names[w]):
            identity, place = image_id(part, wnid, name), listing[wnid][name]
            if identity in labels:
                twice.append(f"{identity} ({labels[identity]}, {wnid})")
            labels[identity] = wnid
            rows.append(
                row_at(
                    identity,
                    place if images else None,
                    member=f"{part}/{wnid}/{name}",
                    captions=(),
                    split=part,
                )
            )
    if twice:
        raise MmclustError(
            "Images occur twice",
            where=raw,
            expected="each image in one class and one split",
            found=f"{len(twice):,}: {some(twice)}",
            do="remove the copies from the source",
        )
    notes = {
        "split": split,
        "split_policy": policy,
        "class_names": dict(classes),
        "classes_per_split": counts,
    }
    return Built(
        rows,
        labels,
        role.protocol,
        sources,
        notes,
        fit=role.fit,
        evaluate=role.evaluate,
    )
