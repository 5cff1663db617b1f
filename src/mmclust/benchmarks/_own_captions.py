"""Captions, labels, ids and splits of a user's directory: tables and sidecars.

What is not used of a table is counted.
"""

from __future__ import annotations

import io
import math
import os
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._own_folder import split_named, written
from mmclust.benchmarks._own_tables import (
    NAMES,
    file_text,
    is_table,
    listed,
    plain_name,
    read_table_file,
    unusable,
)
from mmclust.benchmarks._source_files import shown, whole
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import require_file
from mmclust.core.text import look_alikes, same_form

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mmclust.benchmarks._own_folder import Files
    from mmclust.benchmarks._own_tables import Columns, Entries

TEXTS = ("texts", "captions", "text")
"""Folders beside that of the pictures which may hold a text for each of them."""


@dataclass
class Metadata:
    """What tables and sidecars say, by picture; use and sha256 of each table."""

    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    """Of the column ``image_id``; empty unless each picture has one of its own."""
    splits: dict[str, str] = field(default_factory=dict)
    """Of the column ``split``; empty unless each picture has a known one."""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    sidecars: set[str] = field(default_factory=set)


def read_metadata(
    files: Files,
    *,
    labels: bool,
    captions: str = "",
    tables: Sequence[Path] = (),
    strict: bool = True,
    texts: bool = True,
) -> Metadata:
    """Read the texts and tables of a directory, and tables that lie elsewhere.

    ``captions`` names their column. Rows of pictures that are not there are refused,
    or counted: ``strict``. Without ``texts`` those beside pictures are not opened.
    """
    metadata = Metadata()
    pictures = _Pictures(files)
    sidecars = _sidecars(files)
    metadata.sidecars.update(*sidecars.values())
    found = {
        name: files.raw / name
        for name in files.others
        if name not in metadata.sidecars and is_table(files.raw / name)
    }
    for path in tables:
        require_file(path, "give a table: .csv, .jsonl, .parquet, or Flickr's lines")
        found.setdefault(os.path.relpath(path, files.raw), path)
    for name, path in found.items():
        columns, entries, digest = read_table_file(path, captions)
        if columns is None or not entries:
            form = "neither a line that names columns nor lines of name, tab, caption"
            why = "it has no row" if columns else f"it has {form}"
            metadata.tables[name] = {"rows": 0, "not_used": why}
            continue
        metadata.sources[f"metadata {name}"] = digest
        use = _take_table(columns, entries, name, metadata, pictures, labels, strict)
        metadata.tables[name] = use
    known = [c for table in metadata.tables.values() for c in table.get("captions", ())]
    if captions and captions not in known:
        raise MmclustError(
            "No table has the column of captions",
            where=files.raw,
            expected=f"a column {captions}",
            found=f"columns of captions: {some(known) or 'none'}"
            if metadata.tables
            else "no table; one is named metadata.csv, captions.txt or the like",
            do="give the table's path, or correct the column",
        )
    ids = {name: i for name in files.pictures if (i := metadata.ids.get(name))}
    metadata.ids = ids if len(set(ids.values())) == len(files.pictures) else {}
    named = {n: split_named(metadata.splits.get(n, "")) for n in files.pictures}
    splits = {name: split for name, split in named.items() if split}
    metadata.splits = splits if len(splits) == len(named) else {}
    for picture, names in sidecars.items() if texts else ():
        for path in (files.raw / name for name in names):
            lines = io.StringIO(file_text(path.read_bytes(), path), newline=None)
            read = tuple(text for line in lines if (text := line.strip()))
            _add_captions(metadata.captions, picture, read)
    return metadata


