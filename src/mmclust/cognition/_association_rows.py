"""Which layout a file of word associations has, and its rows as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

BIDIRECTIONAL = "bidirectionalassociated"
ANSWERS = ("R1", "R2", "R3")
_COLUMNS = 4
"""Of the layout with relations: relation, cue, response, count."""


def read_rows(path: Path) -> tuple[str, pa.Table]:
    """Read a file of associations.

    Parameters
    ----------
    path
        UTF-8 text.

    Returns
    -------
    layout : str
        ``strengths``, ``responses`` or ``relations``.
    rows : pyarrow.Table
        Text columns ``cue`` and ``response``; ``count`` but for responses;
        ``relation`` with relations.

    Raises
    ------
    MmclustError
        When the layout is none of these, or the file cannot be read.
    """
    first, second = _opening(path)
    tabs = [cell.strip().strip('"') for cell in first.split("\t")]
    commas = [cell.strip().strip('"') for cell in first.split(",")]
    if tabs[:2] == ["cue", "response"] and tabs[2:3] in (["R1"], ["R123"]):
        quoted = first.startswith('"')
        table = _read(path, "\t", tabs, ("cue", "response", tabs[2]), 1, quoted=quoted)
        return "strengths", table.rename_columns(["cue", "response", "count"])
    if {"cue", *ANSWERS} <= set(commas):
        table = _read(path, ",", commas, ("cue", *ANSWERS), 1, quoted=True)
        return "responses", _answers(table)
    skip = int(tabs[1:3] == ["cue", "response"])
    line = second.split("\t") if skip else tabs
    # A response that is a number: strengths without their header.
    if len(line) >= _COLUMNS and line[3].strip().isdigit() and not line[2].isdigit():
        names = ["relation", "cue", "response", "count"]
        every = names + [f"column {i}" for i in range(_COLUMNS, len(line))]
        return "relations", _read(path, "\t", every, names, skip, quoted=False)
    raise MmclustError(
        f"{path.name} is not a file of word associations",
        where=f"{path}, line 1",
        expected="a header 'cue response R1 N R1.Strength' or with R123, separated by "
        "tabs; a header with cue,R1,R2,R3, separated by commas; or rows 'relation cue "
        "response count', separated by tabs, without a header",
        found=repr(first[:80]),
    )


def _opening(path: Path) -> tuple[str, str]:
    with require_file(path, "give the path of the association norms").open("rb") as f:
        start = [f.readline(10_000), f.readline(10_000)]
    try:
        first, second = (line.decode("utf-8-sig").rstrip("\r\n") for line in start)
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error
    return first, second


def _read(
    path: Path,
    delimiter: str,
    names: list[str],
    wanted: tuple[str, ...] | list[str],
    skip: int,
    *,
    quoted: bool,
) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    # A column without a name, or a name given twice, is none of those wanted.
    unique = [
        name if name and names.index(name) == i else f" {i}"
        for i, name in enumerate(names)
    ]
    try:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(
                column_names=unique, skip_rows=skip, block_size=1 << 22
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, quote_char='"' if quoted else False
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=list(wanted),
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> MmclustError:
    return MmclustError(
        f"{path.name} cannot be read as word associations",
        where=path,
        expected="UTF-8 text with as many columns in every row",
        found=str(error).splitlines()[0],
    )


def _answers(table: pa.Table) -> pa.Table:
    """Stack the three answers: a row each."""
    import pyarrow as pa

    cues = [table["cue"]] * len(ANSWERS)
    chunks = [chunk for column in cues for chunk in column.chunks]
    answers = [chunk for name in ANSWERS for chunk in table[name].chunks]
    return pa.table(
        {
            "cue": pa.chunked_array(chunks, pa.string()),
            "response": pa.chunked_array(answers, pa.string()),
        }
    )
