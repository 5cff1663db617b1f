"""Changes and rows as they are printed: for a terminal, Markdown, CSV, JSON, HTML."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mmclust.board.diff import KINDS, LISTED
from mmclust.board.history import SHORT, shown
from mmclust.scoring.record import csv_text, named, show_p

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmclust.board.diff import Change, Diff
    from mmclust.board.rows import Leaderboard, Row

INTERVAL = "95 % interval"
HEADS_OF_DIFF = (
    "benchmark", "method", "k", "metric", "before → after", "difference", INTERVAL, "p",
)  # fmt: skip
NUMBERS = {"k", "mean", "before → after", "difference", "p"}
"""Columns that are set to the right."""
SHARE = 1.5
"""Above it a number is no share, and has two decimals instead of four."""
MOST_METHODS = 12
"""That appeared or vanished, by name."""


def number(value: float | None, like: float | None = None, sign: str = "") -> str:
    """Return a number with four decimals, one in percent with two; a dash for none."""
    if value is None:
        return "–"
    digits = 2 if abs(value if like is None else like) > SHARE else 4
    rounded = round(value, digits) + 0.0
    return f"{rounded:{sign if rounded else ''}.{digits}f}"


def span(low: float | None, high: float | None, like: float | None = None) -> str:
    """Return an interval in brackets; a dash for none."""
    if low is None or high is None:
        return "–"
    return f"[{number(low, like)}, {number(high, like)}]"


def diff_cells(change: Change) -> list[str]:
    """Return what tables show of a change, under :data:`HEADS_OF_DIFF`."""
    before = change.before.mean if change.before else None
    after = change.after.mean if change.after else None
    like = max((abs(v) for v in (before, after) if v is not None), default=0.0)
    difference = number(change.diff, like, "+")
    if change.kind == "redefined":
        difference = "defined anew"
    elif change.kind == "undefined":
        known = (change.before, change.after)
        difference = next((s.note for s in known if s and s.note), "undefined")
    elif change.diff is None:
        difference = change.kind
    return [
        change.benchmark, change.score.name, change.k, change.score.metric,
        f"{number(before, like)} → {number(after, like)}", difference,
        span(change.low, change.high, like), show_p(change.p),
    ]  # fmt: skip


def listed(diff: Diff, *, every: bool) -> list[Change]:
    """Return the changes that have a line of their own."""
    return diff.of(*(KINDS if every else LISTED))


def verdict(diff: Diff) -> str:
    """Return one sentence: how many numbers moved, and how many did not."""
    n = diff.counts()
    told = [f"{_rows(n['moved'])} moved by more than {_their(n['moved'])} noise"]
    for kind, text in (
        ("within", "moved within {their} noise"),
        ("equal", "{are} equal"),
        ("unsure", "moved and {have} no interval"),
        ("redefined", "{are} defined anew"),
        ("undefined", "{are} undefined on one side"),
        ("appeared", "appeared"),
        ("vanished", "vanished"),
    ):
        if n[kind] or kind in ("within", "equal"):
            one = n[kind] == 1
            words = {"are": "is" if one else "are", "have": "has" if one else "have"}
            told.append(f"{n[kind]} {text.format(their=_their(n[kind]), **words)}")
    return f"{', '.join(told)}."


def _rows(n: int) -> str:
    return f"{n or 'No'} row{'' if n == 1 else 's'}"


def _their(n: int) -> str:
    return "its" if n == 1 else "their"


def diff_sentences(diff: Diff) -> list[str]:
    """Return what differs beside the numbers, methods that came and went, remarks."""
    found = list(diff.differs)
    for kind in ("appeared", "vanished"):
        methods = diff.methods(kind)
        by_benchmark: dict[str, list[str]] = {}
        for _, benchmark, name in methods[:MOST_METHODS]:
            by_benchmark.setdefault(benchmark, []).append(name or benchmark)
        told = "; ".join(f"{b}: {', '.join(n)}" for b, n in by_benchmark.items())
        rest = len(methods) - MOST_METHODS
        if methods:
            found.append(f"{kind}: {told}{f' and {rest} more' if rest > 0 else ''}")
    return [*found, *diff.remarks]


def diff_legend(diff: Diff) -> str:
    """Say what the columns mean, and how sure they are."""
    compared = diff.of("moved", "within", "equal")
    paired = sum(change.paired for change in compared)
    apart = len(compared) - paired
    told = f"Before: {diff.base}; after: {diff.head}."
    if paired:
        told += (
            f" {_of_all(paired, apart)} paired: both sides on the same images, words "
            "or queries; interval and p count these and the seeds."
        )
    if apart:
        some = f"{_of_all(apart, paired)} not" if paired else "No row is"
        told += (
            f" {some} paired, as a side has other images or "
            "keeps no resamples: these count as independent, so that on the same "
            "images the interval is too wide."
        )
    return f"{told} p is of each row alone; {len(compared)} were compared."


def _of_all(n: int, others: int) -> str:
    if not others:
        return "All rows are" if n > 1 else "The row is"
    return f"{_rows(n)} {'is' if n == 1 else 'are'}"


def diff_markdown(diff: Diff, *, every: bool = False) -> str:
    """Return a comment for a pull request."""
    rows = [diff_cells(change) for change in listed(diff, every=every)]
    text = [f"**{verdict(diff)}**", ""]
    text += [f"- {_plain(sentence)}" for sentence in diff_sentences(diff)]
    text += [""] if text[-1] else []
    if rows:
        text += [*markdown_table(HEADS_OF_DIFF, rows), ""]
    return "\n".join([*text, diff_legend(diff)]) + "\n"


def diff_csv(diff: Diff, *, every: bool = False) -> str:
    """Return one line per change, all digits."""
    return _csv([_flat(change) for change in listed(diff, every=every)], _FIELDS)


def diff_json(diff: Diff, *, every: bool = False) -> str:
    """Return the changes with what else differs."""
    sides = {
        name: {"name": side.name or "workspace", "commit": side.commit or None}
        for name, side in (("base", diff.base), ("head", diff.head))
    }
    value = {
        **sides,
        "verdict": verdict(diff),
        "counts": diff.counts(),
        "differs": diff.differs,
        "appeared": [" ".join(m).strip() for m in diff.methods("appeared")],
        "vanished": [" ".join(m).strip() for m in diff.methods("vanished")],
        "remarks": diff.remarks,
        "rows": [_flat(change) for change in listed(diff, every=every)],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


_FIELDS = (
    "kind", "stage", "benchmark", "encoder", "view", "method", "k", "metric", "before",
    "before_low", "before_high", "after", "after_low", "after_high", "diff",
    "diff_low", "diff_high", "p", "paired", "definition", "note",
)  # fmt: skip


def _flat(change: Change) -> dict[str, Any]:
    score = change.score
    ids = dict.fromkeys(s.definition for s in (change.before, change.after) if s)
    found: dict[str, Any] = {
        "kind": change.kind, "stage": change.stage, "benchmark": change.benchmark,
        "encoder": score.encoder, "view": score.view, "method": score.method,
        "k": change.k, "metric": score.metric,
    }  # fmt: skip
    for name, side in (("before", change.before), ("after", change.after)):
        found[name] = side.mean if side else None
        found[f"{name}_low"] = side.low if side else None
        found[f"{name}_high"] = side.high if side else None
    return found | {
        "diff": _rounded(change.diff), "diff_low": _rounded(change.low),
        "diff_high": _rounded(change.high), "p": change.p,
        "paired": change.paired, "definition": " → ".join(filter(None, ids)),
        "note": score.note,
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6) + 0.0


def _csv(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> str:
    return csv_text([names, *([row[name] for name in names] for row in rows)])


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; what would break a cell is escaped."""

    def line(values: Sequence[str]) -> str:
        safe = (_plain(value).replace("|", "\\|") for value in values)
        return f"| {' | '.join(safe)} |"

    marks = ["---:" if head in NUMBERS else "---" for head in heads]
    return [line(heads), f"| {' | '.join(marks)} |", *(line(row) for row in rows)]


