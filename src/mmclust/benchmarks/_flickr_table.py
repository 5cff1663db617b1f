"""The hub's table of Flickr30K, ``flickr_annotations_30k.csv``."""

from __future__ import annotations

import csv
import io
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._karpathy import ROLES
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.text import json_value, utf8, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = {"raw", "split", "filename"}


def parse_table(
    data: bytes, where: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, str], int]:
    """Read the hub's table: ``raw`` (a JSON list), ``split`` and ``filename``.

    Parameters
    ----------
    data
        The file.
    where
        Its name, for messages.

    Returns
    -------
    captions
        Of each image: stripped, none empty.
    splits
        Of each image.
    n_empty
        How many captions were nothing but white space, and were left out.

    Raises
    ------
    MmclustError
        When it is not UTF-8 or no such table, or a row has another form or names
        an image for the second time.
    """
    captions: dict[str, tuple[str, ...]] = {}
    splits: dict[str, str] = {}
    n_empty = 0
    for line, row in _rows(data, where):
        try:
            image_id, texts, split = _parse(row, f"{where}, line {line:,}")
        except ValueError as error:
            raise _bad(f"{where}, line {line:,}", error) from error
        if image_id in captions:
            raise _bad(f"{where}, line {line:,}", f"{image_id}.jpg, a second time")
        captions[image_id] = tuple(t for text in texts if (t := text.strip()))
        n_empty += len(texts) - len(captions[image_id])
        splits[image_id] = split
    return captions, splits, n_empty


def _rows(data: bytes, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows, with the number of the line that each ends on."""
    try:
        text = utf8(data, where, "Flickr30K's table")
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        missing = COLUMNS - set(rows.fieldnames or ())
        if missing:
            raise _bad(where, f"no column {some(sorted(missing))}")
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise _bad(where, error) from error


def _parse(row: dict[str, Any], where: str) -> tuple[str, list[str], str]:
    """Return the image, captions and split of a row, or say what is wrong."""
    name, split = row["filename"] or "", row["split"] or ""
    if not name.endswith(".jpg") or PurePosixPath(name).name != name:
        raise ValueError(f"filename {name!r}, which is not <id>.jpg")
    if split not in ROLES:
        raise ValueError(f"split {split!r}, not {nearest(split, ROLES)}")
    texts = json_value(row["raw"] or "")
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise ValueError(f"raw of {name}, which is no list of texts")
    return name.removesuffix(".jpg"), [whole(text, where) for text in texts], split


def _bad(where: str, found: object) -> MmclustError:
    return MmclustError(
        "Flickr30K's table cannot be read",
        where=where,
        expected="a table in UTF-8 with raw (a JSON list of captions), split and "
        "filename, each image once",
        found=found,
        do="fetch flickr30k again",
    )
