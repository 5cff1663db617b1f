"""Reading one value per image or word from a user's CSV, parquet or npy file."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import UNKNOWN, read_words
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import read_array, read_lines, read_table, require_file
from mmclust.core.text import decoded, look_alikes, same_form

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

WHOLE = re.compile(r"^([-+]?\d+)\.0*$")
"""What tools write for integers in a column that once held a gap."""


def read_assignment(path: Path, column: str) -> dict[str, str]:
    """Read one value per image: image id to value, both as text.

    Parameters
    ----------
    path
        ``.csv`` or ``.parquet`` with columns ``image_id`` and ``column``, or
        ``.npy`` with one value per row; rows are then numbered from 0.
    column
        ``label`` or ``cluster``.
    """
    if path.suffix == ".npy":
        array = read_array(path)
        if array.ndim != 1 or array.dtype.kind not in "biufSU":
            raise MmclustError(
                f"{path.name} must hold one {column} per image",
                where=path,
                expected="a one-dimensional array of numbers or text",
                found=f"shape {array.shape}, {array.dtype}",
            )
        ids = [str(i) for i in range(len(array))]
        values = [text_of(value, path) for value in array.tolist()]
        _refuse_gaps(path, ("image_id", column), ids, values)
        return dict(zip(ids, values, strict=True))
    table = read_columns(path, ("image_id", column))
    ids, values = (
        [text_of(value, f"{path}, column {name}") for value in table[name].to_pylist()]
        for name in table.column_names
    )
    _refuse_gaps(path, ("image_id", column), ids, values)
    named = [same_form(value) for value in values]  # a class in two forms is one
    return dict(zip(ids, named, strict=True))


def text_of(value: Any, where: object = None) -> str:
    """Return 3, 3.0, "3", "3.0" and b"3" as the same text; nothing for what is missing.

    Bytes that are not UTF-8, and lists, are refused; ``where`` is said with it.
    """
    value = decoded(value, where)
    if isinstance(value, list | dict):
        raise MmclustError(
            "A cell holds several values",
            where=where,
            expected="one text or number in each row",
            found=repr(value)[:100],
        )
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    text = str(value).rstrip("\0").strip()  # numpy fills bytes up to a common length
    return "" if text.lower() == "nan" else WHOLE.sub(r"\1", text)


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Read columns of a ``.csv`` (as text, cells as they stand) or ``.parquet``.

    A ``.csv`` is UTF-8 with a header line and commas. The columns come in the order of
    ``names``; others are left alone.
    """
    import pyarrow as pa
    from pyarrow import csv

    require_file(path, do="give the path of a .csv, .parquet or .npy file")
    names = list(names)
    if path.suffix == ".parquet":
        table = read_table(path)[0]
    else:
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        )
        try:
            table = csv.read_csv(
                path,
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=options,
            )
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise MmclustError(
                f"{path.name} is not a readable CSV file",
                where=path,
                expected=f"UTF-8, a header line, columns {' and '.join(names)}",
                found=str(error).splitlines()[0],
            ) from error
    table = table.rename_columns([name.strip() for name in table.column_names])
    missing = [name for name in names if table.column_names.count(name) != 1]
    if missing and len(table.column_names) == 1 and ";" in table.column_names[0]:
        raise MmclustError(
            f"{path.name} separates its columns by semicolons",
            where=path,
            expected=",".join(names),
            found=table.column_names[0],
            do="save it with commas",
        )
    if missing:
        raise MmclustError(
            f"{path.name} lacks the column {missing[0]}, or has it twice",
            where=path,
            expected=" and ".join(names) + ", once each, separated by commas",
            found=some(table.column_names, 8),
            do="name the columns in the first line",
        )
    return table.select(names)