def _take_table(
    columns: Columns,
    entries: Entries,
    name: str,
    metadata: Metadata,
    pictures: _Pictures,
    labels: bool,
    strict: bool,
) -> dict[str, Any]:
    """Take over what a table says; return what was used of it."""
    label = columns.label if labels else ""
    values = (
        (label, metadata.labels),
        (columns.image_id, metadata.ids),
        (columns.split, metadata.splits),
    )
    captions: dict[str, tuple[str, ...]] = {}
    absent: list[tuple[str, str]] = []
    left_out = silent = 0
    for where, entry in entries:
        given = _name(entry.get(columns.name), columns.name, where, entry)
        picture = pictures.find(given, name, where)
        if picture is None and pictures.is_other(given, name):
            left_out += 1
        elif picture is None:
            absent.append((where, given))
        else:
            texts = _captions(entry, columns.captions, where)
            captions[picture] = captions.get(picture, ()) + texts
            taken = [_take_value(entry, *value, picture, where) for value in values]
            silent += not (texts or any(taken))
    if absent and (strict or len(absent) == len(entries)):
        raise _absent(absent, pictures)
    for picture, texts in captions.items():
        _add_captions(metadata.captions, picture, texts)
    unused = [*columns.unused, *([columns.label] if columns.label != label else [])]
    return {
        "rows": len(entries),
        "pictures": columns.name,
        "captions": list(columns.captions),
        "label": label,
        "image_id": columns.image_id,
        "split": columns.split,
        "not_used": [written(column) for column in unused],
        "rows_of_files_left_out": left_out,
        "rows_of_absent_pictures": len(absent),
        "rows_that_say_nothing": silent,
    }


def _sidecars(files: Files) -> dict[str, list[str]]:
    """Return ``a.txt`` beside ``a.jpg``, or in ``texts/`` beside the pictures' folder.

    One caption per line, empty lines left out.
    """
    texts: dict[str, list[str]] = {}
    for name in files.others:
        if name.lower().endswith(".txt"):
            texts.setdefault(_stem(name), []).append(name)
    top = files.root.relative_to(files.raw).as_posix()
    folders = [""] if top == "." else [top, *TEXTS]
    found = {
        picture: [
            name
            for folder in folders
            for name in texts.get(posixpath.join(folder, _stem(picture)), [])
        ]
        for picture in files.pictures
    }
    return {picture: names for picture, names in found.items() if names}


def _add_captions(
    captions: dict[str, tuple[str, ...]], picture: str, texts: tuple[str, ...]
) -> None:
    """Add a file's captions of a picture, unless another file has said just them."""
    if texts and captions.get(picture) != texts:
        captions[picture] = captions.get(picture, ()) + texts


def _stem(name: str) -> str:
    """Return a picture's path without its ending, in NFC."""
    return same_form(posixpath.splitext(name)[0])


class _Pictures:
    """Finds the picture that a row means: by path, by name, without its ending."""

    def __init__(self, files: Files) -> None:
        self.raw = files.raw
        top = files.root.relative_to(files.raw).as_posix()
        self.top = "" if top == "." else f"{top}/"
        self.exact = set(files.pictures)
        self.others = {same_form(name) for name in (*files.others, *files.special)}
        self.alike: list[dict[str, list[str]]] = [{}, {}, {}, {}]
        for name in files.pictures:
            path = same_form(name)
            stem, _ = posixpath.splitext(path)
            keys = (path, posixpath.basename(path), stem, posixpath.basename(stem))
            for kind, key in zip(self.alike, keys, strict=True):
                kind.setdefault(key, []).append(name)

    def find(self, name: str, table: str, where: str) -> str | None:
        """Return the picture, or ``None``; refuse a name that several have."""
        top = self.top
        paths = [
            p.removeprefix(top) for p in self._paths(name, table) if p.startswith(top)
        ]
        for path in paths:
            if path in self.exact:
                return path
        forms = [same_form(path) for path in paths]
        bare = [same_form(name)] if "/" not in name else []
        for kind, keys in zip(self.alike, (forms, bare, forms, bare), strict=True):
            for key in keys:
                if len(found := kind.get(key, [])) == 1:
                    return found[0]
                if found:
                    raise _ambiguous(name, found, where)
        return None

    def is_other(self, name: str, table: str) -> bool:
        """Return whether a name is that of a file that is taken for no picture."""
        return any(same_form(path) in self.others for path in self._paths(name, table))

    def _paths(self, name: str, table: str) -> list[str]:
        """Return what a name may mean below the directory."""
        bases = (posixpath.dirname(table), self.top, "")
        names = [name, name.replace("\\", "/")] if "\\" in name else [name]
        if name.startswith("/"):
            names = [os.path.relpath(name, self.raw)]
        paths = (posixpath.join(base, each) for each in names for base in bases)
        return list(dict.fromkeys(map(posixpath.normpath, paths)))


