"""Looking up many ids at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from mmclust.benchmarks._raw import Found

TABLE_SIZE = 1 << 22
"""Ids below this are looked up in a table of this many int64 at most."""


def positions(
    known: np.ndarray[Any, Any], ids: np.ndarray[Any, Any], what: str, found: Found
) -> np.ndarray[Any, Any]:
    """Return where each id stands in a list of ids.

    Parameters
    ----------
    known
        int64 (n,): the list.
    ids
        int64 (a,): what to look up.
    what
        ``image`` or ``category``, for messages.
    found
        The file, for messages.

    Returns
    -------
    numpy.ndarray
        int64 (a,): positions in ``known``.

    Raises
    ------
    MmclustError
        When an id is known twice, or an annotation's is not known.
    """
    values, counts = np.unique(known, return_counts=True)
    twice = values[counts > 1]
    if len(twice):
        raise MmclustError(
            f"{what.capitalize()} ids are listed twice",
            where=found,
            expected=f"each {what} once",
            found=some(twice.tolist()),
            do="remove the duplicates, or fetch the source again",
        )
    rows = _lookup(known, ids)
    unknown = np.unique(ids[rows < 0])
    if len(unknown):
        raise MmclustError(
            f"Annotations name an unknown {what} id",
            where=found,
            expected=f"one of the {len(known):,} ids in the file's list",
            found=f"{len(unknown):,} unknown: {some(unknown.tolist())}",
            do="fetch the source again; its lists and annotations do not match",
        )
    return rows


def _lookup(
    known: np.ndarray[Any, Any], ids: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the position in ``known`` (n,) of each of ``ids`` (a,), -1 if none."""
    highest = max(known.max(initial=0), ids.max(initial=0))
    if highest < TABLE_SIZE:
        # COCO's ids stay below 600,000: a table is thrice as fast as searching.
        table = np.full(highest + 1, -1, np.int64)
        table[known] = np.arange(len(known))
        rows: np.ndarray[Any, Any] = table[ids]
        return rows
    order = np.argsort(known)
    places = np.searchsorted(known, ids, sorter=order)
    rows = np.append(order, -1)[places]
    return np.where(np.append(known, -1)[rows] == ids, rows, -1)
