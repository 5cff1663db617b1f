"""Files of captions and splits: Karpathy's JSON, and the three that hold Flickr30K's.

Karpathy and Li (CVPR 2015) publish one JSON for each data set in
``caption_datasets.zip``: ``dataset_coco.json``, ``dataset_flickr30k.json``,
``dataset_flickr8k.json``. Flickr30K's captions are in the publisher's
``results_20130124.token`` (of 31,783 images, without splits), and with splits in the
hub's ``flickr_annotations_30k.csv`` and in Karpathy's file.
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

import msgspec

from mmclust.benchmarks._source_files import look_for, refuse
from mmclust.core.archives import read_found, read_members
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.text import json_value, utf8, what_is_wrong, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.archives import Found


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
    filepath: str = ""  # the folder, for COCO: `train2014` or `val2014`

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
    """Read a data set's file."""
    data = read_found(found)
    try:
        images = msgspec.json.decode(data, type=_File).images
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MmclustError(
            f"{(found.member or found.path.name)} cannot be read",
            where=found,
            expected="JSON in UTF-8: an object with the list `images`, each with "
            "filename, split and sentences",
            found=f"{len(data):,} bytes: {error}{what_is_wrong(data, error)}",
            do="fetch karpathy_splits again; the file may be cut short",
        ) from error
    _check(images, found)
    return images, hashlib.sha256(data).hexdigest()


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
        refuse(wrong, what, found, expected, do="fetch karpathy_splits again")


def require_captions(
    captions: Mapping[str, tuple[str, ...]], number: int | None, where: object
) -> None:
    """Refuse images that have too few captions."""
    least = 1 if number is None else number
    counts = {image_id: len(texts) for image_id, texts in sorted(captions.items())}
    refuse(
        [f"{image_id} ({n})" for image_id, n in counts.items() if n < least],
        "Images have too few captions",
        where,
        f"at least {least} for each image, none of them empty",
        "with fewer",
        "fetch the source again, or ask for fewer: captions_per_image",
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
    found = _token(folders), _table(folders) or _karpathy(folders)
    return [each for each in found if each is not None]


def _token(folders: Sequence[Path]) -> Captioned | None:
    for data, where in _token_files(folders):
        captions, n_empty = parse_token(data, where)
        digest = hashlib.sha256(data).hexdigest()
        return Captioned(TOKEN, where, digest, captions, n_empty=n_empty)
    return None


def _token_files(folders: Sequence[Path]) -> Iterator[tuple[bytes, str]]:
    for folder in folders:
        if (folder / TOKEN).is_file():
            yield (folder / TOKEN).read_bytes(), str(folder / TOKEN)
        for archive in (folder / name for name in TOKEN_ARCHIVES):
            if archive.is_file():
                found = read_members(archive, lambda n: n.split("/")[-1] == TOKEN)
                yield from ((data, f"{archive}, {name}") for name, data in found)


def _table(folders: Sequence[Path]) -> Captioned | None:
    found = look_for(folders, f"{TABLE}.zip", TABLE)
    if found is None:
        return None
    data = read_found(found)
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
