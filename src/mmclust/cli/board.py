"""The numbers of all commits: a table, what moved, one made again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmclust.cli._show import Notes, print_table
from mmclust.core.errors import visible

if TYPE_CHECKING:
    from mmclust.board.diff import Diff
    from mmclust.board.reproduce import Verdict
    from mmclust.board.rows import Leaderboard, Row

LAST = 10
"""Commits whose numbers are shown beside the workspace's, unless all are asked for."""
MOST = 40
"""Rows of the table that are shown unless more are asked for."""
DIFFERING = 5
"""Values that were made otherwise, by name."""


Format = StrEnum("Format", "table csv markdown html json")
DiffFormat = StrEnum("DiffFormat", "table md csv json")
Sort = StrEnum("Sort", "score date name")
Names = list[str] | None


def leaderboard(
    benchmark: Annotated[
        Names,
        typer.Option(help="Only this benchmark; can be given again. Default: all."),
    ] = None,
    metric: Annotated[
        Names,
        typer.Option(
            help="Only this metric, such as nmi or i2t_r1; can be given again; all: "
            "every one. Default: the headline metrics."
        ),
    ] = None,
    encoder: Annotated[
        Names, typer.Option(help="Only this encoder; default: all.")
    ] = None,
    view: Annotated[Names, typer.Option(help="Only this view; default: all.")] = None,
    method: Annotated[
        Names, typer.Option(help="Only this method; default: all.")
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Every number there ever was, and those of DVC experiments; without: "
            f"the last one of each method, here or in the last {LAST} commits.",
        ),
    ] = False,
    current: Annotated[
        bool, typer.Option("--current", help="Only numbers that stand here.")
    ] = False,
    branches: Annotated[
        bool, typer.Option("--branches", help="Of every local branch.")
    ] = False,
    experiments: Annotated[
        bool, typer.Option(help="In --history, the DVC experiments of this clone.")
    ] = True,
    max_commits: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only numbers of the last so many commits; default: all."
        ),
    ] = None,
    sort: Annotated[
        Sort, typer.Option(help="Best first, latest first, or by name.")
    ] = Sort.score,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"So many per benchmark and metric; without: {MOST} rows in all, "
            "unless it is a file or --history.",
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How to write it.")
    ] = Format.table,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; without, it is printed.")
    ] = None,
) -> None:
    """Show the scores that stand here, committed or not, and since when they do.

    Reads the records of scores of git's history and of the workspace, checks nothing
    out and needs no data and no network. A number that stays the same from commit to
    commit is one row, also where it went and came back. `mmclust reproduce ROW` makes
    it again and compares.

    Headline metrics: acc; rsum of retrieval; v_measure_score,
    prediction_correlation_over_10 and mas of words; f1 of grounding.
    """
    from mmclust.board.choice import choose
    from mmclust.board.rows import gather

    board = gather(
        Path(),
        branches=branches,
        with_experiments=experiments and every,
        max_commits=max_commits or (None if every else LAST),
    )
    brief = top is None and not every and format_ in (Format.table, Format.markdown)
    rows = choose(
        board.rows,
        benchmark=benchmark or (),
        encoder=encoder or (),
        view=view or (),
        method=method or (),
        metric=metric or (),
        every=every,
        current=current,
        sort=sort.value,
        top=top,
        most=MOST if brief and out is None else None,
    )
    _write(board, rows, format_, out)


def _write(
    board: Leaderboard, rows: list[Row], format_: Format, out: Path | None
) -> None:
    """Print or save the table; on the side, what a file cannot say."""
    from mmclust.board import tables
    from mmclust.core.io import write_bytes

    if format_ is Format.table and out is None:
        _print_board(rows)
        typer.echo(
            f"{len(rows)} of {len(board.rows)} numbers; --metric all: of every metric; "
            "--history: also those of before; --top N: more of each"
        )
    else:
        text = {
            Format.table: lambda: tables.board_markdown(board, rows),
            Format.csv: lambda: tables.board_csv(rows),
            Format.markdown: lambda: tables.board_markdown(board, rows),
            Format.html: lambda: tables.board_html(board, rows),
            Format.json: lambda: tables.board_json(board, rows),
        }[format_]()
        if out is None:
            typer.echo(visible(text), nl=False)
        else:
            write_bytes(out, text.encode())
            typer.echo(f"wrote {out} ({len(rows)} rows)")
    for sentence in board.remarks:
        typer.echo(visible(sentence), err=True)


def _print_board(rows: list[Row]) -> None:
    """Print the table, each interval as ±, notes once each below."""
    from mmclust.board import tables

    notes = Notes()
    shown = []
    for row in rows:
        cells = dict(zip(tables.HEADS_OF_BOARD, tables.board_cells(row), strict=True))
        if row.score.half is not None:
            half = tables.number(row.score.half, row.score.mean)
            cells["mean"] = f"{cells['mean']} ± {half}"
        cells["notes"] = notes.mark(cells["notes"])
        shown.append(cells)
    heads = [
        head
        for head in tables.HEADS_OF_BOARD
        if head != tables.INTERVAL and any(cells[head] for cells in shown)
    ]
    wrapped = {"benchmark", "method", "metric", "before"}
    lines = [[cells[head] for head in heads] for cells in shown]
    print_table(heads, lines, tables.NUMBERS, wrapped)
    notes.print()
    typer.echo(f"{tables.BOARD_LEGEND.replace('`', '')} ±: half of the interval.")


