"""Captions, labels, ids and splits of a user's directory: tables and sidecars.

What a table holds is told by the names of its columns, in any case; what is not used
of it is counted.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import math
import os
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._own_folder import split_named, written
from mmclust.core.errors import MmclustError, some
from mmclust.core.text import decoded, json_value, look_alikes, same_form, utf8, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mmclust.benchmarks._own_folder import Files

TABLE = re.compile(
    r"(metadata|images|captions)\.(csv|tsv|txt|json|jsonl|parquet)|.+\.token(\.txt)?",
    re.IGNORECASE,
)
"""Names of the files that are read as tables."""
TEXTS = ("texts", "captions", "text")
"""Folders beside that of the pictures which may hold a text for each of them."""
NAMES = (
    "file_name", "filename", "file", "image_file", "image_name", "image_path",
    "file_path", "filepath", "path", "image", "img", "image_id", "id",
)  # fmt: skip
"""Columns that say which picture a row is of; the first of them that is there does."""
LABELS = (
    "label_name", "class_name", "category_name", "label", "class", "category",
)  # fmt: skip
"""Columns of a class; the first of them that is there counts."""
CAPTION = re.compile(r"((?:caption|text|prompt|sentence|comment|description)s?)_?(\d*)")
"""Columns of captions, which may be numbered; all count."""
DELIMITERS = ",\t;|"
_TOKEN = re.compile(r"(?P<name>[^\t]+?)(?:#(?P<number>\d+))?\t(?P<caption>.*)")
_ITEM = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|None|null|nan", re.DOTALL
)
_BETWEEN = re.compile(r"\s*,\s*|\s+")


@dataclass
class Metadata:
    """What the tables say, by picture.

    Parameters
    ----------
    captions
        Stripped, none empty, in the tables' order.
    labels
        Class names.
    ids
        From the column ``image_id``.
    splits
        From the column ``split``.
    tables
        By name, what of it was used, and what not.
    sources
        sha256 of each file.
    """

    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Columns:
    """The columns of a table, by what they hold; ``""`` where there is none."""

    name: str
    captions: tuple[str, ...]
    label: str
    image_id: str
    split: str
    unused: tuple[str, ...]


Entries = list[tuple[str, dict[str, Any]]]
"""Rows, each with its place for messages."""


def read_metadata(files: Files, *, labels: bool) -> Metadata:
    """Read the tables of a directory.

    Parameters
    ----------
    files
        Of the directory.
    labels
        Whether columns of labels are read.

    Returns
    -------
    Metadata
        Empty where there is no such file.

    Raises
    ------
    MmclustError
        When a table cannot be read, names no pictures or pictures that are not there,
        or a picture has two labels, ids or splits.
    """
    metadata = Metadata()
    pictures = _Pictures(files)
    sidecars = {name for names in _sidecars(files).values() for name in names}
    for name in files.others:
        if TABLE.fullmatch(PurePosixPath(name).name) and name not in sidecars:
            _read_table(files.raw / name, name, metadata, pictures, labels=labels)
    return metadata


def _read_table(
    path: Path, name: str, metadata: Metadata, pictures: _Pictures, *, labels: bool
) -> None:
    """Take over one table."""
    columns, entries, digest = _table(path)
    if columns is None or not entries:
        form = (
            "it has neither a line that names columns nor lines of name, tab, caption"
        )
        why = "it has no row" if columns else form
        metadata.tables[name] = {"rows": 0, "not_used": why}
        return
    metadata.sources[f"metadata {name}"] = digest
    captions: dict[str, tuple[str, ...]] = {}
    absent: list[tuple[str, str]] = []
    left_out = silent = 0
    for where, entry in entries:
        given = _name(entry.get(columns.name), columns.name, where, entry)
        picture = pictures.find(given, path, where)
        if picture is None and pictures.is_other(given, path):
            left_out += 1
        elif picture is None:
            absent.append((where, given))
        else:
            texts = _captions(entry, columns.captions, where)
            captions[picture] = captions.get(picture, ()) + texts
            taken = [
                _take_value(entry, column, known, picture, where)
                for column, known in (
                    (columns.label if labels else "", metadata.labels),
                    (columns.image_id, metadata.ids),
                    (columns.split, metadata.splits),
                )
            ]
            silent += not (texts or any(taken))
    if absent:
        raise _absent(absent, pictures)
    for picture, texts in captions.items():
        _add_captions(metadata.captions, picture, texts)
    unused = [*columns.unused, *([columns.label] if not labels else [])]
    metadata.tables[name] = {
        "rows": len(entries),
        "pictures": columns.name,
        "captions": list(columns.captions),
        "label": columns.label if labels else "",
        "image_id": columns.image_id,
        "split": columns.split,
        "not_used": [written(column) for column in unused if column],
        "rows_of_files_left_out": left_out,
        "rows_that_say_nothing": silent,
    }


def read_sidecars(
    files: Files, known: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Read ``a.txt`` beside ``a.jpg``, or in ``texts/`` beside the pictures' folder.

    One caption per line, empty lines left out.

    Parameters
    ----------
    files
        Of the directory.
    known
        Captions from tables; those of sidecars come after them.

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
    for picture, names in _sidecars(files).items():
        for name in names:
            used.add(name)
            text = _text((files.raw / name).read_bytes(), files.raw / name)
            lines = io.StringIO(text, newline=None)
            found = tuple(each for line in lines if (each := line.strip()))
            _add_captions(captions, picture, found)
    return captions, used


def _sidecars(files: Files) -> dict[str, list[str]]:
    """Return the texts that bear the name of a picture, by picture."""
    texts: dict[str, list[str]] = {}
    for name in files.others:
        if name.lower().endswith(".txt"):
            texts.setdefault(_stem(name), []).append(name)
    top = files.root.relative_to(files.raw).as_posix()
    folders = [top] if top == "." else [top, *TEXTS]
    found = {
        picture: [
            name
            for folder in folders
            for name in texts.get(PurePosixPath(folder, _stem(picture)).as_posix(), [])
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
    return same_form(PurePosixPath(name).with_suffix("").as_posix())


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
            path = PurePosixPath(same_form(name))
            stem = path.with_suffix("")
            keys = (path.as_posix(), path.name, stem.as_posix(), stem.name)
            for kind, key in zip(self.alike, keys, strict=True):
                kind.setdefault(key, []).append(name)

    def find(self, name: str, table: Path, where: str) -> str | None:
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

    def is_other(self, name: str, table: Path) -> bool:
        """Return whether a name is that of a file that is taken for no picture."""
        return any(same_form(path) in self.others for path in self._paths(name, table))

    def _paths(self, name: str, table: Path) -> list[str]:
        """Return what a name may mean below the directory."""
        bases = (table.parent.relative_to(self.raw).as_posix(), self.top, "")
        names = [name, name.replace("\\", "/")] if "\\" in name else [name]
        if name.startswith("/"):
            names = [os.path.relpath(name, self.raw)]
        paths = (posixpath.join(base, each) for each in names for base in bases)
        return list(dict.fromkeys(map(posixpath.normpath, paths)))


def _table(path: Path) -> tuple[Columns | None, Entries, str]:
    """Return a table's columns, its rows and its sha256; no columns: it is no table."""
    if path.suffix.lower() == ".parquet":
        from mmclust.core.io import file_digest

        return *_parquet(path), file_digest(path)
    data = path.read_bytes()
    text, digest = _text(data, path), hashlib.sha256(data).hexdigest()
    kind = path.suffix.lower()
    if kind in {".json", ".jsonl"}:
        entries = list(_json_rows(text, path, lines=kind == ".jsonl"))
        names = dict.fromkeys(key for _, entry in entries for key in entry)
        return _columns(list(names) or [NAMES[0]], path), entries, digest
    delimiter = _delimiter(text)
    if delimiter:
        return *_csv(text, path, delimiter), digest
    if entries := list(_token_rows(text, path)):
        return Columns("name", ("caption",), "", "", "", ()), entries, digest
    if kind in {".csv", ".tsv"} and text.strip():
        raise _no_names(path, text.strip().split("\n", 1)[0][:80])
    return None, [], digest


