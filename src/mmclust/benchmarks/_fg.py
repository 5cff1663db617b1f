"""The files of MSCOCO-FG and Flickr30K-FG, read and held to what they promise.

Captions are a JSON object, image stem to five strings; the pool of images is an array
of file names, the query images' and then the distractors', which have no captions. The
two are joined by name: in MSCOCO-FG their orders differ.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._json_faults import shown
from mmclust.benchmarks._layout import lacking, look_for
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import file_digest, read_array
from mmclust.core.text import json_value, utf8, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CAPTIONS = 5
FOLDERS = ("Annotations", "Images")
"""Where the two files lie in a clone of the publisher's repository."""
DISTRACTOR = re.compile(r"\d{12}\.jpg")
"""COCO's name of an image of unlabeled2017."""


@dataclass(frozen=True)
class FineGrained:
    """A fine-grained benchmark as published.

    Parameters
    ----------
    captions
        The five of each query image, as they are, by the image's stem.
    pool
        All file names, in the order of the array.
    where
        The caption file, for messages.
    digests
        sha256 of the two files, by name.
    """

    captions: dict[str, tuple[str, ...]]
    pool: list[str]
    where: str
    digests: dict[str, str]

    @property
    def distractors(self) -> list[str]:
        """Stems of the pool's images that have no captions."""
        stems = (name.removesuffix(".jpg") for name in self.pool)
        return [stem for stem in stems if stem not in self.captions]


def read_fine_grained(
    folders: Sequence[Path], stem: str, query: re.Pattern[str]
) -> FineGrained:
    """Read captions and pool, and check that they belong together.

    Parameters
    ----------
    folders
        Where ``<stem>_FG_ann.json`` and ``<stem>_FG_img_filenames.npy`` may lie, or
        the folders ``Annotations`` and ``Images`` that hold them.
    stem
        ``MSCOCO`` or ``Flickr30K``.
    query
        What the query images' stems look like.

    Returns
    -------
    FineGrained
        Every query image is in the pool, once, and has five captions.

    Raises
    ------
    MmclustError
        When a file is missing or damaged, an image is listed twice, has not five
        captions, or is not in the pool, or a name is none of the data set's.
    """
    names = [f"{stem}_FG_ann.json", f"{stem}_FG_img_filenames.npy"]
    places = [folder / part for folder in folders for part in ("", *FOLDERS)]
    found = [look_for(places, f"{name}.zip", name) for name in names]
    for name, each in zip(names, found, strict=True):
        if each is None or each.member is not None:
            clone = f"{FOLDERS[names.index(name)]}/{name}, as in the repository"
            raise lacking(folders, name, [name, clone])
    annotations, array = (each.path for each in found if each)
    captions = _captions(annotations)
    pool = _pool(array)
    digests = {path.name: file_digest(path) for path in (annotations, array)}
    fine = FineGrained(captions, pool, str(annotations), digests)
    _check_names(fine, array, query)
    return fine


def _captions(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        text = utf8(path.read_bytes(), path, "The file of fine-grained captions")
        entries = json_value(text, object_pairs_hook=list)
    except ValueError as error:
        raise _refusal(
            "The fine-grained captions are not JSON",
            path,
            "a complete JSON document in UTF-8",
            error,
        ) from error
    if not isinstance(entries, list) or not all(_is_entry(e) for e in entries):
        raise _refusal(
            "The fine-grained captions have an unexpected shape",
            path,
            "an object of image stems, each with a list of strings",
            _first_odd(entries),
        )
    stems = Counter(stem for stem, _ in entries)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise _refusal("An image has two entries", path, "each image once", some(twice))
    captions = {
        whole(stem, path): tuple(whole(text, f"{path}, {stem}") for text in texts)
        for stem, texts in entries
    }
    if not captions:
        raise _refusal(
            "The fine-grained captions are of no image", path, "images", "{}"
        )
    wrong = [
        f"{i} ({n})"
        for i, t in captions.items()
        if (n := sum(bool(text.strip()) for text in t)) != CAPTIONS
        or len(t) != CAPTIONS
    ]
    if wrong:
        raise _refusal(
            "Images have not five captions",
            path,
            f"{CAPTIONS} for each image, none of them empty",
            f"{len(wrong):,} with others: {some(wrong)}",
        )
    return captions


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, tuple):
        return False
    stem, texts = entry
    return (
        bool(stem)
        and isinstance(texts, list)
        and all(isinstance(t, str) for t in texts)
    )


def _first_odd(entries: Any) -> str:
    if not isinstance(entries, list):
        return type(entries).__name__
    odd = next(entry for entry in entries if not _is_entry(entry))
    if not isinstance(odd, tuple):
        return shown(odd)
    stem, texts = odd
    parts = texts if isinstance(texts, list) else [texts]
    strange = [part for part in parts if not isinstance(part, str)] or parts
    return f"{shown(stem)}: {some(map(shown, strange), 2)}"


def _pool(path: Path) -> list[str]:
    array = read_array(path)
    if array.dtype.kind != "U" or array.ndim != 1 or not len(array):
        raise _refusal(
            "The pool is no list of file names",
            path,
            "an array of text with one axis, such as <U29 (31244,)",
            f"{array.dtype.str} {array.shape}",
        )
    pool: list[str] = array.tolist()
    twice = [name for name, count in Counter(pool).items() if count > 1]
    if twice:
        raise _refusal(
            "The pool lists images twice",
            path,
            "each image once",
            f"{len(twice):,} twice: {some(twice)}",
        )
    odd = [
        name
        for name in pool
        if not name.endswith(".jpg") or PurePosixPath(name).name != name
    ]
    if odd:
        raise _refusal(
            "The pool has names that are no file names",
            path,
            "<name>.jpg, without folders",
            some(map(repr, odd)),
        )
    return pool


def _check_names(fine: FineGrained, pool: Path, query: re.Pattern[str]) -> None:
    strange = [stem for stem in fine.captions if not query.fullmatch(stem)]
    if strange:
        raise _refusal(
            "Captions are of images that are not the data set's",
            fine.where,
            f"stems such as {query.pattern}",
            f"{len(strange):,} others: {some(strange)}",
        )
    held = set(fine.pool)
    absent = [stem for stem in fine.captions if f"{stem}.jpg" not in held]
    if absent:
        raise _refusal(
            "The pool lacks images that have captions",
            pool,
            f"all {len(fine.captions):,} images of {fine.where}",
            f"{len(absent):,} missing: {some(absent)}",
        )
    strange = [s for s in fine.distractors if not DISTRACTOR.fullmatch(f"{s}.jpg")]
    if strange:
        raise _refusal(
            "The pool has images without captions that are no distractors",
            pool,
            "names of COCO's unlabeled2017, twelve digits",
            f"{len(strange):,} others: {some(strange)}",
        )


def _refusal(what: str, where: object, expected: str, found: object) -> MmclustError:
    return MmclustError(
        what,
        where=where,
        expected=expected,
        found=found,
        do="fetch fine_grained again, or give the publisher's own files",
    )
