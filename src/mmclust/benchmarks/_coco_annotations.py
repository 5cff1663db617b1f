"""COCO's annotation files: images, categories, captions, boxes and outlines.

They are read in one pass. A typed decode skips what is not asked for without making
objects of it, which is where the time and memory of ``json.load`` go. Boxes are
``[int(x), int(y), int(x + w), int(y + h)]``, truncated, as Berger et al. (NAACL 2022)
have them. Below: n images, a annotations.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
import numpy as np

from mmclust.core.archives import reading
from mmclust.core.errors import MmclustError, some
from mmclust.core.text import same_form, what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.archives import Buffer, Found


T = TypeVar("T")

Id = Annotated[int, msgspec.Meta(ge=0, le=10**12 - 1)]
"""Ids are written with twelve digits."""


class ImageRecord(msgspec.Struct, gc=False):
    """An entry of ``images``."""

    id: Id
    file_name: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def image_id(self) -> str:
        """The id with twelve digits."""
        return f"{self.id:012d}"

    @property
    def file(self) -> str:
        """The name of the image file; COCO's rule where the entry has none."""
        return self.file_name or f"{self.image_id}.jpg"


class Category(msgspec.Struct):
    """An entry of ``categories``; one name in two Unicode forms is one."""

    id: Id
    name: str

    def __post_init__(self) -> None:
        """Bring the name into one form."""
        self.name = same_form(self.name)


