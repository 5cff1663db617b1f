"""Which numbers are shown where not all can be, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.scoring.record import HEADLINES, LOWER_IS_BETTER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmclust.board.rows import Row


def choose(
    rows: Sequence[Row],
    *,
    benchmark: Sequence[str] = (),
    encoder: Sequence[str] = (),
    view: Sequence[str] = (),
    method: Sequence[str] = (),
    metric: Sequence[str] = (),
    every: bool = False,
    current: bool = False,
    sort: str = "score",
    top: int | None = None,
    most: int | None = None,
) -> list[Row]:
    """Return the rows that are asked for, in order.

    Of names, none means all; of metrics, the first headline of each stage (``all``:
    every one). Without ``every`` the latest number of each method is kept, of no
    experiment; with ``current`` what the workspace has. ``top`` are so many of the best
    of each benchmark and metric, ``most`` so many in all, taken in turn. Sorted by
    ``score`` (best first within benchmark and metric), ``date`` (latest first) or
    ``name`` (what was measured, in the order of history).
    """
    wanted = {
        "benchmark": benchmark, "encoder": encoder, "view": view, "method": method,
        "metric": [name for name in metric if name != "all"],
    }  # fmt: skip
    for name, values in wanted.items():
        known = {str(getattr(row, name)) for row in rows}
        for value in values:
            if value not in known:
                raise MmclustError(
                    f"No number is of {name} {value!r}",
                    where=f"--{name}",
                    expected=nearest(value, known - {""}),
                    found=value,
                )
    kept = [
        row
        for row in rows
        if (row.now or not current)
        and all(not some or getattr(row, name) in some for name, some in wanted.items())
        and (metric or _leads(row))
    ]
    if not every:
        kept = _latest(kept)
    best = sorted(kept, key=_rank)
    if top is not None:
        best = _in_turn(best, top, None)
    if most is not None:
        best = _in_turn(best, None, most)
    return sorted(best, key=_ORDERS[sort], reverse=sort == "date")


def _leads(row: Row) -> bool:
    """Whether a number stands for its method; words have one for each of the norms."""
    if not row.held.headline:
        return False
    return row.stage == "cognition" or row.metric == HEADLINES[row.stage][0]


def _latest(rows: Sequence[Row]) -> list[Row]:
    """Return the last number of each method: the workspace's, or of a late commit."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if row.experiment:
            continue
        known = found.get(row.whose)
        if known is None or row.now or not known.now:
            found[row.whose] = row
    return list(found.values())


def _rank(row: Row) -> tuple[Any, ...]:
    lower = row.metric.endswith(LOWER_IS_BETTER)
    mean = row.score.mean or 0.0
    return row.benchmark, row.stage, row.metric, mean if lower else -mean


def _name(row: Row) -> tuple[Any, ...]:
    k = int(row.k) if row.k.isdigit() else -1
    return (*row.whose, k, row.date)


_ORDERS: dict[str, Callable[[Row], Any]] = {
    "score": _rank,
    "date": lambda row: row.date or "9",  # what is not committed is the latest
    "name": _name,
}


def _in_turn(best: Sequence[Row], top: int | None, most: int | None) -> list[Row]:
    """Return the best of each benchmark and metric: so many each, or in all."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in best:
        groups.setdefault((row.benchmark, row.metric), []).append(row)
    deepest = max(map(len, groups.values()), default=0)
    turns = [
        rows[depth]
        for depth in range(deepest if top is None else min(top, deepest))
        for rows in groups.values()
        if depth < len(rows)
    ]
    return turns[:most]