def diff(
    base: Annotated[
        str, typer.Argument(help="Before: a revision of git, or an experiment of DVC.")
    ] = "HEAD",
    head: Annotated[
        str | None,
        typer.Argument(help="After; without: the workspace, committed or not."),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Rows within their noise and equal ones, too."),
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this metric; can be given again; all: every one. Default: the "
            "headline metrics."
        ),
    ] = None,
    format_: Annotated[
        DiffFormat, typer.Option("--format", "-f", help="How to write it.")
    ] = DiffFormat.table,
) -> None:
    """Show which scores moved by more than their noise, before and after a change.

    Compares the records of scores (metrics/details) of two commits, branches, tags or
    DVC experiments, or of one with the workspace. A row that moved less than its
    noise is counted, not listed. Nothing is checked out and nothing runs.

    Headline metrics: acc, nmi, ari; rsum, t2i_r1, i2t_r1; v_measure_score,
    prediction_correlation_over_10 and mas of words; f1 of grounding. Of two runs on the
    same images (words, queries) they are paired by resamples that both runs keep, as
    two methods of one run are. Others count as independent: the 95 % interval of the
    difference adds the squares of the half-widths that both records have, so that what
    is listed is surer than its p says. `mmclust score clustering --baseline` pairs two
    methods by any metric.
    """
    from mmclust.board import tables
    from mmclust.board.diff import compare

    found = compare(Path(), base, head, metric or ())
    if format_ is DiffFormat.table:
        _print_diff(found, every=every)
        return
    write = {
        DiffFormat.md: tables.diff_markdown,
        DiffFormat.csv: tables.diff_csv,
        DiffFormat.json: tables.diff_json,
    }[format_]
    typer.echo(visible(write(found, every=every)), nl=False)


def _print_diff(found: Diff, *, every: bool) -> None:
    from mmclust.board import tables

    rows = [tables.diff_cells(each) for each in tables.listed(found, every=every)]
    if rows:
        print_table(tables.HEADS_OF_DIFF, rows, tables.NUMBERS, {"benchmark", "method"})
    typer.echo(visible(tables.verdict(found)))
    for sentence in tables.diff_sentences(found):
        typer.echo(visible(f"- {sentence}"))
    typer.echo(visible(tables.diff_legend(found)))


def reproduce(
    row: Annotated[str, typer.Argument(help="The id of a row, or how it begins.")],
    tolerance: Annotated[
        float, typer.Option(min=0, help="The largest difference that counts as none.")
    ] = 0.0,
    upstream: Annotated[
        bool,
        typer.Option(
            "--upstream", help="Run all the stages before it again, not only its own."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Without DVC's output.")
    ] = False,
) -> None:
    """Run the stage that made a number, in a clean worktree of its commit; compare.

    The worktree is temporary and always removed. What the stage reads comes from this
    repository's DVC cache, or from the stages before it. Exit code 1: another number;
    where equality is not promised (other numerics or packages, Arm), one outside its
    interval.
    """
    from mmclust.board import reproduce as work
    from mmclust.report.provenance import machine

    root = Path()
    found = work.find_row(root, row)
    _introduce(found)
    typer.echo(
        f"here: {', '.join(f'{key} {value}' for key, value in machine().items())}"
    )
    differ = work.other_locks(root, found.made)
    if differ:
        typer.echo(
            f"this environment may be another: {', '.join(differ)} differ from that "
            "commit's"
        )

    def tell(line: str) -> None:
        if not quiet:
            typer.echo(f"  {line}", err=True)

    verdict = work.reproduce(
        root, found, tolerance=tolerance, upstream=upstream, tell=tell
    )
    _judge(verdict)
    if not verdict.same and (not verdict.unpromised or not verdict.within):
        raise typer.Exit(1)


def _introduce(row: Row) -> None:
    what = (row.benchmark, row.encoder, row.view, row.method, row.k and f"k={row.k}")
    typer.echo(
        f"{row.id}: {row.metric} of {' '.join(part for part in what if part)} "
        f"at {row.made[:7]} {row.experiment}".rstrip()
    )
    for note in row.notes:
        typer.echo(f"note: {note}")


def _judge(verdict: Verdict) -> None:
    row = verdict.row
    again = "gone" if verdict.again is None else f"{verdict.again!r}"
    typer.echo(f"ran {', '.join(verdict.ran)}; the rest came from DVC's cache")
    typer.echo(f"{row.metric}: recorded {row.score.mean!r}, made again {again}")
    if not verdict.differing:
        how = "equal to the byte" if verdict.same_bytes else "same"
        typer.echo(f"{how}: all {verdict.n_values} values of {row.held.path} are equal")
        return
    for name, then, now in verdict.differing[:DIFFERING]:
        typer.echo(f"  {name}: recorded {then}, made again {now}")
    left = len(verdict.differing) - DIFFERING
    if left > 0:
        typer.echo(f"  and {left} more")
    if verdict.unpromised and not verdict.same:
        where = "within the intervals" if verdict.within else (
            f"outside the intervals: {', '.join(verdict.outside)}"
            if verdict.outside else "and no interval to hold it against"
        )  # fmt: skip
        typer.echo(
            f"not promised there ({'; '.join(verdict.unpromised)}): "
            f"{len(verdict.differing)} of {verdict.n_values} values differ, largest "
            f"difference {verdict.largest:.6g}, {where}"
        )
        return
    typer.echo(
        f"{'same within the tolerance' if verdict.same else 'DIFFERENT'}: "
        f"{len(verdict.differing)} of {verdict.n_values} values differ, by at most "
        f"{verdict.largest:.6g} (tolerance {verdict.tolerance:g})"
    )