class _Instance(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _CaptionsFile(msgspec.Struct):
    annotations: list[_Caption]


class _File(msgspec.Struct, Generic[T]):
    images: list[ImageRecord]
    categories: list[Category]
    annotations: list[T]


@dataclass(frozen=True)
class Instances:
    """Which category is seen in which image, in a annotations."""

    images: list[ImageRecord]
    names: list[str]  # of the categories, each once
    image_rows: np.ndarray[Any, Any]  # int64 (a,): positions in `images`
    name_rows: np.ndarray[Any, Any]  # int64 (a,): positions in `names`
    digest: str


def read_instances(found: Found) -> Instances:
    """Read an instances file; crowd annotations count like any other."""
    content, digest = decode_file(found, _File[_Instance])
    image_ids = column(content.images, "id")
    _refuse_shared_files(content.images, found)
    category_ids = column(content.categories, "id")
    image_rows = positions(
        image_ids, column(content.annotations, "image_id"), "image", found
    )
    category_rows = positions(
        category_ids, column(content.annotations, "category_id"), "category", found
    )
    # The rule goes by name, should two ids ever share one.
    names = sorted({category.name for category in content.categories})
    position = {name: row for row, name in enumerate(names)}
    name_of = np.array([position[c.name] for c in content.categories], np.int64)
    name_rows = name_of[category_rows]
    return Instances(content.images, names, image_rows, name_rows, digest)


def read_captions(
    found: Found, wanted: set[int] | None, *, strip: bool = True
) -> tuple[dict[int, tuple[str, ...]], int, str]:
    """Read the captions of some images."""
    content, digest = decode_file(found, _CaptionsFile)
    captions: defaultdict[int, list[str]] = defaultdict(list)
    n_empty = 0
    # Most captions are of other images: found by array, not by a loop over all.
    ids = column(content.annotations, "image_id")
    sought = ids if wanted is None else np.fromiter(wanted, np.int64, len(wanted))
    rows = np.flatnonzero(np.isin(ids, sought)).tolist()
    for entry in map(content.annotations.__getitem__, rows):
        if text := entry.caption.strip():
            captions[entry.image_id].append(text if strip else entry.caption)
        else:
            n_empty += 1
    return {i: tuple(texts) for i, texts in captions.items()}, n_empty, digest


def decode_file(found: Found, kind: type[T]) -> tuple[T, str]:
    """Return the typed contents and the sha256 of a JSON file."""
    with reading(found) as buffer, ThreadPoolExecutor(1) as pool:
        # Hashing needs the interpreter only to start; give it that moment, for
        # decoding keeps the interpreter until it is done.
        hashing = pool.submit(hashlib.sha256, buffer)
        time.sleep(0.002)
        value = _parse(buffer, kind, found)
        return value, hashing.result().hexdigest()


def _parse(buffer: Buffer, kind: type[T], found: Found) -> T:
    try:
        return msgspec.json.decode(buffer, type=kind)
    except msgspec.ValidationError as error:
        raise MmclustError(
            "An annotation file has an unexpected shape",
            where=found,
            expected="COCO's layout: an object with the list `annotations` and, "
            "for instances, the lists `images` and `categories`",
            found=error,
            do="give the publisher's own file, or correct the entry",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MmclustError(
            "An annotation file is not valid JSON",
            where=found,
            expected="a complete JSON document in UTF-8",
            found=f"{len(buffer):,} bytes: {error}{what_is_wrong(buffer, error)}",
            do="fetch the source again, or mend the file if it is your own",
        ) from error


def _refuse_shared_files(images: Sequence[ImageRecord], found: Found) -> None:
    names = [image.file_name for image in images if image.file_name is not None]
    if len(set(names)) == len(names):
        return
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    ids = [image.id for image in images if image.file_name == twice[0]]
    raise MmclustError(
        "Two images have the same file",
        where=found,
        expected="a file_name of its own for each image",
        found=f"{some(map(repr, twice))}; the first is that of images {some(ids)}",
        do="correct file_name in the annotations, or remove the duplicates",
    )


def column(entries: Sequence[Any], name: str) -> np.ndarray[Any, Any]:
    """Return an integer attribute of each entry: int64 (n,)."""
    return np.fromiter(map(attrgetter(name), entries), np.int64, len(entries))


class _Object(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Outlined(_Object):
    segmentation: list[list[float]] | dict[str, Any] | None = None


@dataclass(frozen=True)
class CocoObjects:
    """What an instances file says of where its a objects are."""

    images: dict[int, ImageRecord]
    categories: tuple[str, ...]  # names in the order of the file
    image_ids: np.ndarray[Any, Any]  # int64 (a,)
    names: np.ndarray[Any, Any]  # int64 (a,): positions in `categories`
    boxes: np.ndarray[Any, Any]  # int32 (a, 4)
    crowd: np.ndarray[Any, Any]
    outlines: list[str]  # JSON of each; empty where not wanted or not given
    digest: str


def read_coco_objects(found: Found, *, outlines: bool) -> CocoObjects:
    """Read an instances file with its boxes."""
    content: _File[Any]
    kind: Any = _File[_Outlined] if outlines else _File[_Object]
    content, digest = decode_file(found, kind)
    entries = content.annotations
    image_ids = column(entries, "image_id")
    positions(column(content.images, "id"), image_ids, "image", found)
    known, category_ids = (
        column(content.categories, "id"),
        column(entries, "category_id"),
    )
    names = positions(known, category_ids, "category", found)
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


TABLE_SIZE = 1 << 22
"""Ids below this are looked up in a table of this many int64 at most."""


def positions(
    known: np.ndarray[Any, Any], ids: np.ndarray[Any, Any], what: str, found: Found
) -> np.ndarray[Any, Any]:
    """Return where each id stands in a list of ids."""
    values, counts = np.unique(known, return_counts=True)
    twice = values[counts > 1]
    if len(twice):
        raise MmclustError(
            f"{what.capitalize()} ids are listed twice",
            where=found,
            expected=f"each {what} once",
            found=some(twice.tolist()),
            do="remove the duplicates, or fetch the source again",
        )
    rows = _lookup(known, ids)
    unknown = np.unique(ids[rows < 0])
    if len(unknown):
        raise MmclustError(
            f"Annotations name an unknown {what} id",
            where=found,
            expected=f"one of the {len(known):,} ids in the file's list",
            found=f"{len(unknown):,} unknown: {some(unknown.tolist())}",
            do="fetch the source again; its lists and annotations do not match",
        )
    return rows


def _lookup(
    known: np.ndarray[Any, Any], ids: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the position in ``known`` (n,) of each of ``ids`` (a,), -1 if none."""
    highest = max(known.max(initial=0), ids.max(initial=0))
    if highest < TABLE_SIZE:
        # COCO's ids stay below 600,000: a table is thrice as fast as searching.
        table = np.full(highest + 1, -1, np.int64)
        table[known] = np.arange(len(known))
        rows: np.ndarray[Any, Any] = table[ids]
        return rows
    order = np.argsort(known)
    places = np.searchsorted(known, ids, sorter=order)
    rows = np.append(order, -1)[places]
    return np.where(np.append(known, -1)[rows] == ids, rows, -1)
