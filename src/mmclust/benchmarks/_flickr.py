"""Flickr30K's captions and splits, in the three files that hold them.

``results_20130124.token`` is the publisher's (captions of 31,783 images, no splits),
``flickr_annotations_30k.csv`` the hub's (both), ``dataset_flickr30k.json`` Karpathy's
(both).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmclust.benchmarks._flickr_table import parse_table
from mmclust.benchmarks._flickr_token import parse_token
from mmclust.benchmarks._karpathy import ARCHIVE, read_karpathy
from mmclust.benchmarks._layout import look_for
from mmclust.benchmarks._raw import reading
from mmclust.benchmarks._tar import read_members

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOKEN = "results_20130124.token"  # noqa: S105 - a file's name
TOKEN_ARCHIVES = ("flickr30k.tar.gz", "flickr30k.tar")
TABLE = "flickr_annotations_30k.csv"
KARPATHY = "dataset_flickr30k.json"


@dataclass(frozen=True)
class Captioned:
    """What a file says of Flickr30K's images.

    Parameters
    ----------
    name, where, digest
        The file, where it lies, and its sha256.
    captions
        Of each image id, which is its file's name without ``.jpg``: stripped, none
        empty, in the publisher's order.
    splits
        Of each image id; empty where the file says none.
    n_empty
        Captions that were nothing but white space.
    """

    name: str
    where: str
    digest: str
    captions: dict[str, tuple[str, ...]]
    splits: dict[str, str] = field(default_factory=dict)
    n_empty: int = 0


def captions_and_splits(folders: Sequence[Path]) -> list[Captioned]:
    """Read captions, and splits where the file with the captions has none.

    Parameters
    ----------
    folders
        Where to look.

    Returns
    -------
    list of Captioned
        The first of the publisher's, the hub's and Karpathy's file that is there;
        and where the publisher's is, the first of the other two. Nothing, when
        there is none.

    Raises
    ------
    MmclustError
        When a file is damaged or breaks a rule of its layout.
    """
    token = _token(folders)
    split = _table(folders) or _karpathy(folders)
    return [each for each in (token, split) if each is not None]


def _token(folders: Sequence[Path]) -> Captioned | None:
    for folder in folders:
        if (folder / TOKEN).is_file():
            return _of_token((folder / TOKEN).read_bytes(), str(folder / TOKEN))
        for archive in (folder / name for name in TOKEN_ARCHIVES):
            if archive.is_file():
                wanted = read_members(archive, lambda n: n.split("/")[-1] == TOKEN)
                for name, data in wanted:
                    return _of_token(data, f"{archive}, {name}")
    return None


def _of_token(data: bytes, where: str) -> Captioned:
    captions, n_empty = parse_token(data, where)
    digest = hashlib.sha256(data).hexdigest()
    return Captioned(TOKEN, where, digest, captions, n_empty=n_empty)


def _table(folders: Sequence[Path]) -> Captioned | None:
    found = look_for(folders, f"{TABLE}.zip", TABLE)
    if found is None:
        return None
    with reading(found) as buffer:
        data = bytes(buffer)
    captions, splits, n_empty = parse_table(data, str(found))
    digest = hashlib.sha256(data).hexdigest()
    return Captioned(TABLE, str(found), digest, captions, splits, n_empty)


def _karpathy(folders: Sequence[Path]) -> Captioned | None:
    found = look_for(folders, ARCHIVE, KARPATHY)
    if found is None:
        return None
    images, digest = read_karpathy(found)
    captions = {image.image_id: image.captions for image in images}
    splits = {image.image_id: image.split for image in images}
    n_empty = sum(len(i.sentences) for i in images) - sum(map(len, captions.values()))
    return Captioned(KARPATHY, str(found), digest, captions, splits, n_empty)
