"""Tables of a user's directory: which columns they have, and their rows.

CSV, JSON, parquet and Flickr's lines; what a column holds is told by its name, in any
case.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._own_folder import written
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import file_digest
from mmclust.core.text import decoded, json_value, utf8

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = re.compile(
    r"(metadata|images|captions)\.(csv|tsv|txt|json|jsonl|parquet)|.+\.token(\.txt)?",
    re.IGNORECASE,
)  # names of the files that are read as tables
_FLICKR30K = "results.csv"
"""Flickr30K's captions bear a name that many tables do: its columns tell."""
_FLICKR_HEAD = re.compile(r"\s*image_name\s*\|\s*comment_number\s*\|\s*comment\s")
NAMES = (
    "file_name", "filename", "file", "image_file", "image_name", "image_path",
    "file_path", "filepath", "path", "image", "img", "image_id", "id",
)  # fmt: skip
"""Columns that say which picture a row is of; the first of them that is there does."""
LABELS = (
    "label_name", "class_name", "category_name", "label", "class", "category",
)  # fmt: skip
"""Columns of a class; the first of them that is there counts."""
CAPTION = re.compile(
    r"((?:caption|text|prompt|sentence|comment|description)s?)_?(\d{0,9})"
)  # columns of captions, which may be numbered; all count
DELIMITERS = ",\t;|"
_TOKEN = re.compile(r"(?P<name>[^\t]+?)(?:#(?P<number>\d{1,9}))?\t(?P<caption>.*)")
_ITEM = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|None|null|nan", re.DOTALL
)
_NESTED = re.compile(r"[\[({]\s*[\"']")  # lists or objects in a list
_BETWEEN = re.compile(r"\s*,\s*|\s+")


@dataclass(frozen=True)
class Columns:
    """The columns of a table, by what they hold; ``""`` where there is none."""

    name: str
    captions: tuple[str, ...]
    label: str
    image_id: str
    split: str
    unused: tuple[str, ...]


def is_table(path: Path) -> bool:
    """Tell whether a file of the directory is read as a table, by its name."""
    if path.name.lower() != _FLICKR30K:
        return bool(TABLE.fullmatch(path.name))
    with path.open("rb") as file:
        return bool(_FLICKR_HEAD.match(file.read(99).decode("utf-8-sig", "replace")))


Entries = list[tuple[str, dict[str, Any]]]  # rows, each with its place for messages


def read_table_file(
    path: Path, captions: str = ""
) -> tuple[Columns | None, Entries, str]:
    """Return a table's columns, its rows and its sha256; no columns: it is no table.

    ``captions`` names a column of captions, whatever it is called.
    """
    if path.suffix.lower() == ".parquet":
        return *_parquet(path, captions), file_digest(path)
    data = path.read_bytes()
    text, digest = file_text(data, path), hashlib.sha256(data).hexdigest()
    kind = path.suffix.lower()
    if kind in {".json", ".jsonl"}:
        entries = list(_json_rows(text, path, lines=kind == ".jsonl"))
        names = dict.fromkeys(key for _, entry in entries for key in entry)
        return _columns(list(names) or [NAMES[0]], path, captions), entries, digest
    delimiter = _delimiter(text)
    if delimiter:
        return *_csv(text, path, delimiter, captions), digest
    if entries := _token_rows(text, path):
        return Columns("name", ("caption",), "", "", "", ()), entries, digest
    if kind in {".csv", ".tsv"} and text.strip():
        raise _no_names(path, text.strip().split("\n", 1)[0][:80])
    return None, [], digest


def file_text(data: bytes, path: Path) -> str:
    """Return a file's text; refuse what is none."""
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


def plain_name(column: str) -> str:
    """Return a column's name as it is looked up: ``File-Name `` is ``file_name``."""
    return re.sub(r"[-\s]+", "_", column.strip().casefold())


def _columns(names: list[str], path: Path, chosen: str) -> Columns:
    plain = {name: plain_name(name) for name in names}
    twice = [name for name, n in Counter(names).items() if n > 1 and name]
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
    captions = (chosen,) if chosen and chosen in names else captions
    label, image_id, split = first(LABELS), first(("image_id",)), first(("split",))
    used = {named, *captions, label, image_id, split}
    unused = tuple(name or "(no name)" for name in plain if name not in {*used} - {""})
    return Columns(named, captions, label, image_id, split, unused)


