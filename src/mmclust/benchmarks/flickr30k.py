"""Flickr30K: 31,014 images with five captions each, in 29,000 / 1,014 / 1,000.

It has no classes: words are learned on it and retrieval is measured on its 1,000 test
images, but clustering needs a number of clusters given, and nothing scores it.

Source: Young et al., TACL 2 (2014); the split is Karpathy and Li's, CVPR 2015. The
publisher's caption file covers 31,783 images; those without a split are left out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import (
    container_notes,
    lacking,
    look_for,
    source_folders,
    whole,
)
from mmclust.benchmarks._splits import splits_of
from mmclust.benchmarks.coco_karpathy import (
    ARCHIVE,
    ROLES,
    read_karpathy,
    require_captions,
)
from mmclust.core.archives import read_found, read_members
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.text import json_value, utf8
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SOURCES = ("flickr30k", "flickr30k_publisher", "karpathy_splits")
DEFAULT_SPLIT = "all"
FOLDER = "flickr30k-images"
IMAGES = {"train": 29_000, "val": 1_014, "test": 1_000}


@dataclass(frozen=True)
class Params:
    """What a damaged or partial copy may need."""

    captions_per_image: Positive | None = 5
    """Captions each image must have; ``None``: at least one."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images of the parts, as published."""
    del params
    return {"": sum(IMAGES[part] for part in splits_of(split, IMAGES))}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of a part of the split."""
    parts = splits_of(split, IMAGES)
    folders = source_folders(raw, SOURCES)
    files = captions_and_splits(folders)
    if not files:
        names = [TOKEN, TABLE, KARPATHY]
        raise lacking(folders, "Flickr30K's caption file", names)
    texts, splits = files[0], files[-1]
    if not splits.splits:
        raise MmclustError(
            "Flickr30K's splits are in none of the files",
            where=texts.where,
            expected=f"{TABLE}, {KARPATHY}, or {ARCHIVE} with it",
            found=f"captions of {len(texts.captions):,} images, without splits",
            do="run `mmclust fetch karpathy_splits --mirror upstream`, or put one of "
            "these files beside the captions",
        )
    chosen = {i: part for i, part in splits.splits.items() if part in parts}
    captions = {image_id: texts.captions.get(image_id, ()) for image_id in chosen}
    number = params.captions_per_image
    require_captions(captions, number, texts.where)
    longer = (i for i, each in captions.items() if len(each) > (number or 0))
    if number is not None and (long := sorted(longer)):
        raise MmclustError(
            "Images have too many captions",
            where=texts.where,
            expected=f"{number} for each image",
            found=f"{len(long):,} with more: {long[0]} has {len(captions[long[0]])}",
            do="fetch the source again, or set captions_per_image to null",
        )
    paths = {image_id: f"{FOLDER}/{image_id}.jpg" for image_id in chosen}
    rows = captioned_rows(folders, paths, chosen, captions, images=images)
    n_parts = Counter(splits.splits.values())
    kept = [text for row in rows for text in row.captions]
    notes = {
        "split": split,
        "captions_from": texts.name,
        "splits_from": splits.name,
        "splits_listed": dict(sorted(n_parts.items())),
        "splits_as_published": n_parts == IMAGES,
        "images_without_split": len(texts.captions.keys() - splits.splits.keys()),
        "empty_captions_dropped": texts.n_empty,
        "captions_with_line_break": sum("\n" in text for text in kept),
        "image_files": container_notes(raw, rows) or "not looked for",
    }
    return Built(
        rows,
        {},
        protocol="1",
        sources={each.name: each.digest for each in files},
        notes=notes,
        fit=("train",),
        evaluate=("test",),
    )


TOKEN = "results_20130124.token"  # noqa: S105 - a file's name
TOKEN_ARCHIVES = ("flickr30k.tar.gz", "flickr30k.tar")
TABLE = "flickr_annotations_30k.csv"
KARPATHY = "dataset_flickr30k.json"


@dataclass(frozen=True)
class Captioned:
    """What a file says of Flickr30K's images, by their names without ``.jpg``."""

    name: str
    where: str
    digest: str
    captions: dict[str, tuple[str, ...]]
    """Stripped, none empty, in the publisher's order."""
    splits: dict[str, str] = field(default_factory=dict)
    """Empty where the file says none."""
    n_empty: int = 0  # captions that were nothing but white space