def _text(data: bytes, path: Path) -> str:
    text = utf8(data, path, "A file of captions")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise MmclustError(
            "A file of captions is no text",
            where=f"{path}, line {line}",
            expected="UTF-8 without NUL bytes",
            found="a NUL byte; UTF-16 has them, and files that are no text",
            do="save the file as UTF-8",
        )
    return text


def _plain(column: str) -> str:
    """Return a column's name as it is looked up: ``File-Name `` is ``file_name``."""
    return re.sub(r"[-\s]+", "_", column.strip().casefold())


def _columns(names: list[str], path: Path) -> Columns:
    """Tell what each column holds."""
    plain = {name: _plain(name) for name in names}
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise _no_names(path, f"{some(twice)} twice")

    def first(wanted: tuple[str, ...]) -> str:
        found = (n for each in wanted for n, p in plain.items() if p == each)
        return next(found, "")

    named = first(NAMES)
    if not named:
        raise _no_names(path, some(names, 8) or "no column")
    numbered = [(n, m) for n, p in plain.items() if (m := CAPTION.fullmatch(p))]
    stems = list(dict.fromkeys(match[1] for _, match in numbered))
    numbered.sort(key=lambda c: (stems.index(c[1][1]), int(c[1][2] or -1)))
    captions = tuple(name for name, _ in numbered)
    label, image_id, split = first(LABELS), first(("image_id",)), first(("split",))
    used = {named, *captions, label, image_id, split}
    unused = tuple(name for name in names if name not in used)
    return Columns(named, captions, label, image_id, split, unused)


