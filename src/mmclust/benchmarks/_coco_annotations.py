"""COCO's annotation files: images, categories, captions, boxes and outlines.

A typed decode skips what is not asked for without making objects of it, which is where
the time and memory of ``json.load`` go; the long list is decoded in pieces, so that
neither it nor the file is ever whole in memory. Boxes are
``[int(x), int(y), int(x + w), int(y + h)]``, truncated, as Berger et al. (NAACL 2022)
have them. Below: n images, a annotations.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, cast

import msgspec
import numpy as np

from mmclust.benchmarks._source_files import refuse
from mmclust.core.archives import opened_file, read_found
from mmclust.core.errors import MmclustError, some
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mmclust.core.archives import Found


T = TypeVar("T")
R = TypeVar("R")

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
    """An entry of ``categories``."""

    id: Id
    name: str


class _Instance(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _Annotations(msgspec.Struct, Generic[T]):
    annotations: list[T]


class _File(_Annotations[T]):
    images: list[ImageRecord]
    categories: list[Category]


class _Part(_Annotations[T]):
    images: list[ImageRecord] | msgspec.UnsetType = msgspec.UNSET
    categories: list[Category] | msgspec.UnsetType = msgspec.UNSET


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

    def ids_of(entries: list[_Instance]) -> np.ndarray[Any, Any]:
        return np.stack([column(entries, "image_id"), column(entries, "category_id")])

    content, ids, digest = decode_file(found, _Instance, ids_of)
    images, categories = content["images"], content["categories"]
    image_ids, category_ids = np.concatenate(ids, axis=1)
    files = Counter(image.file_name for image in images if image.file_name is not None)
    if twice := sorted(name for name, count in files.items() if count > 1):
        shared = [image.id for image in images if image.file_name == twice[0]]
        raise MmclustError(
            "Two images have the same file",
            where=found,
            expected="a file_name of its own for each image",
            found=f"{some(map(repr, twice))}; the first is that of images "
            f"{some(shared)}",
            do="correct file_name in the annotations, or remove the duplicates",
        )
    image_rows = positions(column(images, "id"), image_ids, "image", found)
    category_rows = positions(column(categories, "id"), category_ids, "category", found)
    # The rule goes by name, should two ids ever share one, if in two Unicode forms.
    forms = [same_form(category.name) for category in categories]
    names = sorted(set(forms))
    position = {name: row for row, name in enumerate(names)}
    name_of = np.array([position[form] for form in forms], np.int64)
    name_rows = name_of[category_rows]
    return Instances(images, names, image_rows, name_rows, digest)


def read_captions(
    found: Found, wanted: Collection[int] | None, *, strip: bool = True
) -> tuple[dict[int, tuple[str, ...]], int, str]:
    """Read the captions of some images."""

    def wanted_of(entries: list[_Caption]) -> list[_Caption]:
        if wanted is None:
            return entries
        return [entry for entry in entries if entry.image_id in wanted]

    _, found_entries, digest = decode_file(found, _Caption, wanted_of, lists=())
    captions: defaultdict[int, list[str]] = defaultdict(list)
    n_empty = 0
    for entry in chain.from_iterable(found_entries):
        if text := entry.caption.strip():
            captions[entry.image_id].append(text if strip else entry.caption)
        else:
            n_empty += 1
    return {i: tuple(texts) for i, texts in captions.items()}, n_empty, digest


PIECE = 2 << 20  # bytes that are decoded at once
LONGEST = 1 << 29  # bytes without the end of an entry: the file is another kind of JSON
LISTS = ("images", "categories")
_LIST = re.compile(rb'"annotations"\s*:\s*\[')


def decode_file(
    found: Found,
    entry: type[T],
    take: Callable[[list[T]], R],
    lists: Sequence[str] = LISTS,
) -> tuple[dict[str, Any], list[R], str]:
    """Return a file's lists, what ``take`` makes of its annotations, and its sha256.

    ``take`` gets the annotations piece by piece.
    """
    if (taken := _decode_pieces(found, entry, take, lists)) is not None:
        return taken
    # In another order than COCO's, or damaged: as a whole, which says what is wrong.
    data = read_found(found)
    kind: Any = _File if lists else _Annotations
    content = _parse(data, kind[entry], found)
    named = {name: getattr(content, name) for name in lists}
    return named, [take(content.annotations)], hashlib.sha256(data).hexdigest()


def _decode_pieces(
    found: Found, entry: type[T], take: Callable[[list[T]], R], lists: Sequence[str]
) -> tuple[dict[str, Any], list[R], str] | None:
    """Decode a file in pieces; ``None`` where that cannot be done."""
    digest, parts = hashlib.sha256(), _Pieces(entry, take)
    buffers, count = [memoryview(bytearray(PIECE)) for _ in range(2)], 0

    def read() -> memoryview:
        buffers.reverse()
        return buffers[0][: file.readinto(buffers[0])]  # type: ignore[attr-defined]

    try:
        with opened_file(found) as (file, size), ThreadPoolExecutor(1) as pool:
            piece = read()
            while piece:
                hashing = pool.submit(digest.update, piece)
                after = read()  # meanwhile hashing starts; decoding lets nothing start
                parts.add(piece)
                count += len(piece)
                hashing.result()
                if parts.fill > LONGEST:
                    return None
                piece = after
        named = parts.end(lists) if count == size else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if named is None else (named, parts.taken, digest.hexdigest())


class _Pieces(Generic[T, R]):
    """Decodes COCO's JSON while it comes.

    A piece ends after an entry: closed there, it is valid JSON, which it would not be
    if the place were inside of text or of an entry. Before the list and after it the
    file is closed likewise.
    """

    def __init__(self, entry: type[T], take: Callable[[list[T]], R]) -> None:
        self.part = msgspec.json.Decoder(cast("Any", _Part)[entry])
        self.entries = msgspec.json.Decoder(list[entry])  # type: ignore[valid-type]
        self.take = take
        self.taken: list[R] = []
        self.head: Any = None
        # A bracket, and what is decoded next; its last byte becomes the other bracket.
        self.data = bytearray(b"[" + bytes(2 * PIECE))
        self.fill = self.looked = 1
        self.ended = False

    def add(self, piece: memoryview) -> None:
        """Take a piece of the file; decode the entries that are complete."""
        while self.fill + len(piece) > len(self.data):
            self.data += bytes(len(self.data))
        at = self.fill
        self.fill += len(piece)
        memoryview(self.data)[at : self.fill] = piece  # in one copy
        opening = 0  # where the bracket is
        if self.head is None:
            found = _LIST.search(self.data, self.looked, self.fill)
            self.looked = max(1, self.fill - 1024)
            if found is None:
                return
            self.head = self.part.decode(self.data[1 : found.end()] + b"]}")
            opening = found.end() - 1
        done = opening + 1
        end, at = 0, self.fill
        # The last comma that parts two objects.
        while not (self.ended or end) and (at := self.data.rfind(b"{", done, at)) > 0:
            before = bytes(self.data[max(done, at - 64) : at]).rstrip()
            if before.endswith(b",") and before[:-1].rstrip().endswith(b"}"):
                end = self.data.rindex(b",", done, at)
        if end:
            after, self.data[end] = self.data[end], ord("]")
            try:
                whole = memoryview(self.data)[opening : end + 1]
                self.taken.append(self.take(self.entries.decode(whole)))
                done = end + 1
            except msgspec.DecodeError:  # the list may have ended before
                self.data[end], self.ended = after, True
        self.data[1 : 1 + self.fill - done] = self.data[done : self.fill]
        self.fill -= done - 1

    def end(self, lists: Sequence[str]) -> dict[str, Any] | None:
        """Decode the rest; return the other lists, if each was there once."""
        rest = self.data[1 : self.fill]
        if self.head is None or _LIST.search(rest):
            return None
        tail = self.part.decode(b'{"annotations":[' + rest)
        self.taken.append(self.take(tail.annotations))
        named: dict[str, Any] = {}
        for name in lists:
            both = (getattr(part, name) for part in (self.head, tail))
            given = [each for each in both if each is not msgspec.UNSET]
            if len(given) != 1:
                return None
            named[name] = given[0]
        return named


def _parse(data: bytes, kind: type[T], found: Found) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
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
            found=f"{len(data):,} bytes: {error}{what_is_wrong(data, error)}",
            do="fetch the source again, or mend the file if it is your own",
        ) from error


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

    def columns_of(entries: list[Any]) -> tuple[Any, ...]:
        corners = np.array([e.bbox for e in entries], np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        drawn = [getattr(entry, "segmentation", None) for entry in entries]
        return (
            column(entries, "image_id"),
            column(entries, "category_id"),
            corners.astype(np.int32),  # towards zero, as int() does
            column(entries, "iscrowd").astype(bool),
            [msgspec.json.encode(d).decode() if d else "" for d in drawn],
        )

    kind: Any = _Outlined if outlines else _Object
    content, pieces, digest = decode_file(found, kind, columns_of)
    *arrays, drawn = zip(*pieces, strict=True)
    image_ids, category_ids, boxes, crowd = map(np.concatenate, arrays)
    images, categories = content["images"], content["categories"]
    positions(column(images, "id"), image_ids, "image", found)
    return CocoObjects(
        {image.id: image for image in images},
        tuple(same_form(category.name) for category in categories),
        image_ids,
        positions(column(categories, "id"), category_ids, "category", found),
        boxes,
        crowd,
        list(chain.from_iterable(drawn)),
        digest,
    )


TABLE_SIZE = 1 << 22
"""Ids below this are looked up in a table of this many int64 at most."""


def positions(
    known: np.ndarray[Any, Any], ids: np.ndarray[Any, Any], what: str, found: Found
) -> np.ndarray[Any, Any]:
    """Return where each id stands in a list of ids."""
    values, counts = np.unique(known, return_counts=True)
    refuse(
        values[counts > 1].tolist(),
        f"{what.capitalize()} ids are listed twice",
        found,
        f"each {what} once",
        do="remove the duplicates, or fetch the source again",
    )
    rows = _lookup(known, ids)
    refuse(
        np.unique(ids[rows < 0]).tolist(),
        f"Annotations name an unknown {what} id",
        found,
        f"one of the {len(known):,} ids in the file's list",
        "unknown",
        "fetch the source again; its lists and annotations do not match",
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


_OPENINGS = {
    b"\xef\xbb\xbf": "it begins with a byte order mark; save it as UTF-8 without one",
    b"\xff\xfe": "it is UTF-16; save it as UTF-8",
    b"\xfe\xff": "it is UTF-16; save it as UTF-8",
    b"<": "it is a web page or XML",
}
_NUMBER = re.compile(rb"-?(NaN|Infinity)")
# Half of a pair of \u escapes, which no text holds; an escaped backslash is none.
_HALF = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)


def what_is_wrong(buffer: bytes, error: Exception) -> str:
    """Return what a known kind of broken JSON is, in parentheses, or nothing."""
    if isinstance(error, RecursionError):
        return " (lists or objects are nested too deep)"
    start = buffer[:3]
    for opening, meaning in _OPENINGS.items():
        if start.startswith(opening):
            return f" ({meaning})"
    if isinstance(error, UnicodeDecodeError):
        return " (it is not UTF-8)"
    place = re.search(r"byte (\d+)", str(error))
    if place is not None:
        at = max(int(place[1]) - 1, 0)
        number = _NUMBER.search(bytes(buffer[at : at + 10]))
        if number is not None:
            return f" ({number[0].decode()} is no number in JSON; use null)"
    half = _HALF.search(buffer)
    if half is not None:
        found = (half[1] or half[2]).decode()
        return f" ({found} is half of a surrogate pair, which is no character)"
    return ""