def _refuse_gaps(
    path: Path, names: tuple[str, str], keys: list[str], values: list[str], **more: str
) -> None:
    """Refuse a key twice, and rows without key or value; ``more`` is said of either."""
    key, column = names
    twice = sorted(k for k, count in Counter(keys).items() if count > 1 and k)
    if twice:
        alike = more.get("alike")
        raise MmclustError(
            f"{path.name} has {'an image' if key == 'image_id' else f'a {key}'} twice",
            where=path,
            expected=f"each {key} once",
            found=some(twice) + (f"; {alike}" if alike else ""),
        )
    empty = [k for k, value in zip(keys, values, strict=True) if not value or not k]
    if empty:
        raise MmclustError(
            f"{path.name} has an empty value",
            where=path,
            expected=f"{'an' if key == 'image_id' else 'a'} {key} and a {column} in "
            "every row",
            found=f"nothing for {some(empty)}",
            do=more.get("do"),
        )


def read_values(path: Path, column: str) -> dict[str, str]:
    """Read one value per word, as text, from the columns ``word`` and ``column``.

    Words are taken as they stand (``null`` and ``nan`` are words), in Unicode's
    composed form (NFC).
    """
    table = read_columns(path, ("word", column))
    cells = decoded(table["word"].to_pylist(), f"{path}, column word")
    written = ["" if w is None else str(w).rstrip("\0") for w in cells]
    words = [same_form(word) for word in written]
    values = [
        text_of(value, f"{path}, column {column}")
        for value in table[column].to_pylist()
    ]
    _refuse_gaps(
        path, ("word", column), words, values, alike=look_alikes(written),
        do="leave out the row of a word that the model does not know",
    )  # fmt: skip
    return dict(zip(words, values, strict=True))


def read_numbers(path: Path, column: str, *, whole: bool = False) -> dict[str, float]:
    """Read one number per word; ``whole``: only whole ones from 0 on will do."""
    numbers = {}
    for word, text in read_values(path, column).items():
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number) or (whole and (number < 0 or number % 1)):
            raise MmclustError(
                f"{path.name} has a {column} that is not a number",
                where=f"{path}, word {word!r}",
                expected="a whole number from 0 on" if whole else "a finite number",
                found=text,
            )
        numbers[word] = number
    return numbers


def read_word_runs(paths: Sequence[Path]) -> list[dict[str, str]]:
    """Read the runs of a word model: word to cluster, -1 and absence for unknown.

    A file holds one run, in columns ``word`` and ``cluster``; or it is a
    ``words.parquet`` of the project's own, with all its seeds.
    """
    runs = []
    for path in paths:
        if _own(path):
            learned = read_words(path)
            runs += [
                dict(zip(learned.words, map(str, row.tolist()), strict=True))
                for row in learned.clusters
            ]
        else:
            runs.append(read_values(path, "cluster"))
    return runs


def read_estimates(path: Path) -> list[dict[str, float]]:
    """Read estimates of concreteness: a run of a CSV, or all of a ``words.parquet``."""
    if not _own(path):
        return [read_numbers(path, "concreteness")]
    learned = read_words(path)
    if learned.concreteness is None:
        raise MmclustError(
            "This model estimates no concreteness",
            where=path,
            expected="columns concreteness_0, …",
            found=learned.meta.get("kind", "a model without"),
        )
    return [
        dict(zip(learned.words, row.tolist(), strict=True))
        for row in learned.concreteness
    ]


def read_list(path: Path) -> list[str]:
    """Read a list of words: UTF-8, one per line, repeated ones once."""
    lines = read_lines(path, "give a text file with one word per line")
    words = list(dict.fromkeys(same_form(line) for line in lines if line))
    if not words:
        raise MmclustError(
            f"{path.name} holds no word",
            where=path,
            expected="one word per line",
            found="nothing",
        )
    return words


def known(run: dict[str, str]) -> dict[str, str]:
    """Return the words of a run that have a cluster."""
    return {word: name for word, name in run.items() if name != str(UNKNOWN)}


def _own(path: Path) -> bool:
    if path.suffix != ".parquet":
        return False
    return "seed_0" in read_table(require_file(path))[0].column_names