def _delimiter(text: str) -> str:
    """Return what parts the columns of a header that names pictures, or nothing."""
    header = next(iter(text.strip("\r\n")[: 1 << 16].splitlines()), "")
    for delimiter in DELIMITERS:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if any(_plain(cell) in NAMES for cell in cells):
            return delimiter
    return ""


def _csv(text: str, path: Path, delimiter: str) -> tuple[Columns, Entries]:
    # In strict mode a quote that is never closed is an error, not a long field.
    rows = csv.reader(
        io.StringIO(text, newline=""),
        strict=True,
        delimiter=delimiter,
        skipinitialspace=delimiter != "\t",
    )
    entries: Entries = []
    header: list[str] = []
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                continue
            where = f"{path}, line {rows.line_num}"
            if any(cell.strip() for cell in cells[len(header) :]):
                raise MmclustError(
                    "A row of the metadata has more cells than there are columns",
                    where=where,
                    expected=f"{len(header)}: {some(header, 8)}",
                    found=f"{len(cells)}, the last of them {cells[-1][:60]!r}",
                    do="put quotes around captions that hold the separator",
                )
            entries.append((where, dict(zip(header, cells, strict=False))))
    except csv.Error as error:
        raise _unusable(f"{path}, line {rows.line_num}", error) from error
    return _columns(header, path), entries