def _delimiter(text: str) -> str:
    """Return what parts the columns of a header that names pictures, or nothing."""
    header = next(iter(text.strip("\r\n")[: 1 << 16].splitlines()), "")
    if re.search(r"#\d+\t", header):
        return ""
    for delimiter in DELIMITERS:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if any(plain_name(cell) in NAMES for cell in cells):
            return delimiter
    return ""


def _csv(
    text: str, path: Path, delimiter: str, captions: str
) -> tuple[Columns, Entries]:
    # In strict mode a quote that is never closed is an error, not a long field.
    rows = csv.reader(
        io.StringIO(text, newline=""),
        strict=True,
        delimiter=delimiter,
        skipinitialspace=delimiter != "\t",
        # Flickr30K's captions have quotes that are just characters.
        quoting=csv.QUOTE_NONE if _FLICKR_HEAD.match(text) else csv.QUOTE_MINIMAL,
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
        raise unusable(f"{path}, line {rows.line_num}", error) from error
    return _columns(header, path, captions), entries


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
            raise unusable(where, error) from error
        values = [value] if lines or not isinstance(value, list) else value
        for number, entry in enumerate(values, 1):
            here = where if lines else f"{where}, entry {number}"
            named = isinstance(entry, dict) and (
                not lines or any(plain_name(key) in NAMES for key in entry)
            )
            if not named:
                raise unusable(here, part[:60])
            yield here, entry


def _token_rows(text: str, path: Path) -> Entries:
    """Return rows of ``name.jpg#0``, a tab, a caption; none if the first is no such."""
    seen: set[tuple[str, str]] = set()
    rows: dict[str, list[tuple[int, str, dict[str, Any]]]] = {}
    for at, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {at}"
        match = _TOKEN.fullmatch(line.removesuffix("\r"))
        if match is None and not rows:
            return []
        if match is None:
            raise unusable(where, line[:60], "a name, #, a number, a tab, a caption")
        name, number = match["name"], match["number"]
        if number is not None and (name, number) in seen:
            raise unusable(where, f"{name}#{number} again", "each caption once")
        seen.add((name, number or ""))
        entry = {"name": name, "caption": match["caption"]}
        rows.setdefault(name, []).append((int(number or at), where, entry))
    numbered = (sorted(of, key=lambda row: row[0]) for of in rows.values())
    return [(where, entry) for of in numbered for _, where, entry in of]


def _parquet(path: Path, captions: str) -> tuple[Columns, Entries]:
    """Read the columns that are used; others may hold whole pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(list(file.schema_arrow.names), path, captions)
            chosen = [columns.name, *columns.captions, columns.label]
            chosen += [columns.image_id, columns.split]
            wanted = list(dict.fromkeys(filter(None, chosen)))
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


def listed(cell: str) -> list[str]:
    """Return the texts of a list as JSON, Python or numpy writes it, or the text."""
    text = cell.strip()
    inner = text[1:-1].strip()
    ends = text[:1] + text[-1:]
    if ends not in {"[]", "()", "{}"} or (not inner and ends != "[]"):
        return [cell]
    if _NESTED.match(inner) or (ends == "{}" and inner[0] in "\"'"):
        raise ValueError(written(text)[:80])
    try:
        value = json_value(text)
    except ValueError:
        value = None
    if isinstance(value, list):
        if all(v is None or isinstance(v, str) for v in value):
            return [v for v in value if v is not None]
        if any(isinstance(v, str) for v in value):
            raise ValueError(written(text)[:80])
    found = _quoted_texts(inner) if any(quote in inner for quote in "\"'") else None
    return [cell] if found is None else found


def _quoted_texts(inner: str) -> list[str] | None:
    """Return quoted texts, parted by commas or blanks; nothing where it is prose."""
    items: list[str] = []
    at = 0
    while at < len(inner):
        item = _ITEM.match(inner, at)
        after = _BETWEEN.match(inner, item.end()) if item else None
        last = item is not None and item.end() == len(inner)
        if item is None or not (after or last):
            if inner[0] in "\"'":
                raise ValueError(f"[{written(inner)[:78]}]")
            return None
        if item["text"] is not None:
            quoted = item["text"].replace("\r", "\\r").replace("\n", "\\n")
            try:  # as Python reads it; a line break is one
                items.append(str(ast.literal_eval(quoted)))
            except SyntaxError as error:
                shown = written(item["text"])[:60]
                raise ValueError(f"{shown}: {error.msg}") from error
        at = after.end() if after else item.end()
    return items


def unusable(where: str, found: object, expected: str = "") -> MmclustError:
    """Return the error for a line, or a cell of it, that says nothing of use."""
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
