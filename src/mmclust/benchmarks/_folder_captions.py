"""Captions and labels of a user's directory: metadata files and sidecars."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mmclust.benchmarks._folder import Files

CAPTIONS = ("caption", "captions", "text")
NAME = "file_name"


@dataclass
class Metadata:
    """What the metadata files say, by picture.

    Parameters
    ----------
    captions
        Stripped, none empty, in the files' order.
    labels
        Class names.
    files
        Names of the files.
    sources
        sha256 of each file.
    """

    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)


def read_metadata(files: Files) -> Metadata:
    """Read ``metadata.csv`` and ``metadata.jsonl``.

    A row names a picture by its path below the file's own folder, in
    ``file_name``. ``caption`` (or ``captions``, or ``text``) is one caption or, in
    JSON, a list; a picture may have several rows. ``label`` is its class.

    Parameters
    ----------
    files
        Of the directory.

    Returns
    -------
    Metadata
        Empty where there is no such file.

    Raises
    ------
    MmclustError
        When a file is not UTF-8, has no ``file_name``, or names a picture that is
        not there; or a picture has two labels.
    """
    metadata = Metadata()
    known = set(files.pictures)
    unknown: list[str] = []
    for path in files.metadata:
        data = path.read_bytes()
        name = os.path.relpath(path, files.root)
        metadata.files.append(name)
        metadata.sources[f"metadata {name}"] = hashlib.sha256(data).hexdigest()
        for entry in _entries(_text(data, path), path):
            picture = _picture(str(entry[NAME]), path, files, known)
            if picture is None:
                unknown.append(str(entry[NAME]))
                continue
            _add(metadata, picture, entry, path)
    if unknown:
        raise MmclustError(
            "Metadata name pictures that are not there",
            where=", ".join(metadata.files),
            expected=f"paths of the {len(known):,} pictures below the file's folder",
            found=f"{len(unknown):,} others: {some(unknown)}",
            do="correct file_name, or add the pictures",
        )
    return metadata


def read_sidecars(
    files: Files, known: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Read ``a.txt`` beside ``a.jpg``: one caption per line, empty lines left out.

    Parameters
    ----------
    files
        Of the directory.
    known
        Captions from metadata; those of sidecars come after them.

    Returns
    -------
    captions : dict of str to tuple of str
        Of each picture that has any.
    used : set of str
        The files read.

    Raises
    ------
    MmclustError
        When a file is not UTF-8.
    """
    captions = dict(known)
    used: set[str] = set()
    others = set(files.others)
    for picture in files.pictures:
        name = PurePosixPath(picture).with_suffix(".txt").as_posix()
        if name not in others:
            continue
        used.add(name)
        path = files.root / name
        lines = io.StringIO(_text(path.read_bytes(), path), newline=None)
        found = tuple(text for line in lines if (text := line.strip()))
        if found:
            captions[picture] = captions.get(picture, ()) + found
    return captions, used


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise MmclustError(
            "A file of captions is not UTF-8",
            where=f"{path}, line {line}",
            expected="UTF-8",
            found=f"byte 0x{data[error.start]:02x}",
            do="save the file as UTF-8",
        ) from error


def _entries(text: str, path: Path) -> Iterator[dict[str, Any]]:
    """Yield a metadata file's rows; each has a ``file_name``."""
    if path.suffix == ".csv":
        # In strict mode a quote that is never closed is an error, not a long field.
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            for entry in rows:
                if not entry.get(NAME):
                    raise _unusable(path, rows.line_num, rows.fieldnames or [])
                yield entry
        except csv.Error as error:
            raise _unusable(path, rows.line_num, error) from error
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise _unusable(path, number, error) from error
        if not isinstance(entry, dict) or not isinstance(entry.get(NAME), str):
            raise _unusable(path, number, line[:60])
        yield entry


def _unusable(path: Path, line: int, found: object) -> MmclustError:
    return MmclustError(
        "A line of the metadata cannot be used",
        where=f"{path}, line {line}",
        expected="file_name, and caption and label where there are any",
        found=some(found) if isinstance(found, list) else found,
        do="correct the line; the first line of a .csv names its columns",
    )


def _picture(name: str, path: Path, files: Files, known: set[str]) -> str | None:
    """Return the picture that a row means, below the metadata's folder or the root."""
    own = path.parent / name
    below = own.relative_to(files.root) if own.is_relative_to(files.root) else None
    for candidate in (below, PurePosixPath(name)):
        if candidate is not None and candidate.as_posix() in known:
            return candidate.as_posix()
    return None


def _add(
    metadata: Metadata, picture: str, entry: Mapping[str, Any], path: Path
) -> None:
    """Take over one row."""
    values = [entry[key] for key in CAPTIONS if entry.get(key) is not None]
    texts = [t for value in values for t in (value if type(value) is list else [value])]
    if not all(isinstance(t, str) for t in texts):
        raise MmclustError(
            "A caption is not text",
            where=f"{path}, {picture}",
            expected="text, or a list of texts",
            found=some(map(repr, texts), 3),
            do="correct the metadata",
        )
    captions = tuple(text for t in texts if (text := t.strip()))
    if captions:
        metadata.captions[picture] = metadata.captions.get(picture, ()) + captions
    label = entry.get("label")
    label = "" if label is None else str(label).strip()
    if label and metadata.labels.setdefault(picture, label) != label:
        raise MmclustError(
            "A picture is in two classes",
            where=f"{path}, {picture}",
            expected="one label for each picture",
            found=f"{metadata.labels[picture]}, {label}",
            do="correct the column label",
        )