def captions_and_splits(folders: Sequence[Path]) -> list[Captioned]:
    """Read captions, and splits where the file with the captions has none."""
    files: list[Captioned] = []
    if (token := next(_token_files(folders), None)) is not None:
        data, where = token
        captions, n_empty = parse_token(data, where)
        digest = hashlib.sha256(data).hexdigest()
        files.append(Captioned(TOKEN, where, digest, captions, n_empty=n_empty))
    if (found := look_for(folders, f"{TABLE}.zip", TABLE)) is not None:
        data, where = read_found(found), str(found)
        captions, splits, n_empty = parse_table(data, where)
        digest = hashlib.sha256(data).hexdigest()
        files.append(Captioned(TABLE, where, digest, captions, splits, n_empty))
    elif (found := look_for(folders, ARCHIVE, KARPATHY)) is not None:
        images, digest = read_karpathy(found)
        captions = {image.image_id: image.captions for image in images}
        splits = {image.image_id: image.split for image in images}
        n_all = sum(len(image.sentences) for image in images)
        n_empty = n_all - sum(map(len, captions.values()))
        where = str(found)
        files.append(Captioned(KARPATHY, where, digest, captions, splits, n_empty))
    return files


def _token_files(folders: Sequence[Path]) -> Iterator[tuple[bytes, str]]:
    for folder in folders:
        if (folder / TOKEN).is_file():
            yield (folder / TOKEN).read_bytes(), str(folder / TOKEN)
        for archive in (folder / name for name in TOKEN_ARCHIVES):
            if archive.is_file():
                found = read_members(archive, lambda n: n.split("/")[-1] == TOKEN)
                yield from ((data, f"{archive}, {name}") for name, data in found)


COLUMNS = {"raw", "split", "filename"}


def parse_table(
    data: bytes, where: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, str], int]:
    """Read the hub's table: ``raw`` (a JSON list), ``split`` and ``filename``."""
    captions: dict[str, tuple[str, ...]] = {}
    splits: dict[str, str] = {}
    n_empty = 0
    text = utf8(data, where, "Flickr30K's table")
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if missing := COLUMNS - set(rows.fieldnames or ()):
            raise _bad(where, f"no column {some(sorted(missing))}")
        for row in rows:
            at = f"{where}, line {rows.line_num:,}"
            name, split = row["filename"] or "", row["split"] or ""
            image_id = name.removesuffix(".jpg")
            if not name.endswith(".jpg") or PurePosixPath(name).name != name:
                raise _bad(at, f"filename {name!r}, which is not <id>.jpg")
            if split not in ROLES:
                raise _bad(at, f"split {split!r}, not {nearest(split, ROLES)}")
            texts = _texts(row["raw"] or "", name, at)
            if image_id in captions:
                raise _bad(at, f"{image_id}.jpg, a second time")
            captions[image_id] = tuple(t for text in texts if (t := text.strip()))
            n_empty += len(texts) - len(captions[image_id])
            splits[image_id] = split
    except csv.Error as error:
        raise _bad(where, error) from error
    return captions, splits, n_empty


def _texts(cell: str, name: str, where: str) -> list[str]:
    """Return the captions that a cell lists as JSON."""
    try:
        texts = json_value(cell)
    except ValueError as error:
        raise _bad(where, error) from error
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise _bad(where, f"raw of {name}, which is no list of texts")
    return [whole(text, where) for text in texts]


def _bad(where: str, found: object) -> MmclustError:
    return MmclustError(
        "Flickr30K's table cannot be read",
        where=where,
        expected="a table in UTF-8 with raw (a JSON list of captions), split and "
        "filename, each image once",
        found=found,
        do="fetch flickr30k again",
    )


_LINE = re.compile(r"([^\s/#]+)\.jpg#(\d+)\t([^\r]*)")


def parse_token(data: bytes, where: str) -> tuple[dict[str, tuple[str, ...]], int]:
    """Read the publisher's captions, ``<id>.jpg#<n>``, a tab, the caption."""
    numbered: dict[str, dict[int, str]] = {}
    for at, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            found = f"{raw[error.start]:#04x} at byte {error.start + 1}"
            do = "convert the file to UTF-8"
            raise _bad_line(where, at, "text in UTF-8", found, do) from error
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            do = "a caption must be on one line: if it has a line break, join the two"
            form = "<id>.jpg#<n>, a tab, the caption"
            raise _bad_line(where, at, form, repr(line[:60]), do)
        image_id, number, text = match[1], int(match[2]), match[3].strip()
        if number in numbered.setdefault(image_id, {}):
            again = f"{image_id}.jpg#{number} for the second time"
            do = "remove one of the two"
            raise _bad_line(where, at, "each caption once", again, do)
        numbered[image_id][number] = text
    captions = {
        image_id: tuple(text for _, text in sorted(texts.items()) if text)
        for image_id, texts in numbered.items()
    }
    n_lines = sum(map(len, numbered.values()))
    return captions, n_lines - sum(map(len, captions.values()))


def _bad_line(where: str, at: int, expected: str, found: str, do: str) -> MmclustError:
    return MmclustError(
        "A line of Flickr30K's captions cannot be read",
        where=f"{where}, line {at:,}",
        expected=expected,
        found=found,
        do=do,
    )
