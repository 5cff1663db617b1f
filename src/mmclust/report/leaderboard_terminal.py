"""Which columns of the leaderboard a terminal has room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WRAPS = 28
"""Characters that a column of sentences needs; the rest of it goes on below."""
SENTENCES = ("params that differ from HEAD's", "notes")
NEVER_APART = ("row", "mean", "interval", *SENTENCES)
LEFT_OUT_FIRST = (SENTENCES[0], "date", "data", "until", "notes", "interval", "k",
                  "commit", "view")  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """Columns that fit, and what is said instead of the others.

    Parameters
    ----------
    columns
        Numbers of the columns to show, in order.
    same
        ``head value`` of columns that say the same in every row, told once.
    left_out
        Heads of columns that there is no room for.
    """

    columns: tuple[int, ...]
    same: tuple[str, ...]
    left_out: tuple[str, ...]


def fitted(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Fitted:
    """Choose columns for a table with borders.

    Parameters
    ----------
    heads
        Of all columns.
    rows
        Cells, one per head. Columns without any text are never shown.
    width
        Characters of a line. Too few: first, what is the same in every row is told
        once; then columns are left out, in the order of :data:`LEFT_OUT_FIRST`.
    """
    kept = [i for i in range(len(heads)) if any(row[i] for row in rows)]

    def needed() -> int:
        sizes = (
            min(len(text), WRAPS if heads[i] in SENTENCES else len(text))
            for i in kept
            for text in [max([heads[i], *(row[i] for row in rows)], key=len)]
        )
        return sum(size + 3 for size in sizes) + 1

    same, left_out = [], []
    if needed() > width and len(rows) > 1:
        for i in [i for i in kept if heads[i] not in NEVER_APART]:
            if len({row[i] for row in rows}) == 1:
                kept.remove(i)
                same.append(f"{heads[i]} {rows[0][i]}")
    for head in LEFT_OUT_FIRST:
        if needed() <= width:
            break
        if head in heads and heads.index(head) in kept:
            kept.remove(heads.index(head))
            left_out.append(head)
    return Fitted(tuple(kept), tuple(same), tuple(left_out))
