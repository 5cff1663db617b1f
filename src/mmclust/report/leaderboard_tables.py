"""The rows of the leaderboard chosen, sorted, and written in each format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.report.leaderboard_records import HEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mmclust.report.leaderboard import Leaderboard, Row

SHORT = 7
"""Digits of a commit in tables."""

LONG = 40
"""Characters of a differing param in tables; CSV and JSON have all of it."""

HEADS_OF_TABLE = (
    "row", "benchmark", "encoder", "view", "method", "k", "metric", "mean", "interval",
    "commit", "until", "date", "data", "params that differ from HEAD's", "notes",
)  # fmt: skip

_LOWER_IS_BETTER = ("rank", "error", "mae", "rmse", "mse", "cost")


@dataclass(frozen=True)
class Choice:
    """Which rows are shown, in what order.

    Parameters
    ----------
    benchmarks, encoders, views, methods, metrics
        Names to keep; empty: all. Without metrics, each kind's headline
        (:data:`~mmclust.report.leaderboard_records.HEADLINE`); ``all``: every one.
    current
        Only what HEAD has.
    sort
        ``score``: best first within benchmark and metric; ``date``: latest first;
        ``name``: by what was measured, in the order of history.
    top
        Only so many of the best of each benchmark and metric.
    """

    benchmarks: Sequence[str] = ()
    encoders: Sequence[str] = ()
    views: Sequence[str] = ()
    methods: Sequence[str] = ()
    metrics: Sequence[str] = ()
    current: bool = False
    sort: str = "score"
    top: int | None = None


def choose(rows: Sequence[Row], choice: Choice) -> list[Row]:
    """Return the rows that are asked for, in order.

    Raises
    ------
    MmclustError
        When a name is asked for that no row has.
    """
    wanted = (
        ("benchmark", choice.benchmarks),
        ("encoder", choice.encoders),
        ("view", choice.views),
        ("method", choice.methods),
        ("metric", [name for name in choice.metrics if name != "all"]),
    )
    for name, values in wanted:
        known = {str(getattr(row, name)) for row in rows}
        for value in values:
            if value not in known:
                raise MmclustError(
                    f"No number in the history is of {name} {value!r}",
                    where=f"--{name}",
                    expected=nearest(value, known - {""}),
                    found=value,
                )
    kept = [
        row
        for row in rows
        if (row.now or not choice.current)
        and all(not some or getattr(row, name) in some for name, some in wanted)
        and (choice.metrics or row.metric in HEADLINE.get(row.kind, (row.metric,)))
    ]
    best = sorted(kept, key=_rank)
    if choice.top is not None:
        best = _top(best, choice.top)
    return sorted(best, key=_ORDERS[choice.sort], reverse=choice.sort == "date")


def _rank(row: Row) -> tuple[Any, ...]:
    lower = set(row.metric.split("_")) & set(_LOWER_IS_BETTER)
    score = row.number.mean if lower else -row.number.mean
    return row.benchmark, row.metric, score


def _name(row: Row) -> tuple[Any, ...]:
    k = int(row.k) if row.k.isdigit() else -1
    what = (row.benchmark, row.encoder, row.view, row.method, k, row.metric)
    return (*what, row.date)


_ORDERS: dict[str, Callable[[Row], Any]] = {
    "score": _rank,
    "date": lambda row: row.date,
    "name": _name,
}


def _top(best: Sequence[Row], top: int) -> list[Row]:
    counts: dict[tuple[str, str], int] = {}
    kept = []
    for row in best:
        group = (row.benchmark, row.metric)
        counts[group] = counts.get(group, 0) + 1
        if counts[group] <= top:
            kept.append(row)
    return kept


def cells(row: Row, n_params: int | None = 3) -> list[str]:
    """Return what tables show of a row, under :data:`HEADS_OF_TABLE`.

    Parameters
    ----------
    row
        The row.
    n_params
        How many differing params are spelt out; the rest is counted. ``None``: all.
    """
    number = row.number
    digits = 2 if abs(number.mean) > 1 else 4
    interval = ""
    if number.low is not None and number.high is not None:
        interval = f"[{number.low:.{digits}f}, {number.high:.{digits}f}]"
    params = list(row.params[:n_params])
    if n_params is not None:
        params = [p if len(p) <= LONG else f"{p[: LONG - 1]}…" for p in params]
    if len(row.params) > len(params):
        params.append(f"and {len(row.params) - len(params)} more")
    commit = row.commit[:SHORT]
    until = "now" if row.now else row.until[:SHORT]
    return [
        row.id, row.benchmark, row.encoder, row.view, row.method, row.k, row.metric,
        f"{number.mean:.{digits}f}", interval,
        f"{commit} ({row.experiment})" if row.experiment else commit,
        "" if row.experiment else until, row.date[:10], row.data[:SHORT],
        ", ".join(params), "; ".join(row.notes),
    ]  # fmt: skip


def _plain(row: Row) -> dict[str, Any]:
    """Return a row as plain values, its number's fields among them."""
    fields = asdict(row)
    number = fields.pop("number")
    return {**fields, **number, "command": row.command}


def to_csv(rows: Sequence[Row]) -> str:
    """Return one line per number, all digits, full digests, all differing params."""
    names = (
        "id", "kind", "benchmark", "encoder", "view", "method", "k", "metric", "mean",
        "low", "high", "std", "n_seeds", "commit", "until", "now", "date",
        "experiment", "data", "params", "notes", "path", "command",
    )  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = _plain(row)
        for name in ("params", "notes"):
            values[name] = "; ".join(values[name])
        values["now"] = str(row.now).lower()
        writer.writerow([values[name] for name in names])
    return text.getvalue()


def to_json(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return rows, what was skipped, remarks and commits as JSON."""
    skipped = [
        {"commit": each.commit, "path": each.path, "reason": each.reason}
        for each in board.skipped
    ]
    value = {
        "rows": [_plain(row) for row in rows],
        "skipped": skipped,
        "remarks": board.remarks,
        "commits": board.commits,
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def to_markdown(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return a table for pull requests and papers' drafts, remarks below it."""

    def line(values: Sequence[str]) -> str:
        safe = (v.replace("|", "\\|").replace("\n", " ") for v in values)
        return f"| {' | '.join(safe)} |"

    marks = ["---:" if head in ("k", "mean") else "---" for head in HEADS_OF_TABLE]
    text = [line(HEADS_OF_TABLE), line(marks), *(line(cells(row)) for row in rows)]
    text += ["", LEGEND]
    text += [f"- {sentence}" for sentence in sentences(board)]
    return "\n".join(text) + "\n"


LEGEND = (
    "Means over seeds; 95 % intervals of images (or words) and seeds. `commit` is "
    "the first that has the number, `until` the last (now: HEAD has it); `data` is the "
    "manifest's digest. `mmclust reproduce ROW` makes a number again and compares."
)


def sentences(board: Leaderboard) -> list[str]:
    """Return what a reader must know of the whole: remarks, and what was skipped."""
    skipped = [
        f"skipped {each.path} of {each.commit[:SHORT]}: {each.reason}"
        for each in board.skipped
    ]
    return [*board.remarks, *skipped]


def to_html(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return a page that opens offline: one table, filtered and sorted in place."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("leaderboard.html.j2")
    return template.render(
        heads=HEADS_OF_TABLE,
        rows=[(row, cells(row)) for row in rows],
        sentences=sentences(board),
        legend=LEGEND.replace("`", ""),
        short=SHORT,
    )
