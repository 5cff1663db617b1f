"""Ids and words in text files, one a line, and how those of two files are joined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.text import same_form, utf8

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_END = re.compile(r"\r\n|\n|\r")


def read_lines(path: Path, do: str) -> list[str]:
    """Read a text file, UTF-8: its lines without the blanks around them."""
    text = utf8(require_file(path, do).read_bytes(), path, path.name)
    lines = [line.strip() for line in _END.split(text)]
    return lines if lines[-1] else lines[:-1]


def read_ids(path: Path | None, n_rows: int) -> list[str]:
    """Return one id per row, numbered from 0 without a file."""
    if path is None:
        return [str(i) for i in range(n_rows)]
    ids = read_lines(path, "give one image_id per line")
    if len(ids) != n_rows or len(set(ids)) != len(ids) or not all(ids):
        raise MmclustError(
            "The ids do not fit the features",
            where=path,
            expected=f"{n_rows} different ids, one per line",
            found=f"{len(ids)} lines, {len(set(ids) - {''})} different ids",
        )
    return ids


def as_written(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return each name as other names have it: itself, or the one that looks the same.

    Files from macOS spell ``é`` as two characters, others as one. Names that look the
    same and are not alone in it stay as they are.
    """
    names, others = list(names), set(known)
    found = dict(zip(names, names, strict=True))
    alone = _alone(others)
    for form, name in _alone(names).items():
        if name not in others and alone.get(form, name) not in found:
            found[name] = alone.get(form, name)
    return found


def _alone(names: Iterable[str]) -> dict[str, str]:
    """Return names by their Unicode form, but for those that share one."""
    forms: dict[str, str | None] = {}
    for name in names:
        form = same_form(name)
        forms[form] = None if form in forms else name
    return {form: name for form, name in forms.items() if name is not None}