def _json_rows(
    text: str, path: Path, *, lines: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of JSON lines, or of one list."""
    if lines:
        split = enumerate(text.split("\n"), 1)
        parts = [(f"{path}, line {n}", line) for n, line in split if line.strip()]
    else:
        parts = [(str(path), text)]
    for where, part in parts:
        try:
            value = json_value(part)
        except ValueError as error:
            raise _unusable(where, error) from error
        values = [value] if lines or not isinstance(value, list) else value
        for number, entry in enumerate(values, 1):
            here = where if lines else f"{where}, entry {number}"
            if not isinstance(entry, dict):
                raise _unusable(here, part[:60])
            if lines and not any(_plain(key) in NAMES for key in entry):
                raise _unusable(here, part[:60])
            yield here, entry


def _token_rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield rows of ``name.jpg#0``, a tab, a caption; none if the first is no such."""
    seen: set[tuple[str, str]] = set()
    rows: list[tuple[str, int, str, dict[str, Any]]] = []
    for at, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {at}"
        match = _TOKEN.fullmatch(line.removesuffix("\r"))
        if match is None and not rows:
            return
        if match is None:
            raise _unusable(where, line[:60], "a name, #, a number, a tab, a caption")
        name, number = match["name"], match["number"]
        if number is not None and (name, number) in seen:
            raise _unusable(where, f"{name}#{number} again", "each caption once")
        seen.add((name, number or ""))
        entry = {"name": name, "caption": match["caption"]}
        rows.append((name, int(number or at), where, entry))
    place = {name: n for n, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    rows.sort(key=lambda row: (place[row[0]], row[1]))
    yield from ((where, entry) for _, _, where, entry in rows)


def _parquet(path: Path) -> tuple[Columns, Entries]:
    """Read the columns that are used; others may hold whole pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(list(file.schema_arrow.names), path)
            chosen = [columns.name, *columns.captions]
            chosen += [columns.label, columns.image_id, columns.split]
            wanted = list(dict.fromkeys(name for name in chosen if name))
            rows = file.read(columns=wanted).to_pylist()
    except MemoryError as error:
        raise MmclustError(
            f"There is too little memory to read {path.name}",
            where=path,
            found=f"{path.stat().st_size:,} bytes of parquet",
            do="end other programs, or write the table in smaller files",
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise MmclustError(
            f"{path.name} is not a readable parquet file",
            where=path,
            expected="a complete parquet file, its text in UTF-8",
            found=str(error).split("\n")[0] or type(error).__name__,
            do="write it again, or save it as metadata.csv",
        ) from error
    return columns, [
        (
            f"{path}, row {number}",
            {c: decoded(v, f"{path}, column {c}") for c, v in row.items()},
        )
        for number, row in enumerate(rows, 1)
    ]


def _name(value: Any, column: str, where: str, entry: Mapping[str, Any]) -> str:
    """Return the name in a cell."""
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
        raise _unusable(f"{where}, column {column}", repr(value)[:60])
    return _clean(str(value), f"{where}, column {column}")


def _clean(text: str, where: str) -> str:
    """Return a cell's text, stripped; refuse what cannot be written down."""
    if "\0" in text:
        raise _unusable(where, f"a NUL character in {text[:40]!r}")
    return whole(text.strip(), where)


def _captions(
    entry: Mapping[str, Any], columns: Iterable[str], where: str
) -> tuple[str, ...]:
    """Return a row's captions."""
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
            found=repr(item)[:80],
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


def listed(cell: str) -> list[str]:
    """Return the texts of a list as JSON, Python or numpy writes it, or the text.

    Parameters
    ----------
    cell
        For instance ``["a", "b"]``, ``['a', 'b']`` or ``['a' 'b']``.

    Raises
    ------
    ValueError
        When it begins as a list of texts and is none.
    """
    text = cell.strip()
    inner = text[1:-1].strip()
    if text[:1] + text[-1:] not in {"[]", "()"} or (not inner and text[0] == "("):
        return [cell]
    try:
        value = json_value(text)
    except ValueError:
        value = None
    if isinstance(value, list) and all(v is None or isinstance(v, str) for v in value):
        return [v for v in value if v is not None]
    if not (_ITEM.match(inner) and any(quote in inner for quote in "\"'")):
        return [cell]
    items: list[str] = []
    at = 0
    while at < len(inner):
        item = _ITEM.match(inner, at)
        if item is None:
            if inner[0] in "\"'":
                raise ValueError(written(text)[:80])
            return [cell]
        if item["text"] is not None:
            items.append(str(ast.literal_eval(_one_line(item["text"]))))
        after = _BETWEEN.match(inner, item.end())
        at = after.end() if after else item.end()
        if after is None and at < len(inner):
            raise ValueError(written(text)[:80])
    return items


def _one_line(quoted: str) -> str:
    """Return a quoted text as Python reads it: a line break in it as an escape."""
    return quoted.replace("\r", "\\r").replace("\n", "\\n")


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
        raise _unusable(here, repr(value)[:60], "one value for each picture")
    if _missing(value):
        return False
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers that once held a gap
    text = same_form(_clean(str(value), here))
    if text and known.setdefault(picture, text) != text:
        if _plain(column) == "image_id":
            known[picture] = ""  # no id of its own
            return True
        split = _plain(column) == "split"
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


def usable_ids(metadata: Metadata, pictures: Iterable[str]) -> dict[str, str]:
    """Return the ids of the column ``image_id``, if each picture has one of its own."""
    names = list(pictures)
    ids = {name: i for name in names if (i := metadata.ids.get(name))}
    return ids if len(set(ids.values())) == len(names) else {}


def usable_splits(metadata: Metadata, pictures: Iterable[str]) -> dict[str, str]:
    """Return the splits of the column ``split``, if each picture has a known one."""
    named = {n: split_named(metadata.splits.get(n, "")) for n in pictures}
    splits = {name: split for name, split in named.items() if split}
    return splits if len(splits) == len(named) else {}


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


def _unusable(where: str, found: object, expected: str = "") -> MmclustError:
    return MmclustError(
        "A line of the metadata cannot be used",
        where=where,
        expected=expected or "file_name, and caption and label where there are any",
        found=written(str(found)),
        do="correct the line; the first line of a .csv names its columns",
    )


def _no_names(path: Path, found: str) -> MmclustError:
    return MmclustError(
        "A table's columns cannot be used",
        where=path,
        expected=f"a column that names the picture, once: {' or '.join(NAMES[:6])}",
        found=written(found),
        do="name the columns in the first line, or rename the file if it is no "
        "metadata",
    )
