"""Strengths of association between words, from Small World of Words, in all layouts.

- ``strengths``: a header ``cue response R1 N R1.Strength`` or ``cue response R123 N
  R123.Strength``, tabs; a row per cue and response. The strength is the count.
- ``responses``: participants' answers (R100), commas, a header with ``cue``, ``R1``,
  ``R2``, ``R3``; every answer counts one.
- ``relations``: ``swow.en.csv``, tabs, no header: relation, cue, response, count.

Direction is ignored: a pair's strength is the sum over both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition._association_rows import BIDIRECTIONAL, read_rows
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

Array = np.ndarray[Any, Any]

COUNTINGS = ("published", "forward_only")
MISSING = ("", "NA")
ABSENT, UNLISTED = -2, -1
NO_ANSWER = ("No more responses", "Unknown word", "#Missing", "#Unknown")
TWICE = (
    "this file repeats the count of a pair that was associated in both directions in "
    "rows of their own, so that such a pair has 2 (f_ab + f_ba) and a pair of one "
    "direction f_ab; forward_only leaves these rows out"
)


@dataclass(frozen=True)
class Strengths:
    """Pairs of listed words that the norms associate.

    Parameters
    ----------
    pairs
        int64 (p, 2), ascending: numbers of words in the list, smaller first.
    strengths
        float64 (p,).
    facts
        Flat: ``layout``, ``counting``, numbers of rows, and what they mean.
    """

    pairs: Array
    strengths: Array
    facts: dict[str, Any] = field(default_factory=dict)


def read_strengths(
    path: Path, words: Sequence[str], counting: str = "published"
) -> Strengths:
    """Read the strengths of all pairs of a list of words.

    Words are compared as they stand. Rows whose cue, response or count is missing
    (empty or ``NA``), and answers such as ``No more responses``, are left out and
    counted; a word that answers itself makes no pair.

    Parameters
    ----------
    path
        In one of the layouts.
    words
        The list; unique.
    counting
        ``published``: the sum of all rows; ``forward_only``: without the rows
        ``bidirectionalassociated`` of the layout with relations.

    Raises
    ------
    MmclustError
        When the layout is none of these, or a count of listed words is not a whole
        number from 0 on.
    """
    import pyarrow.compute as pc

    if counting not in COUNTINGS:
        raise MmclustError(
            "Unknown way of counting", expected=" or ".join(COUNTINGS), found=counting
        )
    layout, table = read_rows(path)
    facts: dict[str, Any] = {"layout": layout, "counting": counting,
                             "n_rows": table.num_rows}  # fmt: skip
    if layout == "relations":
        again = pc.equal(table["relation"], BIDIRECTIONAL)
        facts["n_rows_bidirectional"] = int(pc.sum(again).as_py() or 0)
        if counting == "forward_only":
            table = table.filter(pc.invert(again))
        elif facts["n_rows_bidirectional"]:
            facts["double_count"] = TWICE
    cue, response = (_numbers(table[name], words) for name in ("cue", "response"))
    gap = (cue == ABSENT) | (response == ABSENT)
    facts["n_rows_missing"] = int(gap.sum())
    kept = np.flatnonzero((cue >= 0) & (response >= 0) & (cue != response))
    counts, present = _counts(table, kept, path)
    facts["n_rows_missing"] += int((~present).sum())
    kept, counts = kept[present], counts[present]
    a, b = np.minimum(cue, response)[kept], np.maximum(cue, response)[kept]
    facts["n_rows_used"] = len(kept)
    if layout != "responses":
        facts["n_rows_repeated"] = _repeated(table, kept, cue, response, len(words))
    codes, rows = np.unique(a * len(words) + b, return_inverse=True)
    strengths = np.bincount(rows, weights=counts, minlength=len(codes))
    pairs = np.stack(np.divmod(codes, max(len(words), 1)), axis=1)
    return Strengths(pairs, strengths, facts | {"n_pairs": len(codes)})


def _numbers(column: pa.ChunkedArray, words: Sequence[str]) -> Array:
    """Return each cell's place in the list; ABSENT or UNLISTED where it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.utf8_normalize(column, form="NFC")
    # What stands for nothing goes first: of equal words the first is found.
    known = pa.array([*MISSING, *NO_ANSWER, *words], pa.string())
    first = len(MISSING) + len(NO_ANSWER)
    places = pc.fill_null(pc.index_in(column, value_set=known), len(known))
    found = places.to_numpy().astype(np.int64) - first
    found[found < 0] = ABSENT
    found[found == len(words)] = UNLISTED
    return np.asarray(found)


def _counts(table: pa.Table, kept: Array, path: Path) -> tuple[Array, Array]:
    """Return the counts of rows, and which rows have one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "count" not in table.column_names:
        return np.ones(len(kept)), np.ones(len(kept), bool)
    cells = table["count"].take(pa.array(kept))
    present = pc.invert(pc.is_in(cells, value_set=pa.array(MISSING))).to_numpy()
    filled = pc.if_else(pc.is_in(cells, value_set=pa.array(MISSING)), "0", cells)
    try:
        counts = pc.cast(filled, pa.int64()).to_numpy()
        bad = [] if (counts >= 0).all() else [str(c) for c in counts[counts < 0]]
    except pa.ArrowInvalid:
        bad = [c for c in filled.to_pylist() if not c.isdigit()]
    if bad:
        raise MmclustError(
            f"{path.name} has a count that is not a number",
            where=path,
            expected="whole numbers from 0 on",
            found=some(bad),
        )
    return counts.astype(np.float64), np.asarray(present)


def _repeated(table: pa.Table, kept: Array, cue: Array, response: Array, n: int) -> int:
    """Count rows whose relation, cue and response an earlier row has."""
    codes = cue[kept] * n + response[kept]
    if "relation" in table.column_names:
        relations = table["relation"].combine_chunks().dictionary_encode()
        codes = codes + n * n * relations.indices.to_numpy()[kept].astype(np.int64)
    codes.sort()  # codes are our own
    return int((np.diff(codes) == 0).sum())
