"""The Karpathy splits: one JSON for each data set, with captions and split names.

Source: Karpathy and Li, CVPR 2015; ``caption_datasets.zip`` holds
``dataset_coco.json``, ``dataset_flickr30k.json`` and ``dataset_flickr8k.json``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from mmclust.benchmarks._json_faults import what_is_wrong
from mmclust.benchmarks._raw import reading
from mmclust.core.errors import MmclustError, nearest, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmclust.benchmarks._raw import Found

ARCHIVE = "caption_datasets.zip"
ROLES = {"train": "train", "restval": "train", "val": "val", "test": "test"}
"""The manifest's split of each of the file's; ``restval`` is trained on."""


class Sentence(msgspec.Struct, gc=False):
    """A caption as its writer typed it."""

    raw: str


class KarpathyImage(msgspec.Struct, gc=False):
    """An entry of ``images``."""

    filename: str
    split: str
    sentences: list[Sentence]
    filepath: str = ""
    """The folder, for COCO: ``train2014`` or ``val2014``."""

    @property
    def image_id(self) -> str:
        """The file's name without its ending."""
        return PurePosixPath(self.filename).stem

    @property
    def captions(self) -> tuple[str, ...]:
        """Stripped, none empty, in the order of the file."""
        stripped = (sentence.raw.strip() for sentence in self.sentences)
        return tuple(text for text in stripped if text)


class _File(msgspec.Struct):
    images: list[KarpathyImage]


def read_karpathy(found: Found) -> tuple[list[KarpathyImage], str]:
    """Read a data set's file.

    Parameters
    ----------
    found
        For instance ``dataset_coco.json``.

    Returns
    -------
    images
        In the order of the file.
    digest
        sha256 of the file.

    Raises
    ------
    MmclustError
        When it is not JSON in UTF-8, has another layout, names an image twice, a
        file by a path, or a split that does not exist.
    """
    with reading(found) as buffer:
        try:
            images = msgspec.json.decode(buffer, type=_File).images
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MmclustError(
                f"{(found.member or found.path.name)} cannot be read",
                where=found,
                expected="JSON in UTF-8: an object with the list `images`, each with "
                "filename, split and sentences",
                found=f"{len(buffer):,} bytes: {error}{what_is_wrong(buffer, error)}",
                do="fetch karpathy_splits again; the file may be cut short",
            ) from error
        digest = hashlib.sha256(buffer).hexdigest()
    _check(images, found)
    return images, digest


def _check(images: Sequence[KarpathyImage], found: Found) -> None:
    paths = [i.filename for i in images if PurePosixPath(i.filename).name != i.filename]
    counts = Counter(image.image_id for image in images)
    twice = [image_id for image_id, count in counts.items() if count > 1]
    splits = sorted({i.split for i in images} - ROLES.keys())
    for wrong, what, expected in (
        (paths, "An image's file name is not a plain name", "a name without folders"),
        (twice, "An image is listed twice", "each image once"),
        (splits, "A split does not exist", "one of: " + ", ".join(ROLES)),
    ):
        if wrong:
            raise MmclustError(
                what,
                where=found,
                expected=expected,
                found=some(wrong),
                do="fetch karpathy_splits again",
            )


def splits_of(split: str, known: Iterable[str]) -> list[str]:
    """Return the parts that a ``--split`` such as ``train+val`` or ``all`` names.

    Parameters
    ----------
    split
        Names joined by ``+``, or ``all``.
    known
        The names that exist.

    Raises
    ------
    MmclustError
        When a name does not exist or is there twice.
    """
    known = list(known)
    if split == "all":
        return known
    names = split.split("+")
    if not set(names) <= set(known) or len(set(names)) < len(names):
        raise MmclustError(
            f"Unknown split {split!r}",
            where="--split",
            expected=nearest(split, ["all", *known]),
            found=split,
            do="name one, several joined by +, or all",
        )
    return names


def require_captions(
    captions: Mapping[str, tuple[str, ...]], number: int | None, where: object
) -> None:
    """Refuse images that have too few captions.

    Parameters
    ----------
    captions
        Of each image, empty ones left out.
    number
        How many each needs at least; ``None``: one.
    where
        The file, for the message.

    Raises
    ------
    MmclustError
        How many images, and which first, with their counts.
    """
    least = 1 if number is None else number
    short = sorted(i for i, texts in captions.items() if len(texts) < least)
    if short:
        each = some(f"{i} ({len(captions[i])})" for i in short)
        raise MmclustError(
            "Images have too few captions",
            where=where,
            expected=f"at least {least} for each image, none of them empty",
            found=f"{len(short):,} with fewer: {each}",
            do="fetch the source again, or ask for fewer: captions_per_image",
        )
