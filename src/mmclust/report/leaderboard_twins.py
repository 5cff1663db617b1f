"""Rows of one number that was recorded more than once, apart from each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.report.leaderboard import Row


def twins(rows: Sequence[Row]) -> list[Row]:
    """Note in each row which earlier one has the same number of the same data.

    Branches that were merged, and a number that goes and comes back, have several
    first commits: each can be reproduced, but they are no further evidence.
    """
    first: dict[tuple[object, ...], str] = {}
    noted = []
    for row in rows:
        key = (row.kind, row.benchmark, row.encoder, row.view, row.method, row.k,
               row.metric, row.number, row.data)  # fmt: skip
        earlier = first.setdefault(key, row.id)
        told = () if earlier == row.id else (f"the same number as {earlier}",)
        noted.append(replace(row, notes=(*row.notes, *told)))
    return noted