def _plain(text: str) -> str:
    return text.replace("\n", " ")


HEADS_OF_BOARD = (
    "row", "benchmark", "method", "k", "metric", "mean", INTERVAL, "since",
    "until", "before", "notes",
)  # fmt: skip
BOARD_LEGEND = (
    "Means over seeds; 95 % intervals of images (or words) and seeds. `since` is the "
    "first commit that has the number, `until` the last (now: it stands here); "
    "`before` is the number that the method had until then. `mmclust reproduce ROW` "
    "makes a number again and compares."
)
_BOARD_FIELDS = (
    "id", "stage", "benchmark", "encoder", "view", "method", "k", "metric", "mean",
    "low", "high", "sd", "n_seeds", "definition", "commit", "until", "now", "date",
    "experiment", "before", "data", "params", "notes", "path", "command",
)  # fmt: skip
MOST_PARAMS = 3
LONGEST_PARAM = 40


def board_cells(row: Row) -> list[str]:
    """Return what tables show of a row, under :data:`HEADS_OF_BOARD`."""
    score = row.score
    since = shown(row.commit) if row.commit else "uncommitted"
    until = "now" if row.now else row.until[:SHORT]
    notes = list(row.notes)
    if row.experiment:
        since, until = f"{since} ({row.experiment})", ""
    if row.params:
        cut = [p if len(p) <= LONGEST_PARAM else f"{p[: LONGEST_PARAM - 1]}…"
               for p in row.params[:MOST_PARAMS]]  # fmt: skip
        rest = len(row.params) - len(cut)
        more = [f"and {rest} more"] if rest else []
        notes.append(f"params: {', '.join([*cut, *more])}")
    return [
        row.id, row.benchmark, named((row.encoder, row.view, row.method)), row.k,
        row.metric, number(score.mean), span(score.low, score.high, score.mean), since,
        until, row.before, "; ".join(notes),
    ]  # fmt: skip


