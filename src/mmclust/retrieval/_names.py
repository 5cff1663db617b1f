"""Joining rows to a benchmark by the names of images and captions."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.ids import read_lines
from mmclust.core.io import write_bytes
from mmclust.core.text import same_form
from mmclust.retrieval._task import position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.retrieval._task import Captions, Task

Array = np.ndarray[Any, Any]

NUMBERED = re.compile(r"^(?P<image>.+)[#:_\- ](?P<number>\d+)$")
ENDING = re.compile(r"^\.[A-Za-z]\w{1,4}$")


def names(path: Path, n_rows: int) -> list[str]:
    """Read one name per line.

    Parameters
    ----------
    path
        A text file.
    n_rows
        How many there must be.

    Raises
    ------
    MmclustError
        When the file is missing, is not UTF-8, or has another number of names.
    """
    lines = read_lines(path, "give a text file with one name per line")
    if len(lines) != n_rows or not all(lines):
        raise MmclustError(
            "Names and embeddings do not go together",
            where=path,
            expected=f"{n_rows} lines, one name for each row",
            found=f"{len(lines)} lines, {lines.count('')} of them empty",
        )
    return lines


def _image_of(name: str, known: dict[str, int]) -> int:
    """Find an image by its id or its file name; -1: there is none.

    Folders and an ending such as ``.jpg`` may be there or not; ``a.jpg#3`` has no
    ending and names no image, but a caption.
    """
    last = PurePosixPath(name)
    names = [name, last.name]
    if ENDING.match(last.suffix):
        names += [str(last.with_suffix("")), last.stem]
    names += [same_form(each) for each in names]
    return next((known[each] for each in names if each in known), -1)


def _known(pool: Sequence[str]) -> dict[str, int]:
    """Return positions by name, and by its composed form where that is one name's."""
    known = dict(position(pool))
    forms = Counter(map(same_form, pool))
    alone = {same_form(n): i for n, i in known.items() if forms[same_form(n)] == 1}
    return alone | known


def image_order(lines: list[str], task: Task, ids: Path, missing: Path) -> Array:
    """Return the row of each image of the pool.

    Parameters
    ----------
    lines
        Image ids or file names, in the order of the rows.
    task
        The benchmark.
    ids, missing
        The file of names, and where those that it lacks are listed.

    Returns
    -------
    numpy.ndarray
        int64 (pool,).

    Raises
    ------
    MmclustError
        When a name matches nothing or occurs twice, or images are missing.
    """
    known = _known(task.pool)
    found = [_image_of(name, known) for name in lines]
    _refuse_unknown(lines, found, ids, "images of the pool")
    _refuse_twice(lines, found, ids)
    absent = sorted(set(task.pool) - {task.pool[i] for i in found})
    _refuse_missing(absent, len(task.pool), "images of the pool", ids, missing)
    order = np.empty(len(found), dtype=np.int64)
    order[found] = np.arange(len(found))
    return order


def caption_order(
    lines: list[str], captions: Captions, task: Task, ids: Path, missing: Path
) -> Array:
    """Return the row of each caption.

    Parameters
    ----------
    lines
        ``<image>#<n>``, or the image alone for its next caption.
    captions
        In whose order.
    task, ids, missing
        See :func:`image_order`.

    Returns
    -------
    numpy.ndarray
        int64 (m,).

    Raises
    ------
    MmclustError
        See :func:`image_order`.
    """
    known = _known(task.pool[: task.n_queries])
    place = captions.of_image
    seen: Counter[int] = Counter()
    found = []
    for name in lines:
        image, number = _image_of(name, known), -1
        if image >= 0:
            number = seen[image]
            seen[image] += 1
        elif match := NUMBERED.match(name):
            image = _image_of(match["image"], known)
            number = int(match["number"])
        inside = image >= 0 and 0 <= number < place.shape[1]
        found.append(int(place[image, number]) if inside else -1)
    _refuse_unknown(lines, found, ids, "captions, such as <image>#0")
    _refuse_twice(lines, found, ids)
    absent = sorted(set(range(len(captions.texts))) - set(found))
    labels = [
        f"{task.pool[i]}#{np.flatnonzero(place[i] == c)[0]}"
        for c in absent
        for i in [int(captions.image[c])]
    ]
    _refuse_missing(labels, len(captions.texts), "captions", ids, missing)
    order = np.empty(len(found), dtype=np.int64)
    order[found] = np.arange(len(found))
    return order


def _refuse_unknown(lines: list[str], found: list[int], ids: Path, of: str) -> None:
    unknown = [n for n, i in zip(lines, found, strict=True) if i < 0]
    if unknown:
        raise MmclustError(
            "Names match nothing in the benchmark",
            where=ids,
            expected=f"names of {of}",
            found=f"{len(unknown):,} of {len(lines):,} unknown: {some(unknown)}",
            do="give the names that the benchmark's manifest has",
        )


def _refuse_twice(lines: list[str], found: list[int], ids: Path) -> None:
    count = Counter(found)
    twice = [n for n, i in zip(lines, found, strict=True) if count[i] > 1]
    if twice:
        raise MmclustError(
            "Names occur twice",
            where=ids,
            expected="each image and each caption once",
            found=some(twice),
        )


def _refuse_missing(
    absent: list[str], n: int, what: str, ids: Path, missing: Path
) -> None:
    if absent:
        write_bytes(missing, "".join(f"{name}\n" for name in absent).encode())
        raise MmclustError(
            f"Embeddings of some {what} are missing",
            where=ids,
            expected=f"all {n:,} {what}",
            found=f"{len(absent):,} missing: {some(absent)}",
            do=f"embed those that {missing} lists",
        )