def _name(value: Any, column: str, where: str, entry: Mapping[str, Any]) -> str:
    if isinstance(value, dict):  # as the hub writes a picture
        value = value.get("path")
    if value is None or (isinstance(value, str) and not value.strip()):
        raise MmclustError(
            "A row of the metadata names no picture",
            where=f"{where}, column {column or NAMES[0]}",
            expected="the name of a picture",
            found="an empty cell, in the row: "
            + some((written(str(v))[:40] for v in entry.values() if v), 4),
            do="fill the cell, or remove the row",
        )
    if not isinstance(value, str) and type(value) is not int:
        raise unusable(f"{where}, column {column}", shown(value))
    return _clean(str(value), f"{where}, column {column}")


def _clean(text: str, where: str) -> str:
    """Return a cell's text, stripped; refuse what cannot be written down."""
    if "\0" in text:
        raise unusable(where, f"a NUL character in {text[:40]!r}")
    return whole(text.strip(), where)


def _captions(
    entry: Mapping[str, Any], columns: Iterable[str], where: str
) -> tuple[str, ...]:
    found: list[str] = []
    for column in columns:
        value = entry.get(column)
        if _missing(value):
            continue
        here = f"{where}, column {column}"
        items = value if isinstance(value, list) else [value]
        texts = [t for item in items if item is not None for t in _texts(item, here)]
        found += [text for t in texts if (text := _clean(t, here))]
    return tuple(found)


def _texts(item: Any, where: str) -> list[str]:
    """Return the text of a cell, or the texts of the list that is written in it."""
    if not isinstance(item, str):
        raise MmclustError(
            "A caption is not text",
            where=where,
            expected="text, or a list of texts",
            found=shown(item),
            do="correct the metadata",
        )
    try:
        return listed(item)
    except ValueError as error:
        raise MmclustError(
            "A cell begins as a list of captions and is none",
            where=where,
            expected='a list as JSON or Python writes it, such as ["a dog", "one dog"]',
            found=error,
            do="correct the cell, or put each caption into a row of its own",
        ) from error


def _take_value(
    entry: Mapping[str, Any],
    column: str,
    known: dict[str, str],
    picture: str,
    where: str,
) -> bool:
    """Take over a label, id or split, of which a picture has one; say if there is."""
    value = entry.get(column) if column else None
    here = f"{where}, column {column}"
    if isinstance(value, list | dict):
        raise unusable(here, shown(value), "one value for each picture")
    if _missing(value):
        return False
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers that once held a gap
    text = same_form(_clean(str(value), here))
    if text and known.setdefault(picture, text) != text:
        if plain_name(column) == "image_id":
            known[picture] = ""  # no id of its own
            return True
        split = plain_name(column) == "split"
        raise MmclustError(
            f"A picture is in two {'splits' if split else 'classes'}",
            where=f"{here}, {picture}",
            expected="one for each picture",
            found=f"{known[picture]}, {text}",
            do=f"correct the column {column}",
        )
    return bool(text)


def _missing(value: Any) -> bool:
    """Return whether a cell is empty; NaN is what pandas puts for nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _absent(absent: list[tuple[str, str]], pictures: _Pictures) -> MmclustError:
    names = [written(name) for _, name in absent]
    paths = {path.casefold(): path for path in pictures.alike[0]}
    keys = [same_form(name).casefold() for name in names]
    case = [paths[key] for key in keys if key in paths]
    hint = f"; in other capitals there are {some(case)}" if case else ""
    return MmclustError(
        "Metadata name pictures that are not there",
        where=absent[0][0],
        expected=f"paths of the {len(pictures.exact):,} pictures below the file's "
        "folder",
        found=f"{len(absent):,} others: {some(names)}{hint}",
        do="correct the names, or add the pictures",
    )


def _ambiguous(name: str, found: list[str], where: str) -> MmclustError:
    hint = look_alikes(found)
    return MmclustError(
        "A row of the metadata may mean several pictures",
        where=where,
        expected="a name that one picture has",
        found=f"{name}: {some(found)}" + (f"; they {hint}" if hint else ""),
        do="rename the pictures" if hint else "write the path of the picture",
    )