def _board_row(row: Row) -> dict[str, Any]:
    """Return a row as plain values."""
    score = asdict(row.score)
    return {
        **{name: getattr(row, name) for name in _BOARD_FIELDS if hasattr(row, name)},
        **{name: score[name] for name in ("mean", "low", "high", "sd", "n_seeds",
                                          "definition")},
        "data": row.held.data,
        "path": row.held.path,
    }  # fmt: skip


def board_csv(rows: Sequence[Row]) -> str:
    """Return one line per number, all digits, full digests, all differing params."""
    plain = []
    for row in rows:
        values = _board_row(row)
        for name in ("params", "notes"):
            values[name] = "; ".join(values[name])
        plain.append(values | {"now": str(row.now).lower()})
    return _csv(plain, _BOARD_FIELDS)


def board_json(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return rows, remarks and commits as JSON."""
    value = {
        "rows": [_board_row(row) | {"spells": row.spells} for row in rows],
        "remarks": board.remarks,
        "commits": board.commits,
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def board_markdown(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return a table for pull requests and papers' drafts, remarks below it."""
    text = [*markdown_table(HEADS_OF_BOARD, map(board_cells, rows)), "", BOARD_LEGEND]
    text += [f"- {_plain(sentence)}" for sentence in board.remarks]
    return "\n".join(text) + "\n"


def board_html(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return a page that opens offline: one table, filtered and sorted in place."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mmclust.board"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("leaderboard.html.j2").render(
        heads=HEADS_OF_BOARD,
        numbers=NUMBERS,
        rows=[(row, board_cells(row)) for row in rows],
        sentences=board.remarks,
        legend=BOARD_LEGEND.replace("`", ""),
    )
