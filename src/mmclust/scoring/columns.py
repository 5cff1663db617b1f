"""Reading one value per image or word from a user's CSV, parquet or npy file."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, some
from mmclust.core.text import decoded, same_form

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

WHOLE = re.compile(r"^([-+]?\d+)\.0*$")
"""What tools write for integers in a column that once held a gap."""


def read_assignment(path: Path, column: str) -> dict[str, str]:
    """Read one value per image.

    Parameters
    ----------
    path
        ``.csv`` or ``.parquet`` with columns ``image_id`` and ``column``, or
        ``.npy`` with one value per row; rows are then numbered from 0.
    column
        ``label`` or ``cluster``.

    Returns
    -------
    dict
        Image id to value, both as text.

    Raises
    ------
    MmclustError
        See :func:`score_files`.
    """
    if path.suffix == ".npy":
        from mmclust.core.io import read_array

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
        _refuse_gaps(path, column, ids, values)
        return dict(zip(ids, values, strict=True))
    table = read_columns(path, ("image_id", column))
    ids, values = (
        [text_of(value, f"{path}, column {name}") for value in table[name].to_pylist()]
        for name in table.column_names
    )
    _refuse_gaps(path, column, ids, values)
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

    Parameters
    ----------
    path
        UTF-8, a header line, commas.
    names
        The columns, each once; others are left alone.

    Returns
    -------
    pyarrow.Table
        The columns in the order of ``names``.

    Raises
    ------
    MmclustError
        When the file is missing, cannot be read or lacks a column.
    """
    import pyarrow as pa
    from pyarrow import csv

    from mmclust.core.io import read_table, require_file

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


def _refuse_gaps(path: Path, column: str, ids: list[str], values: list[str]) -> None:
    twice = sorted(i for i, count in Counter(ids).items() if count > 1)
    if twice:
        raise MmclustError(
            f"{path.name} has an image twice",
            where=path,
            expected="each image_id once",
            found=some(twice),
        )
    empty = [i for i, value in zip(ids, values, strict=True) if not value or not i]
    if empty:
        raise MmclustError(
            f"{path.name} has an empty value",
            where=path,
            expected=f"an image_id and a {column} in every row",
            found=f"nothing for {some(empty)}",
        )
